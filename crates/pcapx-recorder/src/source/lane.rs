//! A source with a thread of its own.
//!
//! ```text
//! thread: PacketSource ─► Sieve ─► Batch ──► News ──► Merged
//!                                    ▲                  │
//!                                    └── read batches ──┘
//! ```
//!
//! What comes is copied once, so that a ring is emptied while packets wait for those of other rings. Batches are bounded:
//! while all of a lane are read, or wait to be, its ring keeps what comes.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pcapx_core::time::Timestamp;

use super::{Counts, Packet, PacketSource, SourceError, Waited};
use crate::counters::Counters;
use crate::sieve::{Sieve, Tally};

/// Bytes of a batch, more when one packet is larger: it stays in a second-level cache until it is read.
pub(super) const BATCH_BYTES: usize = 256 << 10;
/// Bytes in front of each packet of a batch: time, bytes kept, bytes on the wire.
const HEADER_BYTES: usize = 16;
/// How long a source may wait before its thread tells how far it is: packets of other sources wait for that.
const WAIT: Duration = Duration::from_millis(20);

/// What all lanes have in common.
#[derive(Clone, Debug)]
pub struct LanePlan {
    /// What is kept of the packets.
    pub sieve: Arc<Sieve>,
    /// Where they are counted.
    pub counters: Arc<Counters>,
    /// Bytes of a lane's batches.
    pub bytes: usize,
}

/// What a lane's thread tells.
#[derive(Debug)]
pub(super) enum News {
    /// Packets have come.
    Batch(Batch),
    /// All packets of an earlier time have been told.
    Settled(Timestamp),
    /// There are no more.
    Ended(Result<(), SourceError>),
}

/// Packets, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Where the next one to visit is.
    at: usize,
}

/// A lane, seen from where the packets go.
#[derive(Debug)]
pub(super) struct Lane {
    queue: VecDeque<Batch>,
    free: SyncSender<Batch>,
    batches: usize,
    counts: Arc<Mutex<Counts>>,
    thread: JoinHandle<()>,
    settled: Timestamp,
    is_over: bool,
}

impl Batch {
    fn has_room(&self, data: &[u8]) -> bool {
        self.bytes.is_empty() || self.bytes.len() + HEADER_BYTES + data.len() <= BATCH_BYTES
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.at = 0;
    }

    #[inline]
    fn push(&mut self, time: Timestamp, data: &[u8], orig_len: u32) {
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(&time.as_nanos().to_ne_bytes());
        header[8..12].copy_from_slice(&(data.len() as u32).to_ne_bytes());
        header[12..].copy_from_slice(&orig_len.to_ne_bytes());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(data);
    }

    /// The packet at `at`, and where the next one is.
    #[inline]
    fn packet(&self, at: usize) -> Option<(Packet<'_>, usize)> {
        let (header, rest) = self.bytes.get(at..)?.split_first_chunk::<HEADER_BYTES>()?;
        let (time, lengths) = header.split_first_chunk::<8>()?;
        let (kept, orig_len) = lengths.split_first_chunk::<4>()?;
        let kept = u32::from_ne_bytes(*kept) as usize;
        let orig_len = u32::from_ne_bytes(*orig_len.first_chunk()?);
        let time = Timestamp::from_nanos(i64::from_ne_bytes(*time));
        Some((Packet { time, data: rest.get(..kept)?, orig_len }, at + HEADER_BYTES + kept))
    }
}

impl Lane {
    /// Starts a thread that takes the packets of `source`. What it tells goes to `news`, with `number`.
    pub(super) fn start<S: PacketSource + Send + 'static>(
        number: usize,
        source: S,
        plan: &LanePlan,
        news: SyncSender<(usize, News)>,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let batches = batches_of(plan);
        let (free, empty) = sync_channel(batches);
        for _ in 0..batches {
            // There is room for as many as there are; memory is taken when one is filled first.
            let _ = free.send(Batch::default());
        }
        let counts = Arc::new(Mutex::new(Counts::default()));
        let mut hand = Hand {
            number,
            source,
            plan: plan.clone(),
            news,
            empty,
            counts: Arc::clone(&counts),
            stop,
            settled: Timestamp::MIN,
        };
        let name = format!("pcapx-lane-{number}");
        let thread = thread::Builder::new().name(name).spawn(move || hand.work())?;
        Ok(Self {
            queue: VecDeque::with_capacity(batches),
            free,
            batches,
            counts,
            thread,
            settled: Timestamp::MIN,
            is_over: false,
        })
    }

    /// Takes in what the thread has told.
    pub(super) fn hear(&mut self, news: News) -> Result<(), SourceError> {
        match news {
            News::Batch(batch) => self.queue.push_back(batch),
            News::Settled(until) => self.settled = self.settled.max(until),
            News::Ended(ended) => {
                self.is_over = true;
                self.settled = Timestamp::MAX;
                return ended;
            }
        }
        Ok(())
    }

    /// The time of the next packet that is here.
    #[inline]
    pub(super) fn head(&self) -> Option<Timestamp> {
        let batch = self.queue.front()?;
        batch.packet(batch.at).map(|(packet, _)| packet.time)
    }

    /// All packets of an earlier time are here or were visited.
    #[inline]
    pub(super) fn settled(&self) -> Timestamp {
        self.settled
    }

    /// Whether the thread cannot take more in before some is visited.
    pub(super) fn is_full(&self) -> bool {
        // One is in the thread's hands.
        self.queue.len() + 1 >= self.batches
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over && self.queue.is_empty()
    }

    pub(super) fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Visits the next packets of the first batch that are not later than `until`.
    #[inline]
    pub(super) fn visit(&mut self, until: Timestamp, each: &mut impl FnMut(Packet<'_>)) -> usize {
        let Some(batch) = self.queue.front_mut() else { return 0 };
        let (mut at, mut visited) = (batch.at, 0);
        while let Some((packet, next)) = batch.packet(at).filter(|(packet, _)| packet.time <= until) {
            each(packet);
            visited += 1;
            at = next;
        }
        batch.at = at;
        if at >= batch.bytes.len()
            && let Some(read) = self.queue.pop_front()
        {
            // A thread that has ended takes none any more.
            let _ = self.free.try_send(read);
        }
        visited
    }

    /// Waits for the thread, which has been told to stop and has nobody to tell any more.
    pub(super) fn end(self) {
        let Self { free, thread, .. } = self;
        // A thread that waits for a batch to fill gets none.
        drop(free);
        // A panic has been told where it happened.
        let _ = thread.join();
    }
}

/// How many batches a lane has: enough for one to be filled, one read and one under way.
pub(super) fn batches_of(plan: &LanePlan) -> usize {
    (plan.bytes / BATCH_BYTES).max(3)
}

/// The thread's side.
struct Hand<S> {
    number: usize,
    source: S,
    plan: LanePlan,
    news: SyncSender<(usize, News)>,
    empty: Receiver<Batch>,
    counts: Arc<Mutex<Counts>>,
    stop: Arc<AtomicBool>,
    settled: Timestamp,
}

/// Nobody hears of it any more.
struct Unheard;

impl<S: PacketSource> Hand<S> {
    fn work(&mut self) {
        let ended = self.follow();
        // A panic elsewhere has left nobody to tell.
        let _ = ended.map(|ended| self.tell(News::Ended(ended)));
    }

    fn follow(&mut self) -> Result<Result<(), SourceError>, Unheard> {
        let mut is_stopping = false;
        loop {
            if self.stop.load(Ordering::Relaxed) && !is_stopping {
                is_stopping = true;
                if let Err(error) = self.source.stop() {
                    return Ok(Err(error));
                }
            }
            match self.wait()? {
                Ok(Waited::End) => return Ok(Ok(())),
                Ok(_) => {}
                Err(error) if error.is_passing() => log::warn!("{error}"),
                Err(error) => return Ok(Err(error)),
            }
            let settled = self.source.settled();
            if settled > self.settled {
                self.settled = settled;
                self.tell(News::Settled(settled))?;
            }
        }
    }

    /// Waits once, and tells what has come.
    fn wait(&mut self) -> Result<Result<Waited, SourceError>, Unheard> {
        let Self { source, plan, news, empty, number, .. } = self;
        let mut tally = Tally::default();
        let mut batch: Option<Batch> = None;
        let mut is_unheard = false;
        let waited = source.wait(WAIT, &mut |packet| {
            let Some(data) = plan.sieve.pass(&packet, &mut tally) else { return };
            if let Some(full) = batch.take_if(|batch| !batch.has_room(data)) {
                is_unheard |= news.send((*number, News::Batch(full))).is_err();
            }
            if batch.is_none() {
                let Ok(mut next) = empty.recv() else {
                    is_unheard = true;
                    return;
                };
                next.clear();
                batch = Some(next);
            }
            if let Some(batch) = &mut batch {
                batch.push(packet.time, data, packet.orig_len);
            }
        });
        tally.settle(&plan.counters);
        plan.counters.ring_filled(source.fill());
        if let Ok(counts) = source.counts() {
            // Counts that cannot be had now are had later.
            *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = counts;
        }
        if let Some(batch) = batch {
            self.tell(News::Batch(batch))?;
        }
        if is_unheard { Err(Unheard) } else { Ok(waited) }
    }

    fn tell(&self, news: News) -> Result<(), Unheard> {
        self.news.send((self.number, news)).map_err(|_| Unheard)
    }
}
