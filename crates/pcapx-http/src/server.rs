//! The accept loop: limits on the way in, an orderly way out.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use pcapx_core::config::Service;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::addresses::{Addresses, Counted};
use crate::audit::{self, Act};
use crate::bind::{BindError, raise_open_file_limit, sockets};
use crate::connection::{Handler, Shared, serve};
use crate::door::site;
use crate::life::Manager;
use crate::metrics::{Families, Reason};
use crate::slots::Slots;
use crate::{Front, Inherited, Stop, tls};

/// Files kept free of connections: the listening socket, logs, the runtime's own.
const FILES_OF_OURS: u64 = 64;
/// Files that a connection needs: its socket and the file or child behind its request.
const FILES_PER_CONNECTION: u64 = 2;
/// The first wait after the system refused a connection; doubled while it goes on.
const BACK_OFF_MIN: Duration = Duration::from_millis(10);
/// The longest wait between two attempts to take a connection.
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// What a server grants its clients.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at a time; fewer when the limit of open files is lower.
    pub connections: usize,
    /// Of these for each address, of IPv6 each /64; trusted proxies have no such limit.
    pub connections_per_address: usize,
    /// Time for a complete request head, counted from the connection's start or the former answer's end. It is
    /// therefore the keep-alive time too.
    pub head: Duration,
    /// Time after which a client that reads nothing of its answer is cut off.
    pub write_stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 4096,
            connections_per_address: 1024,
            head: Duration::from_secs(10),
            write_stall: Duration::from_secs(60),
        }
    }
}

/// How a server came to its end.
#[derive(Debug, Clone, Copy)]
pub struct Drained {
    /// When the drain time is over, counted from the wish to stop. What is left of it is the process's own.
    pub deadline: Instant,
    /// Connections cut because their requests did not finish in time.
    pub aborted: usize,
}

/// Listening sockets that do not serve yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    address: SocketAddr,
    limits: Limits,
}

impl Server {
    /// Listens on what the service manager has opened, if it has, else on `address`; port 0 takes any free port. Must be
    /// called inside a tokio runtime.
    ///
    /// Also raises the process's limit of open files, and lowers [`Limits::connections`] to what it allows.
    pub fn bind(inherited: Inherited, address: SocketAddr, mut limits: Limits) -> Result<Self, BindError> {
        let listeners = sockets(inherited, address)?;
        let bound = listeners.first().map_or(Ok(address), TcpListener::local_addr);
        let bound = bound.map_err(|error| BindError { address, error })?;
        let files = raise_open_file_limit();
        let possible = files.saturating_sub(FILES_OF_OURS) / FILES_PER_CONNECTION;
        let possible = usize::try_from(possible).unwrap_or(usize::MAX).max(1);
        if possible < limits.connections {
            log::warn!("{files} open files allow {possible} connections, not {}", limits.connections);
            limits.connections = possible;
        }
        Ok(Server { listeners, address: bound, limits })
    }

    /// Where the server listens, with the real port; of several sockets the first.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Says on stdout that `service` is ready: `NAME: listening on http://ADDRESS:PORT`, one line; `https` where `front`
    /// speaks TLS. The service manager is told, too.
    pub fn announce(&self, service: Service, front: &Front) {
        let mut stdout = io::stdout().lock();
        let scheme = if front.tls().is_some() { "https" } else { "http" };
        let said = writeln!(stdout, "{}: listening on {scheme}://{}", service.name(), self.address);
        // A closed stdout is no reason not to serve.
        if let Err(error) = said.and_then(|()| stdout.flush()) {
            log::debug!("stdout: {error}");
        }
        Manager::of_process().ready(&format!("listening on {scheme}://{}", self.address));
    }

    /// Serves behind `front` until `stop` is requested; then closes the listening socket, lets requests finish for at
    /// most `drain`, and cuts the rest. A second request to stop cuts at once.
    pub async fn run(
        self,
        front: Arc<Front>,
        handler: Arc<impl Handler>,
        stop: &Stop,
        drain: Duration,
    ) -> Drained {
        let manager = Manager::of_process();
        front.audit().write(Act::new(audit::START).with("listening", self.address.to_string()));
        let mut beside = JoinSet::new();
        beside.spawn(tls::follow(Arc::clone(&front), stop.clone()));
        beside.spawn(manager.clone().keep_alive());
        let mut loop_ = AcceptLoop {
            shared: Arc::new(Shared { handler, front, limits: self.limits, stop: stop.clone() }),
            slots: Slots::new(),
            addresses: Arc::default(),
            connections: JoinSet::new(),
            accepted: 0,
            back_off: BACK_OFF_MIN,
        };
        tokio::select! {
            () = stop.requested() => {}
            never = loop_.accept(&self.listeners) => match never {},
        }
        manager.stopping();
        let deadline = Instant::now() + drain;
        drop(self.listeners);
        let aborted = loop_.drain(stop, deadline).await;
        Drained { deadline, aborted }
    }
}

struct AcceptLoop<H> {
    shared: Arc<Shared<H>>,
    slots: Arc<Slots>,
    addresses: Arc<Addresses>,
    connections: JoinSet<()>,
    accepted: u64,
    back_off: Duration,
}

impl<H: Handler> AcceptLoop<H> {
    /// Takes connections for ever. May be dropped at any await point.
    async fn accept(&mut self, listeners: &[TcpListener]) -> std::convert::Infallible {
        let mut turn = 0;
        loop {
            tokio::select! {
                accepted = next(listeners, &mut turn) => match accepted {
                    Ok((tcp, peer)) => {
                        self.back_off = BACK_OFF_MIN;
                        // One that is not taken is closed at once.
                        if let Ok(counted) = self.count(peer.ip().to_canonical()) {
                            self.make_room().await;
                            self.spawn(tcp, peer, counted);
                        }
                    }
                    Err(error) => self.refused(&error).await,
                },
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    /// Counts a connection of `peer`, unless it is a proxy, which asks for many.
    fn count(&self, peer: IpAddr) -> Result<Option<Counted>, HasItsShare> {
        if self.shared.front.trusts(peer) {
            return Ok(None);
        }
        let counted = self.addresses.count(site(peer), self.shared.limits.connections_per_address);
        if counted.is_none() {
            self.families().denied(Reason::Connections);
            log::debug!("connection peer={peer} closed, this address has its share");
        }
        counted.map(Some).ok_or(HasItsShare)
    }

    fn spawn(&mut self, tcp: TcpStream, peer: SocketAddr, counted: Option<Counted>) {
        self.accepted += 1;
        let families = self.families();
        families.connections_accepted.inc();
        families.connections.inc();
        let place = self.slots.place(self.accepted);
        let (shared, open) = (Arc::clone(&self.shared), families.connections.clone());
        self.connections.spawn(async move {
            let (_closes, _counted) = (Closes(open), counted);
            serve(tcp, peer, place, shared).await;
        });
    }

    fn families(&self) -> &Families {
        self.shared.front.metrics().families()
    }

    /// Waits until fewer connections than the limit are open, telling the longest idle one to go.
    async fn make_room(&mut self) {
        while self.connections.len() >= self.shared.limits.connections {
            if self.slots.evict_longest_idle() {
                self.families().connections_evicted.inc();
                self.connections.join_next().await;
                continue;
            }
            tokio::select! {
                _ = self.connections.join_next() => {}
                () = self.slots.became_idle.notified() => {}
            }
        }
    }

    /// The system gave no connection. One that its client gave up costs nothing; for all else, files or memory are
    /// short, and trying again at once would only burn the processor.
    async fn refused(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            return;
        }
        self.families().accept_errors.inc();
        log::warn!("cannot take connections, next try in {} ms: {error}", self.back_off.as_millis());
        self.slots.evict_longest_idle();
        sleep(self.back_off).await;
        self.back_off = (self.back_off * 2).min(BACK_OFF_MAX);
    }

    /// Lets connections end until `deadline`, then cuts the rest; returns how many those were.
    async fn drain(mut self, stop: &Stop, deadline: Instant) -> usize {
        log::info!("stopping: {} connections open", self.connections.len());
        let all_ended = async { while self.connections.join_next().await.is_some() {} };
        tokio::select! {
            _ = timeout_at(deadline, all_ended) => {}
            () = stop.aborted() => {}
        }
        let aborted = self.connections.len();
        if aborted > 0 {
            log::warn!("stopping: {aborted} connections cut");
        }
        self.connections.shutdown().await;
        aborted
    }
}

/// An address has as many connections as it may.
struct HasItsShare;

/// Counts a connection as closed when dropped, however that comes.
struct Closes(Gauge);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The next connection on any of `listeners`, which take turns in being asked first.
async fn next(listeners: &[TcpListener], turn: &mut usize) -> io::Result<(TcpStream, SocketAddr)> {
    *turn = turn.wrapping_add(1);
    poll_fn(|cx| {
        for index in 0..listeners.len() {
            let listener = &listeners[(index + *turn) % listeners.len()];
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}
