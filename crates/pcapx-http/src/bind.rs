//! The listening socket and the number of files the process may open.

use std::io;
use std::net::SocketAddr;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::Inherited;

/// Connections the kernel keeps ready while the process is busy.
const BACKLOG: i32 = 1024;

/// The listening socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}")]
pub struct BindError {
    /// Where the service was to listen.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub error: io::Error,
}

/// The sockets to listen on: those that were inherited, else one of our own.
pub(crate) fn sockets(inherited: Inherited, address: SocketAddr) -> Result<Vec<TcpListener>, BindError> {
    if inherited.sockets.is_empty() {
        return Ok(vec![listen(address)?]);
    }
    let taken = inherited.sockets.into_iter().map(|socket| {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        let bound = socket.local_addr()?;
        log::info!("listening on {bound}, a socket of the service manager; bind_address does not count");
        if bound.port() != address.port() && address.port() != 0 {
            log::warn!(
                "the configuration has port {}, the socket of the service manager {}",
                address.port(),
                bound.port()
            );
        }
        Ok(socket)
    });
    taken.collect::<io::Result<_>>().map_err(|error| BindError { address, error })
}

/// Opens the listening socket. Port 0 takes any free port; `::` takes IPv4 connections too. A port whose former
/// connections still fade away (`TIME_WAIT`) can be taken at once.
fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    open().map_err(|error| BindError { address, error })
}

/// Raises the soft limit of open files to the hard one and returns what holds now. `u64::MAX` means no limit.
///
/// The usual soft limit of 1024 is less than the connections a service takes. Safe here because nothing in the
/// process uses `select(2)`, the reason why the soft limit is low.
pub fn raise_open_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            log::warn!("the limit of open files stays as it is: {error}");
            limit.current
        }
    }
    .unwrap_or(u64::MAX)
}
