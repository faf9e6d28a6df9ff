//! A real service in a temporary folder, and a client that may send it anything.
//!
//! ```no_run
//! use pcapx_testkit::process::{Connection, Service, Site};
//!
//! let mut site = Site::new();
//! site.set("default_before", 60);
//! // In a crate's own tests the path is env!("CARGO_BIN_EXE_pcapx-listener").
//! let service = Service::start("/path/to/pcapx-listener", &site);
//! let reply = Connection::open(service.address()).exchange(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
//! assert_eq!(reply.status, 200);
//! let exit = service.stop();
//! assert!(exit.status.success(), "{}", exit.stderr);
//! ```
//!
//! Every wait has a deadline, and every process that was started is ended when its [`Service`] or [`Running`] is dropped.

mod authority;
mod http;
mod running;
mod service;
mod siege;
mod site;

use std::time::{Duration, Instant};

pub use authority::{Authority, Certificate, TlsClient};
pub use http::{Connection, NoReply, Reply, basic, request};
pub use running::Running;
pub use rustix::process::Signal;
pub use service::{Exit, NotReady, Service};
pub use siege::{Besieged, Siege};
pub use site::Site;

/// Long enough for a loaded machine, short enough for a person who waits.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition is looked at again.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Asks until the answer is `Some`, at most for `patience`.
pub fn poll<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}
