//! The storage thread: takes chunks, and sees to it that there is room for them.
//!
//! ```text
//!            Begin                      the disk is full, nothing is left to remove
//! nothing ──────────► segment is open ──────────────────────────────────────────────► packets are dropped and counted
//!    ▲                   │ End                                                           │
//!    └───────────────────┘              the intake begins a segment when there is room ──┘
//! ```

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

use super::open_segment::{Index, OpenSegment, Records};
use super::sealer::{Done, Sealer};
use super::{MakeRoom, Message, SegmentPaths, StorageError, StoragePlan};
use crate::bursts::Bursts;
use crate::chunk::{Chunk, Returns};
use crate::counters::{Counters, OUT_OF_ORDER};
use crate::losses::Lost;
use crate::pulse::Part;
use crate::record::RecordForm;

/// How often the thread looks at the disk: whether others fill it, whether the segment is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a file system may take to let go of what was removed before more is removed.
const ROOM_AFTER: Duration = Duration::from_millis(100);

/// The storage thread's state.
pub(super) struct Store<R> {
    plan: StoragePlan,
    room: R,
    counters: Arc<Counters>,
    returns: Returns,
    sealer: Sealer,
    state: State,
    bursts: Bursts,
    /// Segments whose links are still to be made.
    unlinked: Vec<SegmentPaths>,
    /// What was lost while no segment was open, or with one that has no index of ours; the next one tells of it.
    lost_between: Lost,
    /// Whether it was told that there is no room, and not yet that there is again.
    is_short: bool,
    looked: Instant,
}

/// What becomes of the chunks that come.
enum State {
    /// There are none before a segment begins.
    Idle,
    /// They are written.
    Open(Box<OpenSegment>),
    /// They are dropped: the segment that the intake has under way cannot be stored.
    Dropping(Records),
}

impl<R: MakeRoom> Store<R> {
    pub(super) fn new(
        plan: StoragePlan,
        room: R,
        counters: Arc<Counters>,
        returns: Returns,
        sealer: Sealer,
    ) -> Self {
        Self {
            plan,
            room,
            counters,
            returns,
            sealer,
            state: State::Idle,
            bursts: Bursts::default(),
            unlinked: Vec::new(),
            lost_between: Lost::default(),
            is_short: false,
            looked: Instant::now(),
        }
    }

    /// Follows the intake until it ends, and seals what it has brought.
    pub(super) fn run(&mut self, messages: &Receiver<Message>) -> Result<(), StorageError> {
        let written = self.follow(messages);
        // What is written to its end is sealed whatever happened behind it.
        let sealed = self.sealer.finish();
        self.hear_of_sealed();
        let linked = self.link_up();
        written.and(sealed).and(linked)
    }

    fn follow(&mut self, messages: &Receiver<Message>) -> Result<(), StorageError> {
        loop {
            self.counters.pulse.beat(Part::Storage);
            match messages.recv_timeout(LOOK_EVERY) {
                Ok(Message::Begin { first, form, kernel_drops }) => self.begin(first, form, kernel_drops)?,
                Ok(Message::Write { chunk, is_due, quiet_until }) => {
                    self.write(chunk, is_due, quiet_until)?;
                }
                Ok(Message::Quiet(until)) => self.counters.searchable(until),
                Ok(Message::End { kernel_drops, recorded }) => self.end(kernel_drops, recorded)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if self.looked.elapsed() >= LOOK_EVERY {
                self.look_around()?;
                self.looked = Instant::now();
            }
        }
    }

    /// Begins a segment. The kernel had dropped so many packets before, since the start.
    fn begin(&mut self, first: Timestamp, form: RecordForm, kernel_drops: u64) -> Result<(), StorageError> {
        self.hear_of_sealed();
        self.plan.layout.check()?;
        self.room.make_room()?;
        let mut attempts = 0;
        let (file, paths) = loop {
            match self.plan.layout.create(first, self.plan.reserve) {
                Ok(created) => break created,
                Err(error) if !error.is_disk_full() => return Err(error),
                Err(error) => {
                    if !make_room_on_full_disk(&mut self.room, &mut attempts)? {
                        self.tell_short(&error);
                        self.state = State::Dropping(Records::first_of(form));
                        return Ok(());
                    }
                }
            }
        };
        let index = if self.plan.is_indexed { Index::begin(&paths) } else { Index::NotWanted };
        self.room.begun(&paths, first);
        Counters::add(&self.counters.segments_begun, 1);
        let mut segment = OpenSegment::new(file, index, paths, form);
        segment.statistics.lost = std::mem::take(&mut self.lost_between);
        self.counters.losses.begin(&segment.paths.sealed, segment.statistics.lost, kernel_drops);
        self.bursts.take();
        self.state = State::Open(Box::new(segment));
        Ok(())
    }

    fn write(
        &mut self,
        chunk: Chunk,
        is_due: bool,
        quiet_until: Option<Timestamp>,
    ) -> Result<(), StorageError> {
        let latest = match &mut self.state {
            State::Idle => None,
            State::Dropping(records) => {
                let (dropped, latest) = records.pass_over(&chunk);
                self.count_dropped(dropped);
                latest
            }
            State::Open(segment) => {
                let begun = Instant::now();
                let mut attempts = 0;
                loop {
                    match segment.write(&chunk, is_due) {
                        Ok(()) => break,
                        Err(error) if !error.is_disk_full() => return Err(error),
                        // While room is made, the ring takes what comes, and the kernel counts what it drops.
                        Err(error) => {
                            if !make_room_on_full_disk(&mut self.room, &mut attempts)? {
                                return self.cut(chunk, &error);
                            }
                        }
                    }
                }
                let took = begun.elapsed();
                let latest = segment.take_in(&chunk, &mut self.bursts);
                let burst = self.bursts.take();
                segment.statistics.note(took, burst);
                self.counters.written(chunk.bytes().len() - chunk.carried(), took, burst);
                if std::mem::take(&mut self.is_short) {
                    log::info!("there is room again: recording goes on with {:?}", segment.paths.sealed);
                }
                latest
            }
        };
        self.returns.give(chunk);
        // What is not due has its last packets in the next chunk.
        let until = quiet_until.filter(|_| is_due).or(latest.map(|time| time.saturating_sub(OUT_OF_ORDER)));
        if let Some(until) = until {
            self.counters.searchable(until);
        }
        Ok(())
    }

    /// Ends the open segment where its file has it whole, and drops what comes.
    fn cut(&mut self, chunk: Chunk, error: &StorageError) -> Result<(), StorageError> {
        self.tell_short(error);
        let State::Open(segment) = std::mem::replace(&mut self.state, State::Idle) else { return Ok(()) };
        let mut records = segment.records();
        self.lost_between += segment.statistics.lost;
        let (finished, unwritten) = segment.cut();
        let (dropped, _) = records.pass_over(&chunk);
        self.returns.give(chunk);
        self.count_dropped(unwritten + dropped);
        self.state = State::Dropping(records);
        match finished {
            Ok(finished) => self.sealer.seal(finished),
            Err(paths) => {
                self.forget(&paths);
                self.plan
                    .layout
                    .discard(&paths)
                    .map_err(|source| StorageError::Segment { path: paths.open, source })
            }
        }
    }

    fn end(&mut self, kernel_drops: u64, recorded: Option<Window>) -> Result<(), StorageError> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Open(mut segment) => {
                segment.statistics.lost.kernel += kernel_drops;
                self.counters.losses.end(&segment.paths.sealed, segment.statistics.lost);
                self.sealer.seal(segment.finish(recorded))
            }
            State::Idle | State::Dropping(_) => {
                self.lost_between.kernel += kernel_drops;
                Ok(())
            }
        }
    }

    /// Keeps the limit while others write to the volume, too, and looks after the open segment.
    fn look_around(&mut self) -> Result<(), StorageError> {
        self.hear_of_sealed();
        self.plan.layout.check()?;
        self.room.keep_limit()?;
        self.link_up()?;
        match &self.state {
            State::Open(segment) if !segment.is_in_place() => self.lose(),
            // It fails again, or there is room now.
            State::Dropping(_) => self.returns.refuse_segment(),
            State::Idle | State::Open(_) => {}
        }
        Ok(())
    }

    /// Somebody has removed the open segment.
    fn lose(&mut self) {
        let State::Open(segment) = std::mem::replace(&mut self.state, State::Idle) else { return };
        let (records, packets) = (segment.records(), segment.statistics.packets);
        log::error!(
            "{:?} was removed while it was written; its {packets} packets are lost",
            segment.paths.open
        );
        self.forget(&segment.paths);
        self.lost_between += segment.statistics.lost;
        self.count_dropped(packets);
        self.state = State::Dropping(records);
        self.returns.refuse_segment();
    }

    /// A segment that was begun is gone.
    fn forget(&mut self, paths: &SegmentPaths) {
        self.room.lost(paths);
        self.counters.losses.settle(&paths.sealed);
    }

    fn hear_of_sealed(&mut self) {
        for Done { paths, is_unlinked } in self.sealer.sealed() {
            self.room.sealed(&paths);
            if is_unlinked {
                self.unlinked.push(paths);
            }
        }
    }

    /// Makes the links that a full disk had no room for.
    fn link_up(&mut self) -> Result<(), StorageError> {
        while let Some(paths) = self.unlinked.pop() {
            match self.plan.layout.mend(&paths.sealed) {
                Ok(_) => {}
                Err(error) if error.is_disk_full() => {
                    self.unlinked.push(paths);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn count_dropped(&mut self, packets: u64) {
        self.lost_between.recorder += packets;
        Counters::add(&self.counters.recorder_drops, packets);
    }

    fn tell_short(&mut self, error: &StorageError) {
        if !std::mem::replace(&mut self.is_short, true) {
            log::error!("there is nothing left to remove, packets are dropped until there is room: {error}");
        }
    }
}

/// Makes room on a full disk. What was removed before may not be free yet: after that, a little is waited.
fn make_room_on_full_disk<R: MakeRoom>(room: &mut R, attempts: &mut u32) -> Result<bool, StorageError> {
    if *attempts > 0 {
        thread::sleep(ROOM_AFTER);
    }
    *attempts += 1;
    room.disk_is_full()
}
