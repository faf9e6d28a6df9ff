//! When a POST is answered, however long the extraction takes.

use std::fs;
use std::time::Duration;

use pcapx_core::manifest::State;
use pcapx_testkit::process::{Connection, NoReply, Site};
use pcapx_testkit::tool;

use crate::fake::{Fake, HELD};
use crate::shelf::{alert, ask, ended, link, manifest, record, stem};
use crate::{assert_result, evidence, listener, post, post_bytes};

#[test]
fn a_caller_that_cannot_wait_gets_the_link_and_the_file_comes_later() {
    let mut fake = Fake::new(HELD);
    fake.site.set("reply_within", 1);
    let service = fake.listener();
    // It answers although nobody releases the extraction.
    assert_result(&post(service.address(), "/", &alert("slow", 1)), &link("slow"));
    let told = manifest(&fake.site, &stem("slow"));
    assert_eq!((told.state, told.open, told.file), (State::Queued, true, None));
    assert!(evidence(&fake.site).iter().all(|name| name.starts_with('.')), "{:?}", evidence(&fake.site));
    // It runs on, and keeps its seat.
    assert_eq!(post(service.address(), "/", &alert("other", 2)).status, 429);
    let (status, document) = ask(service.address(), &format!("GET /jobs/{}", stem("slow")), "");
    assert_eq!((status, &document["state"], &document["url"]), (200, &"queued".into(), &link("slow").into()));
    fake.release(1);
    assert_eq!(ended(&fake.site, &stem("slow")).state, State::Complete);
    assert_eq!(evidence(&fake.site), [format!("{}.pcap", stem("slow"))]);
}

#[test]
fn what_fails_after_the_answer_is_told_by_the_manifest() {
    let mut fake = Fake::new("read line < \"$site/release\"; exit 3");
    fake.site.set("reply_within", 1);
    let service = fake.listener();
    assert_result(&post(service.address(), "/", &alert("slow", 1)), &link("slow"));
    fake.release(1);
    let told = ended(&fake.site, &stem("slow"));
    assert_eq!((told.state, told.reason.as_deref()), (State::Failed, Some("npcapextract failed")));
}

#[test]
fn who_can_wait_says_so() {
    let mut fake = Fake::new(HELD);
    fake.site.set("reply_within", 1).set("max_queued_extractions", 5);
    let service = fake.listener();
    let mut patient = Connection::open(service.address()).patience(Duration::from_secs(3));
    patient.send(&post_bytes("/?wait=600", alert("first", 1).as_bytes()));
    fake.wait_for_starts(1);
    let mut waiting = Connection::open(service.address());
    waiting.send(&post_bytes("/extract&wait=600", alert("second", 2).as_bytes()));
    // Three times as long as others would wait.
    assert_eq!(patient.reply(), Err(NoReply::Silence(Vec::new())));
    // Who wants to wait for a second is told then.
    assert_result(&post(service.address(), "/?wait=1", &alert("first", 1)), &link("first"));
    assert_eq!(manifest(&fake.site, &stem("second")).state, State::Queued);
    fake.release(2);
    let mut patient = patient.patience(pcapx_testkit::process::PATIENCE);
    assert_result(&patient.reply().unwrap(), &link("first"));
    assert_result(&waiting.reply().unwrap(), &link("second"));
    for name in ["first", "second"] {
        assert_eq!(manifest(&fake.site, &stem(name)).state, State::Complete);
    }
}

#[test]
fn pcapng_can_be_asked_for_and_can_be_the_default() {
    let mut site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    let is_pcapng = |name: &str| {
        let bytes = fs::read(site.output_dir().join(format!("{}.pcapng", stem(name)))).unwrap();
        bytes.starts_with(b"\x0a\x0d\x0d\x0a")
    };
    let url = |name: &str| format!("http://127.0.0.1:0/{}.pcapng", stem(name));
    assert_result(&post(service.address(), "/?format=pcapng", &alert("a", 3)), &url("a"));
    assert!(is_pcapng("a"));
    let told = manifest(&site, &stem("a"));
    assert_eq!((told.state, told.packets), (State::Complete, Some(4)));
    if let Some(tcpdump) = tool::Tcpdump::require() {
        let read = tcpdump.read(&site.output_dir().join(told.file.unwrap()), "").unwrap();
        assert!(read.packets == crate::shelf::packets(3));
    }
    // An unknown format is none.
    assert_result(&post(service.address(), "/?format=zip", &alert("b", 3)), &link("b"));
    assert_eq!(manifest(&site, &stem("b")).refused, ["format=zip: expected pcap or pcapng"]);
    service.stop();

    site.set("output_format", "pcapng");
    let service = listener(&site);
    assert_result(&post(service.address(), "/", &alert("c", 3)), &url("c"));
    assert_result(&post(service.address(), "/?format=pcap", &alert("d", 3)), &link("d"));
}
