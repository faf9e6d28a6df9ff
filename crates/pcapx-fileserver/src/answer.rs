//! The answer to a request for a file.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderValue, LAST_MODIFIED,
};
use hyper::{Method, StatusCode};
use pcapx_http::{Context, Reply, ReplyBody, reply};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::awaited::{Awaited, awaited};
use crate::buffers::{BUFFER_BYTES, Buffers};
use crate::conditions::{self, Verdict};
use crate::download::{self, Download};
use crate::folder::{Folder, Found, Patience};
use crate::presentation::{content_type, disposition};
use crate::range::Part;
use crate::requested::file_name;
use crate::validators::Validators;

/// What the answer depends on beside the file.
#[derive(Debug)]
pub(crate) struct Question {
    /// Path relative to the folder.
    pub(crate) path: PathBuf,
    /// Whether the path ended with a slash.
    pub(crate) as_directory: bool,
    /// GET or HEAD.
    pub(crate) method: Method,
    /// The request's headers.
    pub(crate) headers: HeaderMap,
}

/// Looks the path up and answers. Without patience this does not wait for the disk but fails with `WouldBlock`.
pub(crate) fn answer(
    folder: &Folder,
    buffers: &Arc<Buffers>,
    question: &Question,
    context: &Context,
    patience: Patience,
) -> io::Result<Reply> {
    if let Some(reply) = found(folder, buffers, question, context, patience)? {
        return Ok(reply);
    }
    match awaited(folder, &question.path, context, patience)? {
        // It came while we looked for the manifest that tells of it.
        Awaited::Here => Ok(found(folder, buffers, question, context, patience)?.unwrap_or_else(not_found)),
        Awaited::Coming(_) if conditions::wants_a_file(&question.headers) => Ok(precondition_failed()),
        awaited => Ok(awaited.reply()),
    }
}

/// The answer about what stands at the path; `None` when nothing does, and a file was asked for.
fn found(
    folder: &Folder,
    buffers: &Arc<Buffers>,
    question: &Question,
    context: &Context,
    patience: Patience,
) -> io::Result<Option<Reply>> {
    Ok(Some(match folder.find(&question.path, patience)? {
        Found::Directory => reply::text(StatusCode::FORBIDDEN, "Directory listing disabled"),
        Found::File(file, stat) if !question.as_directory => {
            let length = u64::try_from(stat.st_size).map_err(io::Error::other)?;
            let validators = Validators::of(&stat, SystemTime::now());
            let body = |start, length| body(file, start, length, buffers, patience);
            file_answer(length, &validators, question, context, body)
        }
        Found::Nothing(Errno::NOENT) if !question.as_directory => return Ok(None),
        Found::Nothing(why) if why != Errno::NOENT => {
            context.note("why", io::Error::from(why));
            not_found()
        }
        Found::File(..) | Found::Nothing(_) => not_found(),
    }))
}

/// 404, the same for whatever is not there, not a file, hidden, or out of bounds.
pub(crate) fn not_found() -> Reply {
    reply::text(StatusCode::NOT_FOUND, "Not Found")
}

/// The answer for an open file of `length` bytes; `body` makes one of a start and a length.
fn file_answer(
    length: u64,
    validators: &Validators,
    question: &Question,
    context: &Context,
    body: impl FnOnce(u64, u64) -> ReplyBody,
) -> Reply {
    let mut reply = match conditions::evaluate(&question.headers, validators) {
        Verdict::Failed => return precondition_failed(),
        Verdict::NotModified => reply::empty(StatusCode::NOT_MODIFIED),
        Verdict::Proceed => {
            // A range is defined for GET alone (RFC 9110 §14.2).
            let wants_part =
                question.method == Method::GET && conditions::range_counts(&question.headers, validators);
            let part = if wants_part { Part::requested(&question.headers, length) } else { Part::Whole };
            let (status, start, taken) = match part {
                Part::Whole => (StatusCode::OK, 0, length),
                Part::Slice { start, length } => (StatusCode::PARTIAL_CONTENT, start, length),
                Part::Unsatisfiable => return unsatisfiable(length),
            };
            let mut reply = reply::empty(status);
            let headers = reply.headers_mut();
            let name = file_name(&question.path);
            headers.insert(CONTENT_TYPE, content_type(name));
            headers.insert(CONTENT_LENGTH, HeaderValue::from(taken));
            headers.insert(CONTENT_DISPOSITION, disposition(name));
            if status == StatusCode::PARTIAL_CONTENT {
                let last = start + taken - 1;
                headers.insert(CONTENT_RANGE, reply::header_text(&format!("bytes {start}-{last}/{length}")));
                context.note("range", format_args!("{start}-{last}/{length}"));
            }
            if question.method == Method::GET {
                *reply.body_mut() = body(start, taken);
            }
            reply
        }
    };
    let headers = reply.headers_mut();
    headers.insert(ETAG, validators.tag_header());
    headers.insert(LAST_MODIFIED, validators.modified_header());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // A name may get newer content: caches ask before they answer.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

fn precondition_failed() -> Reply {
    reply::text(StatusCode::PRECONDITION_FAILED, "Precondition Failed")
}

fn unsatisfiable(length: u64) -> Reply {
    let mut reply = reply::text(StatusCode::RANGE_NOT_SATISFIABLE, "Range Not Satisfiable");
    reply.headers_mut().insert(CONTENT_RANGE, reply::header_text(&format!("bytes */{length}")));
    reply
}

/// What fits a buffer is read now – by the patient, who are on a reading thread already, even from disk –, the rest
/// while it is sent.
fn body(file: OwnedFd, start: u64, length: u64, buffers: &Arc<Buffers>, patience: Patience) -> ReplyBody {
    if let Ok(length) = usize::try_from(length)
        && length <= BUFFER_BYTES
    {
        let read = match patience {
            Patience::None => download::read_if_cached(&file, start, length, buffers),
            // A read that failed fails again below, where the client sees that its download is broken.
            Patience::Endless => download::read(&file, start, length, buffers),
        };
        if let Some(bytes) = read {
            return ReplyBody::full(bytes);
        }
    }
    // Who removes old evidence sees that this file is in use. Without the lock the download ends as well, but cannot be resumed.
    let _ = flock(&file, FlockOperation::NonBlockingLockShared);
    ReplyBody::stream(Download::new(file, start, length, Arc::clone(buffers)))
}
