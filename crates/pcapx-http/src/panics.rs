//! A panic costs one request, not the process, and leaves one line in the log.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::pin::pin;
use std::task::Poll;

use crate::LogValue;

/// Bytes of a panic message that reach the log.
const MESSAGE_BOUND_BYTES: usize = 300;

/// From here on a panic anywhere in the process is one escaped `error` line in the log instead of raw text on
/// stderr. Call once at start, after the logger.
pub fn log_panics() {
    set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let formatted = payload.downcast_ref::<String>().map(String::as_str);
        let message = formatted.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        log::error!("panic at={place} message={}", LogValue::new(message).bounded(MESSAGE_BOUND_BYTES));
    }));
}

/// The future panicked; what it panicked with went to the panic hook.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Runs `future`; a panic in it becomes an error. The future is not polled again afterwards.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}
