//! How long evidence stays.

use std::fs::{self, File, FileTimes};
use std::time::{Duration, SystemTime};

use pcapx_testkit::process::{PATIENCE, Site, poll};
use rustix::fs::{FlockOperation, flock};

use crate::shelf::{AT, alert, ask, link, record, stem};
use crate::{assert_result, evidence, listener, post};

const DAY: Duration = Duration::from_secs(86_400);

/// Makes all files of evidence `name` look as if they had been written `age` ago.
fn age(site: &Site, name: &str, age: Duration) {
    let mut found = 0;
    for entry in fs::read_dir(site.output_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}.")) {
            let times = FileTimes::new().set_modified(SystemTime::now() - age);
            File::options().write(true).open(path).unwrap().set_times(times).unwrap();
            found += 1;
        }
    }
    assert!(found > 0, "{name}");
}

fn names(site: &Site) -> Vec<String> {
    let entries = fs::read_dir(site.output_dir()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The files of one piece of evidence.
fn files(id: &str) -> [String; 3] {
    ["digest.json", "json", "pcap"].map(|ending| format!("{}.{ending}", stem(id)))
}

#[track_caller]
fn wait_for(site: &Site, wanted: &[String]) {
    let mut wanted = wanted.to_vec();
    wanted.sort();
    let found = poll(PATIENCE, || (names(site) == wanted).then_some(()));
    assert!(found.is_some(), "{:?} and not {wanted:?}", names(site));
}

#[test]
fn what_is_too_old_goes_as_a_whole() {
    let mut site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    for id in ["old", "new", "held"] {
        assert_eq!(post(service.address(), "/", &alert(id, 3)).status, 200);
    }
    // An open window: its manifest is old, and work on it goes on.
    let ahead = alert("open", 1)
        .replace(&AT.to_string(), &(pcapx_core::time::Timestamp::now().as_secs() + 3600).to_string());
    let open = ask(service.address(), "POST /", &ahead).1["name"].as_str().unwrap().to_owned();
    service.stop();
    for (file, content) in
        [("20200101_000000_original.pcap", "of the original"), ("20200101_000000_cut.json", "{")]
    {
        fs::write(site.output_dir().join(file), content).unwrap();
    }
    fs::write(site.output_dir().join("notes.txt"), "mine").unwrap();
    fs::write(site.output_dir().join(format!("{}.digest.json", stem("old"))), "{}").unwrap();
    for name in [
        stem("old"),
        stem("held"),
        open.clone(),
        "20200101_000000_original".into(),
        "20200101_000000_cut".into(),
        "notes".into(),
    ] {
        age(&site, &name, 3 * DAY);
    }
    let held = File::open(site.output_dir().join(format!("{}.pcap", stem("held")))).unwrap();
    flock(&held, FlockOperation::NonBlockingLockShared).unwrap();

    site.set("retention_max_age_days", 2);
    let service = listener(&site);
    let stays = [&files("new")[..], &[format!("{open}.json"), "notes.txt".into()]].concat();
    wait_for(&site, &[&stays[..], &files("held")].concat());
    let line = service.wait_for_log(|line| line.contains(&format!("evidence removed: {}, ", stem("old"))));
    assert!(line.ends_with("older than retention_max_age_days"), "{line}");
    // The download has ended; the next evidence makes somebody look again.
    drop(held);
    assert_eq!(post(service.address(), "/", &alert("more", 2)).status, 200);
    wait_for(&site, &[&stays[..], &files("more")].concat());
    // A job whose evidence is gone is gone.
    assert_eq!(ask(service.address(), &format!("GET /jobs/{}", stem("old")), "").0, 404);
}

#[test]
fn the_oldest_goes_when_there_is_too_much() {
    let mut site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    let ids = ["a", "b", "c", "d"];
    let mut sizes = Vec::new();
    for id in ids {
        assert_eq!(post(service.address(), "/", &alert(id, 3)).status, 200);
        let length = |name: &String| fs::metadata(site.output_dir().join(name)).unwrap().len();
        sizes.push(files(id).iter().map(length).sum::<u64>());
    }
    service.stop();
    // By the time of writing, whatever the name.
    for (days, id) in [("c", 9), ("a", 8), ("d", 7), ("b", 6)].map(|(id, days)| (days, id)) {
        age(&site, &stem(id), days * DAY);
    }
    site.set("retention_max_bytes", sizes[3] + sizes[1] + 200);
    let service = listener(&site);
    wait_for(&site, &[files("b"), files("d")].concat());
    let line = service.wait_for_log(|line| line.contains(&format!("evidence removed: {}, ", stem("a"))));
    assert!(line.ends_with("over retention_max_bytes"), "{line}");
    assert_eq!(post(service.address(), "/", &alert("e", 3)).status, 200);
    wait_for(&site, &[files("b"), files("e")].concat());
    assert_eq!(evidence(&site).len(), 2);
}

/// Whoever has just been given a link finds something there.
#[test]
fn what_was_found_last_stays_however_little_may_be_kept() {
    let mut site = Site::new();
    site.set("retention_max_bytes", 100);
    record(&site, 8);
    let service = listener(&site);
    for id in ["a", "b", "c"] {
        assert_result(&post(service.address(), "/", &alert(id, 3)), &link(id));
        // Those before it go, and only those.
        wait_for(&site, &files(id));
    }
    let line = service.wait_for_log(|line| line.contains("retention_max_bytes is 100"));
    assert!(line.contains("less than one piece of evidence: 20250209_112000_"), "{line}");
    // What found nothing is no reason to take packets away.
    let missing = post(service.address(), "/", &alert("none", 99)).text();
    assert!(missing.starts_with("ERROR: no packets matched"), "{missing}");
    wait_for(&site, &files("c"));
    assert_result(&post(service.address(), "/", &alert("c", 3)), &link("c"));
    let told = service.log().iter().filter(|line| line.contains("retention_max_bytes is 100")).count();
    assert_eq!(told, 1);
}
