//! The limit is kept while packets come, the oldest segments go, and the newest packets are found meanwhile.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

use crate::apart::apart;
use crate::kept::{State, assert_contiguous, assert_sound, disk_bytes, found, sealed};
use crate::recorder::Place;
use crate::traffic::Traffic;

const MB: u64 = 1 << 20;

/// How a steady rate is recorded within a limit.
struct Campaign {
    lasts: Duration,
    packets_per_second: u64,
    limit: u64,
    segment: u64,
    /// How far back packets are asked for each second.
    asked: Duration,
}

/// Packets are to be found a second after they came.
const FOUND_AFTER: Duration = Duration::from_secs(1);

impl Campaign {
    fn run(&self, folder: &Path) {
        let place = Place::two_trees(folder);
        let words = format!("-6 {} -p {} -t 5", self.limit / MB, self.segment / MB);
        let recorder = place.record(&words);
        let traffic = Traffic::start(self.packets_per_second, 1400);
        let begun = (Instant::now(), Timestamp::now());
        let mut seen: BTreeSet<_> = sealed(&place.dump);
        let (mut most, mut looks, mut asked) = (0, 0, 0);
        while begun.0.elapsed() < self.lasts {
            let next = Instant::now() + Duration::from_secs(1);
            let bytes = disk_bytes(&place.dump);
            most = most.max(bytes);
            assert!(bytes <= self.limit + self.segment, "{bytes} bytes after {:?}", begun.0.elapsed());

            // What is left is the end of what there was.
            let now = sealed(&place.dump);
            let gone = seen.difference(&now).max();
            assert!(gone <= now.first(), "{gone:?} is gone, {:?} is there", now.first());
            seen = now;

            let to = Timestamp::now().saturating_sub(FOUND_AFTER);
            let from = to.saturating_sub(self.asked).max(begun.1);
            let sent = traffic.between(from, to);
            if let Ok(window) = Window::new(from, to)
                && !sent.is_empty()
            {
                let found = found(&place.timeline, window);
                let (first, last) = assert_contiguous(&found);
                assert!(first <= sent.start && sent.end <= last + 1, "{first}..={last} of {sent:?}");
                asked += 1;
            }
            looks += 1;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        let status = recorder.wait_for_status(|status| status.segments_removed > 0);
        assert_eq!((status.kernel_drops, status.recorder_drops), (0, 0));
        assert_eq!(status.disk_limit_bytes, self.limit);
        let sent = traffic.stop();
        let (code, log) = recorder.stop();
        assert_eq!(code, Some(0), "{log}");
        assert_sound(&place, State::AtRest);
        eprintln!(
            "MEASURED: {sent} packets in {:?}, at most {:.1} of {} MB in {looks} looks, {} segments removed, {asked} \
             extractions complete",
            begun.0.elapsed(),
            most as f64 / MB as f64,
            self.limit / MB,
            status.segments_removed,
        );
    }
}

#[test]
fn the_limit_is_kept_while_the_newest_packets_are_found() {
    apart("limit::the_limit_is_kept_while_the_newest_packets_are_found", || {
        let campaign = Campaign {
            lasts: Duration::from_secs(10),
            packets_per_second: 2000,
            limit: 12 * MB,
            segment: MB,
            asked: Duration::from_secs(2),
        };
        campaign.run(tempfile::tempdir().unwrap().path());
    });
}

/// Ten minutes; `--ignored` asks for them.
#[test]
#[ignore = "takes ten minutes"]
fn the_limit_is_kept_for_ten_minutes_while_the_newest_packets_are_found() {
    apart("limit::the_limit_is_kept_for_ten_minutes_while_the_newest_packets_are_found", || {
        let campaign = Campaign {
            lasts: Duration::from_secs(600),
            packets_per_second: 3000,
            limit: 200 * MB,
            segment: 10 * MB,
            asked: Duration::from_secs(30),
        };
        campaign.run(tempfile::tempdir().unwrap().path());
    });
}
