//! What stands under the name of an index and is none, or is that of another segment.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use pcapx_core::window::Window;
use pcapx_testkit::process::PATIENCE;
use pcapx_testkit::tool;
use pcapx_timeline::Catalog;
use pcapx_timeline::index::IndexPlace;

use crate::asking::{ask, assert_same, index, indexed, names, scanned, sidecar};
use crate::patient::Patient;

/// Asks a timeline whose index was replaced by something else; the answer tells why the index is not used.
#[track_caller]
fn is_refused(patient: &Patient, what: &str) {
    let answers = patient.questions.iter().zip(&patient.answers);
    for ((filter, _, window), right) in answers {
        let answer = indexed(patient.folder.path(), Some(filter), *window);
        assert_same(&answer, right, what);
        assert_eq!(answer.unused().len(), 1, "{what}: {:?}", answer.extraction.warnings);
        assert!(answer.extraction.warnings.iter().all(|warning| !warning.kind.may_hide_packets()), "{what}");
        assert_eq!(answer.extraction.counts.segments_without_index, 1, "{what}");
    }
}

#[test]
fn bytes_behind_an_index_are_noticed() {
    let patient = Patient::small();
    for tail in [&b"\n"[..], &[0; 4096], &patient.sound[patient.sound.len() - 64..]] {
        fs::write(&patient.index, [&patient.sound[..], tail].concat()).unwrap();
        is_refused(&patient, "something behind it");
    }
    fs::write(&patient.index, [&patient.sound[..], &patient.sound[..]].concat()).unwrap();
    is_refused(&patient, "twice");
}

#[test]
fn files_that_are_no_index_are_noticed() {
    let patient = Patient::small();
    let segment = fs::read(&patient.segment).unwrap();
    for (bytes, what) in [
        (&b""[..], "empty"),
        (b"PCAPXIX\n", "a mark"),
        (&segment, "the segment itself"),
        (&[0; 5000], "zeros"),
    ] {
        fs::write(&patient.index, bytes).unwrap();
        is_refused(&patient, what);
    }
}

#[test]
fn indexes_of_other_segments_are_noticed() {
    let (one, other) = (Patient::small(), Patient::small());
    fs::write(&one.index, &other.sound).unwrap();
    is_refused(&one, "of another file");

    // Two of one folder change places, with segments of the same length and time.
    let copy = one.folder.path().join("b.pcap");
    fs::copy(&one.segment, &copy).unwrap();
    File::options()
        .write(true)
        .open(&copy)
        .unwrap()
        .set_modified(one.segment.metadata().unwrap().modified().unwrap())
        .unwrap();
    index(&copy).unwrap();
    fs::rename(sidecar(&copy), &one.index).unwrap();
    fs::write(sidecar(&copy), &one.sound).unwrap();
    let (filter, _, window) = &one.questions[0];
    let answer = indexed(one.folder.path(), Some(filter), *window);
    assert_same(&answer, &scanned(one.folder.path(), Some(filter), *window), "changed places");
    assert_eq!(answer.unused().len(), 2);
}

#[test]
fn a_folder_in_place_of_an_index_is_noticed() {
    let patient = Patient::small();
    fs::remove_file(&patient.index).unwrap();
    fs::create_dir(&patient.index).unwrap();
    is_refused(&patient, "a folder");
    assert!(index(&patient.segment).is_err());
    assert_eq!(names(patient.folder.path()), ["a.pcap", "a.pcap.pcapx"]);
}

#[test]
fn an_index_that_is_closed_to_us_is_noticed() {
    let patient = Patient::small();
    fs::set_permissions(&patient.index, Permissions::from_mode(0o000)).unwrap();
    if File::open(&patient.index).is_ok() {
        tool::skipped("permissions do not bind this user");
        return;
    }
    is_refused(&patient, "closed");
}

/// Makes a named pipe; `None` where that cannot be done.
fn pipe(path: &Path) -> Option<()> {
    let made = tool::require("mkfifo")?.run([path]);
    assert!(made.status.success(), "{made:?}");
    Some(())
}

/// Does `work` in a thread of its own, which is left behind if it waits for ever.
#[track_caller]
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(PATIENCE).expect("an end")
}

#[test]
fn a_pipe_in_place_of_an_index_makes_nobody_wait() {
    let patient = Patient::small();
    fs::remove_file(&patient.index).unwrap();
    if pipe(&patient.index).is_none() {
        return;
    }
    in_time(move || is_refused(&patient, "a pipe"));
}

#[test]
fn a_pipe_in_place_of_an_index_in_the_making_makes_nobody_wait() {
    let patient = Patient::small();
    let hidden = patient.folder.path().join(".a.pcap.pcapx.building");
    if pipe(&hidden).is_none() {
        return;
    }
    let built = in_time(move || (index(&patient.segment).map(drop), patient)).0;
    assert!(built.is_err());
}

#[test]
fn a_link_in_place_of_an_index_in_the_making_is_not_followed() {
    let patient = Patient::small();
    let target = patient.folder.path().join("precious");
    fs::write(&target, b"not to be overwritten").unwrap();
    let hidden = patient.folder.path().join(".a.pcap.pcapx.building");
    symlink(&target, &hidden).unwrap();
    let _ = index(&patient.segment);
    assert_eq!(fs::read(&target).unwrap(), b"not to be overwritten");
}

#[test]
fn a_pipe_in_place_of_a_listed_segment_makes_nobody_wait() {
    let patient = Patient::small();
    let catalog = Catalog::open(&[patient.folder.path()]).unwrap();
    fs::remove_file(&patient.segment).unwrap();
    if pipe(&patient.segment).is_none() {
        return;
    }
    for indexes in [Some(IndexPlace::beside()), None] {
        let (catalog, filter) = (catalog.clone(), patient.questions[0].0.clone());
        let answer = in_time(move || ask(&catalog, Some(&filter), Window::ALL, indexes));
        assert_eq!((answer.name, answer.extraction.warnings.len()), (None, 1));
    }
}
