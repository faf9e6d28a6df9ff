//! Listening sockets that the service manager has opened (systemd's socket activation).

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

/// The sockets that this process was started with; usually none.
///
/// A socket of the manager's stays open while the service restarts, so that clients wait instead of being refused, and
/// may have a port that the service's account could not open.
#[derive(Debug, Default)]
pub struct Inherited {
    pub(crate) sockets: Vec<TcpListener>,
}

impl Inherited {
    /// Takes them. Call it first of all, before there is a second thread: it clears variables of the environment, so that
    /// no child believes the sockets to be its own.
    ///
    /// Fails when the manager hands over something else than listening TCP sockets.
    pub fn take() -> io::Result<Self> {
        let mut handed = ListenFd::from_env();
        let taken: io::Result<Vec<_>> =
            (0..handed.len()).map(|index| handed.take_tcp_listener(index)).collect();
        Ok(Inherited { sockets: taken?.into_iter().flatten().collect() })
    }
}
