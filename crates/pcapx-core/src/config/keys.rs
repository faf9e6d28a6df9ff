//! The table of all keys. Everything that is told of keys elsewhere – README, shipped file, errors – comes from here.

use std::fmt::Write as _;

use config::{Value, ValueKind};

/// Prefix of the environment variables that stand for keys.
pub(super) const VARIABLE_PREFIX: &str = "PCAPX_";

/// Variables with our prefix that are no keys; whoever reads them says so in its own documentation.
pub(super) const OTHER_VARIABLES: [&str; 3] = ["PCAPX_CONFIG", "PCAPX_LOG", "PCAPX_CAPTURES"];

/// How alike a misspelt name and the one it is taken for must be: 1 is the same, 0 has nothing in common.
/// One slip in a word of four letters passes, another word does not.
const SIMILARITY: f64 = 0.75;

/// One key of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The name in the file.
    pub name: &'static str,
    /// The older key that fills this one where it is missing.
    pub older: Option<&'static str>,
    /// What may be written and in which unit.
    pub unit: &'static str,
    /// The value as shipped; for a key that may be missing, also the value then.
    pub value: Option<Literal>,
    /// Whether the services refuse to start without it.
    pub required: bool,
    /// Whether the shipped file holds it.
    pub shipped: bool,
    /// Whether its value may be printed nowhere.
    pub secret: bool,
    /// What it is for.
    pub doc: &'static str,
}

/// A value in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A text.
    Text(&'static str),
    /// A number.
    Number(u32),
    /// True or false.
    Flag(bool),
    /// The empty list.
    EmptyList,
}

macro_rules! keys {
    ($($constant:ident: $name:literal { $($field:ident: $value:expr),+ $(,)? })+) => {
        $(
            pub(super) const $constant: Key = Key { name: $name, $($field: $value,)+ ..BLANK };
        )+
        /// Every key, in the order of the shipped file; keys that are not in it follow.
        pub const KEYS: &[Key] = &[$($constant),+];
    };
}

/// What a row of the table need not say.
const BLANK: Key = Key {
    name: "",
    older: None,
    unit: "text",
    value: None,
    required: false,
    shipped: false,
    secret: false,
    doc: "",
};

keys! {
    HOST: "host" {
        unit: "host name or IP address",
        value: Some(Literal::Text("192.168.0.109")),
        required: true,
        shipped: true,
        doc: "host of the links in answers; never taken from a request",
    }
    LISTEN_PORT: "listen_port" {
        unit: "port",
        value: Some(Literal::Number(8888)),
        required: true,
        shipped: true,
        doc: "port of the listener; 0 = any free port",
    }
    FILESERVER_PORT: "fileserver_port" {
        unit: "port",
        value: Some(Literal::Number(8081)),
        required: true,
        shipped: true,
        doc: "port of the fileserver, also in the links; 0 = any free port",
    }
    TIMELINE_DIR: "timeline_dir" {
        unit: "path",
        value: Some(Literal::Text("/storage/pcaps/rolling")),
        required: true,
        shipped: true,
        doc: "the rolling capture; a relative path starts at the working directory",
    }
    OUTPUT_DIR: "output_dir" {
        unit: "path",
        value: Some(Literal::Text("/storage/pcaps/alerts")),
        required: true,
        shipped: true,
        doc: "extracted captures: the listener creates and fills it, the fileserver only reads it",
    }
    DEFAULT_FILTER: "default_filter" {
        unit: "`full`, `hosts`, `client`, `server` or `port`",
        value: Some(Literal::Text("full")),
        required: true,
        shipped: true,
        doc: "filter mode of requests that name none or an unknown one",
    }
    DEFAULT_BEFORE: "default_before" {
        unit: "seconds, 0 to 86400",
        value: Some(Literal::Number(360)),
        required: true,
        shipped: true,
        doc: "how far the window reaches ahead of the alert",
    }
    DEFAULT_AFTER: "default_after" {
        unit: "seconds, 0 to 86400",
        value: Some(Literal::Number(360)),
        required: true,
        shipped: true,
        doc: "how far the window reaches past the alert",
    }
    MAX_CONCURRENT_EXTRACTIONS: "max_concurrent_extractions" {
        unit: "number, 1 to 1024",
        value: Some(Literal::Number(1)),
        shipped: true,
        doc: "extractions that run at once; further requests are told to come back",
    }
    LISTENER_AUTH_USER: "listener_auth_user" {
        older: Some("basic_auth_user"),
        value: Some(Literal::Text("")),
        shipped: true,
        doc: "user for HTTP Basic on the listener; user and password empty = off",
    }
    LISTENER_AUTH_PASS: "listener_auth_pass" {
        older: Some("basic_auth_pass"),
        value: Some(Literal::Text("")),
        shipped: true,
        secret: true,
        doc: "password for HTTP Basic on the listener, or its Argon2id hash",
    }
    FILESERVER_AUTH_USER: "fileserver_auth_user" {
        older: Some("basic_auth_user"),
        value: Some(Literal::Text("")),
        shipped: true,
        doc: "user for HTTP Basic on the fileserver; user and password empty = off",
    }
    FILESERVER_AUTH_PASS: "fileserver_auth_pass" {
        older: Some("basic_auth_pass"),
        value: Some(Literal::Text("")),
        shipped: true,
        secret: true,
        doc: "password for HTTP Basic on the fileserver, or its Argon2id hash",
    }
    ALLOWED_IPS: "allowed_ips" {
        unit: "list of IP addresses and networks",
        value: Some(Literal::EmptyList),
        shipped: true,
        doc: "who may download; empty = everybody; in the environment separated by commas",
    }
    BASIC_AUTH_USER: "basic_auth_user" {
        doc: "older key: fills `listener_auth_user` and `fileserver_auth_user` where they are missing",
    }
    BASIC_AUTH_PASS: "basic_auth_pass" {
        secret: true,
        doc: "older key: fills `listener_auth_pass` and `fileserver_auth_pass` where they are missing",
    }
    LISTENER_AUTH_TOKEN: "listener_auth_token" {
        value: Some(Literal::Text("")),
        secret: true,
        doc: "token for HTTP Bearer on the listener, beside Basic, or its Argon2id hash; empty = off",
    }
    LISTENER_ALLOWED_IPS: "listener_allowed_ips" {
        unit: "list of IP addresses and networks",
        value: Some(Literal::EmptyList),
        doc: "who may post alerts; empty = everybody",
    }
    TRUSTED_PROXIES: "trusted_proxies" {
        unit: "list of IP addresses and networks",
        value: Some(Literal::EmptyList),
        doc: "proxies in front of the services: from them alone `X-Forwarded-For` and `Forwarded` tell the client's address",
    }
    LISTENER_TLS_CERT: "listener_tls_cert" {
        unit: "path",
        value: Some(Literal::Text("")),
        doc: "PEM file of the listener's certificate and those that lead to its authority; empty = plain HTTP",
    }
    LISTENER_TLS_KEY: "listener_tls_key" {
        unit: "path",
        value: Some(Literal::Text("")),
        doc: "PEM file of that certificate's private key",
    }
    LISTENER_TLS_CLIENT_CA: "listener_tls_client_ca" {
        unit: "path",
        value: Some(Literal::Text("")),
        doc: "PEM file of authorities, one of which must have signed a client's certificate; empty = clients need none",
    }
    FILESERVER_TLS_CERT: "fileserver_tls_cert" {
        unit: "path",
        value: Some(Literal::Text("")),
        doc: "PEM file of the fileserver's certificate and those that lead to its authority; empty = plain HTTP",
    }
    FILESERVER_TLS_KEY: "fileserver_tls_key" {
        unit: "path",
        value: Some(Literal::Text("")),
        doc: "PEM file of that certificate's private key",
    }
    FILESERVER_TLS_CLIENT_CA: "fileserver_tls_client_ca" {
        unit: "path",
        value: Some(Literal::Text("")),
        doc: "PEM file of authorities, one of which must have signed a client's certificate; empty = clients need none",
    }
    DOWNLOAD_URL_BASE: "download_url_base" {
        unit: "URL",
        value: Some(Literal::Text("")),
        doc: "what stands in links in front of the file's name, for a reverse proxy; empty = made of `host` and \
              `fileserver_port`",
    }
    METRICS: "metrics" {
        unit: "`off`, `open` or `auth`",
        value: Some(Literal::Text("off")),
        doc: "whether both services answer `GET /metrics` (for Prometheus): `open` without credentials, `auth` with those of the \
              service",
    }
    METRICS_ALLOWED_IPS: "metrics_allowed_ips" {
        unit: "list of IP addresses and networks",
        value: Some(Literal::EmptyList),
        doc: "who may read metrics; empty = everybody",
    }
    AUDIT_LOG: "audit_log" {
        unit: "path",
        value: Some(Literal::Text("")),
        doc: "folder in which each service keeps an audit log of its own; empty = none",
    }
    AUDIT_LOG_MAX_BYTES: "audit_log_max_bytes" {
        unit: "bytes",
        value: Some(Literal::Number(67_108_864)),
        doc: "how long a file of the audit log gets before the next one is begun; none is ever removed; 0 = one file",
    }
    EXTRACTOR: "extractor" {
        unit: "`auto`, `builtin` or `npcapextract`",
        value: Some(Literal::Text("auto")),
        doc: "who cuts the packets out; `auto` = npcapextract where it is installed and the timeline has its \
              indexes, else the built-in one",
    }
    EXTRACTOR_TIMEOUT: "extractor_timeout" {
        unit: "seconds, above 0, at most 86400",
        value: Some(Literal::Number(300)),
        doc: "when an extraction is given up",
    }
    DRAIN_TIMEOUT: "drain_timeout" {
        unit: "seconds, 0 to 86400",
        value: Some(Literal::Number(30)),
        doc: "how long running work may go on after the order to stop",
    }
    BIND_ADDRESS: "bind_address" {
        unit: "IP address",
        value: Some(Literal::Text("0.0.0.0")),
        doc: "address that both services bind; `::` = IPv6 and IPv4",
    }
    INDEX_DIR: "index_dir" {
        unit: "path",
        value: Some(Literal::Text("")),
        doc: "where indexes of the rolling capture are kept; empty = the state folder that systemd gives to the unit \
              (`/var/lib/pcapx/index`), without one beside the files",
    }
    BACKGROUND_INDEXING: "background_indexing" {
        unit: "`true` or `false`",
        value: Some(Literal::Flag(true)),
        doc: "whether the listener indexes files as the recorder finishes them; needed by the built-in extractor alone",
    }
    COMPLETION: "completion" {
        unit: "`follow` or `now`",
        value: Some(Literal::Text("follow")),
        doc: "what becomes of a window that is not over yet: `follow` answers with what is there and completes the same file \
              when the time has come, `now` leaves it at that",
    }
    REPLY_WITHIN: "reply_within" {
        unit: "seconds, 0 to 86400",
        value: Some(Literal::Number(20)),
        doc: "when a POST is answered at the latest: with the link, while the extraction goes on; 0 = when it has ended",
    }
    OUTPUT_FORMAT: "output_format" {
        unit: "`pcap` or `pcapng`",
        value: Some(Literal::Text("pcap")),
        doc: "format of extracted captures; `pcapng` has alert, filter, window and coverage as comments",
    }
    MAX_QUEUED_EXTRACTIONS: "max_queued_extractions" {
        unit: "number, 0 to 100000",
        value: Some(Literal::Number(0)),
        doc: "alerts that may wait for an extraction, over a restart too; 0 = none, they are told to come back",
    }
    MAX_OUTPUT_BYTES: "max_output_bytes" {
        unit: "bytes",
        value: Some(Literal::Number(0)),
        doc: "where an extracted capture is cut, at a packet; 0 = nowhere",
    }
    MAX_OUTPUT_PACKETS: "max_output_packets" {
        unit: "packets",
        value: Some(Literal::Number(0)),
        doc: "where an extracted capture is cut; 0 = nowhere",
    }
    RETENTION_MAX_AGE_DAYS: "retention_max_age_days" {
        unit: "days",
        value: Some(Literal::Number(0)),
        doc: "when finished evidence is removed; 0 = never",
    }
    RETENTION_MAX_BYTES: "retention_max_bytes" {
        unit: "bytes",
        value: Some(Literal::Number(0)),
        doc: "how much `output_dir` may hold before the oldest finished evidence is removed; 0 = no limit",
    }
    MIN_FREE_BYTES: "min_free_bytes" {
        unit: "bytes",
        value: Some(Literal::Number(67_108_864)),
        doc: "extractions fail rather than leave less than this free on the disk of `output_dir`",
    }
    ALLOW_AD_HOC: "allow_ad_hoc" {
        unit: "`auto`, `true` or `false`",
        value: Some(Literal::Text("auto")),
        doc: "whether packets can be asked for with a filter and two times instead of an alert; `auto` = where the listener \
              asks for credentials",
    }
    DIRECTORY_LISTING: "directory_listing" {
        unit: "`true` or `false`",
        value: Some(Literal::Flag(false)),
        doc: "whether the file server shows pages for people: at `/` the list of all evidence, and a page for each piece; \
              off, `/` is 403",
    }
}

impl Key {
    /// The environment variable that overrides the file: `PCAPX_LISTEN_PORT`.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_ascii_uppercase())
    }
}

impl Literal {
    /// As it stands in a JSON file.
    pub fn json(self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::EmptyList => "[]".to_owned(),
        }
    }

    pub(super) fn value(self) -> Value {
        Value::from(match self {
            Self::Text(text) => ValueKind::from(text),
            Self::Number(number) => ValueKind::from(number),
            Self::Flag(flag) => ValueKind::from(flag),
            Self::EmptyList => ValueKind::Array(Vec::new()),
        })
    }
}

/// The key of that name.
pub(super) fn by_name(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key whose name is most like `name`, if any is like it at all.
pub(super) fn similar_to(name: &str) -> Option<&'static Key> {
    let name = name.to_ascii_lowercase();
    KEYS.iter()
        .map(|key| (strsim::normalized_damerau_levenshtein(&name, key.name), key))
        .filter(|(similarity, _)| *similarity >= SIMILARITY)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, key)| key)
}

/// The table for the README, in Markdown, one row a key.
pub fn markdown_table() -> String {
    let mut table =
        String::from("| key | value | shipped or default | required | meaning |\n|---|---|---|---|---|\n");
    for key in KEYS {
        let value = key.value.map_or_else(|| "–".to_owned(), |value| format!("`{}`", value.json()));
        let required = if key.required { "yes" } else { "no" };
        // Writing into a String cannot fail.
        let _ = writeln!(table, "| `{}` | {} | {value} | {required} | {} |", key.name, key.unit, key.doc);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_is_complete_and_every_name_is_there_once() {
        let names: HashSet<_> = KEYS.iter().map(|key| key.name).collect();
        assert_eq!(names.len(), KEYS.len());
        for key in KEYS {
            assert!(!key.doc.is_empty() && !key.doc.contains(['|', '\n']), "{}", key.name);
            assert!(key.older.is_none_or(|older| names.contains(older)), "{}", key.name);
            assert!(!(key.required || key.shipped) || key.value.is_some(), "{}", key.name);
            assert_eq!(by_name(key.name), Some(key));
        }
    }

    #[test]
    fn secrets_are_the_passwords_and_the_token() {
        let secret: Vec<_> = KEYS.iter().filter(|key| key.secret).map(|key| key.name).collect();
        assert_eq!(
            secret,
            ["listener_auth_pass", "fileserver_auth_pass", "basic_auth_pass", "listener_auth_token"]
        );
    }

    #[test]
    fn misspelt_names_find_their_key() {
        for (written, meant) in [
            ("listenport", Some("listen_port")),
            ("Host", Some("host")),
            ("hsot", Some("host")),
            ("allowed_ip", Some("allowed_ips")),
            ("time_line_dir", Some("timeline_dir")),
            ("max_concurent_extractions", Some("max_concurrent_extractions")),
            ("_comment", None),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(similar_to(written).map(|key| key.name), meant, "{written:?}");
        }
    }

    #[test]
    fn the_markdown_table_has_one_row_a_key() {
        let table = markdown_table();
        assert_eq!(table.lines().count(), KEYS.len() + 2);
        assert!(
            table.contains(
                "| `listen_port` | port | `8888` | yes | port of the listener; 0 = any free port |\n"
            )
        );
        assert!(table.contains("| `basic_auth_pass` | text | – | no | older key: "));
        assert!(table.lines().all(|row| row.matches('|').count() == 6), "{table}");
    }
}
