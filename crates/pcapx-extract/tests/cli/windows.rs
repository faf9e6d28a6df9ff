//! Windows of time, in every form and zone.

use pcapx_testkit::capture::Pcap;

use crate::room::{Room, TEN, expected, run, traffic};

#[test]
fn every_form_of_time_means_the_same_window() {
    let room = Room::new();
    let seconds = TEN.to_string();
    for (begin, end) in [
        ("2026-03-01 09:00:00", "2026-03-01 09:00:02"),
        ("2026-03-01T10:00:00+01:00", "2026-03-01T09:00:02Z"),
        (seconds.as_str(), "1772355602.0"),
    ] {
        room.extract(&["-b", begin, "-e", end, "-f", "port 443 and ip", "-o", "a.pcap"]).ended(0);
        assert_eq!(room.read("a.pcap"), expected(0, 2, &[0]), "{begin}");
    }
}

#[test]
fn both_ends_belong_to_the_window_to_the_microsecond() {
    let room = Room::new();
    let answer = |begin: &str, end: &str| {
        room.extract(&["-b", begin, "-e", end, "-o", "a.pcap"]).ended(0);
        room.read("a.pcap")
    };
    assert_eq!(answer("1772355600.25", "1772355600.5"), expected(0, 0, &[1, 2]));
    assert_eq!(
        answer("1772355600.250001", "1772355601.249999999"),
        [expected(0, 0, &[2]), expected(1, 1, &[0])].concat()
    );
}

#[test]
fn a_missing_end_is_open() {
    let room = Room::new();
    let answer = |args: &[&str]| {
        room.extract(&[args, &["-f", "udp", "-o", "a.pcap"]].concat()).ended(0);
        room.read("a.pcap")
    };
    assert_eq!(answer(&[]), expected(0, 239, &[1]));
    assert_eq!(answer(&["-b", "2026-03-01 09:03:00"]), expected(180, 239, &[1]));
    assert_eq!(answer(&["-e", "2026-03-01 09:00:59"]), expected(0, 58, &[1]));
}

#[test]
fn the_hour_that_happens_twice_is_searched_twice() {
    let room = Room::empty();
    // 2026-10-25T00:30:00Z and 01:30:00Z are both 02:30:00 in Warsaw.
    let packets: Vec<_> = [0, 3600].iter().flat_map(|late| traffic(1_792_888_200 + late)).collect();
    Pcap::new().write(&room.timeline().join("autumn.pcap"), &packets);
    let ran = |zone: &str, begin: &str, end: &str| {
        run(room
            .command()
            .env("TZ", zone)
            .arg("-t")
            .arg(room.timeline())
            .args(["-b", begin, "-e", end, "-o", "a.pcap"]))
    };
    ran("Europe/Warsaw", "2026-10-25 02:30:00", "2026-10-25 02:30:01").ended(0);
    assert_eq!(room.read("a.pcap"), packets);
    ran("Europe/Warsaw", "2026-10-25 02:30:00", "2026-10-25T02:30:01+02:00").ended(0);
    assert_eq!(room.read("a.pcap"), packets[..3]);
    ran("UTC", "2026-10-25 00:30:00", "2026-10-25 00:30:01").ended(0);
    assert_eq!(room.read("a.pcap"), packets[..3]);
}

#[test]
fn the_summary_tells_the_window_in_local_time() {
    let room = Room::new();
    let ran = run(room.command().env("TZ", "Europe/Warsaw").arg("-t").arg(room.timeline()).args([
        "-b",
        "2026-03-01 10:01:00",
        "-e",
        "2026-03-01 10:01:59.5",
        "-f",
        "udp port 53",
        "-o",
        "a.pcap",
    ]));
    let ran = ran
        .ended(0)
        .says("a.pcap: 60 packets\n")
        .says("\n  window   2026-03-01 10:01:00 to 2026-03-01 10:01:59.500000000, Europe/Warsaw time\n")
        .says("\n  filter   udp port 53\n")
        .says(", 180 of them in the window, 60 matched\n")
        .says("\n  took     ");
    assert_eq!(ran.stdout, b"");
}
