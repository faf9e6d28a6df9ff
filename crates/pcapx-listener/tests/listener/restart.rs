//! What was accepted is done, whatever ends the listener.

use std::fs;

use pcapx_core::manifest::State;
use pcapx_testkit::process::{Connection, PATIENCE, Signal, request};
use rustix::process::{Pid, kill_process};

use crate::fake::{Fake, HELD, assert_dead};
use crate::shelf::{alert, ended, link, manifest, manifests, stem};
use crate::{assert_result, evidence, post, post_bytes};

/// Jobs that wait behind the one that runs.
const WAITING: u32 = 4;

#[test]
fn jobs_that_run_and_wait_are_done_by_the_next_start_in_their_order() {
    for signal in [Signal::KILL, Signal::TERM] {
        let mut fake = Fake::new(HELD);
        fake.site.set("max_queued_extractions", 10).set("reply_within", 1).set("drain_timeout", 1);
        let mut service = fake.listener();
        let mut first = Connection::open(service.address());
        first.send(&post_bytes("/", alert("q0", 0).as_bytes()));
        fake.wait_for_starts(1);
        for number in 1..=WAITING {
            let id = format!("q{number}");
            assert_result(&post(service.address(), "/", &alert(&id, number)), &link(&id));
        }
        service.signal(signal);
        assert!(service.wait(PATIENCE).is_some());
        if signal == Signal::KILL {
            // Nobody was left to end it; a service manager does.
            let script = fake.file("started").trim().parse().unwrap();
            let _ = kill_process(Pid::from_raw(script).unwrap(), Signal::KILL);
            assert_dead(script.cast_unsigned());
        }
        for number in 0..=WAITING {
            let told = manifest(&fake.site, &stem(&format!("q{number}")));
            assert_eq!((told.state, told.open), (State::Queued, true));
            assert!(told.alert.is_some(), "the alert is kept");
        }

        fake.script("echo \"$8\" >> \"$site/order\"; echo packets > \"$output\"");
        let service = fake.listener();
        ended(&fake.site, &stem(&format!("q{WAITING}")));
        let order = fake.file("order");
        let clients = order.lines().map(|filter| filter.split(' ').nth(3).unwrap());
        assert_eq!(
            clients.collect::<Vec<_>>(),
            (1..=WAITING + 1).map(|last| format!("10.1.0.{last}")).collect::<Vec<_>>()
        );
        for told in manifests(&fake.site) {
            assert_eq!((told.state, told.bytes), (State::Complete, Some(8)), "{}", told.name);
            assert!(told.alert.is_some(), "the alert is kept");
        }
        let files = evidence(&fake.site);
        assert_eq!(files.len(), 1 + WAITING as usize);
        assert!(files.iter().all(|name| !name.starts_with('.')), "{files:?}");
        service.wait_for_log(|line| line.contains("jobs of an earlier run that go on: 5"));
        service.stop();
    }
}

/// Who asks for jobs right after the start is not told that there are none because they are still being read.
#[test]
fn jobs_of_an_earlier_run_are_listed_from_the_first_answer_on() {
    const LEFT: usize = 1000;
    let mut fake = Fake::new(HELD);
    fake.site.set("max_queued_extractions", 10).set("drain_timeout", 0);
    let mut service = fake.listener();
    let mut first = Connection::open(service.address());
    first.send(&post_bytes("/", alert("q0", 0).as_bytes()));
    fake.wait_for_starts(1);
    assert_eq!(post(service.address(), "/", &alert("q1", 1)).status, 200);
    service.terminate();
    assert!(service.wait(PATIENCE).is_some());
    let path = |name: &str| fake.site.output_dir().join(format!("{name}.json"));
    let name = stem("q1");
    let text = fs::read_to_string(path(&name)).unwrap();
    for number in 2..LEFT {
        let other = stem(&format!("q{number}"));
        fs::write(path(&other), text.replace(&name, &other)).unwrap();
    }
    let service = fake.listener();
    let reply = request(service.address(), "GET", "/jobs?open=true&limit=1000", &[], b"");
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap()["jobs"].as_array().unwrap().len(),
        LEFT
    );
}

/// The queue's limit is for newcomers: what was accepted is done, even if fewer may wait now.
#[test]
fn a_smaller_queue_forgets_nobody() {
    let mut fake = Fake::new(HELD);
    fake.site.set("max_queued_extractions", 10).set("drain_timeout", 0);
    let mut service = fake.listener();
    let mut first = Connection::open(service.address());
    first.send(&post_bytes("/", alert("q0", 0).as_bytes()));
    fake.wait_for_starts(1);
    for number in 1..=WAITING {
        assert_eq!(post(service.address(), "/", &alert(&format!("q{number}"), number)).status, 200);
    }
    service.terminate();
    assert!(service.wait(PATIENCE).is_some());
    fake.site.set("max_queued_extractions", 0);
    fake.script("echo packets > \"$output\"");
    let _service = fake.listener();
    for number in 0..=WAITING {
        assert_eq!(ended(&fake.site, &stem(&format!("q{number}"))).state, State::Complete);
    }
}

/// The end came after the file was published and before its manifest told of it.
#[test]
fn a_capture_without_its_manifest_is_found_again() {
    let fake = Fake::new("echo packets > \"$output\"");
    let service = fake.listener();
    assert_result(&post(service.address(), "/", &alert("a", 1)), &link("a"));
    service.stop();
    let path = fake.site.output_dir().join(format!("{}.json", stem("a")));
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (key, value) in [("state", "queued".into()), ("open", true.into())] {
        manifest[key] = value;
    }
    for key in ["file", "bytes", "sha256", "finished"] {
        manifest[key] = serde_json::Value::Null;
    }
    fs::write(&path, manifest.to_string()).unwrap();
    // The recording has been rotated away meanwhile.
    fake.script(": > \"$output\"");
    let _service = fake.listener();
    let told = ended(&fake.site, &stem("a"));
    assert_eq!(
        (told.state, told.bytes),
        (State::Partial, Some(8)),
        "what was found before the end is not lost"
    );
    let reason =
        "packets have been rotated out since they were found: they are kept, and others may be missing";
    assert_eq!((told.open, told.reason.as_deref()), (false, Some(reason)));
    assert_eq!(told.file, Some(format!("{}.pcap", stem("a"))));
    assert!(told.sha256.is_some());
}

/// The end came when an earlier answer had stepped aside and its old name was not cleared yet.
#[test]
fn a_capture_of_another_question_is_not_taken_for_the_answer() {
    let fake = Fake::new("echo packets > \"$output\"");
    let service = fake.listener();
    assert_result(&post(service.address(), "/", &alert("a", 1)), &link("a"));
    fake.script(": > \"$output\"");
    let text = post(service.address(), "/?after=0", &alert("a", 1)).text();
    assert!(text.starts_with("ERROR: no packets matched "), "{text}");
    let folder = fake.site.output_dir();
    let aside = folder.join(format!("{}.1.pcap", stem("a")));
    assert_eq!(fs::read(&aside).unwrap(), b"packets\n");
    service.stop();
    let path = folder.join(format!("{}.json", stem("a")));
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (key, value) in
        [("state", "queued".into()), ("open", true.into()), ("finished", serde_json::Value::Null)]
    {
        manifest[key] = value;
    }
    fs::write(&path, manifest.to_string()).unwrap();
    fs::hard_link(&aside, folder.join(format!("{}.pcap", stem("a")))).unwrap();
    let _service = fake.listener();
    let told = ended(&fake.site, &stem("a"));
    assert_eq!((told.state, told.file), (State::NoMatch, None));
    assert_eq!(evidence(&fake.site), [format!("{}.1.pcap", stem("a"))]);
}
