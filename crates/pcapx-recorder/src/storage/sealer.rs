//! Seals segments: onto the disk, under their names, with their indexes.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pcapx_timeline::control::CancelToken;
use pcapx_timeline::index::{Identity, IndexError, IndexPlace, Sealed, index_segment};

use super::error::is_disk_full;
use super::open_segment::{Finished, Index};
use super::{Layout, SegmentPaths, StorageError};
use crate::counters::Counters;
use crate::pulse::Part;

/// After this time without a segment to be sealed, indexes are made that there was no room for.
const INDEX_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// What has become of a segment.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) paths: SegmentPaths,
    /// Whether its links are still to be made: the disk was full.
    pub(super) is_unlinked: bool,
}

/// The thread that seals, one segment after another.
#[derive(Debug)]
pub(super) struct Sealer {
    work: Option<SyncSender<Finished>>,
    done: Receiver<Done>,
    thread: Option<JoinHandle<Result<(), StorageError>>>,
}

impl Sealer {
    pub(super) fn start(layout: Layout, most: usize, counters: Arc<Counters>) -> Result<Self, StorageError> {
        let (work, segments) = sync_channel::<Finished>(most);
        let (tell, done) = channel();
        let mut desk = Desk { layout, counters, tell, unindexed: Vec::new() };
        let seal = move || desk.follow(&segments);
        let thread =
            thread::Builder::new().name("pcapx-seal".into()).spawn(seal).map_err(StorageError::Thread)?;
        Ok(Self { work: Some(work), done, thread: Some(thread) })
    }

    /// Hands a segment over; waits while too many wait already.
    pub(super) fn seal(&mut self, segment: Finished) -> Result<(), StorageError> {
        match &self.work {
            Some(work) if work.send(segment).is_ok() => Ok(()),
            // It has ended, and knows why.
            _ => self.finish(),
        }
    }

    /// Segments that were sealed since the last question.
    pub(super) fn sealed(&self) -> Vec<Done> {
        self.done.try_iter().collect()
    }

    /// Waits until everything is sealed.
    pub(super) fn finish(&mut self) -> Result<(), StorageError> {
        self.work = None;
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

/// The thread's side.
struct Desk {
    layout: Layout,
    counters: Arc<Counters>,
    tell: Sender<Done>,
    /// Segments for whose indexes there was no room.
    unindexed: Vec<PathBuf>,
}

impl Desk {
    fn follow(&mut self, segments: &Receiver<Finished>) -> Result<(), StorageError> {
        loop {
            self.counters.pulse.beat(Part::Sealing);
            match segments.recv_timeout(INDEX_AGAIN_AFTER) {
                Ok(segment) => self.seal(segment)?,
                Err(RecvTimeoutError::Timeout) => self.index(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.index();
        Ok(())
    }

    fn seal(&mut self, segment: Finished) -> Result<(), StorageError> {
        let (paths, packets) = (segment.paths.clone(), segment.statistics.packets);
        let sealed = segment.seal(&self.layout)?;
        self.counters.losses.settle(&paths.sealed);
        let (links, index) = if let Some(made) = sealed {
            Counters::add(&self.counters.segments_sealed, 1);
            made
        } else {
            Counters::add(&self.counters.recorder_drops, packets);
            (Made::Yes, Made::Yes)
        };
        if index == Made::NoRoom {
            self.unindexed.push(paths.sealed.clone());
        }
        // The storage may be at its end; it hears of no more segments then.
        let _ = self.tell.send(Done { paths, is_unlinked: links == Made::NoRoom });
        Ok(())
    }

    /// Makes the indexes that a full disk had no room for, while there is nothing to seal.
    fn index(&mut self) {
        while let Some(path) = self.unindexed.pop() {
            self.counters.pulse.beat(Part::Sealing);
            match index_segment(&path, &IndexPlace::beside(), &CancelToken::new(), |_| ()) {
                Ok(_) => {}
                Err(IndexError::Write(error)) if is_disk_full(&error) => {
                    self.unindexed.push(path);
                    return;
                }
                // It may be gone by now.
                Err(error) => log::debug!("{path:?} gets no index: {error}"),
            }
        }
    }
}

/// Whether something was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    Yes,
    /// The disk is full.
    NoRoom,
}

impl Finished {
    /// Answers whether links and index were made, or `None` when the segment is not there: somebody has removed it.
    fn seal(self, layout: &Layout) -> Result<Option<(Made, Made)>, StorageError> {
        let Self { file, len, index, paths, statistics, recorded } = self;
        let failed = |source| StorageError::Segment { path: paths.open.clone(), source };
        let file = file.seal(len).map_err(failed)?;
        match layout.publish(&paths) {
            Ok(()) => {}
            Err(StorageError::Segment { source, .. }) if source.kind() == ErrorKind::NotFound => {
                layout.check()?;
                log::error!("{:?} was removed before it had its name: {statistics}", paths.open);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let links = match layout.link_up(&paths) {
            Ok(()) => Made::Yes,
            Err(error) if error.is_disk_full() => Made::NoRoom,
            Err(error) => return Err(error),
        };
        let segment = Identity::of(&file.metadata().map_err(failed)?);
        let sealed = Sealed {
            segment,
            end: len,
            is_whole: true,
            kernel_drops: Some(statistics.lost.kernel),
            recorder_drops: Some(statistics.lost.recorder),
            recorded,
        };
        let index = match index {
            Index::NotWanted => Made::Yes,
            Index::Refused => Made::NoRoom,
            Index::Open(index) => match index.publish(&sealed) {
                Ok(_) => Made::Yes,
                Err(IndexError::Write(error)) if is_disk_full(&error) => Made::NoRoom,
                Err(error) => {
                    // It is searched as a whole, and indexed later by whoever searches it.
                    log::warn!("{:?} gets no index: {error}", paths.sealed);
                    Made::Yes
                }
            },
        };
        log::debug!("sealed {:?}: {statistics}", paths.sealed);
        Ok(Some((links, index)))
    }
}
