//! `hash-password`: what may stand in place of a password in the configuration.

use std::io::{self, BufRead as _, IsTerminal as _};

use pcapx_core::config::Secret;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// Reads one line from stdin – unseen, where somebody types it – and prints its hash.
pub(crate) fn hash() -> io::Result<()> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        eprint!("password: ");
    }
    let shown = tcgetattr(&stdin).ok();
    if let Some(mut hidden) = shown.clone() {
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
    }
    let mut password = String::new();
    let read = stdin.lock().read_line(&mut password);
    if let Some(shown) = shown {
        tcsetattr(&stdin, OptionalActions::Now, &shown)?;
        eprintln!();
    }
    read?;
    let password = password.strip_suffix('\n').unwrap_or(&password);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "an empty password needs no hash"));
    }
    println!("{}", Secret::hash(password).map_err(io::Error::other)?);
    Ok(())
}
