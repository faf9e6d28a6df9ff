//! The answer to a request for a file.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::SystemTime;

use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderValue, LAST_MODIFIED,
};
use hyper::{Method, StatusCode};
use pcapx_http::{Context, Reply, ReplyBody, reply};
use rustix::io::Errno;

use crate::conditions::{self, Verdict};
use crate::download::{self, Download};
use crate::folder::{Folder, Found};
use crate::presentation::{content_type, disposition};
use crate::range::Part;
use crate::requested::file_name;
use crate::validators::Validators;

/// Files and ranges up to this size are read in one go, ahead of the answer: no stream, one trip to a reading
/// thread for all of it.
const SMALL_BYTES: u64 = 256 << 10;

/// What the answer depends on beside the file.
#[derive(Debug)]
pub(crate) struct Question {
    /// GET or HEAD.
    pub(crate) method: Method,
    /// The request's headers.
    pub(crate) headers: HeaderMap,
}

/// Looks `path` up and answers. Blocks on the disk.
pub(crate) fn answer(
    folder: &Folder,
    path: &Path,
    as_directory: bool,
    question: &Question,
    context: &Context,
) -> io::Result<Reply> {
    match folder.find(path)? {
        Found::Directory => Ok(reply::text(StatusCode::FORBIDDEN, "Directory listing disabled")),
        Found::File(file, stat) if !as_directory => {
            let length = u64::try_from(stat.st_size).map_err(io::Error::other)?;
            let validators = Validators::of(&stat, SystemTime::now());
            Ok(file_answer(file, length, &validators, file_name(path), question, context))
        }
        Found::File(..) => Ok(not_found()),
        Found::Nothing(why) => {
            if why != Errno::NOENT {
                context.note("why", io::Error::from(why));
            }
            Ok(not_found())
        }
    }
}

/// 404, the same for whatever is not there, not a file, hidden, or out of bounds.
pub(crate) fn not_found() -> Reply {
    reply::text(StatusCode::NOT_FOUND, "Not Found")
}

fn file_answer(
    file: OwnedFd,
    length: u64,
    validators: &Validators,
    name: &[u8],
    question: &Question,
    context: &Context,
) -> Reply {
    let mut reply = match conditions::evaluate(&question.headers, validators) {
        Verdict::Failed => return reply::text(StatusCode::PRECONDITION_FAILED, "Precondition Failed"),
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
            headers.insert(CONTENT_TYPE, content_type(name));
            headers.insert(CONTENT_LENGTH, HeaderValue::from(taken));
            headers.insert(CONTENT_DISPOSITION, disposition(name));
            if status == StatusCode::PARTIAL_CONTENT {
                let last = start + taken - 1;
                headers.insert(CONTENT_RANGE, reply::header_text(&format!("bytes {start}-{last}/{length}")));
                context.note("range", format_args!("{start}-{last}/{length}"));
            }
            if question.method == Method::GET {
                *reply.body_mut() = body(file, start, taken);
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

fn unsatisfiable(length: u64) -> Reply {
    let mut reply = reply::text(StatusCode::RANGE_NOT_SATISFIABLE, "Range Not Satisfiable");
    reply.headers_mut().insert(CONTENT_RANGE, reply::header_text(&format!("bytes */{length}")));
    reply
}

fn body(file: OwnedFd, start: u64, length: u64) -> ReplyBody {
    if length <= SMALL_BYTES
        && let Ok(bytes) = download::read(&file, start, length)
    {
        return ReplyBody::full(bytes);
    }
    // A small file that could not be read in one go fails here again, where the client sees it.
    ReplyBody::stream(Download::new(file, start, length))
}
