//! Where packets go: a file, many files, standard output, nowhere.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;

use pcapx_testkit::capture::{Packet, Pcap, link, read_pcap};

use crate::room::{Room, TEN, arg, expected, names, run, traffic};

#[test]
fn nothing_matched_ends_with_1_and_no_file() {
    let room = Room::new();
    let ran = room.extract(&["-f", "host 192.0.2.1", "-o", "a.pcap"]).ended(1);
    ran.says("nothing matched: the filter is true of none of 720 packets in the window");
    assert!(room.written().is_empty());

    fs::write(room.out("a.pcap"), b"an older answer").unwrap();
    let ran = room.extract(&["-e", "2020-01-01 00:00:00", "-o", "a.pcap"]).ended(1);
    ran.says("nothing matched: none of 4 files reaches into the window");
    assert_eq!(fs::read(room.out("a.pcap")).unwrap(), b"an older answer");

    Room::empty()
        .extract(&["-o", "a.pcap"])
        .ended(1)
        .says("nothing matched: there is no file in the timeline");
}

#[test]
fn an_empty_capture_is_written_on_demand() {
    let room = Room::new();
    let empty = Pcap::new().encode(&[]);
    room.extract(&["-f", "host 192.0.2.1", "-0", "-o", "a.pcap"]).ended(1);
    assert_eq!(fs::read(room.out("a.pcap")).unwrap(), empty);
    assert_eq!(room.extract(&["-f", "host 192.0.2.1", "-0", "-O"]).ended(1).stdout, empty);
    assert_eq!(room.extract(&["-f", "host 192.0.2.1", "-O"]).ended(1).stdout, b"");
    room.extract(&["-f", "host 192.0.2.1", "-0", "-N", "5", "-o", "parts/"]).ended(1);
    assert_eq!(fs::read(room.out("parts/00001.pcap")).unwrap(), empty);
}

#[test]
fn standard_output_gets_the_same_bytes_as_a_file() {
    let room = Room::new();
    room.extract(&["-f", "udp", "-o", "a.pcap"]).ended(0);
    let file = fs::read(room.out("a.pcap")).unwrap();
    let spool = room.path("spool");
    fs::create_dir(&spool).unwrap();
    for to_stdout in [&["-O"][..], &["-o", "-"]] {
        let ran = run(room
            .command()
            .env("TMPDIR", &spool)
            .args(["-f", "udp", "-t"])
            .arg(room.timeline())
            .args(to_stdout));
        assert_eq!(ran.ended(0).says("standard output: 240 packets").stdout, file);
    }
    assert!(names(&spool).is_empty());
}

#[test]
fn a_full_disk_behind_standard_output_is_told() {
    let room = Room::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = run(room.command().arg("-O").arg("-t").arg(room.timeline()).stdout(full));
    ran.ended(4).says("standard output cannot be written");
}

#[test]
fn pipes_and_devices_are_written_to_and_stay() {
    let room = Room::new();
    room.extract(&["-f", "udp", "-o", "/dev/null"]).ended(0).says("/dev/null: 240 packets");
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    room.extract(&["-f", "udp", "-o", "a.pcap"]).ended(0);
    let ran = room.extract(&["-f", "udp", "-o", "/dev/stdout"]).ended(0);
    assert_eq!(ran.stdout, fs::read(room.out("a.pcap")).unwrap());
    room.extract(&["-o", "/dev/full"]).ended(4).says("\"/dev/full\" cannot be written: No space left");
}

#[test]
fn a_link_stays_and_its_file_is_replaced() {
    let room = Room::new();
    fs::write(room.path("file.pcap"), b"an older answer").unwrap();
    symlink("../file.pcap", room.out("link.pcap")).unwrap();
    room.extract(&["-f", "udp", "-o", "link.pcap"]).ended(0);
    assert_eq!(fs::read_link(room.out("link.pcap")).unwrap(), Path::new("../file.pcap"));
    assert_eq!(read_pcap(&fs::read(room.path("file.pcap")).unwrap()).unwrap().packets.len(), 240);
}

#[test]
fn an_output_in_the_timeline_is_noted() {
    let room = Room::new();
    let note = "the output lies in the timeline";
    room.extract(&["-o", arg(&room.timeline().join("a.pcap"))]).ended(0).says(note);
    room.extract(&["-N", "500", "-o", arg(&room.timeline().join("2026"))]).ended(0).says(note);
    assert!(!room.extract(&["-o", "a.pcap"]).ended(0).stderr.contains(note));
}

#[test]
fn a_closed_standard_error_changes_nothing() {
    let room = Room::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = room.command().args(["-v", "-o", "a.pcap", "-t"]).arg(room.timeline()).stderr(full).status();
    assert_eq!(status.unwrap().code(), Some(0));
    assert_eq!(room.read("a.pcap").len(), 720);
}

#[test]
fn packets_are_cut_to_a_length() {
    let room = Room::new();
    room.extract(&["-f", "tcp and ip", "-e", "2026-03-01 09:00:00", "-s", "60", "-o", "a.pcap"]).ended(0);
    let [tcp, ..] = traffic(TEN);
    assert_eq!(room.read("a.pcap"), [tcp.cut(60)]);
}

#[test]
fn files_of_so_many_packets_sort_in_the_order_of_time() {
    let room = Room::new();
    room.extract(&["-f", "udp", "-N", "100", "-x", "dns-", "-o", "new/"])
        .ended(0)
        .says("new/dns-00001.pcap to new/dns-00003.pcap: 240 packets in 3 files");
    assert_eq!(room.written(), ["new"]);
    assert_eq!(names(&room.out("new")), ["dns-00001.pcap", "dns-00002.pcap", "dns-00003.pcap"]);
    let parts: Vec<_> =
        names(&room.out("new")).iter().map(|name| room.read(&format!("new/{name}"))).collect();
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 40]);
    assert_eq!(parts.concat(), expected(0, 239, &[1]));
}

#[test]
fn files_of_so_many_megabytes() {
    let room = Room::empty();
    let big: Vec<_> = (0..30).map(|n| Packet::new(traffic(TEN + n)[0].time, vec![7; 90_000])).collect();
    Pcap::new().write(&room.timeline().join("big.pcap"), &big);
    room.extract(&["-P", "1", "-o", "big.pcap"]).ended(0);
    assert_eq!(room.written(), ["big-00001.pcap", "big-00002.pcap", "big-00003.pcap"]);
    let parts: Vec<_> = room.written().iter().map(|name| room.read(name)).collect();
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [11, 11, 8]);
    assert_eq!(parts.concat(), big);
}

#[test]
fn a_folder_of_an_earlier_answer_is_not_mixed_with_a_new_one() {
    let room = Room::new();
    fs::write(room.out("00007.pcap"), b"earlier").unwrap();
    room.extract(&["-N", "100", "-o", "."]).ended(4).says("00007.pcap").says("-x");
    assert_eq!(room.written(), ["00007.pcap"]);
    room.extract(&["-N", "1000", "-x", "b-", "-o", "."]).ended(0);
    assert_eq!(room.written(), ["00007.pcap", "b-00001.pcap"]);
}

#[test]
fn packets_of_different_kinds_make_a_pcapng_file() {
    let room = Room::new();
    let raw = traffic(TEN + 100).map(|p| Packet::new(p.time, p.data[14..].to_vec()));
    Pcap::new().link_type(link::RAW).write(&room.path("raw.pcap"), &raw[..1]);
    let ran = room.extract(&["-a", arg(&room.path("raw.pcap")), "-f", "tcp and ip", "-o", "a.pcap"]).ended(0);
    ran.says("is a pcapng file").says("a.pcapng: 241 packets");
    assert_eq!(room.written(), ["a.pcapng"]);
}

#[test]
fn several_timelines_are_merged() {
    let (one, two) = (Room::new(), Room::empty());
    let between = |n: i64| {
        let [tcp, ..] = traffic(TEN + n);
        let later = pcapx_core::time::Timestamp::from_nanos(tcp.time.as_nanos() + 1000);
        Packet { time: later, ..tcp }
    };
    let more: Vec<_> = (0..3).map(between).collect();
    Pcap::new().write(&two.timeline().join("b.pcap"), &more);
    let ran = one.extract(&[
        "-t",
        arg(&two.timeline()),
        "-f",
        "ip and tcp",
        "-e",
        "2026-03-01 09:00:02.5",
        "-o",
        "a.pcap",
    ]);
    ran.ended(0);
    let merged: Vec<_> = expected(0, 2, &[0]).into_iter().zip(more).flat_map(|(a, b)| [a, b]).collect();
    assert_eq!(one.read("a.pcap"), merged);
}

#[test]
fn a_single_file_is_searched_alone() {
    let room = Room::new();
    let second = &room.recorded()[1];
    room.run(&["-a", arg(second), "-f", "udp", "-o", "a.pcap"]).ended(0).says("files    1 searched");
    assert_eq!(room.read("a.pcap"), expected(60, 119, &[1]));
}

#[test]
fn files_with_a_match_are_listed() {
    let room = Room::new();
    let [.., third, fourth] = &room.recorded()[..] else { panic!() };
    let listed = |args: &[&str], code| {
        let ran = room.extract(&[&["-l"], args].concat()).ended(code);
        ran.lines().into_iter().map(|line| fs::canonicalize(line).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&[], 0), room.recorded());
    assert_eq!(listed(&["-b", "2026-03-01 09:02:30"], 0), [third.clone(), fourth.clone()]);
    assert!(listed(&["-f", "host 192.0.2.1"], 1).is_empty());
    let [rare, ..] = traffic(TEN + 240);
    fs::write(room.timeline().join("odd.pcap"), Pcap::new().encode(&[rare])).unwrap();
    assert_eq!(listed(&["-b", "2026-03-01 09:04:00"], 0), [room.timeline().join("odd.pcap")]);
    assert!(room.written().is_empty());
}

#[test]
fn what_goes_to_a_file_leaves_standard_output_alone() {
    let room = Room::new();
    let ran = room.extract(&["-o", "a.pcap", "-v"]).ended(0).says("note: searching").says("took");
    assert_eq!(ran.stdout, b"");
    let ran = room.extract(&["-o", "a.pcap", "-v0"]).ended(0);
    assert_eq!((ran.stdout.len(), ran.stderr.as_str()), (0, ""));
    assert_eq!(read_pcap(&fs::read(room.out("a.pcap")).unwrap()).unwrap().packets.len(), 720);
}
