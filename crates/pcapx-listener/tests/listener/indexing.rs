//! Background indexing: what appears and goes beside a growing recording, and that answers stay the same.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Tcp};
use pcapx_testkit::process::{PATIENCE, Service, Site, poll};
use pcapx_testkit::{namespace, tool};

use crate::fake::Fake;
use crate::{ALERT, ALERT_FILE, LISTENER, assert_result, evidence, listener, post};

/// The alert's time, seconds.
const AT: i64 = 1_739_100_000;

/// A file of packets of the alert's client and many others, written to `age` seconds ago for the last time.
fn record(site: &Site, name: &str, age: u64, packets: u32) -> PathBuf {
    let packets: Vec<_> = (0..packets)
        .map(|n| {
            let at = Timestamp::from_nanos((AT - 300) * 1_000_000_000 + i64::from(n) * 1_000_000);
            let client =
                if n % 50 == 0 { [10, 0, 0, 10] } else { [10, 1, (n / 200 % 200) as u8, (n % 200) as u8] };
            let tcp = Tcp::new(40_000, 443).payload(&[n as u8; 100]);
            Packet::new(at, Ethernet::new().carry(&Ipv4::new(client, [10, 0, 0, 20]).carry(&tcp)))
        })
        .collect();
    let path = site.timeline_dir().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    Pcap::new().write(&path, &packets);
    let file = File::options().append(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
    path
}

/// Where the index of `segment` stands when it stands beside it.
fn sidecar(segment: &Path) -> PathBuf {
    PathBuf::from(format!("{}.pcapx", segment.display()))
}

/// A listener that tells everything.
fn talkative(site: &Site) -> Service {
    let mut command = site.command(LISTENER);
    let command = command.env("TZ", "UTC").env("PCAPX_LOG", "debug").env_remove("STATE_DIRECTORY");
    Service::spawn(command).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs `body` where it may mount, by running the test of that name again.
fn alone(test: &str, body: impl FnOnce()) {
    if tool::require("mount").is_some() {
        namespace::alone(&[&["-U", "-r", "-m"]], test, body);
    }
}

/// A small disk of its own in place of a folder, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Path) -> Self {
        let disk = Self(folder.to_owned());
        disk.mount_again("size=4m");
        disk
    }

    fn mount_again(&self, options: &str) {
        let mount = tool::find("mount").unwrap();
        let words = ["-t", "tmpfs", "-o", options, "none"].map(OsStr::new);
        let output = mount.run(words.into_iter().chain([self.0.as_os_str()]));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The folder below it is to be removed, and cannot be as long as it is one.
        let _ = tool::find("umount").map(|umount| umount.run([OsStr::new("-l"), self.0.as_os_str()]));
    }
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    assert!(poll(PATIENCE, || is_so().then_some(())).is_some(), "{what}");
}

/// The files whose indexes were built, in order.
fn built(service: &Service) -> Vec<String> {
    let lines = service
        .log()
        .into_iter()
        .filter(|line| line.contains(" indexing: file=") && line.contains(" packets="));
    lines
        .map(|line| {
            line.split("file=")
                .nth(1)
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect()
}

#[test]
fn indexes_appear_newest_first_and_go_with_their_files() {
    let site = Site::new();
    let files: Vec<_> = [("a/1.pcap", 400), ("a/2.pcap", 300), ("b/3.pcap", 200)]
        .map(|(name, age)| record(&site, name, age, 500))
        .into();
    record(&site, "b/4.pcap.tmp", 0, 500);
    let service = talkative(&site);
    wait_until("the files are indexed", || files.iter().all(|path| sidecar(path).is_file()));
    wait_until("the newest was first", || built(&service) == ["3.pcap", "2.pcap", "1.pcap"]);

    // The recorder finishes a file and begins another; rotation takes the oldest.
    fs::rename(site.timeline_dir().join("b/4.pcap.tmp"), site.timeline_dir().join("b/4.pcap")).unwrap();
    record(&site, "b/5.pcap.tmp", 0, 10);
    fs::remove_file(&files[0]).unwrap();
    wait_until("the new file is indexed", || sidecar(&site.timeline_dir().join("b/4.pcap")).is_file());
    wait_until("the index goes with its file", || !sidecar(&files[0]).exists());
    assert!(sidecar(&files[1]).exists() && !sidecar(&site.timeline_dir().join("b/5.pcap.tmp")).exists());
    wait_until("one was built", || built(&service) == ["3.pcap", "2.pcap", "1.pcap", "4.pcap"]);
}

#[test]
fn answers_are_the_same_before_and_after() {
    let mut site = Site::new();
    site.set("background_indexing", false);
    for (name, age) in [("1.pcap", 300), ("2.pcap", 200)] {
        record(&site, name, age, 20_000);
    }
    let url = format!("http://127.0.0.1:0/{ALERT_FILE}");
    let elsewhere = r#"{"id": "a", "clientIp": "10.9.9.9", "unixTimestamp": 1739100000}"#;
    let ask = |service: &Service, site: &Site| {
        // What has been answered before would not be searched for again.
        for entry in fs::read_dir(site.output_dir()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        assert_result(&post(service.address(), "/", ALERT), &url);
        let nothing = post(service.address(), "/", elsewhere).text();
        assert_eq!(evidence(site), [ALERT_FILE]);
        (fs::read(site.output_dir().join(ALERT_FILE)).unwrap(), nothing)
    };
    let service = listener(&site);
    let before = ask(&service, &site);
    assert!(!service.stop().stderr.contains(" indexing: "), "it is off");
    assert!(
        before.0.len() > 800 * 100
            && before.1.ends_with("in 2 capture files, 700 s of the time were not recorded)"),
        "{}",
        before.1
    );

    site.set("background_indexing", true);
    let service = talkative(&site);
    wait_until("both files are indexed", || built(&service).len() == 2);
    assert_eq!(ask(&service, &site), before);
    let line = service.wait_for_log(|line| line.contains(" outcome=no-match "));
    assert!(line.contains(" segments=0 excluded=2 unread=0 scanned=0 in_window=0 "), "{line}");
}

#[test]
fn npcapextract_needs_no_index() {
    let fake = Fake::new("echo packets > \"$output\"");
    let file = record(&fake.site, "1.pcap", 300, 500);
    let service = fake.listener();
    assert_result(&post(service.address(), "/", ALERT), &format!("http://127.0.0.1:0/{ALERT_FILE}"));
    assert!(!service.stop().stderr.contains(" indexing: "));
    assert!(!sidecar(&file).exists());
}

#[test]
fn a_timeline_that_is_not_ours_has_its_indexes_elsewhere() {
    let mut site = Site::new();
    let file = record(&site, "1.pcap", 300, 500);
    let index = |folder: &Path| {
        let below = fs::canonicalize(&file).unwrap();
        sidecar(&folder.join(below.strip_prefix("/").unwrap()))
    };
    let state = site.path().join("state");
    let mut command = site.command(LISTENER);
    let service =
        Service::spawn(command.env("STATE_DIRECTORY", &state)).unwrap_or_else(|error| panic!("{error}"));
    wait_until("systemd's folder is used", || index(&state.join("index")).is_file());
    drop(service);

    site.set("index_dir", site.path().join("own").to_str().unwrap());
    let mut command = site.command(LISTENER);
    let service =
        Service::spawn(command.env("STATE_DIRECTORY", &state)).unwrap_or_else(|error| panic!("{error}"));
    let own = index(&site.path().join("own"));
    wait_until("the configuration comes first", || own.is_file());
    fs::remove_file(&file).unwrap();
    record(&site, "2.pcap", 300, 500);
    wait_until("the index goes with its file", || !own.exists());
    drop(service);
    assert!(!sidecar(&file).exists());
}

#[test]
fn a_place_that_refuses_is_told_with_what_to_do() {
    let mut site = Site::new();
    record(&site, "1.pcap", 300, 500);
    fs::write(site.path().join("file"), "").unwrap();
    site.set("index_dir", site.path().join("file").to_str().unwrap());
    let service = talkative(&site);
    let line = service.wait_for_log(|line| line.contains(" WARN ") && line.contains(" indexing: index_dir="));
    assert!(line.contains("\"the index cannot be written: "), "{line}");
    assert!(line.contains("let this service write there") && !line.contains("set index_dir"), "{line}");
    assert_result(&post(service.address(), "/", ALERT), &format!("http://127.0.0.1:0/{ALERT_FILE}"));
}

#[test]
fn a_file_whose_index_has_no_place_stops_no_other() {
    let site = Site::new();
    let files = ["1.pcap", "2.pcap"].map(|name| record(&site, name, 300, 500));
    record(&site, &("x".repeat(248) + ".pcap"), 200, 500);
    // A folder stands where the file would have to be: that stops root, too.
    fs::create_dir(site.timeline_dir().join(".2.pcap.pcapx.building")).unwrap();
    let service = talkative(&site);
    wait_until("the other file is indexed", || sidecar(&files[0]).is_file());
    wait_until("both are named", || {
        let told = service.log().into_iter().filter(|line| line.contains(" WARN ") && line.contains("file="));
        told.filter(|line| line.contains("while its folder takes other files")).count() == 2
    });
    assert!(!service.stop().stderr.contains("no index is written"));
}

#[test]
fn a_full_index_folder_is_written_to_again_when_there_is_room() {
    alone("indexing::a_full_index_folder_is_written_to_again_when_there_is_room", || {
        let mut site = Site::new();
        let file = record(&site, "1.pcap", 300, 500);
        let folder = site.path().join("index");
        fs::create_dir(&folder).unwrap();
        site.set("index_dir", folder.to_str().unwrap());
        let _disk = Disk::mount(&folder);
        let filler = folder.join("filler");
        assert!(fs::write(&filler, vec![0; 8 << 20]).is_err(), "the disk is full");
        let service = talkative(&site);
        let line =
            service.wait_for_log(|line| line.contains(" WARN ") && line.contains(" indexing: index_dir="));
        assert!(line.contains("No space left") && line.contains("make room there"), "{line}");
        assert_result(&post(service.address(), "/", ALERT), &format!("http://127.0.0.1:0/{ALERT_FILE}"));
        fs::remove_file(filler).unwrap();
        let below = fs::canonicalize(&file).unwrap();
        let index = sidecar(&folder.join(below.strip_prefix("/").unwrap()));
        wait_until("the index is written", || index.is_file());
        service.wait_for_log(|line| line.contains(" INFO ") && line.contains("indexes are written again"));
        let told = service.stop().stderr.matches("no index is written").count();
        assert_eq!(told, 1);
    });
}

#[test]
fn a_read_only_timeline_of_many_folders_is_told_once() {
    alone("indexing::a_read_only_timeline_of_many_folders_is_told_once", || {
        let site = Site::new();
        let disk = Disk::mount(&site.timeline_dir());
        for name in ["a/1.pcap", "b/2.pcap", "b/c/3.pcap"] {
            record(&site, name, 300, 500);
        }
        disk.mount_again("remount,ro");
        let check = site.command(LISTENER).arg("--check").env_remove("STATE_DIRECTORY").output().unwrap();
        let told = String::from_utf8(check.stdout).unwrap();
        let line = "warning: indexes stand beside the files, where none can be written: Read-only file system (os error 30); \
                    set index_dir to a folder that the service may write to; files without one are read whole";
        assert!(told.lines().any(|told| told == line), "{told}");
        let service = talkative(&site);
        let is_refused = |line: &String| line.contains(" DEBUG ") && line.contains("Read-only file system");
        wait_until("all were tried", || service.log().iter().filter(|line| is_refused(line)).count() == 3);
        assert_result(&post(service.address(), "/", ALERT), &format!("http://127.0.0.1:0/{ALERT_FILE}"));
        let log = service.stop().stderr;
        let warnings = log.lines().filter(|line| line.contains(" WARN ") && line.contains(" indexing: "));
        let warnings: Vec<_> = warnings.collect();
        assert!(matches!(warnings[..], [line] if line.contains("set index_dir to a folder")), "{log}");
    });
}

#[test]
fn an_index_that_a_job_found_damaged_is_built_again() {
    let site = Site::new();
    let file = record(&site, "1.pcap", 300, 20_000);
    let service = talkative(&site);
    wait_until("the file is indexed", || built(&service).len() == 1);
    let sound = fs::read(sidecar(&file)).unwrap();
    let mut damaged = sound.clone();
    // Behind the mark, where nobody looks who does not search; directory and trailer stand at the end.
    for at in (8..sound.len() - 1024).step_by(64) {
        damaged[at] ^= 1;
    }
    fs::write(sidecar(&file), &damaged).unwrap();
    let url = format!("http://127.0.0.1:0/{ALERT_FILE}");
    assert_result(&post(service.address(), "/", ALERT), &url);
    let warning = service.wait_for_log(|line| line.contains(" timeline id="));
    assert!(warning.contains("was searched as a whole: the index is damaged"), "{warning}");
    wait_until("the index is sound again", || fs::read(sidecar(&file)).is_ok_and(|bytes| bytes == sound));
    wait_until("it was built twice", || built(&service).len() == 2);
}

#[test]
fn a_stop_during_a_build_leaves_nothing() {
    let site = Site::new();
    record(&site, "1.pcap", 300, 400_000);
    let mut service = listener(&site);
    let names = || -> Vec<_> {
        let entries = fs::read_dir(site.timeline_dir()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    wait_until("it is at work", || names().iter().any(|name| name.ends_with(".building")));
    service.terminate();
    let exit = service.wait(PATIENCE).unwrap();
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    assert_eq!(names(), ["1.pcap"], "{}", exit.stderr);
    assert!(!exit.stderr.contains("does not answer"), "{}", exit.stderr);
}

#[test]
fn the_last_line_is_that_it_has_stopped() {
    let site = Site::new();
    let service = talkative(&site);
    // Of the second file the totals are not told yet when the service stops.
    for name in ["1.pcap", "2.pcap"] {
        let file = record(&site, name, 300, 500);
        wait_until("the file is indexed", || sidecar(&file).is_file());
    }
    let log = service.stop().stderr;
    assert!(log.trim_end().ends_with("] stopped"), "{log}");
    assert!(log.contains(" indexing: files="), "{log}");
}

#[test]
fn only_the_indexer_is_idle() {
    /// `SCHED_IDLE`.
    const IDLE: &str = "5";
    /// Where proc(5) has the policy, counted from behind the name.
    const POLICY: usize = 41 - 3;

    let service = listener(&Site::new());
    let policies = || -> Vec<(String, String)> {
        let tasks = fs::read_dir(format!("/proc/{}/task", service.pid())).unwrap();
        let stats = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("stat")).ok());
        stats
            .filter_map(|stat| {
                let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
                Some((name.to_owned(), rest.split(' ').nth(POLICY)?.to_owned()))
            })
            .collect()
    };
    wait_until("the indexer is idle", || policies().contains(&("pcapx-indexer".to_owned(), IDLE.to_owned())));
    assert_eq!(policies().iter().filter(|(_, policy)| policy == IDLE).count(), 1);
}
