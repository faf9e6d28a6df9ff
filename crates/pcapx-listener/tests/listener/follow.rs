//! Windows that reach into the future: what is there at once, all of it later, under one link.

use std::fs;
use std::fs::File;
use std::io::Read;
use std::time::{Duration, SystemTime};

use pcapx_core::manifest::{Manifest, State};
use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap, link};
use pcapx_testkit::packet::{Ethernet, Ipv4, Tcp};
use pcapx_testkit::process::{PATIENCE, Service, Signal, Site, poll};
use serde_json::{Value, json};

use crate::{assert_result, evidence, listener, post};

/// The flow of the alert: a packet every 250 ms.
const EVERY: Duration = Duration::from_millis(250);
const NAME: &str = "follow";

/// A recording that goes on: the test decides what has been written, and up to when.
struct Recording {
    site: Site,
    /// The alert's time.
    at: Timestamp,
    segments: u32,
}

impl Recording {
    fn new() -> Self {
        // Captures tell microseconds.
        let at = Timestamp::from_nanos(Timestamp::now().as_nanos() / 1000 * 1000);
        Self { site: Site::new(), at, segments: 0 }
    }

    /// The instant `millis` after the alert.
    fn instant(&self, millis: i64) -> Timestamp {
        Timestamp::from_nanos(self.at.as_nanos() + millis * 1_000_000)
    }

    /// Records the flow between two instants, the second not included, as a segment of its own.
    fn record(&mut self, from: i64, to: i64) {
        self.record_as(&Pcap::new(), 0, from, to);
    }

    /// The same in another form, without the first bytes of each frame.
    fn record_as(&mut self, form: &Pcap, left_out: usize, from: i64, to: i64) {
        let step = i64::try_from(EVERY.as_millis()).unwrap();
        let frame = |number: i64| {
            let data = number.to_be_bytes();
            let tcp = Tcp::new(40_000, 443).payload(&data);
            Ethernet::new().carry(&Ipv4::new([10, 0, 0, 10], [10, 0, 0, 20]).carry(&tcp))[left_out..].to_vec()
        };
        let packets: Vec<_> = (from / step..to / step)
            .map(|number| Packet::new(self.instant(number * step), frame(number)))
            .collect();
        self.segments += 1;
        let file = self.site.timeline_dir().join(format!("{}.pcap", self.segments));
        form.write(&file, &packets);
    }

    /// The recorder tells that all packets before an instant can be found.
    fn reach(&self, millis: i64) {
        self.tell(millis, &json!([]));
    }

    /// It tells that, and what is lost in segments that do not tell it themselves.
    fn tell(&self, millis: i64, unsealed: &Value) {
        let now = Timestamp::now().as_nanos();
        let status = json!({
            "program": "test", "process": 1, "started_at_ns": now, "written_at_ns": now, "running": true,
            "searchable_up_to_ns": self.instant(millis).as_nanos(), "unsealed": unsealed,
        });
        let folder = self.site.timeline_dir();
        fs::write(folder.join(".pcapx-recorder.json.new"), status.to_string()).unwrap();
        fs::rename(folder.join(".pcapx-recorder.json.new"), folder.join(".pcapx-recorder.json")).unwrap();
    }

    fn alert(&self) -> String {
        let at = self.at.as_nanos();
        // Nanoseconds are told by magnitude.
        format!(r#"{{"id": "{NAME}", "clientIp": "10.0.0.10", "serverIp": "10.0.0.20", "time": {at}}}"#)
    }

    fn stem(&self) -> String {
        let local = pcapx_core::local::LocalZone::named("UTC").unwrap();
        format!("{}_{NAME}", local.compact(self.at))
    }

    fn link(&self) -> String {
        format!("http://127.0.0.1:0/{}.pcap", self.stem())
    }

    fn manifest(&self) -> Manifest {
        let path = self.site.output_dir().join(format!("{}.json", self.stem()));
        Manifest::from_json(&fs::read(path).unwrap()).unwrap()
    }

    fn capture(&self) -> Vec<u8> {
        fs::read(self.site.output_dir().join(format!("{}.pcap", self.stem()))).unwrap()
    }

    /// The manifest once its job has ended; the recorder goes on telling that it reaches that far.
    fn ended(&self, reach: i64) -> Manifest {
        let ended = poll(PATIENCE, || {
            self.reach(reach);
            let manifest = self.manifest();
            (!manifest.open).then_some(manifest)
        });
        ended.unwrap_or_else(|| panic!("it stays open: {:?}", self.manifest()))
    }
}

/// What a full extraction of the window gives later.
fn asked_anew(recording: &Recording, service: &Service, target: &str) -> Vec<u8> {
    let alert = recording.alert().replace(NAME, "anew");
    let text = post(service.address(), target, &alert).text();
    let file = text.rsplit('/').next().unwrap();
    fs::read(recording.site.output_dir().join(file)).unwrap()
}

#[test]
fn an_open_window_is_completed_under_the_same_link() {
    let mut recording = Recording::new();
    recording.record(-10_000, 0);
    recording.reach(0);
    let service = listener(&recording.site);
    let target = "/extract?before=5&after=2";
    assert_result(&post(service.address(), target, &recording.alert()), &recording.link());
    let (first, manifest) = (recording.capture(), recording.manifest());
    assert_eq!((manifest.state, manifest.open, manifest.packets), (State::Partial, true, Some(20)));
    assert_eq!(manifest.searched_up_to, Some(recording.at));
    // The same question joins the job that is under way.
    assert_result(&post(service.address(), target, &recording.alert()), &recording.link());

    // A download that has begun keeps what it began with.
    let mut download =
        File::open(recording.site.output_dir().join(format!("{}.pcap", recording.stem()))).unwrap();
    recording.record(0, 4_000);
    let manifest = recording.ended(3_000);
    assert_eq!((manifest.state, manifest.packets, manifest.reason), (State::Complete, Some(29), None));
    assert!(manifest.finished.is_some() && manifest.timings.searches == 2, "{:?}", manifest.timings);
    let mut downloaded = Vec::new();
    download.read_to_end(&mut downloaded).unwrap();
    assert!(downloaded == first && recording.capture()[..first.len()] == first[..]);
    assert_eq!(manifest.bytes, Some(recording.capture().len() as u64));

    assert!(recording.capture() == asked_anew(&recording, &service, target));
    assert!(evidence(&recording.site).iter().all(|name| !name.starts_with('.')));
}

/// Of the file that is being written the recorder tells it, and only while there is one.
#[test]
fn what_was_lost_in_the_file_that_is_being_written_is_told() {
    let mut recording = Recording::new();
    recording.record(-10_000, 0);
    let lost = |packets| json!([{"file": "1.pcap", "kernel_drops": packets, "recorder_drops": 1}]);
    recording.tell(0, &lost(2));
    let service = listener(&recording.site);
    assert_result(
        &post(service.address(), "/extract?before=5&after=2", &recording.alert()),
        &recording.link(),
    );
    assert_eq!(recording.manifest().capture_drops, Some(3));
    recording.tell(3_000, &lost(40));
    let ended = poll(PATIENCE, || Some(recording.manifest()).filter(|manifest| !manifest.open)).unwrap();
    assert_eq!((ended.state, ended.capture_drops), (State::Complete, Some(41)));
    drop(service);

    let mut recording = Recording::new();
    recording.record(-10_000, 3_000);
    recording.tell(3_000, &lost(2));
    let status = recording.site.timeline_dir().join(".pcapx-recorder.json");
    let told = fs::read_to_string(&status).unwrap();
    fs::write(&status, told.replace(r#""running":true"#, r#""running":false"#)).unwrap();
    let service = listener(&recording.site);
    post(service.address(), "/extract?before=5&after=0", &recording.alert());
    assert_eq!(recording.manifest().capture_drops, None, "its last word is not of this recording");
}

#[test]
fn a_window_of_which_nothing_is_there_yet_is_answered_with_its_link() {
    let mut recording = Recording::new();
    recording.record(-10_000, -9_000);
    recording.reach(0);
    let service = listener(&recording.site);
    assert_result(&post(service.address(), "/?before=1&after=1", &recording.alert()), &recording.link());
    let manifest = recording.manifest();
    assert_eq!((manifest.state, manifest.open, manifest.packets), (State::Partial, true, Some(0)));
    assert!(evidence(&recording.site).is_empty());
    recording.record(0, 2_000);
    let manifest = recording.ended(1_500);
    assert_eq!((manifest.state, manifest.packets), (State::Complete, Some(5)));
}

#[test]
fn a_window_in_which_nothing_comes_ends_without_a_match() {
    let recording = Recording::new();
    recording.reach(0);
    let service = listener(&recording.site);
    assert_result(&post(service.address(), "/?before=1&after=1", &recording.alert()), &recording.link());
    let manifest = recording.ended(1_500);
    assert_eq!((manifest.state, manifest.file), (State::NoMatch, None));
    assert_eq!(manifest.reason.as_deref(), Some("nothing is recorded at all"));
}

#[test]
fn now_is_answered_with_what_is_there_and_left_at_that() {
    let mut recording = Recording::new();
    recording.site.set("completion", "now");
    recording.record(-1_000, 0);
    recording.reach(0);
    let service = listener(&recording.site);
    assert_result(&post(service.address(), "/?before=5&after=60", &recording.alert()), &recording.link());
    let manifest = recording.manifest();
    assert_eq!((manifest.state, manifest.open, manifest.packets), (State::Partial, false, Some(4)));
    assert_eq!(manifest.reason.as_deref(), Some("the window was not over, and completion is \"now\""));

    // Asked again, it is answered with what is there then.
    recording.record(0, 1_000);
    recording.reach(1_000);
    assert_result(&post(service.address(), "/?before=5&after=60", &recording.alert()), &recording.link());
    assert_eq!(recording.manifest().packets, Some(8));
}

#[test]
fn an_open_window_outlives_the_listener() {
    let mut recording = Recording::new();
    recording.record(-1_000, 0);
    recording.reach(0);
    for signal in [Signal::KILL, Signal::TERM] {
        let mut service = listener(&recording.site);
        assert_result(&post(service.address(), "/?before=5&after=2", &recording.alert()), &recording.link());
        assert_eq!(recording.manifest().packets, Some(4));
        service.signal(signal);
        assert!(service.wait(PATIENCE).is_some());
    }
    recording.record(0, 4_000);
    let service = listener(&recording.site);
    let manifest = recording.ended(3_000);
    assert_eq!((manifest.state, manifest.packets), (State::Complete, Some(13)));
    assert!(recording.capture() == asked_anew(&recording, &service, "/?before=5&after=2"));
}

#[test]
fn a_rest_of_another_link_type_makes_it_pcapng() {
    let mut recording = Recording::new();
    recording.record(-1_000, 0);
    recording.reach(0);
    let service = listener(&recording.site);
    assert_result(&post(service.address(), "/?before=5&after=1", &recording.alert()), &recording.link());
    recording.record_as(&Pcap::new().link_type(link::RAW), 14, 0, 2_000);
    let manifest = recording.ended(1_500);
    let file = format!("{}.pcapng", recording.stem());
    assert_eq!(
        (manifest.state, manifest.packets, manifest.file.as_ref()),
        (State::Complete, Some(9), Some(&file))
    );
    let is_alone = || (evidence(&recording.site) == [file.clone()]).then_some(());
    assert!(poll(PATIENCE, is_alone).is_some(), "the first file stays: {:?}", evidence(&recording.site));
}

/// A recorder that writes when its buffer is full may have more than it has written; nobody knows, and so nobody says that it
/// is all.
#[test]
fn a_recorder_that_has_fallen_silent_is_not_taken_at_its_word() {
    let mut recording = Recording::new();
    recording.record(-10_000, -500);
    let quiet_for = |recording: &Recording, secs: u64| {
        let modified = SystemTime::now() - Duration::from_secs(secs);
        for entry in fs::read_dir(recording.site.timeline_dir()).unwrap() {
            File::options().append(true).open(entry.unwrap().path()).unwrap().set_modified(modified).unwrap();
        }
    };
    quiet_for(&recording, 0);
    let service = listener(&recording.site);
    let target = "/?before=5&after=1";
    assert_result(&post(service.address(), target, &recording.alert()), &recording.link());
    assert!(recording.manifest().open);
    quiet_for(&recording, 20);
    let ended = poll(PATIENCE, || Some(recording.manifest()).filter(|manifest| !manifest.open)).unwrap();
    assert_eq!((ended.state, ended.packets), (State::Partial, Some(18)));
    let reason =
        "the recording ends before the window: what its recorder may still hold back is not there yet";
    assert_eq!(ended.reason.as_deref(), Some(reason));
    // Packets can be written half a second later than others that came with them.
    assert_eq!(ended.searched_up_to, Some(recording.instant(-750 - 500)));

    // It writes at last, and who asks again gets that.
    assert_result(&post(service.address(), target, &recording.alert()), &recording.link());
    assert_eq!((recording.manifest().state, recording.manifest().open), (State::Partial, false));
    recording.record(-500, 3_000);
    quiet_for(&recording, 20);
    assert_result(&post(service.address(), target, &recording.alert()), &recording.link());
    let manifest = recording.manifest();
    assert_eq!((manifest.state, manifest.packets, manifest.open), (State::Complete, Some(25), false));
}

/// What is written late is found by the last search, though the first one looked at its time already.
#[test]
fn what_a_silent_recorder_held_back_is_added_later() {
    let mut recording = Recording::new();
    recording.record(-40_000, -30_000);
    let long_ago = SystemTime::now() - Duration::from_secs(30);
    let file = recording.site.timeline_dir().join("1.pcap");
    File::options().append(true).open(file).unwrap().set_modified(long_ago).unwrap();
    let service = listener(&recording.site);
    let target = "/?before=60&after=2";
    assert_result(&post(service.address(), target, &recording.alert()), &recording.link());
    let manifest = recording.manifest();
    assert_eq!((manifest.open, manifest.packets), (true, Some(40)));
    assert_eq!(manifest.searched_up_to, Some(recording.instant(-30_250 - 500)));
    recording.record(-30_000, 4_000);
    let manifest = recording.ended(3_000);
    assert_eq!((manifest.state, manifest.packets), (State::Complete, Some(169)));
    assert!(recording.capture() == asked_anew(&recording, &service, target));
}

/// Far ahead are only clocks that are wrong.
#[test]
fn a_window_that_lies_far_ahead_is_not_waited_for() {
    let mut recording = Recording::new();
    recording.record(-1_000, 0);
    let service = listener(&recording.site);
    let far = recording.at.as_secs() + 3 * 86_400;
    let alert = format!(r#"{{"id": "far", "clientIp": "10.0.0.10", "time": {far}}}"#);
    let text = post(service.address(), "/?before=86400&after=0", &alert).text();
    assert!(text.starts_with("ERROR: no packets matched ") && text.contains("(not yet written, "), "{text}");
    let alert = alert.replace(&far.to_string(), &(far - 2 * 86_400).to_string()).replace("far", "near");
    let text = post(service.address(), "/?before=86400&after=86400", &alert).text();
    assert!(text.starts_with("http://"), "{text}");
}
