//! A service and the manager that runs it: sockets it was given, readiness, watchdog, reload, stop.
//!
//! ```text
//! start ─► Inherited::take ─► … ─► Server::announce: READY=1 ─► run: WATCHDOG=1, again and again ─► STOPPING=1
//!                                         SIGHUP ─► Reloads: RELOADING=1 ─► configuration ─► READY=1
//! ```
//!
//! All of it is optional: without a manager the same program runs by hand.

mod inherited;
mod manager;
mod reload;
mod stop;

pub use self::inherited::Inherited;
pub(crate) use self::manager::Manager;
pub use self::reload::Reloads;
pub use self::stop::Stop;
