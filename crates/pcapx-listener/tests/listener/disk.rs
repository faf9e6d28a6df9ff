//! Disks that are full or cannot be written, and manifests that somebody has damaged: told, and survived.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use pcapx_core::manifest::{Failure, Manifest, State};
use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap, read_pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_testkit::process::{Connection, NotReady, Service, Site};
use pcapx_testkit::tool::{self, skipped};

use crate::fake::Fake;
use crate::shelf::{AT, alert, ask, link, manifest, record, stem};
use crate::{LISTENER, assert_result, evidence, listener, post, request, told};

pub(crate) const NO_SPACE: &str = "ERROR: extraction failed, there is not enough free space for evidence";
const NOT_WRITABLE: &str = "ERROR: extraction failed, the folder of evidence cannot be written";

/// A listener whose output folder is a file system of its own, in a mount namespace of its own. `None`, said aloud, where
/// that is not allowed.
pub(crate) struct Mounted {
    pub(crate) site: Site,
    pub(crate) service: Service,
}

/// Runs `command` behind a `mount` with `options`, and what `more` says about the folder `$1`.
fn behind_mount(command: &Command, options: &str, more: &str) -> Option<Command> {
    let unshare = tool::require("unshare")?;
    if !unshare.run(["-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status.success() {
        skipped("a mount namespace of one's own is not allowed here");
        return None;
    }
    let folder = command.get_current_dir().unwrap().join("alerts");
    let script = format!("mount -t tmpfs -o {options} tmpfs \"$1\" && {more} shift && exec \"$@\"");
    let mut wrapped = unshare.command();
    wrapped.args(["-Urm", "sh", "-c", &script, "sh"]).arg(folder);
    wrapped
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    Some(wrapped)
}

impl Mounted {
    pub(crate) fn new(site: Site, options: &str) -> Option<Self> {
        let mut command = site.command(LISTENER);
        command.env("TZ", "UTC");
        Self::with(site, &command, options)
    }

    /// The same with the command that runs it.
    pub(crate) fn with(site: Site, command: &Command, options: &str) -> Option<Self> {
        let service = Service::spawn(&mut behind_mount(command, options, "")?);
        Some(Self { service: service.unwrap_or_else(|error| panic!("{error}")), site })
    }

    /// The output folder as the listener sees it.
    pub(crate) fn folder(&self) -> PathBuf {
        let folder = self.site.output_dir();
        Path::new(&format!("/proc/{}/root", self.service.pid())).join(folder.strip_prefix("/").unwrap())
    }

    pub(crate) fn manifest(&self, name: &str) -> Manifest {
        Manifest::from_json(&fs::read(self.folder().join(format!("{name}.json"))).unwrap()).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = File::create(self.folder().join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Mounts the output folder anew with `option`, in the listener's namespace.
    fn remount(&self, option: &str) {
        let nsenter = tool::find("nsenter").expect("nsenter comes with unshare");
        let pid = self.service.pid().to_string();
        let output = nsenter
            .command()
            .args(["--preserve-credentials", "-U", "-m", "-t", &pid, "mount", "-o"])
            .arg(format!("remount,{option}"))
            .arg(self.site.output_dir())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A megabyte of packets of one host, 10.9.9.9.
fn record_much(site: &Site) {
    let data = [7; 1000];
    let frame = Ethernet::new()
        .carry(&Ipv4::new([10, 9, 9, 9], [10, 0, 0, 20]).carry(&Udp::new(1, 2).payload(&data)));
    let packets: Vec<_> =
        (0..1000).map(|number| Packet::new(Timestamp::from_secs(AT - number / 10), frame.clone())).collect();
    Pcap::new().write(&site.timeline_dir().join("much.pcap"), &packets);
}

fn much(id: &str) -> String {
    format!(r#"{{"id": "{id}", "clientIp": "10.9.9.9", "unixTimestamp": {AT}}}"#)
}

fn lives(service: &Service) {
    let reply = Connection::open(service.address()).exchange(&request("GET /healthz", &[], b""));
    assert_eq!(told(&reply), (200, "ok".to_owned()));
}

#[test]
fn an_answer_that_does_not_fit_on_the_disk_fails_and_leaves_nothing() {
    let mut site = Site::new();
    site.set("min_free_bytes", 0);
    record(&site, 8);
    record_much(&site);
    let Some(mounted) = Mounted::new(site, "size=512k") else { return };
    let server = mounted.service.address();
    assert_result(&post(server, "/", &much("big")), NO_SPACE);
    let told = mounted.manifest(&stem("big"));
    assert_eq!((told.state, told.failure, told.file), (State::Failed, Some(Failure::NoSpace), None));
    assert_eq!(mounted.names(), [format!("{}.json", stem("big"))]);
    assert_eq!(ask(server, "POST /", &much("big")).0, 507);
    // What fits is answered.
    assert_result(&post(server, "/", &alert("small", 3)), &link("small"));
    let file = mounted.folder().join(format!("{}.pcap", stem("small")));
    assert_eq!(read_pcap(&fs::read(&file).unwrap()).unwrap().packets.len(), 4);

    // No room at all: nothing can be written down, and so nothing is accepted.
    mounted.fill();
    let before = mounted.names();
    assert_result(&post(server, "/", &alert("more", 3)), NO_SPACE);
    let (status, document) = ask(server, "POST /", &alert("more", 3));
    assert_eq!((status, &document["error"]), (507, &NO_SPACE.into()));
    assert_eq!(mounted.names(), before);
    assert_result(&post(server, "/", &alert("small", 3)), &link("small"));
    lives(&mounted.service);
    fs::remove_file(mounted.folder().join("filler")).unwrap();
    assert_result(&post(server, "/", &alert("more", 3)), &link("more"));
    assert!(mounted.names().iter().all(|name| !name.starts_with('.')), "{:?}", mounted.names());
}

#[test]
fn a_folder_that_becomes_read_only_is_told_and_survived() {
    let mut site = Site::new();
    site.set("min_free_bytes", 0);
    record(&site, 8);
    let Some(mounted) = Mounted::new(site, "size=1m") else { return };
    let server = mounted.service.address();
    assert_result(&post(server, "/", &alert("a", 3)), &link("a"));
    mounted.remount("ro");
    assert_result(&post(server, "/", &alert("b", 3)), NOT_WRITABLE);
    let (status, document) = ask(server, "POST /", &alert("b", 3));
    assert_eq!((status, &document["error"]), (500, &NOT_WRITABLE.into()));
    // What is there is told as ever.
    assert_result(&post(server, "/", &alert("a", 3)), &link("a"));
    assert_eq!(ask(server, &format!("GET /jobs/{}", stem("a")), "").0, 200);
    lives(&mounted.service);
    mounted.remount("rw");
    assert_result(&post(server, "/", &alert("b", 3)), &link("b"));
}

#[test]
fn a_folder_that_cannot_be_written_keeps_the_service_from_starting() {
    let site = Site::new();
    let command = site.command(LISTENER);
    let Some(mut command) = behind_mount(&command, "size=1m", "mount -o remount,ro \"$1\" &&") else {
        return;
    };
    let NotReady { status, stderr } = Service::spawn(&mut command).unwrap_err();
    assert_eq!(status.and_then(|status| status.code()), Some(3), "{stderr}");
    let wanted = format!("pcapx-listener: output_dir: {}: ", site.output_dir().display());
    assert!(stderr.lines().any(|line| line.starts_with(&wanted)), "{stderr}");
}

/// What became of a job is told to whoever waits, and written down once there is room.
#[test]
fn a_manifest_that_cannot_be_written_at_the_end_is_made_up_for() {
    let mut fake = Fake::new("read line < \"$site/release\"; echo packets > \"$output\"");
    fake.site.set("min_free_bytes", 0);
    let command = fake.command();
    let Some(mut command) = behind_mount(&command, "size=64k", "") else { return };
    let service = Service::spawn(&mut command).unwrap_or_else(|error| panic!("{error}"));
    let folder = Path::new(&format!("/proc/{}/root", service.pid()))
        .join(fake.site.output_dir().strip_prefix("/").unwrap());
    let mut client = Connection::open(service.address());
    client.send(&crate::post_bytes("/", alert("a", 1).as_bytes()));
    let begun = pcapx_testkit::process::poll(pcapx_testkit::process::PATIENCE, || {
        (!fake.argv().is_empty()).then_some(())
    });
    assert!(begun.is_some());
    let mut filler = File::create(folder.join("filler")).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
    fake.release(1);
    let text = client.reply().unwrap().text();
    assert!(text.starts_with("ERROR: "), "{text}");
    lives(&service);
    let manifest = || {
        let bytes = fs::read(folder.join(format!("{}.json", stem("a")))).unwrap();
        Manifest::from_json(&bytes).unwrap()
    };
    assert_eq!((manifest().state, manifest().open), (State::Queued, true), "it could not be written");
    drop(filler);
    fs::remove_file(folder.join("filler")).unwrap();
    let written =
        pcapx_testkit::process::poll(pcapx_testkit::process::PATIENCE, || (!manifest().open).then_some(()));
    assert!(written.is_some(), "nobody tries again");
    assert_eq!((manifest().state, manifest().failure), (State::Failed, Some(Failure::NpcapextractFailed)));
    fake.script("echo packets > \"$output\"");
    assert_result(&post(service.address(), "/", &alert("a", 1)), &link("a"));
}

#[test]
fn a_damaged_manifest_is_left_alone_and_told() {
    let site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    assert_result(&post(service.address(), "/", &alert("a", 3)), &link("a"));
    service.stop();
    let path = |name: &str| site.output_dir().join(format!("{}.json", stem(name)));
    let whole = fs::read(path("a")).unwrap();
    let half = &whole[..whole.len() / 2];
    for (name, content) in [("a", half), ("b", &b""[..]), ("c", b"[]"), ("d", &whole)] {
        fs::write(path(name), content).unwrap();
    }
    let capture = fs::read(site.output_dir().join(format!("{}.pcap", stem("a")))).unwrap();

    let service = listener(&site);
    let line = service.wait_for_log(|line| line.contains("manifests that cannot be read"));
    assert!(line.ends_with("are left alone: 4"), "{line}");
    for name in ["a", "b", "c", "d"] {
        let (status, document) = ask(service.address(), &format!("GET /jobs/{}", stem(name)), "");
        assert_eq!(
            (status, &document["error"]),
            (500, &"The manifest of this job is damaged".into()),
            "{name}"
        );
        assert_eq!(ask(service.address(), &format!("DELETE /jobs/{}", stem(name)), "").0, 500, "{name}");
        // The alert is answered, under a name beside it.
        let beside = format!("{name}-2");
        assert_result(&post(service.address(), "/", &alert(name, 3)), &link(&beside));
        assert_eq!(manifest(&site, &stem(&beside)).state, State::Complete);
    }
    for (name, content) in [("a", half), ("b", &b""[..]), ("c", b"[]"), ("d", &whole)] {
        assert!(fs::read(path(name)).unwrap() == content, "{name}");
    }
    assert!(fs::read(site.output_dir().join(format!("{}.pcap", stem("a")))).unwrap() == capture);
    let listed = ask(service.address(), "GET /jobs", "").1["jobs"].as_array().unwrap().len();
    assert_eq!((listed, evidence(&site).len()), (4, 5), "four answers, and the file of the damaged manifest");
}
