//! One log line for each request, written when its answer has ended.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use hyper::{Method, StatusCode, Uri};

use crate::audit::Audit;
use crate::metrics::Families;
use crate::slots::Busy;
use crate::{Context, LogValue};

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All of it was handed to the connection.
    Complete,
    /// The client or the server went away before.
    Cut,
    /// The body could not be produced to its end.
    Failed,
    /// The connection was cut before there was an answer.
    Unanswered,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            End::Complete => "complete",
            End::Cut => "cut",
            End::Failed => "failed",
            End::Unanswered => "unanswered",
        }
    }
}

/// A method by name; what nobody uses here has none of its own.
fn counted(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// What the access line of one request will say; dropping it writes the line.
pub(crate) struct Entry {
    context: Context,
    families: Arc<Families>,
    audit: Audit,
    method: Method,
    uri: Uri,
    started: Instant,
    status: Option<StatusCode>,
    sent_bytes: u64,
    end: End,
    /// The connection counts as busy as long as the answer is under way.
    _busy: Busy,
}

impl Entry {
    pub(crate) fn new(
        context: Context,
        (families, audit): (Arc<Families>, Audit),
        method: Method,
        uri: Uri,
        busy: Busy,
    ) -> Self {
        let started = Instant::now();
        Entry {
            context,
            families,
            audit,
            method,
            uri,
            started,
            status: None,
            sent_bytes: 0,
            end: End::Unanswered,
            _busy: busy,
        }
    }

    /// There is an answer; from here on the body reports.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
        let bodiless = self.method == Method::HEAD
            || matches!(status, StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT)
            || status.is_informational();
        self.end = if bodiless { End::Complete } else { End::Cut };
    }

    /// Bytes of the body were handed to the connection.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
    }

    pub(crate) fn complete(&mut self) {
        if self.end == End::Cut {
            self.end = End::Complete;
        }
    }

    pub(crate) fn failed(&mut self, error: &io::Error) {
        self.end = End::Failed;
        self.context.note("error", error);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let status = self.status.map_or(0, |status| status.as_u16());
        let took = self.started.elapsed();
        self.families.requests(
            counted(&self.method),
            status,
            self.end.name(),
            took.as_secs_f64(),
            self.sent_bytes,
        );
        if let Some(act) = self.context.take_act() {
            let context = &self.context;
            let act = act.by(context.request_id(), context.client(), context.peer(), context.certificate());
            let outcome = format!("{status} {}", self.end.name());
            self.audit.write(act.with("bytes", self.sent_bytes).with("outcome", outcome));
        }
        let level =
            if status >= 500 || self.end == End::Failed { log::Level::Warn } else { log::Level::Info };
        if !log::log_enabled!(level) {
            return;
        }
        let (peer, client) = (self.context.peer(), self.context.client());
        let client = if client == peer { String::new() } else { format!(" client={client}") };
        // The path alone: a query may carry what does not belong into a log, and handlers note what matters of it.
        log::log!(
            level,
            "request id={} peer={peer}{client} method={} path={} status={status} sent={} ms={}.{:03} end={}{}",
            self.context.request_id(),
            LogValue::new(self.method.as_str()).bounded(16),
            LogValue::new(self.uri.path()),
            self.sent_bytes,
            took.as_millis(),
            took.subsec_micros() % 1000,
            self.end.name(),
            self.context.notes(),
        );
    }
}
