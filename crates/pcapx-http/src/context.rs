//! What a handler knows about the request beside the request itself.

use std::fmt::{Display, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::LogValue;
use crate::audit::Act;
use crate::stream::Wire;

/// Distinguishes this run of the process in request ids, so that ids stay unique in a log over restarts.
static RUN: LazyLock<u32> = LazyLock::new(|| {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    // Multiplication by 2^64 / golden ratio spreads the low bits; 24 of them are shown.
    let mixed = (nanos ^ (u64::from(std::process::id()) << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as u32
});
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Identity of one request: its id, its peer and client, and the notes for its access line. Clones share them.
#[derive(Debug, Clone)]
pub struct Context {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: String,
    peer: IpAddr,
    client: IpAddr,
    certificate: Option<Arc<str>>,
    wire: Option<Wire>,
    notes: Mutex<String>,
    act: Mutex<Option<Act>>,
}

impl Context {
    /// A context with a fresh id for a request of `client` that came from `peer`, which showed `certificate`.
    pub fn new(peer: SocketAddr, client: IpAddr, certificate: Option<Arc<str>>) -> Self {
        Context::over(None, peer, client, certificate)
    }

    /// The same, of a request that came over `wire`.
    pub(crate) fn over(
        wire: Option<Wire>,
        peer: SocketAddr,
        client: IpAddr,
        certificate: Option<Arc<str>>,
    ) -> Self {
        let id = format!("{:06x}-{:x}", *RUN, NEXT.fetch_add(1, Ordering::Relaxed));
        let (peer, client) = (peer.ip().to_canonical(), client.to_canonical());
        Context {
            shared: Arc::new(Shared {
                id,
                peer,
                client,
                certificate,
                wire,
                notes: Mutex::default(),
                act: Mutex::default(),
            }),
        }
    }

    /// Short id, unique over restarts of the service: six hexadecimal digits for the run, then a running number.
    pub fn request_id(&self) -> &str {
        &self.shared.id
    }

    /// Address of the TCP peer. An IPv4-mapped IPv6 address is given as IPv4.
    pub fn peer(&self) -> IpAddr {
        self.shared.peer
    }

    /// Address of the client: the peer's, or what a trusted proxy says in whose place it asks. In the same form.
    pub fn client(&self) -> IpAddr {
        self.shared.client
    }

    /// The certificate that the peer proved to have, as `sha256:` and the digits of its fingerprint.
    pub fn certificate(&self) -> Option<&str> {
        self.shared.certificate.as_deref()
    }

    /// Waits until the client has closed the connection, or its sending side; for ever where there is none.
    pub(crate) async fn closed(&self) {
        match &self.shared.wire {
            Some(wire) => wire.closed().await,
            None => std::future::pending().await,
        }
    }

    /// Adds ` key=value` to the request's access line. The value is escaped and bounded as [`LogValue`] does.
    pub fn note(&self, key: &'static str, value: impl Display) {
        let value = value.to_string();
        let mut notes = self.shared.notes.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing into a String cannot fail.
        let _ = write!(notes, " {key}={}", LogValue::new(&value));
    }

    /// What goes into the audit log when the answer has ended, together with who asked, how it ended and what was sent.
    pub fn audit(&self, act: Act) {
        *self.shared.act.lock().unwrap_or_else(PoisonError::into_inner) = Some(act);
    }

    /// The act that was set, if one was.
    pub(crate) fn take_act(&self) -> Option<Act> {
        self.shared.act.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The notes so far, each with a blank in front.
    pub(crate) fn notes(&self) -> String {
        self.shared.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_peers_are_ipv4_and_ids_differ() {
        let first =
            Context::new("[::ffff:10.0.0.9]:1".parse().unwrap(), "::ffff:192.0.2.1".parse().unwrap(), None);
        let second = Context::new("[::1]:1".parse().unwrap(), "::1".parse().unwrap(), None);
        assert_eq!(first.peer().to_string(), "10.0.0.9");
        assert_eq!(first.client().to_string(), "192.0.2.1");
        assert_eq!(second.peer().to_string(), "::1");
        assert_ne!(first.request_id(), second.request_id());
    }

    #[test]
    fn notes_are_escaped_and_shared_by_clones() {
        let context = Context::new("127.0.0.1:1".parse().unwrap(), "127.0.0.1".parse().unwrap(), None);
        context.clone().note("user", "a\nb");
        context.note("range", "0-1");
        assert_eq!(context.notes(), " user=\"a\\x0ab\" range=0-1");
    }
}
