//! The progress bar: on a terminal only, and gone when the work is done.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pcapx_timeline::Progress;

/// Time between two looks at the counts; shorter than the eye notices.
const REFRESH: Duration = Duration::from_millis(100);
/// Bytes read, and how far it is with files and packets.
const TEMPLATE: &str = "[{wide_bar}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left; {msg}";

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A search: matches are counted.
    Searching,
    /// Indexing.
    Indexing,
}

/// Shows the counts of a query, or of indexing, until it is dropped.
#[derive(Debug)]
pub(crate) struct Bar {
    /// Dropped to end the thread.
    running: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bar {
    /// Shows `progress` when standard error is a terminal; `None` when it is not.
    pub(crate) fn show(progress: &Arc<Progress>, work: Work) -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let (running, ended) = mpsc::channel::<()>();
        let progress = Arc::clone(progress);
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        bar.set_style(
            ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let draw = move || {
            loop {
                look(&bar, &progress, work);
                if ended.recv_timeout(REFRESH) != Err(RecvTimeoutError::Timeout) {
                    bar.finish_and_clear();
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("pcapx-progress".into()).spawn(draw).ok()?;
        Some(Self { running: Some(running), thread: Some(thread) })
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.running.take();
        if let Some(thread) = self.thread.take() {
            // It only draws; what it might die of is not worth more than its bar.
            let _ = thread.join();
        }
    }
}

fn look(bar: &ProgressBar, progress: &Progress, work: Work) {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    bar.set_length(count(&progress.bytes_total));
    bar.set_position(count(&progress.bytes_read));
    let files = format!("{}/{} files", count(&progress.segments_done), count(&progress.segments_total));
    bar.set_message(match (work, count(&progress.packets_matched)) {
        (Work::Indexing, _) => files,
        (Work::Searching, 1) => format!("{files}, 1 match"),
        (Work::Searching, matches) => format!("{files}, {} matches", HumanCount(matches)),
    });
    bar.tick();
}
