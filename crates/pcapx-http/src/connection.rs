//! One connection: hyper's loop, the handler behind it, and the two reasons to end early.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::access::Entry;
use crate::audit::Act;
use crate::metrics::Reason;
use crate::panics::caught;
use crate::slots::{Place, Slot};
use crate::stream::{Stream, Wire};
use crate::tls::{self, Failure, Secured};
use crate::{Context, Front, Limits, LogValue, Reply, Request, RequestBody, Stop, reply};

/// The longest request head; beyond it hyper answers 431.
const HEAD_BYTES: usize = 32 << 10;
/// Read and write buffer of a connection; when a handler's body has yielded so much, it is written before more is asked for.
/// A client that does not read holds as much.
const BUFFER_BYTES: usize = 32 << 10;

/// Answers requests.
///
/// A client that is gone does not end the future, except that it loses its place where guesses of a hash wait; only the end of
/// the drain time drops it. A panic in it answers 500
/// `Internal Server Error`.
pub trait Handler: Send + Sync + 'static {
    /// The answer to `request`.
    fn handle(&self, request: Request, context: Context) -> impl Future<Output = Reply> + Send;
}

impl<F, Answer> Handler for F
where
    F: Fn(Request, Context) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Reply> + Send,
{
    fn handle(&self, request: Request, context: Context) -> impl Future<Output = Reply> + Send {
        self(request, context)
    }
}

/// What all connections of a server share.
pub(crate) struct Shared<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) front: Arc<Front>,
    pub(crate) limits: Limits,
    pub(crate) stop: Stop,
}

/// Serves one connection to its end.
pub(crate) async fn serve<H: Handler>(
    tcp: TcpStream,
    peer: SocketAddr,
    place: Place,
    shared: Arc<Shared<H>>,
) {
    if let Err(error) = tcp.set_nodelay(true) {
        log::debug!("connection peer={} nodelay: {error}", peer.ip().to_canonical());
    }
    let slot = &place.0;
    let stream = Stream::new(tcp, Arc::clone(slot), shared.limits.write_stall);
    let wire = stream.wire();
    let Some(tls) = shared.front.tls() else {
        return converse(stream, Peer { address: peer, certificate: None, wire }, slot, &shared).await;
    };
    let secured = tokio::select! {
        secured = tls::accept(&tls, stream, shared.limits.head) => secured,
        // It counts as idle until it has shaken hands.
        () = slot.evicted.notified() => return,
        () = shared.stop.requested() => return,
    };
    let families = shared.front.metrics().families();
    families.handshake(secured.as_ref().map_or_else(Failure::name, |_| "complete"));
    match secured {
        Ok(Secured { stream, certificate }) => {
            converse(stream, Peer { address: peer, certificate, wire }, slot, &shared).await;
        }
        Err(failure) => {
            if let Some(reason) = failure.refusal() {
                families.denied(Reason::ClientCertificate);
                let act = Act::denied(reason).with("address", peer.ip().to_canonical().to_string());
                shared.front.audit().write(act);
            }
            // Clients that only look whether the port is open, and those that do not trust us: as usual as they are.
            let level = if matches!(failure, Failure::Gone) { log::Level::Debug } else { log::Level::Info };
            let ended = failure.to_string();
            log::log!(level, "connection peer={} ended={}", peer.ip().to_canonical(), LogValue::new(&ended));
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Clone)]
struct Peer {
    address: SocketAddr,
    certificate: Option<Arc<str>>,
    wire: Wire,
}

/// Answers requests on a connection until it ends.
async fn converse<H: Handler>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    slot: &Arc<Slot>,
    shared: &Arc<Shared<H>>,
) {
    let address = peer.address.ip().to_canonical();
    let io = TokioIo::new(stream);
    let service = service_fn(|request| answer(request, peer.clone(), Arc::clone(slot), Arc::clone(shared)));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(shared.limits.head)
            // A client may close its sending side and still wait for the answer.
            .half_close(true)
            .max_header_size(HEAD_BYTES)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(io, service)
    );
    let mut stopping = pin!(shared.stop.requested());
    let mut told = false;
    let ended = loop {
        tokio::select! {
            // In this order: a request that has arrived is read before its connection can count as idle.
            biased;
            ended = connection.as_mut() => break ended,
            () = slot.evicted.notified() => {
                log::debug!("connection peer={address} closed in favour of a new one");
                return;
            }
            () = stopping.as_mut(), if !told => {
                told = true;
                if slot.is_idle() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        // What is no request never gets an access line; it was answered 400, 414 or 431 by hyper.
        let level = if error.is_parse() { log::Level::Info } else { log::Level::Debug };
        log::log!(level, "connection peer={address} ended={}", LogValue::new(&error.to_string()));
    }
}

async fn answer<H: Handler>(
    request: hyper::Request<Incoming>,
    peer: Peer,
    slot: Arc<Slot>,
    shared: Arc<Shared<H>>,
) -> Result<Reply, Infallible> {
    let (head, incoming) = request.into_parts();
    let address = peer.address.ip();
    let client = shared.front.client(address, &head.headers);
    let whose = *client.as_ref().unwrap_or(&address);
    let context = Context::over(Some(peer.wire), peer.address, whose, peer.certificate);
    let families = shared.front.metrics().families();
    let counts = (Arc::clone(families), shared.front.audit());
    let mut entry = Entry::new(context.clone(), counts, head.method.clone(), head.uri.clone(), slot.busy());
    let (body, unread) = RequestBody::new(incoming, families.received_body_bytes.clone());
    let request = Request::from_parts(head, body);
    let mut reply = match client {
        Ok(_) => handled(&*shared.handler, request, &context).await,
        Err(untraceable) => {
            families.denied(Reason::ProxyHeaders);
            context.audit(Act::denied(untraceable.to_string()));
            context.note("denied", untraceable);
            reply::text(StatusCode::BAD_REQUEST, "Bad Request")
        }
    };
    // A stop may not have reached this connection's loop yet; its client shall know all the same.
    if unread.load(Ordering::Relaxed) || shared.stop.is_requested() {
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    entry.answered(reply.status());
    reply.body_mut().log_with(entry);
    Ok(reply)
}

async fn handled<H: Handler>(handler: &H, request: Request, context: &Context) -> Reply {
    // In an async block, so that a panic before the first await is caught as well.
    let answer = caught(async { handler.handle(request, context.clone()).await }).await;
    answer.unwrap_or_else(|_| {
        log::error!("request id={} panicked", context.request_id());
        reply::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    })
}
