//! The external extractor, whatever it does.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use pcapx_testkit::process::Connection;

use crate::fake::{Fake, assert_dead};
use crate::{ALERT, ALERT_FILE, assert_result, evidence, post, post_bytes};

const FAILED: &str = "ERROR: npcapextract failed";
const TIMEOUT: &str = "ERROR: npcapextract timeout";

/// One alert to a fake of this script: the answer, and a log line about the failure; nothing is left.
#[track_caller]
fn assert_fails(script: &str, text: &str, logged: &str) {
    let fake = Fake::new(script);
    let service = fake.listener();
    assert_result(&post(service.address(), "/", ALERT), text);
    assert!(evidence(&fake.site).is_empty(), "{:?}", evidence(&fake.site));
    let line = service.wait_for_log(|line| line.contains("job id="));
    assert!(line.contains(logged), "{line}");
    // The place is free again.
    assert_result(&post(service.address(), "/", ALERT), text);
}

#[test]
fn the_arguments_are_the_contract_s() {
    let mut fake = Fake::new("echo packets > \"$output\"");
    fake.site.set("host", "192.168.0.109").set("fileserver_port", 8081);
    let service = fake.listener();
    assert_result(&post(service.address(), "/", ALERT), &format!("http://192.168.0.109:8081/{ALERT_FILE}"));
    let argv = fake.argv();
    let (output, fixed) = argv.split_last().unwrap();
    assert_eq!(
        fixed,
        [
            "-t",
            &fake.path("timeline"),
            "-b",
            "2025-02-09 11:14:00",
            "-e",
            "2025-02-09 11:26:00",
            "-f",
            "tcp and host 10.0.0.10 and host 10.0.0.20 and port 443",
            "-o",
        ]
    );
    let hidden = output.strip_prefix(&fake.path("alerts/.")).and_then(|name| name.strip_suffix(".pcap"));
    assert!(hidden.is_some_and(|name| !name.contains('/')), "{output}");
    assert_eq!(evidence(&fake.site), [ALERT_FILE]);
    let file = fake.site.output_dir().join(ALERT_FILE);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(fs::read(file).unwrap(), b"packets\n");
    let line = service.wait_for_log(|line| line.contains("job id="));
    assert!(
        line.contains(" extractor=npcapextract outcome=complete ") && line.contains(" bytes=8 "),
        "{line}"
    );
}

#[test]
fn times_are_local_and_the_window_is_rounded_outwards() {
    let fake = Fake::new("echo packets > \"$output\"");
    let warsaw = pcapx_testkit::process::Service::spawn(fake.command().env("TZ", "Europe/Warsaw")).unwrap();
    let alert = r#"{"id": "a", "clientIp": "10.0.0.10", "unixTimestamp": 1739100000.25}"#;
    let reply = post(warsaw.address(), "/?before=10&after=10", alert);
    assert!(reply.text().ends_with("/20250209_122000_a.pcap"), "{}", reply.text());
    let argv = fake.argv();
    assert_eq!((&*argv[3], &*argv[5]), ("2025-02-09 12:19:50", "2025-02-09 12:20:11"));
}

#[test]
fn no_text_of_an_alert_is_an_option_or_a_command() {
    let fake = Fake::new("echo packets > \"$output\"");
    let service = fake.listener();
    for text in
        ["1.1.1.1 or net 0.0.0.0/0", "-w/tmp/x", "$(id)", "`id`", "10.0.0.1;id", "10.0.0.1\\u0000", "-"]
    {
        let alone = format!(r#"{{"id": "a", "unixTimestamp": 1, "clientIp": "{text}", "name": "{text}"}}"#);
        assert_result(&post(service.address(), "/", &alone), "NO BPF FILTER");
        assert!(fake.argv().is_empty(), "{text}: the program ran");
    }
    let refused = service.wait_for_log(|line| line.contains("job id=") && line.contains("$(id)"));
    assert!(refused.contains(" refused=\"clientIp"), "{refused}");

    let beside =
        r#"{"id": "$(id) -o /etc/x", "unixTimestamp": 1, "clientIp": "$(id)", "serverIp": "10.0.0.20"}"#;
    assert!(post(service.address(), "/", beside).text().ends_with("/19700101_000001_id-oetcx.pcap"));
    assert_eq!(fake.argv()[7], "host 10.0.0.20");
}

#[test]
fn a_failure_is_told_and_its_reason_logged() {
    assert_fails("echo partial > \"$output\"; echo 'disk on fire' >&2; exit 3", FAILED, "exit status: 3");
    assert_fails("echo 'disk on fire' >&2; exit 1", FAILED, "disk on fire");
}

#[test]
fn no_file_is_a_failure() {
    assert_fails("exit 0", FAILED, "no file");
    assert_fails(
        "mkdir \"$output\"; rmdir \"$output\"; ln -s /etc/passwd \"$output\"",
        FAILED,
        "no regular file",
    );
}

#[test]
fn a_killed_child_is_a_failure() {
    assert_fails("echo partial > \"$output\"; kill -9 $$", FAILED, "signal: 9");
}

#[test]
fn an_empty_file_is_no_match_and_goes() {
    let text = "ERROR: no packets matched 'tcp and host 10.0.0.10 and host 10.0.0.20 and port 443' \
                between 2025-02-09 11:14:00 and 2025-02-09 11:26:00";
    assert_fails(": > \"$output\"", text, "outcome=no-match");
}

#[test]
fn a_program_that_vanished_is_a_failure() {
    let fake = Fake::new("");
    let service = fake.listener();
    fs::remove_file(fake.site.path().join("bin/npcapextract")).unwrap();
    assert_result(&post(service.address(), "/", ALERT), FAILED);
}

#[test]
fn stderr_without_end_neither_hangs_nor_floods() {
    assert_fails("yes 'all work and no play' | head -c 5000000 >&2; exit 4", FAILED, "exit status: 4");
}

#[test]
fn a_family_that_hangs_is_killed_at_the_limit() {
    let mut fake = Fake::new(
        r#"echo partial > "$output"
        sh -c 'trap "" TERM HUP; echo $$ > "$1/grandchild"; read line < "$1/release"' sh "$site" &
        echo $$ > "$site/leader"
        trap "" TERM
        wait"#,
    );
    fake.site.set("extractor_timeout", 1);
    let service = fake.listener();
    assert_result(&post(service.address(), "/", ALERT), TIMEOUT);
    assert_dead(fake.pid("leader"));
    assert_dead(fake.pid("grandchild"));
    assert!(evidence(&fake.site).is_empty(), "{:?}", evidence(&fake.site));
    assert!(service.wait_for_log(|line| line.contains("job id=")).contains(" outcome=timeout "));
    assert_result(&post(service.address(), "/", ALERT), TIMEOUT);
}

#[test]
fn what_a_good_child_leaves_running_is_killed_too() {
    let fake = Fake::new(
        r#"sh -c 'echo $$ > "$1/grandchild"; read line < "$1/release"' sh "$site" &
        while [ ! -s "$site/grandchild" ]; do :; done
        echo packets > "$output""#,
    );
    let service = fake.listener();
    assert_result(&post(service.address(), "/", ALERT), &format!("http://127.0.0.1:0/{ALERT_FILE}"));
    assert_dead(fake.pid("grandchild"));
    assert_eq!(evidence(&fake.site), [ALERT_FILE]);
}

#[test]
fn a_secret_of_ours_is_not_handed_on() {
    let fake = Fake::new("env > \"$output\"");
    let mut command = fake.command();
    let service =
        pcapx_testkit::process::Service::spawn(command.env("PCAPX_LISTENER_AUTH_PASS", "hunter2")).unwrap();
    let authorization = "Authorization: Basic Omh1bnRlcjI=";
    let length = format!("Content-Length: {}", ALERT.len());
    let bytes = crate::request("POST /", &[authorization, &length], ALERT.as_bytes());
    assert_eq!(Connection::open(service.address()).exchange(&bytes).status, 200);
    let environment = fs::read_to_string(fake.site.output_dir().join(ALERT_FILE)).unwrap();
    assert!(environment.contains("PATH=") && !environment.contains("hunter2"), "{environment}");
    assert_eq!(Connection::open(service.address()).exchange(&post_bytes("/", b"{}")).status, 401);
}
