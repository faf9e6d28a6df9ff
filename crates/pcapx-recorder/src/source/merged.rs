//! Several sources as one, in the order of time.
//!
//! Each source is a lane with a thread of its own. Of the packets that are here the one of the earliest time is next, once
//! no other lane can still bring an earlier one: each lane tells up to which time it has brought everything. For a ring
//! that is some hundredths of a second ago, so long do packets wait at most – unless a lane is full: then order is given
//! up for the moment, and nothing is lost for its sake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_timeline::link::LinkType;

use super::lane::{Lane, News, batches_of};
use super::{Counts, LanePlan, Packet, PacketSource, SourceError, Waited};

/// Packets visited in one call, about; so often whoever waits looks up.
const VISITS: usize = 4096;
/// News that carry no packets and wait beside the batches, of each lane.
const SMALL_NEWS: usize = 4;

/// Several sources of one link type.
#[derive(Debug)]
pub struct Merged {
    name: String,
    link_type: LinkType,
    lanes: Vec<Lane>,
    news: Receiver<(usize, News)>,
    stop: Arc<AtomicBool>,
    settled: Timestamp,
    /// What the first lane to fail has failed of; told when no other is left.
    failure: Option<SourceError>,
}

impl Merged {
    /// Starts a thread for each source. What `plan` keeps of the packets is what is visited.
    pub fn start<S: PacketSource + Send + 'static>(
        sources: Vec<S>,
        plan: &LanePlan,
    ) -> Result<Self, SourceError> {
        let link_type = common_link_type(&sources)?;
        let mut names: Vec<String> = sources.iter().map(|source| source.name().to_owned()).collect();
        // Lanes of one interface stand side by side.
        names.dedup();
        let name = names.join(",");
        let (tell, news) = sync_channel(sources.len() * (batches_of(plan) + SMALL_NEWS));
        let stop = Arc::new(AtomicBool::new(false));
        let mut merged = Self {
            name,
            link_type,
            lanes: Vec::with_capacity(sources.len()),
            news,
            stop,
            settled: Timestamp::MIN,
            failure: None,
        };
        for (number, source) in sources.into_iter().enumerate() {
            let interface = source.name().to_owned();
            let lane = Lane::start(number, source, plan, tell.clone(), Arc::clone(&merged.stop))
                .map_err(|source| SourceError::System { interface, what: "start a thread", source })?;
            merged.lanes.push(lane);
        }
        Ok(merged)
    }

    /// Visits what is next. The first packet that has to wait ends it.
    fn visit(&mut self, each: &mut impl FnMut(Packet<'_>)) -> usize {
        let mut visited = 0;
        while visited < VISITS {
            let has_room = !self.lanes.iter().any(Lane::is_full);
            let mut next: Option<(usize, Timestamp)> = None;
            // The next packet of any other lane, and the earliest that may still come.
            let (mut others, mut unsettled) = (Timestamp::MAX, Timestamp::MAX);
            for (number, lane) in self.lanes.iter().enumerate() {
                match (lane.head(), next) {
                    (None, _) => unsettled = unsettled.min(lane.settled()),
                    (Some(head), Some((_, earliest))) if head >= earliest => others = others.min(head),
                    (Some(head), before) => {
                        others = others.min(before.map_or(Timestamp::MAX, |(_, earliest)| earliest));
                        next = Some((number, head));
                    }
                }
            }
            self.settled = self.settled.max(unsettled.min(next.map_or(Timestamp::MAX, |(_, head)| head)));
            let Some((number, head)) = next else { break };
            let until = if has_room {
                if head >= unsettled {
                    break;
                }
                others.min(Timestamp::from_nanos(unsettled.as_nanos().saturating_sub(1)))
            } else {
                others
            };
            visited += self.lanes[number].visit(until, each);
        }
        visited
    }

    /// Takes in what lanes have told, and waits for it until `deadline` if there is nothing.
    fn hear(&mut self, deadline: Instant) -> bool {
        let mut heard = self.news.try_recv();
        if matches!(heard, Err(TryRecvError::Empty)) {
            let left = deadline.saturating_duration_since(Instant::now());
            heard = self.news.recv_timeout(left).map_err(|e| match e {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            });
        }
        let has_heard = heard.is_ok();
        while let Ok((number, news)) = heard {
            if let Err(error) = self.lanes[number].hear(news) {
                if self.lanes.iter().all(Lane::is_over) {
                    log::debug!("{error}");
                } else {
                    log::error!("{error}; recording goes on without it");
                }
                self.failure.get_or_insert(error);
            }
            heard = self.news.try_recv();
        }
        has_heard
    }

    fn end(&mut self) -> Result<Waited, SourceError> {
        self.failure.take().map_or(Ok(Waited::End), Err)
    }
}

/// The link type of all sources.
fn common_link_type<S: PacketSource>(sources: &[S]) -> Result<LinkType, SourceError> {
    let Some(first) = sources.first() else { return Ok(LinkType::ETHERNET) };
    match sources.iter().find(|other| other.link_type() != first.link_type()) {
        None => Ok(first.link_type()),
        Some(other) => Err(SourceError::DifferentLinks {
            one: first.name().to_owned(),
            one_type: first.link_type(),
            other: other.name().to_owned(),
            other_type: other.link_type(),
        }),
    }
}

impl PacketSource for Merged {
    /// All names, with commas between them.
    fn name(&self) -> &str {
        &self.name
    }

    fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// Sources that fail leave the others going; the error of the first is answered when none is left.
    fn wait(&mut self, timeout: Duration, each: &mut impl FnMut(Packet<'_>)) -> Result<Waited, SourceError> {
        let deadline = Instant::now() + timeout;
        loop {
            let visited = self.visit(each);
            if visited > 0 {
                // What has come meanwhile is taken in, so that batches go round.
                self.hear(Instant::now());
                return Ok(Waited::Packets(visited));
            }
            if self.lanes.iter().all(Lane::is_over) {
                return self.end();
            }
            if !self.hear(deadline) && Instant::now() >= deadline {
                return Ok(Waited::Nothing);
            }
        }
    }

    fn stop(&mut self) -> Result<(), SourceError> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn settled(&self) -> Timestamp {
        self.settled
    }

    fn counts(&mut self) -> Result<Counts, SourceError> {
        Ok(self.lanes.iter().map(Lane::counts).sum())
    }
}

impl Drop for Merged {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Threads that wait to tell something find that nobody listens.
        drop(std::mem::replace(&mut self.news, sync_channel(0).1));
        self.lanes.drain(..).for_each(Lane::end);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::atomic::Ordering::Relaxed;

    use proptest::prelude::*;

    use super::*;
    use crate::counters::Counters;
    use crate::sieve::Sieve;
    use crate::source::lane::BATCH_BYTES;

    /// What a source does when it is waited on.
    enum Step {
        Packets(Vec<i64>, usize),
        /// Nothing comes, and everything before this time has.
        Settled(i64),
        Fail,
        /// Nothing comes until it is stopped.
        Idle,
    }

    /// A source that does one step after another.
    struct Script {
        name: &'static str,
        link_type: LinkType,
        steps: VecDeque<Step>,
        settled: i64,
        counts: Counts,
    }

    impl Script {
        fn new(name: &'static str, steps: impl IntoIterator<Item = Step>) -> Self {
            let steps = steps.into_iter().collect();
            Self { name, link_type: LinkType::ETHERNET, steps, settled: i64::MIN, counts: Counts::default() }
        }
    }

    impl PacketSource for Script {
        fn name(&self) -> &str {
            self.name
        }

        fn link_type(&self) -> LinkType {
            self.link_type
        }

        fn wait(&mut self, _: Duration, each: &mut impl FnMut(Packet<'_>)) -> Result<Waited, SourceError> {
            match self.steps.pop_front() {
                None => Ok(Waited::End),
                Some(Step::Packets(times, len)) => {
                    for &time in &times {
                        let data = vec![mark(time); len];
                        each(Packet { time: Timestamp::from_nanos(time), data: &data, orig_len: len as u32 });
                    }
                    self.counts.received += times.len() as u64;
                    Ok(Waited::Packets(times.len()))
                }
                Some(Step::Settled(until)) => {
                    self.settled = until;
                    Ok(Waited::Nothing)
                }
                Some(Step::Fail) => Err(SourceError::Gone { interface: self.name.to_owned() }),
                Some(Step::Idle) => {
                    self.steps.push_front(Step::Idle);
                    std::thread::yield_now();
                    Ok(Waited::Nothing)
                }
            }
        }

        fn stop(&mut self) -> Result<(), SourceError> {
            self.steps.clear();
            Ok(())
        }

        fn settled(&self) -> Timestamp {
            Timestamp::from_nanos(self.settled)
        }

        fn counts(&mut self) -> Result<Counts, SourceError> {
            Ok(self.counts)
        }
    }

    /// What the packets of a time are filled with.
    fn mark(time: i64) -> u8 {
        time.to_le_bytes()[0]
    }

    fn plan(batches: usize) -> LanePlan {
        let sieve = Sieve { link_type: LinkType::ETHERNET, filter: None, slicing: None, snaplen: 1500 };
        LanePlan {
            sieve: Arc::new(sieve),
            counters: Arc::new(Counters::default()),
            bytes: batches * BATCH_BYTES,
        }
    }

    /// Times of the packets up to the end, and how it ended.
    fn all(merged: &mut Merged) -> (Vec<i64>, Result<Waited, SourceError>) {
        let mut times = Vec::new();
        loop {
            let waited = merged.wait(Duration::from_secs(60), &mut |packet| {
                assert!(packet.data.iter().all(|&byte| byte == mark(packet.time.as_nanos())));
                times.push(packet.time.as_nanos());
            });
            match waited {
                Ok(Waited::Packets(_) | Waited::Nothing) => {}
                ended => return (times, ended),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn packets_of_all_lanes_come_once_and_in_order(
            lanes in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(0_i64..50, 0..40), 0..20),
                1..5,
            ),
            len in 1_usize..200,
        ) {
            let mut expected: Vec<i64> = Vec::new();
            let mut sources = Vec::new();
            for blocks in lanes {
                let mut now = 0;
                let mut steps = Vec::new();
                for gaps in blocks {
                    let times: Vec<i64> = gaps.iter().map(|gap| { now += gap; now }).collect();
                    expected.extend(&times);
                    steps.push(if times.is_empty() { Step::Settled(now) } else { Step::Packets(times, len) });
                }
                sources.push(Script::new("a", steps));
            }
            expected.sort_unstable();
            let plan = plan(64);
            let mut merged = Merged::start(sources, &plan).unwrap();
            let (times, ended) = all(&mut merged);
            prop_assert_eq!(ended.unwrap(), Waited::End);
            prop_assert_eq!(&times, &expected);
            prop_assert_eq!(merged.counts().unwrap().received, expected.len() as u64);
            prop_assert_eq!(plan.counters.packets_received.load(Relaxed), expected.len() as u64);
            prop_assert_eq!(merged.settled(), Timestamp::MAX);
        }
    }

    #[test]
    fn a_packet_waits_until_no_earlier_one_can_come() {
        let late = Script::new("late", [Step::Packets(vec![10, 20, 30], 60), Step::Idle]);
        let slow = Script::new("slow", [Step::Settled(15), Step::Idle]);
        let mut merged = Merged::start(vec![late, slow], &plan(8)).unwrap();
        assert_eq!(merged.name(), "late,slow");
        let mut times = Vec::new();
        let mut wait = |merged: &mut Merged, timeout| {
            merged.wait(timeout, &mut |packet| times.push(packet.time.as_nanos())).unwrap()
        };
        while wait(&mut merged, Duration::from_secs(60)) == Waited::Nothing {}
        assert_eq!(wait(&mut merged, Duration::ZERO), Waited::Nothing);
        assert_eq!(merged.settled(), Timestamp::from_nanos(15));
        assert_eq!(times, [10]);
        merged.stop().unwrap();
        assert_eq!(all(&mut merged).0, [20, 30]);
    }

    #[test]
    fn a_full_lane_does_not_wait() {
        let many: Vec<_> = (0..100).map(|nth| Step::Packets(vec![nth; 100], 1000)).collect();
        let busy = Script::new("busy", many);
        let silent = Script::new("silent", [Step::Idle]);
        let mut merged = Merged::start(vec![busy, silent], &plan(4)).unwrap();
        let mut visited = 0;
        // 10 MB, and room for a tenth of it; nothing is ever said of the other lane.
        while visited < 9000 {
            merged.wait(Duration::from_secs(60), &mut |_| visited += 1).unwrap();
        }
        merged.stop().unwrap();
        let (rest, ended) = all(&mut merged);
        assert_eq!(ended.unwrap(), Waited::End);
        assert!(visited + rest.len() <= 10_000);
    }

    #[test]
    fn one_that_fails_leaves_the_others_going() {
        let failing = Script::new("failing", [Step::Packets(vec![1], 60), Step::Fail]);
        let steady = Script::new("steady", (2..100).map(|time| Step::Packets(vec![time], 60)));
        let (times, ended) = all(&mut Merged::start(vec![failing, steady], &plan(8)).unwrap());
        assert_eq!(times, (1..100).collect::<Vec<_>>());
        assert_eq!(ended.unwrap_err().to_string(), "failing is gone");
    }

    #[test]
    fn what_one_file_cannot_hold_is_refused() {
        let raw = Script { link_type: LinkType::RAW, ..Script::new("tun0", []) };
        let error = Merged::start(vec![Script::new("eth0", []), raw], &plan(3)).unwrap_err().to_string();
        assert!(error.contains("eth0") && error.contains("tun0") && error.contains("each"), "{error}");
    }

    #[test]
    fn threads_end_with_what_they_work_for() {
        // One waits for a batch, the other for somebody to hear it.
        let busy = |name| Script::new(name, (0..1000).map(|nth| Step::Packets(vec![nth; 100], 1000)));
        let merged = Merged::start(vec![busy("a"), busy("b"), Script::new("c", [Step::Idle])], &plan(3));
        drop(merged.unwrap());
    }
}
