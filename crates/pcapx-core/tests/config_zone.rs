//! The system's time zone is the one of `TZ`.

use std::process::Command;

use pcapx_core::local::{Edge, LocalZone};

/// Set in the process that this test starts of itself, because `TZ` cannot be changed in a running one.
const ASKED: &str = "TEST_PRINT_NOON";
/// 2026-07-01T12:00:00Z.
const NOON_UTC_SECS: i64 = 1_782_907_200;

#[test]
fn the_zone_of_the_environment_is_respected() {
    if std::env::var_os(ASKED).is_some() {
        let zone = LocalZone::system();
        let noon = zone.parse("2026-07-01 12:00:00", Edge::Begin).unwrap();
        println!("noon={} zone={zone}", noon.as_secs());
        return;
    }
    for (zone, hours_ahead, name) in [
        ("Europe/Warsaw", 2, "Europe/Warsaw"),
        (":Europe/Warsaw", 2, "Europe/Warsaw"),
        ("/usr/share/zoneinfo/Europe/Warsaw", 2, "Europe/Warsaw"),
        ("America/New_York", -4, "America/New_York"),
        ("America/Argentina/Buenos_Aires", -3, "America/Argentina/Buenos_Aires"),
        ("Etc/GMT+5", -5, "Etc/GMT+5"),
        ("UTC", 0, "UTC"),
        ("", 0, "UTC"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", 2, "a zone without a name"),
        ("<+05>-5", 5, "a zone without a name"),
        ("No/Such_Zone", 0, "UTC"),
    ] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_zone_of_the_environment_is_respected", "--nocapture"])
            .env("TZ", zone)
            .env(ASKED, "1")
            .output()
            .unwrap();
        let printed = String::from_utf8(child.stdout).unwrap();
        let expected = format!("noon={} zone={name}\n", NOON_UTC_SECS - hours_ahead * 3600);
        assert!(child.status.success() && printed.contains(&expected), "TZ={zone:?}: {printed}");
    }
}
