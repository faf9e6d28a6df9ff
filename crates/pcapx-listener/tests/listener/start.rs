//! Before the first request: configuration, `--check`, the choice of the extractor, left-overs of an earlier run.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use pcapx_core::config::Secret;
use pcapx_testkit::process::{Connection, Service, Signal, Site};

use crate::fake::Fake;
use crate::shelf::{alert, ask, link, record, stem};
use crate::{ALERT, ALERT_FILE, LISTENER, assert_result, evidence, listener, post, request};

fn check(site: &Site) -> Output {
    site.command(LISTENER).arg("--check").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_missing_key_is_named_and_ends_the_start() {
    let mut site = Site::new();
    site.unset("host").unset("output_dir");
    let output = site.command(LISTENER).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("host") && told.contains("output_dir"), "{told}");
}

#[test]
fn a_missing_file_is_named() {
    let site = Site::new();
    let output = site.command(LISTENER).args(["--config", "/nonexistent/config.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "given twice");
    let output =
        std::process::Command::new(LISTENER).args(["--config", "/nonexistent/config.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nonexistent/config.json"));
    drop(site);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let mut site = Site::new();
    let first = listener(&site);
    site.set("listen_port", first.address().port());
    let output = site.command(LISTENER).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told = text(&output.stderr);
    assert!(told.contains(&format!("pcapx-listener: cannot listen on {}", first.address())), "{told}");
}

#[test]
fn an_output_folder_that_cannot_be_made_is_named() {
    let mut site = Site::new();
    let file = site.path().join("file");
    fs::write(&file, b"").unwrap();
    site.set("output_dir", file.join("alerts").to_str().unwrap());
    let output = site.command(LISTENER).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("pcapx-listener: output_dir: "));
    let output = check(&site);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("error: output_dir "), "{}", text(&output.stdout));
}

#[test]
fn check_says_what_it_found_and_changes_nothing() {
    let mut site = Site::new();
    let output_dir = site.path().join("new/alerts");
    site.set("output_dir", output_dir.to_str().unwrap());
    let output = check(&site);
    assert_eq!(output.status.code(), Some(0));
    let told = text(&output.stdout);
    let root = site.path().to_owned();
    let path = |name: &str| root.join(name).display().to_string();
    for line in [
        format!("ok: configuration {}", path("config.json")),
        "ok: authentication off".to_owned(),
        format!("ok: timeline_dir {}, files: 0", path("timeline")),
        "ok: address 127.0.0.1:0".to_owned(),
        format!("ok: output_dir {} will be created", path("new/alerts")),
        "ok: indexes stand beside the files".to_owned(),
    ] {
        assert!(told.lines().any(|told| told == line), "{line}\nin\n{told}");
    }
    assert!(told.contains("\nok: extractor builtin ("), "{told}");
    assert!(!output_dir.exists());

    site.set("index_dir", path("config.json"));
    let output = check(&site);
    assert_eq!(output.status.code(), Some(0), "the service works without indexes");
    let told = text(&output.stdout);
    assert!(told.contains("\nwarning: indexes stand below "), "{told}");
    assert!(told.contains("; let the service write there, or set index_dir to another folder;"), "{told}");
    site.unset("index_dir");

    fs::remove_dir(site.timeline_dir()).unwrap();
    let output = check(&site);
    assert_eq!(output.status.code(), Some(0), "the service starts without it");
    assert!(text(&output.stdout).contains("warning: timeline_dir "), "{}", text(&output.stdout));

    site.set("timeline_dir", path("config.json"));
    let output = check(&site);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("error: timeline_dir "), "{}", text(&output.stdout));
}

#[test]
fn a_timeline_that_is_not_there_is_a_failed_extraction() {
    let site = Site::new();
    fs::remove_dir(site.timeline_dir()).unwrap();
    let service = listener(&site);
    let text = "ERROR: extraction failed, the recording cannot be read";
    assert_result(&post(service.address(), "/", ALERT), text);
    let line = service.wait_for_log(|line| line.contains("job id="));
    assert!(line.contains(" outcome=failed ") && line.contains("timeline"), "{line}");
}

#[test]
fn npcapextract_that_is_demanded_must_be_there() {
    let mut site = Site::new();
    site.set("extractor", "npcapextract");
    let output = site.command(LISTENER).env("PATH", "/nonexistent").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("npcapextract"));
}

#[test]
fn auto_wants_the_program_and_its_indexes() {
    let mut fake = Fake::new("echo packets > \"$output\"");
    fake.site.set("extractor", "auto");
    let chosen = |fake: &Fake| {
        let service = fake.listener();
        service.wait_for_log(|line| line.contains("extractor: "))
    };
    assert!(chosen(&fake).contains("extractor: builtin ("));
    let hour = fake.site.timeline_dir().join("2025/02/09/11/20");
    fs::create_dir_all(&hour).unwrap();
    fs::write(hour.join("1739100000.000001.pcap.idx"), b"").unwrap();
    assert!(chosen(&fake).contains(&format!("extractor: {} (", fake.path("bin/npcapextract"))));

    fake.site.set("extractor", "builtin");
    assert!(chosen(&fake).contains("extractor: builtin (as configured)"));
}

#[test]
fn the_output_folder_is_made_and_left_overs_go() {
    let mut site = Site::new();
    let service = listener(&site);
    drop(service);
    for name in [".pcapx-listener-1-2-x.pcap", ".pcapx-unfinished-abc", "20250209_112000_a.pcap"] {
        fs::write(site.output_dir().join(name), b"x").unwrap();
    }
    let service = listener(&site);
    assert_eq!(evidence(&site), ["20250209_112000_a.pcap"]);
    drop(service);

    let new = site.path().join("storage/alerts");
    site.set("output_dir", new.to_str().unwrap());
    let service = listener(&site);
    assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o7777, 0o750);
    drop(service);
}

#[test]
fn one_ready_line_and_nothing_else_on_stdout() {
    let service = listener(&Site::new());
    let address = service.address();
    assert_eq!(post(address, "/", "{}").status, 200);
    let exit = service.stop();
    assert_eq!(exit.status.code(), Some(0));
    assert_eq!(exit.stdout, format!("pcapx-listener: listening on http://{address}"));
}

#[test]
fn version_and_help_are_told() {
    let run = |option: &str| std::process::Command::new(LISTENER).arg(option).output().unwrap();
    assert_eq!(text(&run("--version").stdout), format!("pcapx-listener {}\n", env!("CARGO_PKG_VERSION")));
    let help = text(&run("--help").stdout);
    for part in ["--config", "--check", "Exit codes:", "Examples:", "PCAPX_LOG"] {
        assert!(help.contains(part), "{part}\n{help}");
    }
    assert_eq!(run("--frobnicate").status.code(), Some(2));
}

#[test]
fn a_password_becomes_a_hash() {
    let hash = |typed: &str| {
        let mut child = std::process::Command::new(LISTENER)
            .arg("hash-password")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    for typed in ["a b:ż\n", "a b:ż\r\n", "a b:ż"] {
        let output = hash(typed);
        assert_eq!(output.status.code(), Some(0));
        let secret = Secret::new(text(&output.stdout).trim_end().to_owned()).unwrap();
        assert!(secret.is_hashed() && secret.matches("a b:ż".as_bytes()), "{typed:?}");
    }
    let output = hash("\n");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(text(&output.stderr).contains("empty password"));
}

#[test]
fn a_misspelt_key_is_a_warning() {
    let mut site = Site::new();
    site.set("listen_prot", 1);
    let service = Service::start(LISTENER, &site);
    let line = service.wait_for_log(|line| line.contains("listen_prot"));
    assert!(line.contains("WARN"), "{line}");
}

#[test]
fn bounds_of_evidence_change_with_a_reload() {
    let mut site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    for id in ["a", "newest"] {
        assert_result(&post(service.address(), "/", &alert(id, 3)), &link(id));
    }
    site.set("max_output_packets", 2)
        .set("min_free_bytes", 1)
        .set("retention_max_bytes", 1)
        .set("completion", "now");
    drop(site.command(LISTENER));
    service.signal(Signal::HUP);
    let changed = service.wait_for_log(|line| line.contains("reload: changed: "));
    let keys = "completion, max_output_packets, retention_max_bytes, min_free_bytes";
    assert!(changed.ends_with(&format!("changed: {keys}")), "{changed}");
    // Retention looks at once, and not in a minute.
    let line = service.wait_for_log(|line| line.contains("evidence removed: "));
    assert!(line.contains(&stem("a")), "{line}");
    let (_, document) = ask(service.address(), "POST /", &alert("b", 3));
    assert_eq!((&document["state"], &document["manifest"]["packets"]), (&"partial".into(), &2.into()));
}

#[test]
fn questions_and_links_change_with_a_reload() {
    let mut fake = Fake::new("printf '%s' \"$8\" > \"$output\"");
    let service = fake.listener();
    let ask = || post(service.address(), "/", ALERT).text();
    assert_eq!(ask(), format!("http://127.0.0.1:0/{ALERT_FILE}"));
    fake.site.set("default_filter", "client").set("fileserver_port", 9081).set("host", "pcap.example.com");
    fake.site.set("max_concurrent_extractions", 7);
    drop(fake.site.command(LISTENER));
    service.signal(Signal::HUP);
    let restart = service.wait_for_log(|line| line.contains("after a restart only"));
    assert!(restart.ends_with(" after a restart only: max_concurrent_extractions"), "{restart}");
    let changed = service.wait_for_log(|line| line.contains("reload: changed: "));
    assert!(changed.ends_with("changed: host, fileserver_port, default_filter"), "{changed}");
    let link = ask();
    assert!(link.starts_with("http://pcap.example.com:9081/20250209_112000_alert_12345"), "{link}");
    let name = link.rsplit('/').next().unwrap();
    assert_eq!(fs::read_to_string(fake.site.output_dir().join(name)).unwrap(), "tcp and host 10.0.0.10");
    let reply = Connection::open(service.address()).exchange(&request("GET /", &[], b""));
    assert!(reply.text().contains("http://pcap.example.com:"), "{}", reply.text());
}

#[test]
fn check_looks_at_the_folder_of_the_audit_log() {
    let mut site = Site::new();
    let folder = site.path().join("audit");
    site.set("audit_log", folder.to_str().unwrap());
    let output = check(&site);
    assert_ne!(output.status.code(), Some(0));
    let error = format!("error: audit_log: {}: ", folder.display());
    assert!(text(&output.stdout).lines().any(|line| line.starts_with(&error)));
    fs::create_dir(&folder).unwrap();
    let output = check(&site);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains(&format!("\nok: audit_log {}\n", folder.display())));
}
