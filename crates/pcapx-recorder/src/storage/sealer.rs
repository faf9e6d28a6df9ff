//! Seals segments: onto the disk, under their names, with their indexes.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use pcapx_timeline::index::{Identity, Sealed};

use super::open_segment::Finished;
use super::{Layout, SegmentPaths, StorageError};
use crate::counters::Counters;

/// The thread that seals, one segment after another.
#[derive(Debug)]
pub(super) struct Sealer {
    work: Option<SyncSender<Finished>>,
    done: Receiver<SegmentPaths>,
    thread: Option<JoinHandle<Result<(), StorageError>>>,
}

impl Sealer {
    pub(super) fn start(layout: Layout, most: usize, counters: Arc<Counters>) -> Result<Self, StorageError> {
        let (work, segments) = sync_channel::<Finished>(most);
        let (tell, done) = channel();
        let seal = move || {
            for segment in segments {
                let (paths, packets) = (segment.paths.clone(), segment.statistics.packets);
                if segment.seal(&layout)? {
                    Counters::add(&counters.segments_sealed, 1);
                } else {
                    Counters::add(&counters.recorder_drops, packets);
                }
                // The storage may be at its end; it hears of no more segments then.
                let _ = tell.send(paths);
            }
            Ok(())
        };
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
    pub(super) fn sealed(&self) -> Vec<SegmentPaths> {
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

impl Finished {
    /// Answers whether the segment is there: somebody may have removed it.
    fn seal(self, layout: &Layout) -> Result<bool, StorageError> {
        let Self { file, len, index, paths, statistics, recorded } = self;
        let failed = |source| StorageError::Segment { path: paths.open.clone(), source };
        let file = file.seal(len).map_err(failed)?;
        match layout.publish(&paths) {
            Ok(()) => {}
            Err(StorageError::Segment { source, .. }) if source.kind() == ErrorKind::NotFound => {
                layout.check()?;
                log::error!("{:?} was removed before it had its name: {statistics}", paths.open);
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        let segment = Identity::of(&file.metadata().map_err(failed)?);
        let sealed = Sealed {
            segment,
            end: len,
            is_whole: true,
            kernel_drops: Some(statistics.kernel_drops),
            recorder_drops: Some(statistics.recorder_drops),
            recorded,
        };
        // A segment without an index is searched as a whole, and indexed later by whoever searches it.
        if let Some(Err(error)) = index.map(|index| index.publish(&sealed)) {
            log::warn!("{:?} gets no index: {error}", paths.sealed);
        }
        log::debug!("sealed {:?}: {statistics}", paths.sealed);
        Ok(true)
    }
}
