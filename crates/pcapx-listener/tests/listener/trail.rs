//! The log: what it tells, and that nothing a client sends can forge it.

use pcapx_testkit::process::{Connection, Site};

use crate::{listener, post, post_bytes, request};

#[test]
fn a_job_is_one_line_with_everything_in_it() {
    let site = Site::new();
    let service = listener(&site);
    let alert = r#"{"id": "a 1", "name": "Port scan", "clientIp": "10.0.0.10", "serverIp": "nowhere",
        "unixTimestamp": 1739100000}"#;
    post(service.address(), "/?filter=sideways&before=1&after=2", alert);
    let line = service.wait_for_log(|line| line.contains("job id="));
    for part in [
        " peer=127.0.0.1 user=- alert=\"a 1\" name=\"Port scan\" mode=full filter=\"host 10.0.0.10\" ",
        " window=2025-02-09T11:19:59.000000000Z..2025-02-09T11:20:02.000000000Z ",
        " extractor=builtin outcome=no-match packets=0 segments=0 excluded=0 unread=0 scanned=0 in_window=0 refused=\"serverIp",
        "filter=sideways: unknown mode\" reason=\"nothing is recorded at all\" ms=",
    ] {
        assert!(line.contains(part), "{part}\nin\n{line}");
    }
    let id = line.split("job id=").nth(1).unwrap().split(' ').next().unwrap();
    let access = service.wait_for_log(|line| line.contains(&format!("request id={id} ")));
    assert!(access.contains(" status=200 ") && access.contains(" outcome=no-match"), "{access}");
}

#[test]
fn a_refusal_is_named() {
    let service = listener(&Site::new());
    post(service.address(), "/", "[]");
    let line = service.wait_for_log(|line| line.contains("refused="));
    assert!(line.contains(" status=400 ") && line.contains(" refused=\"JSON, but not an object\""), "{line}");
}

#[test]
fn nothing_a_client_sends_reaches_the_log_raw() {
    let mut site = Site::new();
    site.set("listener_auth_user", "u").set("listener_auth_pass", "p");
    let service = listener(&site);
    let right = "Authorization: Basic dTpw";
    let evil = r"\n[2025-01-01T00:00:00Z ERROR x] job id=forged\r\u001b[31m\u0000\u0085\u2028\u202e\u00e9\\ \u0022 outcome=packets";
    let alert = format!(
        r#"{{"id": "{evil}", "name": "{evil}", "clientIp": "{evil}", "serverIp": "10.0.0.1", "serverPort": "{evil}",
        "protocolName": "{evil}", "timestamp": "{evil}", "{evil}": 1}}"#
    );
    let length = format!("Content-Length: {}", alert.len());
    let target = "POST /%0a%1b[31m?filter=%0a%1bforged%00%ff&before=%0a1";
    let mut connection = Connection::open(service.address());
    let reply = connection.exchange(&request(target, &[right, &length], alert.as_bytes()));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.text().bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{}", reply.text());
    assert!(service.wait_for_log(|line| line.contains("job id=")).contains(" user=u "));

    // A user name of "\n\x1bforged", one that is not UTF-8, and raw bytes in the target and a header.
    for header in
        ["Authorization: Basic ChtmZ2VkOnA=", "Authorization: Basic /////zpw", "Authorization: \x1b\u{e9}"]
    {
        let refused = Connection::open(service.address()).exchange(&request("GET /", &[header], b""));
        assert!(matches!(refused.status, 400 | 401), "{}", refused.status);
    }
    let mut raw = Connection::open(service.address());
    raw.send(b"GET /\x1b[31m\xe9 HTTP/1.1\r\nHost: \x1bx\r\n\r\n");
    let _ = raw.reply();
    Connection::open(service.address()).exchange(&post_bytes("/", b"{}"));

    let exit = service.stop();
    assert!(exit.stderr.contains("forged"), "the attempt is in the log, escaped");
    for line in exit.stderr.lines() {
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", line.escape_debug());
        let level = line.split_whitespace().nth(1).unwrap_or_default();
        assert!(line.starts_with('[') && ["INFO", "WARN", "ERROR"].contains(&level), "{line}");
        assert!(!line.starts_with("[2025-01-01"), "forged: {line}");
    }
}
