//! Seals segments: onto the disk, under their names, with their indexes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use pcapx_core::window::Window;
use pcapx_timeline::index::{Identity, IndexWriter, Sealed};

use super::segment_file::SegmentFile;
use super::{Layout, SegmentPaths, StorageError};
use crate::counters::Counters;

/// A segment that is written to its end.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) file: SegmentFile,
    pub(super) index: Option<IndexWriter>,
    pub(super) paths: SegmentPaths,
    pub(super) kernel_drops: u64,
    pub(super) recorded: Option<Window>,
}

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
                let paths = segment.paths.clone();
                segment.seal(&layout)?;
                Counters::add(&counters.segments_sealed, 1);
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
    fn seal(self, layout: &Layout) -> Result<(), StorageError> {
        let Self { file, index, paths, kernel_drops, recorded } = self;
        let failed = |source| StorageError::Segment { path: paths.open.clone(), source };
        let end = file.len();
        let file = file.seal().map_err(failed)?;
        layout.publish(&paths)?;
        let segment = Identity::of(&file.metadata().map_err(failed)?);
        let sealed = Sealed {
            segment,
            end,
            is_whole: true,
            kernel_drops: Some(kernel_drops),
            recorder_drops: None,
            recorded,
        };
        // A segment without an index is searched as a whole, and indexed later by whoever searches it.
        if let Some(Err(error)) = index.map(|index| index.publish(&sealed)) {
            log::warn!("{:?} gets no index: {error}", paths.sealed);
        }
        Ok(())
    }
}
