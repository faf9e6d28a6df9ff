//! The same alert twice, and alerts that would get the same name: one job for the first, two files for the others.

use std::fs;
use std::os::unix::fs::MetadataExt;

use pcapx_core::manifest::{Limit, State};
use pcapx_testkit::capture::{Pcap, read_pcap};
use pcapx_testkit::process::{Connection, Site};

use crate::fake::{Fake, HELD};
use crate::shelf::{alert, link, manifest, manifests, packets, record, stem, wait_for};
use crate::{assert_result, evidence, listener, post, post_bytes};

fn file(name: &str) -> String {
    format!("{}.pcap", stem(name))
}

fn url(name: &str) -> String {
    format!("http://127.0.0.1:0/{}", file(name))
}

#[test]
fn the_same_alert_joins_the_job_that_is_under_way() {
    let mut fake = Fake::new(HELD);
    fake.site.set("max_concurrent_extractions", 3).set("max_queued_extractions", 10);
    let service = fake.listener();
    let mut clients: Vec<_> = (0..3)
        .map(|number| {
            let mut connection = Connection::open(service.address());
            connection.send(&post_bytes("/", alert("same", 1).as_bytes()));
            if number == 0 {
                fake.wait_for_starts(1);
            }
            connection
        })
        .collect();
    // The third place is taken by whoever waits for the same: another one waits, and is told at once.
    let taken = || crate::shelf::ask(service.address(), "GET /jobs", "").1["running"].clone();
    assert!(
        pcapx_testkit::process::poll(pcapx_testkit::process::PATIENCE, || (taken() == 3).then_some(()))
            .is_some()
    );
    assert_result(&post(service.address(), "/", &alert("same", 1)), &link("same"));
    fake.release(1);
    for client in &mut clients {
        assert_result(&client.reply().unwrap(), &link("same"));
    }
    assert_eq!((fake.file("started").lines().count(), manifests(&fake.site).len()), (1, 1));
    assert_eq!(evidence(&fake.site), [file("same")]);
}

#[test]
fn an_answer_that_is_complete_is_given_again_without_a_search() {
    let site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    assert_result(&post(service.address(), "/", &alert("a", 3)), &link("a"));
    let (first, inode) = (manifest(&site, &stem("a")), inode(&site, "a"));
    assert_result(&post(service.address(), "/?filter=full&before=360", &alert("a", 3)), &link("a"));
    assert_eq!((manifest(&site, &stem("a")), self::inode(&site, "a")), (first, inode));

    // One whose file somebody has removed is searched again; so is one that found nothing.
    fs::remove_file(site.output_dir().join(file("a"))).unwrap();
    assert_result(&post(service.address(), "/", &alert("a", 3)), &link("a"));
    assert_eq!(evidence(&site), [file("a")]);
    let missing = post(service.address(), "/", &alert("later", 9)).text();
    assert!(missing.starts_with("ERROR: no packets matched "), "{missing}");
    record(&site, 10);
    assert_result(&post(service.address(), "/", &alert("later", 9)), &link("later"));
    assert_eq!(manifest(&site, &stem("later")).packets, Some(packets(9).len() as u64));
}

fn inode(site: &Site, name: &str) -> u64 {
    fs::metadata(site.output_dir().join(file(name))).unwrap().ino()
}

#[test]
fn a_failure_is_tried_again_when_asked_again() {
    let fake = Fake::new("exit 3");
    let service = fake.listener();
    assert_result(&post(service.address(), "/", &alert("a", 1)), "ERROR: npcapextract failed");
    assert_eq!(manifest(&fake.site, &stem("a")).state, State::Failed);
    fake.script("echo packets > \"$output\"");
    assert_result(&post(service.address(), "/", &alert("a", 1)), &link("a"));
    let told = manifest(&fake.site, &stem("a"));
    assert_eq!((told.state, told.failure, told.reason), (State::Complete, None, None));
    assert_eq!(manifests(&fake.site).len(), 1);
}

/// npcapextract may find more than it did: it is run again, as it ever was.
#[test]
fn an_external_extractor_is_run_again_and_keeps_the_better_file() {
    let fake = Fake::new("echo packets >> \"$output\"");
    let service = fake.listener();
    let content = || fs::read_to_string(fake.site.output_dir().join(file("a"))).unwrap();
    for (script, wanted) in
        [("echo old", "old\n"), ("echo longer", "longer\n"), ("echo x", "longer\n"), (":", "longer\n")]
    {
        fake.script(&format!("{script} > \"$output\""));
        assert_result(&post(service.address(), "/", &alert("a", 1)), &link("a"));
        let told = manifest(&fake.site, &stem("a"));
        assert_eq!((content().as_str(), told.bytes), (wanted, Some(wanted.len() as u64)), "{script}");
        assert_eq!(told.state, State::Complete);
    }
}

#[test]
fn alerts_whose_ids_become_the_same_name_get_files_of_their_own() {
    let site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    let ids = ["!!!", "???", "###"];
    let names = ["alert", "alert-2", "alert-3"];
    for turn in 0..2 {
        for (number, (id, name)) in (1..).zip(ids.into_iter().zip(names)) {
            assert_result(&post(service.address(), "/", &alert(id, number)), &url(name));
            let read = read_pcap(&fs::read(site.output_dir().join(file(name))).unwrap()).unwrap();
            assert!(read.packets == packets(number), "{id} in turn {turn}");
            assert_eq!(manifest(&site, &stem(name)).about.unwrap().id, id);
        }
    }
    assert_eq!(
        evidence(&site),
        ["alert-2.pcap", "alert-3.pcap", "alert.pcap"].map(|name| format!("20250209_112000_{name}"))
    );
}

#[test]
fn another_question_about_the_same_alert_moves_the_earlier_answer_aside() {
    let site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    // Flow 3 has four packets, the newest of them is at the alert's time and later.
    let targets = ["/", "/?after=0", "/?before=0"];
    let contents = targets.map(|target| {
        assert_result(&post(service.address(), target, &alert("a", 3)), &link("a"));
        fs::read(site.output_dir().join(file("a"))).unwrap()
    });
    let counts = contents.each_ref().map(|content| read_pcap(content).unwrap().packets.len());
    assert_eq!(counts, [4, 2, 2]);
    let stands = |name: &str| fs::read(site.output_dir().join(file(name))).unwrap();
    assert!(stands("a") == contents[2] && stands("a.1") == contents[0] && stands("a.2") == contents[1]);
    let check = || {
        for told in manifests(&site) {
            let bytes = fs::read(site.output_dir().join(told.file.clone().unwrap())).unwrap();
            assert_eq!(
                (told.state, told.bytes),
                (State::Complete, Some(bytes.len() as u64)),
                "{}",
                told.name
            );
            assert_eq!(told.file, Some(format!("{}.pcap", told.name)));
        }
    };
    check();
    // The first question again: its answer is found and comes back under the alert's own name.
    assert_result(&post(service.address(), "/", &alert("a", 3)), &link("a"));
    wait_for(&site, &stem("a"), |told| !told.open);
    assert!(stands("a") == contents[0]);
    check();
    let all: Vec<_> =
        evidence(&site).iter().map(|name| fs::read(site.output_dir().join(name)).unwrap()).collect();
    assert_eq!(all.len(), 3);
    assert!(contents.iter().all(|content| all.contains(content)), "nothing is lost");
}

#[test]
fn a_capture_that_nobody_knows_of_is_not_overwritten() {
    let site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    for (name, ending) in [("a", "pcap"), ("b", "pcapng")] {
        fs::write(site.output_dir().join(format!("{}.{ending}", stem(name))), "of the original").unwrap();
        assert_result(&post(service.address(), "/", &alert(name, 1)), &url(&format!("{name}-2")));
        assert_eq!(
            fs::read_to_string(site.output_dir().join(format!("{}.{ending}", stem(name)))).unwrap(),
            "of the original"
        );
        assert_eq!(manifest(&site, &stem(&format!("{name}-2"))).state, State::Complete);
    }
}

/// What was found and is recorded no more is not given away for less.
#[test]
fn an_answer_that_was_not_all_keeps_its_packets_when_they_are_rotated_out() {
    let mut site = Site::new();
    site.set("max_output_packets", 3);
    record(&site, 8);
    let service = listener(&site);
    assert_result(&post(service.address(), "/", &alert("a", 3)), &link("a"));
    let first = fs::read(site.output_dir().join(file("a"))).unwrap();
    let cut = manifest(&site, &stem("a"));
    assert_eq!((cut.state, cut.packets, cut.limit), (State::Partial, Some(3), Some(Limit::Packets)));
    service.stop();
    // The first two of four are gone, and then all of them.
    site.unset("max_output_packets");
    let left = &packets(3)[2..];
    for left in [left, &[]] {
        Pcap::new().write(&site.timeline_dir().join("flows.pcap"), left);
        let service = listener(&site);
        assert_result(&post(service.address(), "/", &alert("a", 3)), &link("a"));
        let told = manifest(&site, &stem("a"));
        assert!(fs::read(site.output_dir().join(file("a"))).unwrap() == first);
        assert_eq!((told.state, told.open, told.packets), (State::Partial, false, Some(3)));
        assert_eq!((told.bytes, told.sha256, told.limit), (cut.bytes, cut.sha256.clone(), cut.limit));
        assert_eq!(evidence(&site), [file("a")]);
    }
    // More than there was is better.
    record(&site, 8);
    let service = listener(&site);
    assert_result(&post(service.address(), "/", &alert("a", 3)), &link("a"));
    let told = manifest(&site, &stem("a"));
    assert_eq!((told.state, told.packets, told.limit, told.reason), (State::Complete, Some(4), None, None));
}
