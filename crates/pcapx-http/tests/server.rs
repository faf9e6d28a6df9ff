//! The server over real sockets: what a client may do to it, and how it stops.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Body, Frame};
use pcapx_core::config::Service;
use pcapx_http::{
    BodyError, Context, Drained, Front, Inherited, Limits, Reply, ReplyBody, Request, Server, Stop, reply,
};
use pcapx_testkit::process::{Connection, NoReply, PATIENCE, poll, request};
use tokio::sync::Notify;

const BODY_LIMIT_BYTES: usize = 1000;
/// What a client sends although its request was refused: more than the sockets' buffers hold.
const SENT_BYTES: usize = 8 << 20;
const BODY_TIME: Duration = Duration::from_millis(500);

/// A server in a thread of its own; stopped when dropped.
struct Running {
    address: SocketAddr,
    stop: Stop,
    gate: Arc<Notify>,
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Drained>>,
}

impl Running {
    fn start(limits: Limits, drain: Duration) -> Self {
        let stop = Stop::new();
        let (gate, waiting) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn({
            let (stop, gate, waiting) = (stop.clone(), Arc::clone(&gate), Arc::clone(&waiting));
            move || {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
                runtime.unwrap().block_on(async {
                    let server =
                        Server::bind(Inherited::default(), "127.0.0.1:0".parse().unwrap(), limits).unwrap();
                    tell.send(server.local_addr()).unwrap();
                    let stopped = stop.clone();
                    let handler = Arc::new(move |request: Request, context| {
                        if request.uri().path() == "/stop" {
                            stopped.request();
                        }
                        answer(request, context, Arc::clone(&gate), Arc::clone(&waiting))
                    });
                    server.run(Arc::new(Front::open(Service::Listener, "test")), handler, &stop, drain).await
                })
            }
        });
        Running { address: told.recv().unwrap(), stop, gate, waiting, thread: Some(thread) }
    }

    fn plain() -> Self {
        Self::start(Limits::default(), PATIENCE)
    }

    fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    fn get(&self, path: &str) -> pcapx_testkit::process::Reply {
        request(self.address, "GET", path, &[], b"")
    }

    /// Waits until `count` requests wait at the gate.
    fn wait_for_waiting(&self, count: usize) {
        let seen = poll(PATIENCE, || (self.waiting.load(Ordering::SeqCst) == count).then_some(()));
        assert!(seen.is_some(), "no {count} requests at the gate");
    }

    fn join(&mut self) -> Drained {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.request();
        self.stop.request();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Counts a request at the gate as long as it lives.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A body without an end.
struct Flood(#[allow(dead_code, reason = "counts while the body lives")] Waiting);

impl Body for Flood {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 4096])))))
    }
}

async fn answer(request: Request, context: Context, gate: Arc<Notify>, waiting: Arc<AtomicUsize>) -> Reply {
    match request.uri().path() {
        "/peer" => reply::text(StatusCode::OK, context.peer().to_string()),
        "/id" => reply::text(StatusCode::OK, context.request_id().to_owned()),
        "/panic" => panic!("on \"purpose\"\n"),
        "/stop" => reply::text(StatusCode::OK, "stopping"),
        "/refuse" => reply::text(StatusCode::PAYLOAD_TOO_LARGE, "Payload too large"),
        "/wait" => {
            waiting.fetch_add(1, Ordering::SeqCst);
            let _waiting = Waiting(waiting);
            gate.notified().await;
            reply::text(StatusCode::OK, "waited")
        }
        "/flood" => {
            waiting.fetch_add(1, Ordering::SeqCst);
            let mut reply = reply::empty(StatusCode::OK);
            *reply.body_mut() = ReplyBody::stream(Flood(Waiting(waiting)));
            reply
        }
        _ => {
            let declared = request.body().declared_length();
            match request.into_body().read(BODY_LIMIT_BYTES, BODY_TIME).await {
                Ok(body) => reply::text(StatusCode::OK, format!("{declared:?} {}", body.len())),
                Err(error @ BodyError::TooLarge { .. }) => {
                    reply::text(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
                }
                Err(error) => reply::text(StatusCode::BAD_REQUEST, error.to_string()),
            }
        }
    }
}

#[test]
fn bodies_are_read_with_their_limit() {
    let server = Running::plain();
    for (sent, status, text) in [
        ("Content-Length: 5\r\n\r\nhello", 200, "Some(5) 5"),
        ("Content-Length: 0\r\n\r\n", 200, "Some(0) 0"),
        ("\r\n", 200, "Some(0) 0"),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 200, "None 5"),
        ("Content-Length: 1001\r\n\r\n", 413, "the body is larger than 1000 bytes"),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", 400, "the body's chunked coding is broken"),
        ("Content-Length: 9\r\n\r\nhalf", 400, "the body was not complete in time; 4 bytes had arrived"),
        ("Content-Length: x\r\n\r\n", 400, ""),
        ("Content-Length: -1\r\n\r\n", 400, ""),
        ("Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, ""),
    ] {
        let reply = server.connect().exchange(format!("POST / HTTP/1.1\r\nHost: x\r\n{sent}").as_bytes());
        assert_eq!((reply.status, reply.text().as_str()), (status, text), "{sent:?}");
    }
    let full = format!("Content-Length: 1000\r\n\r\n{}", "x".repeat(1000));
    let reply = server.connect().exchange(format!("POST / HTTP/1.1\r\nHost: x\r\n{full}").as_bytes());
    assert_eq!(reply.text(), "Some(1000) 1000");
    let chunks = "64\r\n".to_owned() + &"x".repeat(100) + "\r\n";
    let sent = format!("Transfer-Encoding: chunked\r\n\r\n{}1\r\ny\r\n0\r\n\r\n", chunks.repeat(10));
    let reply = server.connect().exchange(format!("POST / HTTP/1.1\r\nHost: x\r\n{sent}").as_bytes());
    assert_eq!((reply.status, reply.text().as_str()), (413, "the body is larger than 1000 bytes"));
}

#[test]
fn a_client_that_closes_its_sending_side_still_gets_its_answer() {
    let server = Running::plain();
    let mut whole = server.connect();
    whole.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    whole.finish_sending();
    server.wait_for_waiting(1);
    server.gate.notify_one();
    assert_eq!(whole.reply().unwrap().text(), "waited");

    let mut half = server.connect();
    half.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
    half.finish_sending();
    assert_eq!(half.reply().unwrap().text(), "the client went away after 4 bytes of the body");
}

#[test]
fn a_client_that_is_gone_does_not_end_its_request() {
    let server = Running::plain();
    let stream = TcpStream::connect(server.address).unwrap();
    (&stream).write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    server.wait_for_waiting(1);
    // Lingering for zero seconds makes the close a reset.
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    assert_eq!(server.get("/peer").status, 200);
    assert_eq!(server.waiting.load(Ordering::SeqCst), 1);
    server.gate.notify_one();
    server.wait_for_waiting(0);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Running::plain();
    let mut connection = server.connect();
    let one = "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n";
    let two = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab";
    connection.send(format!("{one}{two}{one}").as_bytes());
    let texts: Vec<String> = (0..3).map(|_| connection.reply().unwrap().text()).collect();
    assert_eq!(texts, ["127.0.0.1", "Some(2) 2", "127.0.0.1"]);
}

#[test]
fn request_ids_are_unique() {
    let server = Running::plain();
    assert_ne!(server.get("/id").text(), server.get("/id").text());
}

#[test]
fn a_panic_costs_one_request() {
    let server = Running::plain();
    let mut connection = server.connect();
    let reply = connection.exchange(b"GET /panic HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((reply.status, reply.text().as_str()), (500, "Internal Server Error"));
    let reply = connection.exchange(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(reply.text(), "127.0.0.1");
}

#[test]
fn an_answer_ahead_of_the_body_can_be_read_by_a_client_that_goes_on_sending() {
    let server = Running::plain();
    for head in [
        format!("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: {SENT_BYTES}\r\n\r\n"),
        format!("POST /refuse HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{SENT_BYTES:x}\r\n"),
        "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: broken\r\n\r\n".to_owned(),
    ] {
        let mut connection = server.connect();
        assert!(connection.send(head.as_bytes()));
        for _ in 0..SENT_BYTES >> 12 {
            assert!(connection.send(&[b'x'; 1 << 12]), "the server reset the connection: {head}");
        }
        let reply = connection.reply().unwrap();
        if head.contains("broken") {
            assert_eq!(reply.status, 400);
        } else {
            assert_eq!((reply.status, reply.text().as_str()), (413, "Payload too large"));
            assert_eq!(reply.header("connection"), Some("close"));
        }
        assert!(connection.is_closed_within(PATIENCE));
    }
}

#[test]
fn expect_continue_is_refused_without_the_body() {
    let server = Running::plain();
    let mut connection = server.connect();
    let head = "HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let reply = connection.exchange(format!("POST /refuse {head}").as_bytes());
    assert_eq!(reply.status, 413);
    let mut connection = server.connect();
    assert_eq!(connection.exchange(format!("POST / {head}").as_bytes()).status, 100);
    assert_eq!(connection.exchange(b"hello").text(), "Some(5) 5");
}

#[test]
fn silent_and_trickling_connections_end_in_bounded_time() {
    let limits = Limits { head: Duration::from_millis(600), ..Limits::default() };
    let server = Running::start(limits, PATIENCE);
    let mut silent = server.connect();
    let mut kept = server.connect();
    assert_eq!(kept.exchange(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    let started = Instant::now();
    let mut trickling = server.connect();
    let mut bytes = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'z'));
    let closed = poll(PATIENCE, || {
        trickling.send(&[*bytes.next().unwrap()]);
        trickling.is_closed_within(Duration::from_millis(20)).then(|| started.elapsed())
    });
    let closed = closed.expect("a trickling client keeps its connection");
    assert!(closed >= Duration::from_millis(500) && closed < Duration::from_secs(5), "{closed:?}");
    assert!(silent.is_closed_within(PATIENCE));
    assert!(kept.is_closed_within(PATIENCE));
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let limits = Limits { write_stall: Duration::from_millis(300), ..Limits::default() };
    let server = Running::start(limits, PATIENCE);
    let mut lazy = server.connect();
    lazy.send(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_for_waiting(1);
    server.wait_for_waiting(0);
}

#[test]
fn at_the_limit_the_longest_idle_connection_gives_way_and_busy_ones_stay() {
    let limits = Limits { connections: 3, ..Limits::default() };
    let server = Running::start(limits, PATIENCE);
    let mut busy = server.connect();
    busy.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_for_waiting(1);
    let ask = b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut oldest = server.connect();
    assert_eq!(oldest.exchange(ask).status, 200);
    let mut younger = server.connect();
    assert_eq!(younger.exchange(ask).status, 200);
    let mut newest = server.connect();
    assert_eq!(newest.exchange(ask).status, 200);
    assert!(oldest.is_closed_within(PATIENCE));
    assert_eq!(younger.exchange(ask).status, 200);
    server.gate.notify_one();
    assert_eq!(busy.reply().unwrap().text(), "waited");
}

#[test]
fn with_all_connections_busy_the_next_one_waits() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let server = Running::start(limits, PATIENCE);
    let mut busy = server.connect();
    busy.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_for_waiting(1);
    let mut next = server.connect().patience(Duration::from_millis(200));
    next.send(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(next.reply(), Err(NoReply::Silence(Vec::new())));
    server.gate.notify_one();
    assert_eq!(busy.reply().unwrap().text(), "waited");
    let mut next = next.patience(PATIENCE);
    assert_eq!(next.reply().unwrap().text(), "127.0.0.1");
}

#[test]
fn a_thousand_idle_connections_keep_nobody_from_being_served() {
    let server = Running::plain();
    let idle: Vec<TcpStream> = (0..1000).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let started = Instant::now();
    assert_eq!(server.get("/peer").status, 200);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(idle.len(), 1000);
}

#[test]
fn stopping_lets_running_requests_finish_and_closes_the_rest() {
    let mut server = Running::plain();
    let mut busy = server.connect();
    busy.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_for_waiting(1);
    let mut idle = server.connect();
    assert_eq!(idle.exchange(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    server.stop.request();
    assert!(idle.is_closed_within(PATIENCE));
    let refused = poll(PATIENCE, || TcpStream::connect(server.address).is_err().then_some(()));
    assert!(refused.is_some(), "the port is still open");
    server.gate.notify_one();
    let reply = busy.reply().unwrap();
    assert_eq!((reply.text().as_str(), reply.header("connection")), ("waited", Some("close")));
    assert_eq!(server.join().aborted, 0);
}

#[test]
fn an_answer_says_that_the_service_stops_however_late_it_was_told() {
    let mut server = Running::plain();
    let mut connection = server.connect();
    // The wish comes while the connection is busy with this request.
    let reply = connection.exchange(b"GET /stop HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((reply.text().as_str(), reply.header("connection")), ("stopping", Some("close")));
    assert_eq!(server.join().aborted, 0);
}

#[test]
fn stopping_cuts_what_does_not_finish_in_time() {
    let mut server = Running::start(Limits::default(), Duration::from_millis(200));
    let mut stuck = server.connect();
    stuck.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_for_waiting(1);
    server.stop.request();
    assert_eq!(server.join().aborted, 1);
    assert_eq!(server.waiting.load(Ordering::SeqCst), 0);
    assert!(stuck.is_closed_within(PATIENCE));
}

#[test]
fn a_second_wish_to_stop_ends_at_once() {
    let mut server = Running::plain();
    let mut stuck = server.connect();
    stuck.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_for_waiting(1);
    let started = Instant::now();
    server.stop.request();
    server.stop.request();
    assert_eq!(server.join().aborted, 1);
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn heads_beyond_the_limit_are_refused() {
    let server = Running::plain();
    for (bytes, status) in [(30 << 10, 200), (33 << 10, 431), (1 << 20, 431)] {
        let long = "x".repeat(bytes);
        let head = format!("GET /peer HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n");
        assert_eq!(server.connect().exchange(head.as_bytes()).status, status, "{bytes}");
    }
    let many = "A: b\r\n".repeat(101);
    assert_eq!(server.connect().exchange(format!("GET /peer HTTP/1.1\r\n{many}\r\n").as_bytes()).status, 431);
    assert_eq!(server.connect().exchange(b"nonsense\r\n\r\n").status, 400);
}

#[test]
fn an_address_has_its_share_of_connections_and_others_get_in() {
    let server = Running::start(Limits { connections_per_address: 2, ..Limits::default() }, PATIENCE);
    let ask = b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut open = [server.connect(), server.connect()];
    for connection in &mut open {
        assert_eq!(connection.exchange(ask).status, 200);
    }
    assert!(server.connect().is_closed_within(PATIENCE));
    let mut other = Connection::connect_from(server.address, "127.0.0.2".parse().unwrap()).unwrap();
    assert_eq!(other.exchange(ask).text(), "127.0.0.2");
    let [first, mut second] = open;
    drop(first);
    let again = pcapx_testkit::process::poll(PATIENCE, || {
        let mut next = server.connect();
        next.send(ask);
        next.reply().ok()
    });
    assert_eq!(again.unwrap().status, 200);
    assert_eq!(second.exchange(ask).status, 200);
}
