//! Signals: the first one ends the extraction cleanly, the second one the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::{io, process, thread};

use pcapx_timeline::CancelToken;
use pcapx_timeline::extract::ExtractError;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Code;
use crate::failure::Failure;

/// Cancels the extraction when a signal comes, and remembers which.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    pub(crate) token: CancelToken,
    /// 0 as long as none came.
    signal: Arc<AtomicU8>,
}

impl Interrupt {
    /// Takes SIGINT and SIGTERM over from their default, which would leave an unfinished file behind.
    pub(crate) fn watch() -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let interrupt = Self { token: CancelToken::new(), signal: Arc::default() };
        let watcher = interrupt.clone();
        thread::Builder::new().name("pcapx-signals".into()).spawn(move || {
            for signal in signals.forever() {
                watcher.note(u8::try_from(signal).unwrap_or(u8::MAX));
            }
        })?;
        Ok(interrupt)
    }

    fn note(&self, signal: u8) {
        if self.signal.swap(signal, Ordering::SeqCst) != 0 {
            process::exit(Code::Interrupted(signal).number().into());
        }
        self.token.cancel();
    }

    /// An error when a signal has come.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.signal.load(Ordering::SeqCst) {
            0 => Ok(()),
            signal => Err(Failure::Interrupted(signal)),
        }
    }

    /// What a query's error means: one that was cancelled was cancelled by us.
    pub(crate) fn explain(&self, error: ExtractError) -> Failure {
        match (error, self.check()) {
            (ExtractError::Cancelled, Err(interrupted)) => interrupted,
            (error, _) => Failure::Extract(error),
        }
    }
}
