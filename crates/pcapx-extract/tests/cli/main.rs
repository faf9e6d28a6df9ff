//! The real program, run with real command lines: what it writes, says and ends with.

mod destinations;
mod drop_in;
mod errors;
mod explaining;
mod indexes;
mod oracle;
mod printing;
mod room;
mod signals;
mod windows;
