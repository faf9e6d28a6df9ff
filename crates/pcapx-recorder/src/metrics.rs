//! `GET /metrics` for Prometheus, of what the status tells: one thread, one short answer at a time.
//!
//! ```text
//! Status ─► Board ◄─ answer ◄─ one request of at most 8 KiB within two seconds ◄─ accept, ten times a second
//! ```
//!
//! This is no web server. A connection brings one request and is closed; whoever is slow is left after two seconds, and
//! whoever waits behind them waits in the kernel's queue. There is nothing to be had but figures: no credentials, no TLS, and
//! as long as nobody names another address, nobody but this machine. The recording never waits for any of it, and goes on
//! when the port cannot be had: it is asked for again until it can.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pcapx_core::exposition::Exposition;
use pcapx_core::time::Timestamp;
use pcapx_timeline::recorder::{Figure, FigureValue, RecorderStatus};

/// The longest request; Prometheus's has half a kilobyte.
const REQUEST_BYTES_MOST: usize = 8 << 10;
/// How long a request and its answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time between two looks for a connection, and for the order to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks between two tries to get the port: ten seconds.
const TRY_EVERY_LOOKS: u32 = 100;

/// The newest status, for whoever asks.
pub(crate) type Board = Arc<Mutex<Option<RecorderStatus>>>;

/// The thread that answers.
#[derive(Debug)]
pub(crate) struct Metrics {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Metrics {
    /// Starts to answer at `address` with what `board` has.
    pub(crate) fn start(address: SocketAddr, board: Board) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let work = move || serve(address, &board, &over);
        let thread = thread::Builder::new().name("pcapx-metrics".into()).spawn(work);
        let thread = thread.map_err(|e| log::warn!("no thread to tell metrics with: {e}")).ok();
        Self { is_over, thread }
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // A panic has been told where it happened.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(address: SocketAddr, board: &Board, is_over: &AtomicBool) {
    let mut tries = 0_u32;
    let listener = loop {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        if tries.is_multiple_of(TRY_EVERY_LOOKS) {
            match bind(address) {
                Ok(listener) => break listener,
                Err(e) if tries == 0 => {
                    log::error!(
                        "--metrics: {address} cannot be had: {e}; it is tried again, recording goes on"
                    );
                }
                Err(_) => {}
            }
        }
        tries = tries.wrapping_add(1);
        thread::sleep(LOOK_EVERY);
    };
    match listener.local_addr() {
        Ok(bound) => log::info!("metrics on http://{bound}/metrics"),
        Err(e) => log::warn!("--metrics: {e}"),
    }
    while !is_over.load(Ordering::Relaxed) {
        match listener.accept() {
            // Whoever goes away has no answer.
            Ok((stream, _)) => drop(answer(stream, board)),
            // None is there, or none can be had just now.
            Err(_) => thread::sleep(LOOK_EVERY),
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn answer(mut stream: TcpStream, board: &Board) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = head(&mut stream, Instant::now() + PATIENCE)?;
    let (status, more, kind, body) = match asked(&head) {
        Asked::Metrics => {
            let status = board.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let form = Exposition::accepted(accept(&head));
            ("200 OK", "Vary: Accept\r\n", form.content_type(), page(status.as_ref(), Timestamp::now(), form))
        }
        Asked::Other => ("404 Not Found", "", "text/plain", "Not found\n".to_owned()),
        Asked::Method => (
            "405 Method Not Allowed",
            "Allow: GET, HEAD\r\n",
            "text/plain",
            "Method not allowed\n".to_owned(),
        ),
        Asked::Nothing => ("400 Bad Request", "", "text/plain", "Bad request\n".to_owned()),
    };
    let mut reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{more}Connection: close\r\n\r\n",
        body.len()
    );
    if !head.starts_with(b"HEAD ") {
        reply.push_str(&body);
    }
    stream.write_all(reply.as_bytes())
}

/// The head of a request, or as much of it as there is room for.
fn head(stream: &mut TcpStream, until: Instant) -> io::Result<Vec<u8>> {
    let mut head = vec![0; REQUEST_BYTES_MOST];
    let mut filled = 0;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let read = stream.read(&mut head[filled..])?;
        filled += read;
        let is_whole = head[..filled].windows(4).any(|end| end == b"\r\n\r\n");
        if read == 0 || is_whole || filled == head.len() {
            head.truncate(if is_whole { filled } else { 0 });
            return Ok(head);
        }
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Metrics,
    Other,
    Method,
    Nothing,
}

fn asked(head: &[u8]) -> Asked {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, words.next()) else {
        return Asked::Nothing;
    };
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    match method {
        _ if !version.starts_with(b"HTTP/1.") => Asked::Nothing,
        b"GET" | b"HEAD" if path == b"/metrics" => Asked::Metrics,
        b"GET" | b"HEAD" => Asked::Other,
        _ => Asked::Method,
    }
}

/// The values of the fields `Accept` in the head of a request.
fn accept(head: &[u8]) -> impl Iterator<Item = &str> {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    let fields = lines.filter_map(|line| str::from_utf8(line).ok()?.split_once(':'));
    fields.filter(|(name, _)| name.eq_ignore_ascii_case("accept")).map(|(_, value)| value.trim())
}

/// The figures in `form`; before the first second there are none but the version.
fn page(status: Option<&RecorderStatus>, now: Timestamp, form: Exposition) -> String {
    let mut page = Page { text: String::new(), form };
    let labels =
        format!("{{service=\"{}\",version=\"{}\"}}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    page.family(("pcapx_build", "Version of the program"), ("info", "_info"), &format!("{labels} 1"));
    for Figure { name, help, value } in status.into_iter().flat_map(|status| status.figures(now)) {
        match value {
            FigureValue::Counter(value) => {
                page.family((name, help), ("counter", "_total"), &format!(" {value}"));
            }
            FigureValue::Gauge(value) => page.family((name, help), ("gauge", ""), &format!(" {value:?}")),
        }
    }
    if form == Exposition::OpenMetrics {
        page.text.push_str("# EOF\n");
    }
    page.text
}

/// A page while it is written.
struct Page {
    text: String,
    form: Exposition,
}

impl Page {
    /// Adds a family of one sample: its type, and what a sample's name has behind the family's.
    fn family(&mut self, (name, help): (&str, &str), (kind, suffix): (&str, &str), sample: &str) {
        let (of_family, kind) = match (self.form, kind) {
            (Exposition::OpenMetrics, kind) => ("", kind),
            (Exposition::Classic, "info") => (suffix, "gauge"),
            (Exposition::Classic, kind) => (suffix, kind),
        };
        // Writing into a String cannot fail.
        let _ = write!(
            self.text,
            "# HELP {name}{of_family} {help}.\n# TYPE {name}{of_family} {kind}\n{name}{suffix}{sample}\n"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_is_there_and_nothing_else() {
        for (line, expected) in [
            ("GET /metrics HTTP/1.1", Asked::Metrics),
            ("HEAD /metrics?x=y HTTP/1.0", Asked::Metrics),
            ("GET / HTTP/1.1", Asked::Other),
            ("GET /metrics/../x HTTP/1.1", Asked::Other),
            ("GET http://x/metrics HTTP/1.1", Asked::Other),
            ("POST /metrics HTTP/1.1", Asked::Method),
            ("GET /metrics", Asked::Nothing),
            ("GET  /metrics HTTP/1.1", Asked::Nothing),
            ("GET /metrics HTTP/2.0", Asked::Nothing),
            ("\u{16}\u{3}\u{1}", Asked::Nothing),
            ("", Asked::Nothing),
        ] {
            assert_eq!(asked(format!("{line}\r\nHost: x\r\n\r\n").as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn a_page_before_the_first_second_has_the_version() {
        for (form, family, end) in [
            (Exposition::OpenMetrics, "# TYPE pcapx_build info\n", " 1\n# EOF\n"),
            (Exposition::Classic, "# TYPE pcapx_build_info gauge\n", "\"} 1\n"),
        ] {
            let empty = page(None, Timestamp::now(), form);
            assert!(empty.contains(family) && empty.ends_with(end), "{empty}");
        }
    }

    #[test]
    fn what_is_accepted_stands_in_fields_of_that_name() {
        let head = b"GET /metrics?accept:no HTTP/1.1\r\nHost: x\r\nACCEPT: a, b;q=0.1\r\nX: \xff\r\naccept:c\r\n\r\n";
        assert_eq!(accept(head).collect::<Vec<_>>(), ["a, b;q=0.1", "c"]);
    }
}
