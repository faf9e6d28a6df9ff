//! A recorder that is killed loses what it had not written, and leaves nothing that the next one does not put in order.

use std::path::Path;
use std::thread;
use std::time::Duration;

use pcapx_core::time::Timestamp;

use crate::apart::apart;
use crate::kept::{State, assert_sound, numbers, sealed};
use crate::recorder::Place;
use crate::traffic::Traffic;

/// What may be missing of the time before the recorder was killed.
const AT_RISK: Duration = Duration::from_secs(1);
/// Short segments, so that it is killed in the midst of every step of their lives.
const WORDS: &str = "-6 4096 -p 1 -t 1";

/// A recorder, as far as its life is of interest.
struct Life {
    began: Timestamp,
    ended: Timestamp,
}

/// Lets recorders record and kills them, so many times.
fn kill(place: &Place, traffic: &Traffic, times: u64) -> Vec<Life> {
    let mut lives = Vec::new();
    for nth in 0..times {
        let recorder = place.record(WORDS);
        let began = Timestamp::now();
        assert_sound(place, State::Recording);
        // Between one and two seconds, all fractions alike.
        thread::sleep(Duration::from_millis(1000 + nth * 617 % 1000));
        recorder.kill();
        lives.push(Life { began, ended: Timestamp::now() });
        assert_sound(place, State::Killed);
    }
    let recorder = place.record(WORDS);
    lives.push(Life { began: Timestamp::now(), ended: Timestamp::now() });
    recorder.wait_for_status(|status| status.segments_sealed > 0);
    let (code, log) = recorder.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(traffic.sent() > 0);
    lives
}

fn campaign(folder: &Path, times: u64) {
    for place in [Place::one_tree(&folder.join("one")), Place::two_trees(&folder.join("two"))] {
        std::fs::create_dir_all(place.dump.parent().unwrap()).unwrap();
        let traffic = Traffic::start(2000, 700);
        let lives = kill(&place, &traffic, times);
        assert_sound(&place, State::AtRest);
        let kept = numbers(&sealed(&place.dump));
        assert!(kept.is_sorted_by(|a, b| a < b), "packets are there twice or out of order");
        let mut worst = Duration::ZERO;
        for Life { began, ended } in lives {
            let safe = traffic.between(began, ended.saturating_sub(AT_RISK));
            let missing = safe.clone().find(|number| kept.binary_search(number).is_err());
            assert_eq!(missing, None, "of {safe:?}, recorded from {began} to {ended}");
            // How much of the end is missing.
            let all = traffic.between(began, ended);
            let lost = all.rev().take_while(|number| kept.binary_search(number).is_err()).count();
            worst = worst.max(Duration::from_secs_f64(lost as f64 / 2000.0));
        }
        eprintln!(
            "MEASURED: killed {times} times, {} packets kept, at most the last {worst:?} missing",
            kept.len()
        );
    }
}

#[test]
fn killed_at_any_moment_a_recorder_loses_the_last_second_at_most() {
    apart("crash::killed_at_any_moment_a_recorder_loses_the_last_second_at_most", || {
        campaign(tempfile::tempdir().unwrap().path(), 3);
    });
}

/// A hundred times; `--ignored` asks for them.
#[test]
#[ignore = "takes five minutes"]
fn killed_a_hundred_times_a_recorder_loses_the_last_second_at_most() {
    apart("crash::killed_a_hundred_times_a_recorder_loses_the_last_second_at_most", || {
        campaign(tempfile::tempdir().unwrap().path(), 50);
    });
}
