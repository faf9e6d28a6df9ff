//! Lines and words that are right, and those that are not.

use std::path::PathBuf;
use std::time::Duration;

use pcapx_core::filter;
use pcapx_recorder::options::{
    Asked, Direction, DiskLimit, Effect, Input, Layer, OPTIONS, OptionsError, Settings,
};
use pcapx_recorder::options::{Simulation, Value};

use super::{read, read_file, settings, told};

/// An option, and whether it comes to what it should.
type Case = (&'static str, fn(&Settings) -> bool);

#[test]
fn every_option_that_works_is_set_from_the_file_and_from_the_command_line() {
    let cases: &[Case] = &[
        ("-s=0", |s| s.snaplen == 262_144),
        ("--snaplen 9100", |s| s.snaplen == 9100),
        ("-0=2", |s| s.slicing == Some(Layer::Link)),
        ("--packet-slicing=4", |s| s.slicing == Some(Layer::Transport)),
        ("-2=0", |s| s.direction == Direction::Both),
        ("-3", |s| !s.promiscuous),
        ("-f=udp", |s| s.filter == filter::parse("udp").ok()),
        ("--fast-filter=tcp", |s| s.filter == filter::parse("tcp").ok()),
        ("--hardware-time", |s| s.hardware_time),
        ("--link-up", |s| s.link_up),
        ("-d", |s| s.nanoseconds),
        ("--threads=4", |s| s.threads.get() == 4),
        ("-b=3", |s| s.buffer_bytes == 3 << 20),
        ("-p 4096", |s| s.file_bytes == 4_294_967_296),
        ("-t 60", |s| s.file_duration == Some(Duration::from_secs(60))),
        ("-A=/t", |s| s.timeline == Some("/t".into()) && s.file_duration == Some(Duration::from_secs(600))),
        ("-v", |s| s.file_duration.is_none() && s.timeline.is_none() && s.verbosity == 1),
        ("-N=1000", |s| s.file_packets == Some(1000)),
        ("-N=0", |s| s.file_packets.is_none()),
        ("-6=1024", |s| s.disk_limit == DiskLimit::Bytes(1 << 30)),
        ("--disk-limit=55%", |s| s.disk_limit == DiskLimit::Percent(55)),
        ("--file-mode=0644", |s| s.file_mode == 0o644),
        ("--dir-mode 755", |s| s.dir_mode == 0o755),
        ("-I", |s| s.index),
        ("-u=pcapx", |s| s.user.as_deref() == Some("pcapx")),
        ("-u=n2disk:ntop", |s| s.user.as_deref() == Some("n2disk:ntop")),
        ("--dont-change-user", |s| s.user.is_none()),
        ("-P=/run/r.pid", |s| s.pid_file == Some("/run/r.pid".into())),
        ("--metrics=9108", |s| s.metrics == "127.0.0.1:9108".parse().ok()),
        ("--metrics [::]:9108", |s| s.metrics == "[::]:9108".parse().ok()),
        ("--simulate=disk", |s| s.simulation == Some(Simulation::Disk)),
        ("-e=3", |s| s.simulation == Some(Simulation::Index)),
        ("--check", |s| s.check),
        ("-i=a,b", |s| s.inputs[1..] == [Input::Interface("a".into()), Input::Interface("b".into())]),
        ("-i=/tmp/a,b.pcap", |s| s.inputs[1..] == [Input::File("/tmp/a,b.pcap".into())]),
        ("-i=a.pcapng", |s| s.inputs[1..] == [Input::File("a.pcapng".into())]),
    ];
    for (option, holds) in cases {
        let (from_file, warnings) = settings(read_file(format!("-i=lo\n-o=/d\n{option}\n"), ""));
        assert!(holds(&from_file) && warnings.is_empty(), "{option}: {from_file:?} {warnings:?}");
        let (from_words, warnings) = settings(read(&format!("-i lo -o /d {option}")));
        assert!(from_words == from_file && warnings.is_empty(), "{option}: {from_words:?} {warnings:?}");
    }
}

#[test]
fn everything_wrong_is_told_at_once_with_its_line() {
    let text = "\
-i=eth0,
-i=nt:stream0
-s=262145
--packet-slicing=5
-2=2
-f=host 10.0.0.300
--buffer-len=0
-b
-o=/a
-o=/b
-p=1,5
-t=-5
--disk-limit=101%
--disk-limit=80 %
--file-mode=440
--dir-mode=rwx
-u=two words
--max-file-lenght=4
-4
-L2
-3=1
-P=\"\"
";
    let expected = [
        ":8: -b: needs a value: MB",
        ":18: --max-file-lenght: unknown option; did you mean --max-file-len?",
        ":21: -3: takes no value, found \"1\"",
        ":19: -4: is not offered: ",
        ":20: -L: is not offered: ",
        ":22: -P: needs a value: FILE",
        ":1: -i: expected the name of an interface, as `ip link` lists it, or of a capture file, found \"\"",
        ":2: -i: \"nt:stream0\" belongs to a driver of PF_RING",
        ":3: -s: expected a whole number from 0 to 262144, found \"262145\"",
        ":4: --packet-slicing: expected 2, 3 or 4",
        ":5: -2: what is sent cannot be recorded alone",
        ":6: -f: position ",
        ":7: --buffer-len: expected MB, a whole number from 1 on, found \"0\"",
        ":10: -o: one recorder writes to one folder",
        ":11: -p: expected MB",
        ":12: -t: expected a whole number from 0 to ",
        ":15: --file-mode: the recorder itself needs 600, found \"440\": write 640",
        ":16: --dir-mode: expected octal rights",
        ":17: -u: expected the name of a user, or USER:GROUP, found \"two words\"",
    ];
    let told = told(read_file(text, ""));
    for beginning in expected {
        assert!(told.iter().any(|line| line.starts_with(beginning)), "{beginning} in {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn what_is_missing_is_told() {
    assert_eq!(
        told(read("")),
        [
            "-i: is missing: name the interface to record",
            "-o: is missing: name the folder of the capture files"
        ]
    );
    // Once, when its value is missing.
    assert_eq!(told(read("-o /d -i")), ["-i: needs a value: NAME|FILE"]);
    // A simulation needs what it measures.
    assert_eq!(told(read("--simulate disk")), ["-o: is missing: name the folder of the capture files"]);
    assert_eq!(told(read("--simulate capture")), ["-i: is missing: name the interface to record"]);
    assert_eq!(settings(read("--simulate core")).0.inputs, []);
    assert_eq!(settings(read("--simulate disk -o /d")).0.dump, PathBuf::from("/d"));
}

#[test]
fn each_of_n2disks_options_without_effect_is_named_in_one_warning() {
    let mut text = "-i=lo\n-o=/d\n".to_owned();
    let mut expected = Vec::new();
    for option in OPTIONS {
        let Effect::Idle(advice) = option.effect else { continue };
        let value = if option.value == Value::None { "" } else { "=1" };
        // Twice, of which one warning comes.
        for _ in 0..2 {
            text.extend(["--", option.name, value, "\n"]);
        }
        expected.push((format!("--{}", option.name), advice));
    }
    let (with, warnings) = settings(read_file(text, ""));
    assert_eq!(with, settings(read("-i lo -o /d")).0);
    assert_eq!(warnings.len(), expected.len());
    for (warning, (option, advice)) in warnings.iter().zip(expected) {
        assert!(warning.option == option && warning.reason.ends_with(advice), "{warning}");
    }
}

#[test]
fn what_is_odd_is_a_warning() {
    let cases = [
        ("-p=1\n-p=2", ":4: -p: is given more than once; the last one counts"),
        ("-i=lo", ":3: -i: is named twice and recorded once"),
        ("-I/idx", ":3: -I: indexes stand beside their files"),
        ("-i=zc:eth1", ":3: -i: \"eth1\" is recorded through the kernel"),
        ("-i=eth1@[0-3]", ":3: -i: all queues of \"eth1\" are recorded"),
        ("-s=40", ":3: -s: with less than 58 bytes"),
        ("-6=1000", ":3: -6: 1000 MB keep less than two files of 512 MB"),
        ("--daemon", ":3: --daemon: n2disk's option has no effect here"),
    ];
    for (line, expected) in cases {
        let (_, warnings) = settings(read_file(format!("-i=lo\n-o=/d\n{line}\n"), ""));
        let [warning] = &warnings[..] else { panic!("{line}: {warnings:?}") };
        assert!(warning.to_string().contains(expected), "{line}: {warning}");
    }
}

#[test]
fn a_file_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    assert!(matches!(read(place), Err(OptionsError::NotAFile { .. })));
    assert!(matches!(read(&format!("{place}/none")), Err(OptionsError::Unreadable { .. })));
    let told_of_slip = told(read("--disk-limt 80%"));
    assert!(told_of_slip[0].ends_with("did you mean --disk-limit?"), "{told_of_slip:?}");
    assert!(told_of_slip[1].starts_with("configuration file: 80%: "), "{told_of_slip:?}");
    assert!(matches!(read("/dev/zero"), Err(OptionsError::NotAFile { .. })));
    assert!(matches!(read_file(vec![b'#'; (64 << 10) + 1], ""), Err(OptionsError::TooLarge { .. })));
    assert_eq!(told(read_file(b"-i=lo\n-o=/\xff\n", "-o /d")), [":2: line: is not UTF-8 text"]);
}

#[test]
fn as_much_as_a_file_may_hold_is_read_without_a_wait() {
    let most = 64 << 10;
    assert_eq!(told(read_file(format!("--{}", "x".repeat(most - 2)), "-i lo -o /d")).len(), 1);
    assert_eq!(settings(read_file("-v\n".repeat(most / 3), "-i lo -o /d")).0.verbosity, 2);
    let names: Vec<_> = (0..most / 6 - 1).map(|number| format!("{number:05x}")).collect();
    let (many, _) = settings(read_file(format!("-i={}\n", names.join(",")), "-o /d"));
    assert_eq!(many.inputs.len(), names.len());
}

#[test]
fn help_and_version_are_printed_whatever_else_is_wrong() {
    for words in ["-h", "--help -i", "--nonsense -h a b"] {
        assert!(
            matches!(read(words), Ok(Asked::Print(text)) if text.contains("--disk-limit MB|%")),
            "{words}"
        );
    }
    assert!(
        matches!(read("-V"), Ok(Asked::Print(text)) if text.ends_with(concat!(env!("CARGO_PKG_VERSION"), "\n")))
    );
}
