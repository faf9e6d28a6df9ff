//! One line on the terminal that changes, and a log that does not run into it.
//!
//! Both go to stderr. The line is taken away before the log writes, and drawn again behind it.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::termios::tcgetwinsize;

/// Columns of a terminal that does not say how many it has.
const USUAL_COLUMNS: usize = 80;
/// Goes to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[2K";

/// The line that is shown now.
static LINE: Mutex<String> = Mutex::new(String::new());

/// Where the log goes: stderr, around the line.
#[derive(Debug)]
pub struct LogOutput;

/// Whether somebody sits there.
pub fn is_there() -> bool {
    io::stderr().is_terminal()
}

/// Whether this process was started so that it goes on when its terminal is closed.
pub fn is_hangup_ignored() -> bool {
    // A mask in hexadecimal digits; the first signal is SIGHUP.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Shows another line, where there is a terminal.
pub(crate) fn show(line: impl FnOnce() -> String) {
    if !is_there() {
        return;
    }
    // One that is longer than the terminal is wide would not go away again.
    let columns = tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    let columns = if columns == 0 { USUAL_COLUMNS } else { columns };
    let mut shown = shown();
    *shown = line().chars().take(columns.saturating_sub(1)).collect();
    // Nothing can be done about a terminal that is gone.
    let _ = write!(io::stderr(), "{CLEAR}{shown}");
}

/// Leaves the line where it is.
pub(crate) fn end() {
    let mut shown = shown();
    if !shown.is_empty() {
        shown.clear();
        let _ = writeln!(io::stderr());
    }
}

fn shown() -> MutexGuard<'static, String> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Write for LogOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let shown = shown();
        let mut out = io::stderr().lock();
        if shown.is_empty() {
            out.write_all(bytes)?;
        } else {
            out.write_all(&[CLEAR.as_bytes(), bytes, shown.as_bytes()].concat())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
