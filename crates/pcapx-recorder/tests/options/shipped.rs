//! The configuration file that n2disk was shipped with.

use std::path::PathBuf;
use std::time::Duration;

use pcapx_recorder::options::{Direction, DiskLimit, Input};

use super::settings;

const MB: u64 = 1 << 20;

fn shipped() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/n2disk.conf").to_owned()
}

#[test]
fn n2disks_file_is_read_as_it_is() {
    let (settings, warnings) = settings(super::read(&shipped()));
    assert_eq!(warnings, []);
    assert_eq!(settings.inputs, [Input::Interface("ens18".into())]);
    assert_eq!(settings.dump, PathBuf::from("/storage/pcaps/rolling"));
    assert_eq!(settings.timeline, Some("/storage/pcaps/rolling".into()));
    assert!(settings.index && settings.promiscuous && !settings.nanoseconds && !settings.check);
    assert_eq!(settings.file_duration, Some(Duration::from_secs(300)));
    assert_eq!((settings.buffer_bytes, settings.file_bytes), (2048 * MB, 500 * MB));
    assert_eq!(settings.disk_limit, DiskLimit::Percent(80));
    // What the file leaves to n2disk's defaults.
    assert_eq!((settings.snaplen, settings.direction), (1536, Direction::Received));
    assert_eq!((settings.file_mode, settings.dir_mode), (0o640, 0o750));
    assert_eq!((settings.file_packets, settings.filter, settings.slicing), (None, None, None));
}

#[test]
fn the_command_line_replaces_what_the_file_says() {
    let words = format!("{} -i lo,br-lan --max-file-len 7 -6=4098 -t 0 -A /t", shipped());
    let (settings, warnings) = settings(super::read(&words));
    assert_eq!(warnings, []);
    assert_eq!(settings.inputs, [Input::Interface("lo".into()), Input::Interface("br-lan".into())]);
    assert_eq!((settings.file_bytes, settings.buffer_bytes), (7 * MB, 2048 * MB));
    assert_eq!((settings.disk_limit, settings.file_duration), (DiskLimit::Bytes(4098 * MB), None));
    assert_eq!(settings.timeline, Some("/t".into()));
    assert_eq!(settings.dump, PathBuf::from("/storage/pcaps/rolling"));
}
