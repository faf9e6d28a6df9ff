//! Commands to be copied: the download, its check, a first look.

use maud::{Markup, html};
use pcapx_core::config::Config;
use pcapx_http::Identity;

/// Links as answers to alerts have them: with the configured host, never with that of a request.
#[derive(Debug)]
pub(super) struct Links {
    base: String,
}

impl Links {
    pub(super) fn new(config: &Config) -> Self {
        Self { base: config.download_url("") }
    }
}

/// A shell's word for `text`.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@%+,".contains(&byte);
    // A word that begins with a dash would be an option.
    if !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let is_unseen =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(is_unseen) {
        // What would not be seen is spelled out, as bash and others read it.
        let spelled = text
            .bytes()
            .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!(r"\x{byte:02x}") });
        return format!("$'{}'", spelled.collect::<String>());
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The commands for the file called `file`, which is `link` in a URL.
pub(super) fn markup(
    links: &Links,
    file: &str,
    link: &str,
    sha256: Option<&str>,
    identity: &Identity,
) -> Markup {
    let url = quoted(&format!("{}{link}", links.base));
    let user = match identity {
        Identity::User(user) => format!("-u {} ", quoted(user)),
        _ => String::new(),
    };
    let name = quoted(&format!("./{file}"));
    let mut commands = vec![
        ("Download", format!("curl -f {user}-o {name} {url}")),
        ("First look", format!("tshark -n -r {name}")),
        ("Without a file", format!("curl -fsS {user}{url} | tshark -n -r -")),
    ];
    // Only what a hash can be: it goes into a command.
    if let Some(sha256) =
        sha256.filter(|hash| !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        commands
            .insert(1, ("Check", format!("echo {} | sha256sum -c", quoted(&format!("{sha256}  ./{file}")))));
    }
    html! {
        section {
            h2 { "On the command line" }
            dl.commands {
                @for (what, command) in commands {
                    div {
                        dt { (what) }
                        dd { pre.command dir="ltr" tabindex="0" { code { (command) } } }
                    }
                }
            }
            p.lead.quiet.small { "A click marks a whole command." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_read_more_than_a_word() {
        for (text, word) in [
            ("a_1-2.pcap", "a_1-2.pcap"),
            ("http://h:8081/a.pcap", "http://h:8081/a.pcap"),
            ("", "''"),
            ("-o", "'-o'"),
            ("a b", "'a b'"),
            ("$(reboot)", "'$(reboot)'"),
            ("it's", r"'it'\''s'"),
            ("a\n'\u{202e}b", r"$'a\x0a\x27\xe2\x80\xaeb'"),
        ] {
            assert_eq!(quoted(text), word);
        }
    }

    #[test]
    fn commands_name_the_configured_place_and_the_user() {
        let links = Links { base: "https://pcap.example.com/x/".to_owned() };
        let user = Identity::User("o'neil".to_owned());
        let text = markup(&links, "a b.pcap", "a%20b.pcap", Some("0f"), &user).into_string();
        for command in [
            r"curl -f -u 'o'\''neil' -o './a b.pcap' https://pcap.example.com/x/a%20b.pcap",
            "echo '0f  ./a b.pcap' | sha256sum -c",
            "tshark -n -r './a b.pcap'",
            r"curl -fsS -u 'o'\''neil' https://pcap.example.com/x/a%20b.pcap | tshark -n -r -",
        ] {
            assert!(text.contains(&format!("<code>{command}</code>")), "{command}\n{text}");
        }
        let text = markup(&links, "a.pcap", "a.pcap", Some("0f; reboot"), &Identity::Anonymous).into_string();
        assert!(
            text.contains("<code>curl -f -o ./a.pcap https://pcap.example.com/x/a.pcap</code>"),
            "{text}"
        );
        assert!(!text.contains("reboot"));
    }
}
