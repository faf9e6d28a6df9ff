//! Brings a growing file to the disk while it is still written to, so that little is left to wait for at its end.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Bytes written after which the disk is set to work: answers below this are not worth a thread.
const BEHIND_BYTES: u64 = 8 << 20;

/// Syncs a file now and then, on a thread of its own that starts when there is something to do.
#[derive(Debug, Default)]
pub(super) struct WriteBehind {
    written: u64,
    worker: Option<Worker>,
}

#[derive(Debug)]
struct Worker {
    wake: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl WriteBehind {
    /// `bytes` more have been written to `file`. It never waits: when the disk is still at work, it will be asked later.
    pub(super) fn written(&mut self, bytes: u64, file: &File) {
        self.written += bytes;
        if self.written < BEHIND_BYTES {
            return;
        }
        if self.worker.is_none() {
            self.worker = Worker::start(file);
        }
        if self.worker.as_ref().is_some_and(|worker| worker.wake.try_send(()).is_ok()) {
            self.written = 0;
        }
    }

    /// Waits until the thread is done. An error of the disk is told once only, and so has to be asked for here.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let Some(Worker { wake, thread }) = self.worker.take() else { return Ok(()) };
        drop(wake);
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// The thread holds the file, whose room may be needed as soon as it is given up.
impl Drop for WriteBehind {
    fn drop(&mut self) {
        // Of a file that nobody wants.
        let _ = self.finish();
    }
}

impl Worker {
    /// `None` where there is no thread to be had: then all is left for the end.
    fn start(file: &File) -> Option<Self> {
        let file = file.try_clone().ok()?;
        let (wake, woken) = sync_channel(1);
        let thread = thread::Builder::new().name("pcapx-sync".into());
        thread.spawn(move || sync(&file, &woken)).ok().map(|thread| Self { wake, thread })
    }
}

fn sync(file: &File, woken: &Receiver<()>) -> io::Result<()> {
    while woken.recv().is_ok() {
        file.sync_data()?;
    }
    Ok(())
}
