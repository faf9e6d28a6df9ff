//! HTTP/1.1 from the client's side, byte by byte: what a well-behaved library would never send can be sent.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::{PATIENCE, TlsClient};

/// One connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// Bytes that came and belong to no reply yet.
    unread: Vec<u8>,
    patience: Duration,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.write_all(bytes),
            Self::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
        }
    }
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header fields in the order they came, names as they came.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first value of a header field; case does not count in its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text, bytes that are none replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReply {
    /// The server closed the connection; what came before is here.
    Closed(Vec<u8>),
    /// Nothing more came in time; what came before is here.
    Silence(Vec<u8>),
    /// What came is not HTTP.
    Malformed(String),
}

impl fmt::Display for NoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(got) => write!(f, "connection closed after {:?}", got.escape_ascii().to_string()),
            Self::Silence(got) => write!(f, "silence after {:?}", got.escape_ascii().to_string()),
            Self::Malformed(what) => write!(f, "not HTTP: {what}"),
        }
    }
}

impl std::error::Error for NoReply {}

/// One request on a connection of its own. `Host`, `Connection: close` and, with a body, `Content-Length` are added.
///
/// # Panics
/// When no reply comes.
pub fn request(
    server: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let host = server.to_string();
    let length = body.len().to_string();
    let mut fields = vec![("Host", host.as_str()), ("Connection", "close")];
    if !body.is_empty() {
        fields.push(("Content-Length", &length));
    }
    fields.extend_from_slice(headers);
    let lines: String = fields.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    let head = format!("{method} {target} HTTP/1.1\r\n{lines}\r\n");
    let mut connection = Connection::open(server);
    connection.send(&[head.as_bytes(), body].concat());
    match connection.reply_to(method) {
        Ok(reply) => reply,
        Err(why) => panic!("{method} {target}: {why}"),
    }
}

/// What `Authorization` is for `text`, which is `USER:PASSWORD` from a client that knows what it does.
pub fn basic(text: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::from("Basic ");
    for group in text.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            encoded.push(if digit > group.len() { '=' } else { char::from(DIGITS[value as usize]) });
        }
    }
    encoded
}

impl Connection {
    /// Connects, and will wait [`PATIENCE`] for each reply.
    ///
    /// # Panics
    /// When nobody accepts.
    pub fn open(server: SocketAddr) -> Self {
        Self::connect(server).unwrap_or_else(|error| panic!("cannot connect to {server}: {error}"))
    }

    /// The same for a server that may be gone.
    ///
    /// # Errors
    /// When nobody accepts.
    pub fn connect(server: SocketAddr) -> io::Result<Self> {
        Ok(Self::over(TcpStream::connect_timeout(&server, PATIENCE)?))
    }

    /// The same from the address `client`, which must be one of this machine.
    ///
    /// # Errors
    /// When nobody accepts, or the address is somebody else's.
    pub fn connect_from(server: SocketAddr, client: IpAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(client, 0).into())?;
        socket.connect_timeout(&server.into(), PATIENCE)?;
        Ok(Self::over(socket.into()))
    }

    fn over(stream: TcpStream) -> Self {
        // Bytes sent one by one shall go out one by one. A failure costs that and nothing else.
        let _ = stream.set_nodelay(true);
        Self { stream: Stream::Plain(stream), unread: Vec::new(), patience: PATIENCE }
    }

    /// Connects and speaks TLS with a server called `localhost`. Fails when that server is not to `client`'s taste or
    /// does not like `client`; TLS 1.3 tells the latter with the first answer only.
    ///
    /// # Errors
    /// What the handshake said.
    ///
    /// # Panics
    /// When nobody accepts.
    pub fn open_tls(server: SocketAddr, client: &TlsClient) -> io::Result<Self> {
        let plain = Self::open(server);
        let Stream::Plain(mut tcp) = plain.stream else { return Err(ErrorKind::Unsupported.into()) };
        tcp.set_read_timeout(Some(plain.patience))?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(client), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(Self { stream: Stream::Tls(Box::new(StreamOwned::new(tls, tcp))), ..plain })
    }

    /// The certificate that the server showed, DER; `None` without TLS.
    pub fn server_certificate(&self) -> Option<Vec<u8>> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(tls) => tls.conn.peer_certificates()?.first().map(|certificate| certificate.to_vec()),
        }
    }

    /// Waits at most this long for each reply.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends bytes; says whether the server still took them.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends no more, still reads.
    pub fn finish_sending(&mut self) {
        let _ = self.stream.tcp().shutdown(Shutdown::Write);
    }

    /// Sends a request and reads the reply.
    ///
    /// # Panics
    /// When none comes.
    pub fn exchange(&mut self, request: &[u8]) -> Reply {
        self.send(request);
        match self.reply() {
            Ok(reply) => reply,
            Err(why) => panic!("{why}"),
        }
    }

    /// Reads the next reply. A provisional one (100 Continue) is a reply, too.
    pub fn reply(&mut self) -> Result<Reply, NoReply> {
        self.reply_to("")
    }

    /// Reads the next reply as one to `method`: a reply to `HEAD` has no body whatever its header says.
    pub fn reply_to(&mut self, method: &str) -> Result<Reply, NoReply> {
        let deadline = Instant::now() + self.patience;
        let head_len = loop {
            if let Some(at) = find(&self.unread, b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more(deadline)?;
        };
        let head: Vec<u8> = self.unread.drain(..head_len).collect();
        let mut reply = parse_head(&head)?;
        let without_body = method == "HEAD" || matches!(reply.status, 100..=199 | 204 | 304);
        if !without_body {
            reply.body = self.body(&reply, deadline)?;
        }
        Ok(reply)
    }

    /// Whether the server closes the connection within `patience`; what it still sends is kept for a reply.
    pub fn is_closed_within(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            match self.read_more(deadline) {
                Ok(()) => {}
                Err(why) => return matches!(why, NoReply::Closed(_)),
            }
        }
    }

    fn body(&mut self, reply: &Reply, deadline: Instant) -> Result<Vec<u8>, NoReply> {
        if reply.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.chunks(deadline);
        }
        if let Some(len) = reply.header("content-length") {
            let len = len.parse().map_err(|_| NoReply::Malformed(format!("Content-Length: {len}")))?;
            return self.take(len, deadline);
        }
        loop {
            match self.read_more(deadline) {
                Ok(()) => {}
                Err(NoReply::Closed(body)) => return Ok(body),
                Err(why) => return Err(why),
            }
        }
    }

    fn chunks(&mut self, deadline: Instant) -> Result<Vec<u8>, NoReply> {
        let mut body = Vec::new();
        loop {
            let line = self.line(deadline)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let len = usize::from_str_radix(digits, 16)
                .map_err(|_| NoReply::Malformed(format!("chunk length {line:?}")))?;
            if len == 0 {
                // Trailer fields, then an empty line.
                while !self.line(deadline)?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.take(len, deadline)?);
            self.line(deadline)?;
        }
    }

    fn line(&mut self, deadline: Instant) -> Result<String, NoReply> {
        loop {
            if let Some(at) = find(&self.unread, b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..at + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            self.read_more(deadline)?;
        }
    }

    fn take(&mut self, len: usize, deadline: Instant) -> Result<Vec<u8>, NoReply> {
        while self.unread.len() < len {
            self.read_more(deadline)?;
        }
        Ok(self.unread.drain(..len).collect())
    }

    /// Waits for at least one more byte. On failure the unread bytes move into the error.
    fn read_more(&mut self, deadline: Instant) -> Result<(), NoReply> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.tcp().set_read_timeout(Some(left)).is_err() {
                return Err(NoReply::Silence(std::mem::take(&mut self.unread)));
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(NoReply::Closed(std::mem::take(&mut self.unread))),
                Ok(got) => {
                    self.unread.extend_from_slice(&buffer[..got]);
                    return Ok(());
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    // A reset ends the connection as well as an orderly close does.
                    _ => return Err(NoReply::Closed(std::mem::take(&mut self.unread))),
                },
            }
        }
    }
}

fn parse_head(head: &[u8]) -> Result<Reply, NoReply> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n").take_while(|line| !line.is_empty());
    let status_line = lines.next().unwrap_or_default();
    let malformed = || NoReply::Malformed(format!("status line {status_line:?}"));
    let status = match status_line.split(' ').collect::<Vec<_>>()[..] {
        [version, status, ..] if version.starts_with("HTTP/1.") => status.parse().map_err(|_| malformed())?,
        _ => return Err(malformed()),
    };
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    let headers = lines
        .map(|line| field(line).ok_or_else(|| NoReply::Malformed(format!("header {line:?}"))))
        .collect::<Result<_, _>>()?;
    Ok(Reply { status, headers, body: Vec::new() })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that answers any first bytes with `answer`, then closes or waits for the client to do so.
    fn server(answer: &'static [u8], close: bool) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 1024];
            assert!(stream.read(&mut buffer).unwrap() > 0);
            stream.write_all(answer).unwrap();
            while !close && stream.read(&mut buffer).is_ok_and(|got| got > 0) {}
        });
        address
    }

    #[test]
    fn reads_pipelined_replies_of_every_framing() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Result: a b\r\n\r\nhi\
            HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n\
            HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n\
            HTTP/1.0 500 no\r\n\r\nuntil the end";
        let mut connection = Connection::open(server(answer, true));
        let first = connection.exchange(b"x");
        assert_eq!((first.status, first.header("x-result"), first.text().as_str()), (200, Some("a b"), "hi"));
        assert_eq!(connection.reply().unwrap().body, b"abc0123456789");
        assert_eq!(connection.reply().unwrap().status, 304);
        assert_eq!(connection.reply().unwrap().body, b"until the end");
        assert_eq!(connection.reply(), Err(NoReply::Closed(Vec::new())));
    }

    #[test]
    fn a_reply_to_head_has_no_body() {
        let address = server(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", false);
        let reply = request(address, "HEAD", "/", &[], b"");
        assert_eq!((reply.header("Content-Length"), reply.body.len()), (Some("1000"), 0));
    }

    #[test]
    fn tells_silence_from_a_closed_connection() {
        let mut connection =
            Connection::open(server(b"HTTP/1.1 200", false)).patience(Duration::from_millis(50));
        connection.send(b"x");
        assert_eq!(connection.reply(), Err(NoReply::Silence(b"HTTP/1.1 200".to_vec())));
        assert!(!connection.is_closed_within(Duration::from_millis(10)));
        connection.finish_sending();
        assert!(connection.is_closed_within(PATIENCE));
    }

    #[test]
    fn credentials_are_base64() {
        for (text, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("u:right", "dTpyaWdodA==")]
        {
            assert_eq!(basic(text.as_bytes()), format!("Basic {encoded}"));
        }
    }

    #[test]
    fn refuses_what_is_not_http() {
        let mut connection = Connection::open(server(b"220 smtp\r\n\r\n", false));
        connection.send(b"x");
        assert!(matches!(connection.reply(), Err(NoReply::Malformed(_))));
    }
}
