//! A clock that is set back while the service runs.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use pcapx_core::manifest::State;
use pcapx_core::time::Timestamp;
use pcapx_testkit::process::{Connection, PATIENCE, Service, Site, poll};
use pcapx_testkit::tool::skipped;
use serde_json::json;

use crate::shelf::{AT, alert, ask, link, manifest, record, stem, wait_for};
use crate::{LISTENER, assert_result, post, request, told};

/// The library that tells a program another time.
fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = folders.chain(["/usr/lib".into(), "/usr/lib64".into(), "/usr/local/lib".into()]);
    let found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|path| path.is_file());
    if found.is_none() {
        skipped("libfaketime is not installed");
    }
    found
}

/// The recorder tells that it has all packets up to now.
fn reach(site: &Site) {
    let now = Timestamp::now().as_nanos();
    let status = json!({
        "program": "test", "process": 1, "started_at_ns": now, "written_at_ns": now, "running": true,
        "searchable_up_to_ns": now,
    });
    fs::write(site.timeline_dir().join(".new"), status.to_string()).unwrap();
    fs::rename(site.timeline_dir().join(".new"), site.timeline_dir().join(".pcapx-recorder.json")).unwrap();
}

#[test]
fn a_clock_that_is_set_back_an_hour_is_survived() {
    let Some(library) = faketime() else { return };
    let mut site = Site::new();
    site.set("retention_max_age_days", 1);
    record(&site, 8);
    let clock = site.path().join("clock");
    let set = |offset: &str| {
        let new = site.path().join("clock.new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, &clock).unwrap();
    };
    set("+0");
    let mut command = site.command(LISTENER);
    command.env("TZ", "UTC").env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock);
    // The other clocks of a machine go on as they are, and so do the times of files.
    for variable in
        ["FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"]
    {
        command.env(variable, "1");
    }
    let service = Service::spawn(&mut command).unwrap_or_else(|error| panic!("{error}"));
    let server = service.address();
    assert_result(&post(server, "/", &alert("a", 3)), &link("a"));
    // A window that is not over when it happens.
    let ahead = alert("open", 1).replace(&AT.to_string(), &Timestamp::now().as_secs().to_string());
    let (status, document) = ask(server, "POST /?before=1&after=3", &ahead);
    assert_eq!((status, &document["state"]), (202, &"partial".into()), "{document:#}");
    let open = document["name"].as_str().unwrap().to_owned();

    set("-3600");
    let before = Timestamp::now().saturating_sub(Duration::from_secs(3500));
    assert_result(&post(server, "/", &alert("b", 3)), &link("b"));
    let told_of = manifest(&site, &stem("b"));
    assert!(told_of.request.at < before, "the clock was not set back: {}", told_of.request.at);
    assert_eq!((told_of.state, told_of.packets), (State::Complete, Some(4)));
    assert!(told_of.finished >= Some(told_of.request.at) && told_of.timings.waited_ms < 60_000);
    // What was answered before is still the answer.
    assert_result(&post(server, "/", &alert("a", 3)), &link("a"));
    let healthy = Connection::open(server).exchange(&request("GET /healthz", &[], b""));
    assert_eq!(told(&healthy), (200, "ok".to_owned()));
    // Packets of the open window can come once more: its evidence is open still, and says so.
    let (_, document) = ask(server, &format!("GET /jobs/{open}"), "");
    assert_eq!((&document["state"], &document["open"]), (&"partial".into(), &true.into()), "{document:#}");

    set("+0");
    let ended = poll(PATIENCE, || {
        reach(&site);
        Some(manifest(&site, &open)).filter(|manifest| !manifest.open)
    });
    assert_eq!(ended.expect("the window stays open").state, State::NoMatch);
    wait_for(&site, &stem("a"), |manifest| manifest.state == State::Complete);
    service.stop();
}
