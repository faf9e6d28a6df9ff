//! From the source to chunks: the thread that must not wait.
//!
//! ```text
//! source ─► sieve ─► record header + packet ─► chunk ─► storage
//!                                              full, or 400 ms old
//! ```
//!
//! It does nothing but copy, and decide where segments end. While all chunks are on their way to the disk it waits, and the
//! ring keeps the packets; when the ring is full as well, the kernel counts what it drops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

use crate::chunk::{Chunk, Pool};
use crate::counters::{Counters, OUT_OF_ORDER};
use crate::pulse::Part;
use crate::record::{RECORD_HEADER_BYTES, RecordForm};
use crate::rotation::{Extent, Rotation};
use crate::sieve::{Sieve, Tally};
use crate::source::{Counts, Packet, PacketSource, SourceError, Waited};
use crate::storage::Message;

/// Packets are on their way to the disk after this time at the latest: they are to be found a second after they came.
const FLUSH_AFTER: Duration = Duration::from_millis(400);
/// How long the source may wait for packets before the thread looks around.
const WAIT: Duration = Duration::from_millis(100);

/// What is recorded of each packet, and how segments are cut.
#[derive(Debug)]
pub struct IntakePlan {
    /// When a segment ends.
    pub rotation: Rotation,
    /// How packets stand in it.
    pub form: RecordForm,
    /// What is recorded of the packets; `None` where the source has chosen and counted already.
    pub sieve: Option<Sieve>,
}

/// Why recording has ended.
#[derive(Debug)]
pub enum Ended {
    /// It was told to, or a file that was read is at its end.
    AtEnd,
    /// The source has failed.
    Source(SourceError),
    /// The storage has ended; it knows why.
    Storage,
}

/// Runs until `stop` is set, the source is at its end, or something fails. The last segment is ended in any case.
pub(crate) fn run<S: PacketSource>(
    source: &mut S,
    plan: IntakePlan,
    mut pool: Pool,
    storage: SyncSender<Message>,
    counters: Arc<Counters>,
    stop: &AtomicBool,
) -> Ended {
    let Some(chunk) = pool.take(&[]) else { return Ended::Storage };
    let mut desk = Desk {
        plan,
        pool,
        storage,
        counters,
        chunk,
        open: None,
        counts: Counts::default(),
        tally: Tally::default(),
        recorded: 0,
        recorded_bytes: 0,
        flushed: Instant::now(),
        latest: None,
        recorded_to: Timestamp::now(),
        quiet: None,
        is_owing: false,
        is_storage_gone: false,
    };
    let ended = desk.follow(source, stop);
    desk.tell_counts();
    desk.end_segment(source);
    ended
}

/// A segment under way.
struct Open {
    extent: Extent,
    first: Timestamp,
    /// Counts of the source when it began.
    counts: Counts,
}

struct Desk {
    plan: IntakePlan,
    pool: Pool,
    storage: SyncSender<Message>,
    counters: Arc<Counters>,
    chunk: Chunk,
    open: Option<Open>,
    /// Counts of the source when they were asked for last.
    counts: Counts,
    /// Packets that the counters do not know of yet: those that came, and those that were recorded.
    tally: Tally,
    recorded: u64,
    /// Their bytes on the wire.
    recorded_bytes: u64,
    flushed: Instant,
    /// The time of the last packet.
    latest: Option<Timestamp>,
    /// All that came before then is in segments that are ended: the next one goes on there.
    recorded_to: Timestamp,
    /// All that came before then has been taken.
    quiet: Option<Timestamp>,
    /// Whether what the chunk has carried over is not in the file yet.
    is_owing: bool,
    is_storage_gone: bool,
}

impl Desk {
    fn follow<S: PacketSource>(&mut self, source: &mut S, stop: &AtomicBool) -> Ended {
        let mut is_stopping = false;
        loop {
            self.counters.pulse.beat(Part::Intake);
            if stop.load(Ordering::Relaxed) && !is_stopping {
                is_stopping = true;
                if let Err(error) = source.stop() {
                    return Ended::Source(error);
                }
            }
            let waited = source.wait(WAIT, &mut |packet| self.take(&packet));
            self.tell_counts();
            match waited {
                Ok(Waited::End) => return Ended::AtEnd,
                Ok(Waited::Packets(_)) => self.flush_when_due(None),
                Ok(Waited::Nothing) => {
                    // A machine that is busy is late with handing blocks over.
                    let late = Timestamp::now().saturating_sub(OUT_OF_ORDER);
                    let settled = source.settled().min(late);
                    self.quiet = Some(settled);
                    self.flush_when_due(Some(settled));
                    if self.open.as_ref().is_some_and(|open| open.extent.is_over(settled)) {
                        self.end_segment(source);
                    }
                }
                Err(error) if error.is_passing() => log::warn!("{error}"),
                Err(error) => return Ended::Source(error),
            }
            self.count(source);
            if self.pool.is_segment_refused() {
                self.end_segment(source);
            }
            if self.is_storage_gone {
                return Ended::Storage;
            }
        }
    }

    /// Takes one packet.
    #[inline]
    fn take(&mut self, packet: &Packet<'_>) {
        let data = match &self.plan.sieve {
            None => packet.data,
            Some(sieve) => match sieve.pass(packet, &mut self.tally) {
                Some(data) => data,
                None => return,
            },
        };
        let form = self.plan.form;
        let bytes = (RECORD_HEADER_BYTES + data.len()) as u64;
        if self
            .open
            .as_ref()
            .is_some_and(|open| self.plan.rotation.ends_before(&open.extent, packet.time, bytes))
        {
            self.hand_over(true, None);
            self.close(packet.time);
        }
        if self.open.is_none() {
            self.begin(packet.time);
        }
        if self.chunk.room() < bytes as usize {
            self.hand_over(false, None);
        }
        let header = form.record_header(packet.time, data.len() as u32, packet.orig_len);
        self.chunk.push(&header);
        self.chunk.push(data);
        if let Some(open) = &mut self.open {
            open.extent.add(packet.time, bytes);
        }
        self.latest = Some(packet.time);
        self.recorded += 1;
        self.recorded_bytes += u64::from(packet.orig_len);
    }

    fn tell_counts(&mut self) {
        self.tally.settle(&self.counters);
        Counters::add(&self.counters.packets_recorded, std::mem::take(&mut self.recorded));
        Counters::add(&self.counters.bytes_recorded, std::mem::take(&mut self.recorded_bytes));
    }

    fn begin(&mut self, first: Timestamp) {
        let header = self.plan.form.file_header();
        self.open = Some(Open {
            extent: self.plan.rotation.begin(first, header.len() as u64),
            first,
            counts: self.counts,
        });
        self.send(Message::Begin { first, form: self.plan.form, kernel_drops: self.counts.dropped });
        self.chunk.push(&header);
    }

    /// Hands over what has waited long enough. `quiet_until` is set when all that came before has been taken.
    fn flush_when_due(&mut self, quiet_until: Option<Timestamp>) {
        if self.flushed.elapsed() >= FLUSH_AFTER {
            if self.chunk.has_news() || self.is_owing {
                self.hand_over(true, quiet_until);
            } else if let Some(until) = quiet_until {
                self.send(Message::Quiet(until));
                self.flushed = Instant::now();
            }
        }
    }

    /// Hands the chunk over to be written, and begins the next.
    fn hand_over(&mut self, is_due: bool, quiet_until: Option<Timestamp>) {
        let is_wanted = self.chunk.has_news() || (is_due && self.is_owing);
        if !is_wanted {
            return;
        }
        self.is_owing = !is_due;
        self.flushed = Instant::now();
        Counters::worst(&self.counters.chunks_worst, self.pool.taken() as u64);
        let Some(next) = self.pool.take(self.chunk.rest()) else {
            self.is_storage_gone = true;
            return;
        };
        let chunk = std::mem::replace(&mut self.chunk, next);
        self.send(Message::Write { chunk, is_due, quiet_until });
    }

    fn end_segment<S: PacketSource>(&mut self, source: &mut S) {
        self.hand_over(true, None);
        self.count(source);
        self.close(self.latest.max(self.quiet).unwrap_or(self.recorded_to));
    }

    /// Ends the segment: what came before `until` is in it.
    fn close(&mut self, until: Timestamp) {
        let Some(open) = self.open.take() else { return };
        // Packets of a file that is read are older than the clock.
        let recorded = Window::new(self.recorded_to.min(open.first), until).ok();
        self.recorded_to = until;
        let kernel_drops = self.counts.dropped - open.counts.dropped;
        self.send(Message::End { kernel_drops, recorded });
        // The next segment begins a file of its own.
        self.chunk.start_anew();
    }

    fn count<S: PacketSource>(&mut self, source: &mut S) {
        self.counters.ring_filled(source.fill());
        // Counts that cannot be had now are had later.
        let Ok(counts) = source.counts() else { return };
        Counters::add(&self.counters.kernel_drops, counts.dropped - self.counts.dropped);
        Counters::add(&self.counters.ring_freezes, counts.freezes - self.counts.freezes);
        self.counts = counts;
    }

    fn send(&mut self, message: Message) {
        self.is_storage_gone |= self.storage.send(message).is_err();
    }
}
