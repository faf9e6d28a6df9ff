//! The page of one piece of evidence.

use std::fs;

use pcapx_core::manifest::{Manifest, State};
use pcapx_testkit::process::{Service, Site};

use crate::fixture::{Piece, at, brief, hostile, scene};
use crate::{assert_has, get, page, plain, start};

const NAME: &str = "20260301_101112_alert_12345";

fn serve(pieces: &[Piece]) -> (Site, Service) {
    let mut site = Site::new();
    for piece in pieces {
        piece.write(&site.output_dir());
    }
    let service = start(&mut site);
    (site, service)
}

fn view(service: &Service, piece: &Piece) -> String {
    page(service, &format!("/?view={}", piece.manifest.name))
}

#[test]
fn everything_that_is_known_is_shown() {
    let mut site = Site::new();
    scene(&site.output_dir());
    let service = start(&mut site);
    let text = page(&service, &format!("/?view={NAME}"));
    assert_has(
        &text,
        &[
            "<title>C2 beacon to a known address – pcapx</title>",
            "<h1 class=\"lead\"><bdi>C2 beacon to a known address</bdi></h1>",
            &format!("<a class=\"button first\" href=\"./{NAME}.pcap\" download>Download 4.10 MB</a>"),
            &format!("<a class=\"button\" href=\"./{NAME}.json\">Manifest</a>"),
            "<dt>Packets</dt><dd>4 955",
            "<dt>From the client</dt><dd>202 kB<small>1 686 packets</small>",
            "Window of 12 min: 20 s of it were not recorded.",
            "The recorder lost 1 204 packets meanwhile.",
            // Seconds 455 to 475 of 720.
            "<rect class=\"gap\" x=\"63.194%\" width=\"2.778%\"",
            "<rect class=\"kept\" x=\"0%\" width=\"63.194%\"",
            "<line class=\"alert\" x1=\"50%\" x2=\"50%\"",
            "<h2>Packets per second</h2>",
            "from the client</span>",
            ">10.20.0.14:51514</td>",
            "At least 14 others",
            "<h2>First 200 of 4 955 packets</h2>",
            "<bdi>DNS 0x3f21 A? cdn.updates.example</bdi>",
            "2 files read, 1 file excluded by their indexes",
            "<bdi>1772356.pcap.gz</bdi>",
            "<bdi>dstIp: &quot;203.0.113.77:443&quot; is no address</bdi>",
            "&quot;clientIp&quot;: &quot;10.20.0.14&quot;,\n",
            &format!("<code>curl -f -o ./{NAME}.pcap http://pcap.example.com:0/{NAME}.pcap</code>"),
            &format!("  ./{NAME}.pcap&#39; | sha256sum -c").replace("&#39;", "'"),
            "Times in Europe/Warsaw",
        ],
    );
    assert!(!text.contains("http-equiv"));
    assert_eq!(get(&service, &format!("/{NAME}.pcap")).body.len(), 4_096_364);
}

#[test]
fn seconds_in_a_window_of_days_are_seen_and_no_gap_is_hidden_by_them() {
    let piece = brief();
    let (_site, service) = serve(std::slice::from_ref(&piece));
    let text = view(&service, &piece);
    assert_has(&text, &["Window of 2 d: only 1 min 30 s of it were recorded, with 3 gaps."]);
    // Painted in this order: what was not recorded for days, the needle, the seconds that were, the seconds between them that
    // were not, the packets.
    let wide =
        |class: &str, x: &str, least: u32| format!("<rect class=\"{class}\" x=\"{x}\" width=\"{least}\"");
    let order = [
        "<rect class=\"gap\" x=\"0%\" width=\"49.974%\"".to_owned(),
        "<line class=\"alert\" x1=\"50%\"".to_owned(),
        wide("kept", "49.987%", 6),
        wide("kept", "50.019%", 6),
        wide("gap", "50.003%", 2),
        wide("packets", "50.003%", 6),
    ];
    let places: Vec<_> =
        order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn times_have_their_day_where_there_are_several() {
    let piece = brief();
    let (_site, service) = serve(&[piece.clone(), Piece::new("short", "Alert", 0)]);
    assert_has(
        &view(&service, &piece),
        &[
            // First to last packet, the start of a conversation, a packet, a column, the axis.
            ">03-01 10:10:27</time> – <time datetime=\"2026-03-01T09:12:06.000000000Z\">10:12:06</time>",
            ">03-01 10:10:32</time></td>",
            ">03-01 10:10:31.00",
            "<title>03-01 10:10:27, 1 s: ",
            ">12:00</text><text class=\"tick day\"",
            ">03-02</text>",
        ],
    );
    let text = page(&service, "/?view=20260301_101112_short");
    assert_has(&text, &[">10:06:12</time> – <time", "<title>10:06:12, 3 s: "]);
    assert!(!text.contains("tick day") && !text.contains(">03-01 "));
}

#[test]
fn an_open_window_is_looked_at_again_until_it_is_over() {
    let piece = Piece::new("a", "Alert", 0);
    let open = piece.clone().change(|manifest| {
        (manifest.state, manifest.open, manifest.searched_up_to) = (State::Partial, true, Some(at(0)));
    });
    let (site, service) = serve(std::slice::from_ref(&open));
    let text = view(&service, &open);
    assert_has(
        &text,
        &[
            "<meta http-equiv=\"refresh\" content=\"5\">",
            "The window is open until <time datetime=\"2026-03-01T09:17:12.000000000Z\">2026-03-01 10:17:12</time>",
            "href=\"?view=20260301_101112_a&amp;still\">Stop that</a>",
            "<rect class=\"later\" x=\"50%\" width=\"50%\"",
            ">collecting</span>",
        ],
    );
    let still = page(&service, "/?view=20260301_101112_a&still");
    assert_has(&still, &["href=\"?view=20260301_101112_a\">Keep the page up to date</a>"]);
    assert!(!still.contains("http-equiv"));
    piece.write(&site.output_dir());
    let text = view(&service, &piece);
    assert!(!text.contains("http-equiv") && text.contains(">complete</span>"));
}

#[test]
fn without_packets_the_reason_is_told() {
    let none =
        Piece::new("none", "Alert", 0).empty(State::NoMatch, Some("the filter matched none of 7 packets"));
    let queued = Piece::new("queued", "Alert", 0).empty(State::Queued, None);
    let (_site, service) = serve(&[none.clone(), queued.clone()]);
    let text = view(&service, &none);
    assert_has(
        &text,
        &["<bdi>The filter matched none of 7 packets</bdi>.", ">no match</span>", "How it was found"],
    );
    assert!(!text.contains("Download") && !text.contains("curl") && !text.contains("Packets per second"));
    assert_has(&view(&service, &queued), &["This waits for its turn.", ">queued</span>", "http-equiv"]);
}

#[test]
fn a_file_without_a_manifest_is_shown_with_what_is_known() {
    let mut site = Site::new();
    let folder = site.output_dir();
    fs::write(folder.join("20250101_120000_4711.pcap"), vec![0; 31_337]).unwrap();
    fs::write(folder.join("from the lab.pcapng"), "x").unwrap();
    fs::write(folder.join("broken.json"), "{\"schema\": ").unwrap();
    fs::write(folder.join("broken.pcap"), "packets").unwrap();
    let service = start(&mut site);
    let text = page(&service, "/?view=20250101_120000_4711");
    assert_has(
        &text,
        &["<bdi>4711</bdi></h1>", "<time>2025-01-01 12:00:00</time>", "31 337 bytes", "No manifest tells"],
    );
    assert!(!text.contains(">Manifest</a>") && !text.contains("What was recorded"));
    let text = page(&service, "/?view=from%20the%20lab");
    assert_has(&text, &["href=\"./from%20the%20lab.pcapng\"", "tshark -n -r './from the lab.pcapng'"]);
    let text = page(&service, "/?view=broken");
    assert_has(
        &text,
        &["The manifest of this evidence cannot be read.", ">Manifest</a>", "href=\"./broken.pcap\""],
    );
    for name in ["nothing", "from", "broken.pcap", "20250101_120000_4711.pcap"] {
        let reply = get(&service, &format!("/?view={name}"));
        assert_eq!(reply.status, 404, "{name}");
        assert_has(&plain(&reply), &["There is no evidence of this name", "<a href=\"./\">All evidence</a>"]);
    }
}

#[test]
fn what_stands_beside_the_packets_is_believed_only_as_far_as_it_fits() {
    let whole = Piece::new("whole", "Alert", 0);
    let (site, service) = serve(std::slice::from_ref(&whole));
    let folder = site.output_dir();
    let digest = folder.join(format!("{}.digest.json", whole.manifest.name));
    for text in ["{", "{\"schema\": \"pcapx-digest/2\"}", "[]"] {
        fs::write(&digest, text).unwrap();
        assert_has(
            &view(&service, &whole),
            &["The digest of the packets cannot be read", "<dt>Packets</dt><dd>4 955"],
        );
    }
    fs::write(&digest, vec![b' '; 5 << 20]).unwrap();
    assert_has(&view(&service, &whole), &["The digest of the packets cannot be read"]);
    fs::remove_file(&digest).unwrap();
    assert!(!view(&service, &whole).contains("digest"));
    // A manifest that names a file elsewhere, or one that is not there.
    for file in ["../config.json", "/etc/passwd", ".hidden", "gone.pcap"] {
        let manifest = Manifest { file: Some(file.to_owned()), ..whole.manifest.clone() };
        fs::write(folder.join(format!("{}.json", manifest.name)), manifest.to_json()).unwrap();
        let text = view(&service, &whole);
        assert_has(&text, &["The capture file that the manifest tells of is not there."]);
        assert!(!text.contains("Download") && !text.contains("passwd"), "{file}");
    }
    // A manifest of other evidence.
    fs::write(folder.join("other.json"), whole.manifest.to_json()).unwrap();
    assert_has(&page(&service, "/?view=other"), &["The manifest of this evidence cannot be read."]);
    let link = folder.join("linked.json");
    std::os::unix::fs::symlink(site.config_path(), link).unwrap();
    assert_eq!(get(&service, "/?view=linked").status, 404);
}

#[test]
fn texts_that_mean_harm_are_text_everywhere() {
    let evil = "\"><script>alert(1)</script>\u{202e}\u{7}";
    let shown = "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩␇";
    let mut piece = Piece::new("evil", evil, 0).change(|manifest| {
        manifest.filter = evil.to_owned();
        manifest.reason = Some(evil.to_owned());
        manifest.mode = Some(evil.to_owned());
        manifest.refused = vec![evil.to_owned()];
        manifest.request.user = evil.to_owned();
        manifest.request.peer = evil.to_owned();
        manifest.extractor = evil.to_owned();
        manifest.versions.pcapx = evil.to_owned();
        manifest.sha256 = Some(evil.to_owned());
        manifest.segments[0].file = evil.to_owned();
        manifest.alert = Some(serde_json::json!({ evil: evil }));
        if let Some(about) = &mut manifest.about {
            about.id = evil.to_owned();
        }
    });
    if let Some(digest) = &mut piece.digest {
        let line = &mut digest.lines[0];
        for text in [&mut line.source, &mut line.destination, &mut line.protocol, &mut line.info] {
            evil.clone_into(text);
        }
        evil.clone_into(&mut digest.conversations[0].protocol);
        evil.clone_into(&mut digest.protocols[0].name);
    }
    let (site, service) = serve(&[piece.clone()]);
    let text = view(&service, &piece);
    assert!(!text.contains("<script") && !text.contains('\u{202e}') && !text.contains('\u{7}'));
    assert_eq!(text.matches(&format!("<bdi>{shown}</bdi>")).count(), 18);
    for piece in hostile() {
        piece.write(&site.output_dir());
        let text = view(&service, &piece);
        assert!(!text.contains("<script") && !text.contains("<img") && !text.contains('\u{202e}'));
    }
}
