//! Signals: the first one ends the extraction cleanly, the second one the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pcapx_timeline::CancelToken;
use pcapx_timeline::extract::ExtractError;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::Code;
use crate::failure::Failure;

/// Cancels the extraction when a signal comes, and remembers which.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    pub(crate) token: CancelToken,
    /// 0 as long as none came.
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Takes SIGINT and SIGTERM over from their default, which would leave an unfinished file behind.
    pub(crate) fn watch() -> io::Result<Self> {
        let interrupt = Self { token: CancelToken::new(), signal: Arc::default() };
        let cancelled = interrupt.token.flag();
        for number in [SIGINT, SIGTERM] {
            let signal = u8::try_from(number).unwrap_or(u8::MAX);
            let status = Code::Interrupted(signal).number().into();
            // In this order: whether one came before is looked at before this one is noted.
            flag::register_conditional_shutdown(number, status, Arc::clone(&cancelled))?;
            flag::register_usize(number, Arc::clone(&interrupt.signal), signal.into())?;
            flag::register(number, Arc::clone(&cancelled))?;
        }
        Ok(interrupt)
    }

    /// An error when a signal has come.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.signal.load(Ordering::SeqCst) {
            0 => Ok(()),
            signal => Err(Failure::Interrupted(u8::try_from(signal).unwrap_or(u8::MAX))),
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
