//! From a TCP connection to a TLS one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::Tls;
use super::certificate::fingerprint;
use crate::stream::Stream;

/// What every TLS connection begins with: the record type of a handshake (RFC 8446 §5.1).
const HANDSHAKE_RECORD: u8 = 22;
/// What a client is told that speaks plain HTTP.
const NOT_TLS: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 28\r\n\
                       Connection: close\r\n\r\nThis port speaks HTTPS only.";

/// A connection after its handshake.
pub(crate) struct Secured {
    pub(crate) stream: TlsStream<Stream>,
    /// What stands for the client's certificate, if it was asked for one: `sha256:` and 64 hexadecimal digits.
    pub(crate) certificate: Option<Arc<str>>,
}

/// Why there is no TLS connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client said nothing, or not enough in time.
    Late,
    /// It closed the connection before it said anything.
    Gone,
    /// It speaks something else; where that can be HTTP it was told so.
    NotTls,
    /// It has no certificate that would be accepted.
    Refused(rustls::Error),
    /// The handshake failed.
    Broken(io::Error),
}

impl Failure {
    /// A word for counting.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Failure::Late => "late",
            Failure::Gone => "gone",
            Failure::NotTls => "not_tls",
            Failure::Refused(_) => "refused",
            Failure::Broken(_) => "failed",
        }
    }

    /// Why the client is not let in, if that is what happened.
    pub(crate) fn refusal(&self) -> Option<String> {
        match self {
            Failure::Refused(rustls::Error::NoCertificatesPresented) => {
                Some("no client certificate".to_owned())
            }
            Failure::Refused(error) => Some(format!("client certificate: {error}")),
            _ => None,
        }
    }

    /// What the end of a handshake means.
    fn of(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            // There is no other certificate that a server looks at.
            Some(
                refused @ (rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_)),
            ) => Failure::Refused(refused.clone()),
            _ => Failure::Broken(error),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Late => f.write_str("TLS handshake not complete in time"),
            Failure::Gone => f.write_str("closed before the TLS handshake"),
            Failure::NotTls => f.write_str("not TLS"),
            Failure::Refused(error) => write!(f, "TLS handshake failed: {error}"),
            Failure::Broken(error) => write!(f, "TLS handshake failed: {error}"),
        }
    }
}

/// Makes a TLS connection of `stream`, at most `within`.
pub(crate) async fn accept(tls: &Tls, stream: Stream, within: Duration) -> Result<Secured, Failure> {
    timeout(within, shake_hands(tls, stream)).await.unwrap_or(Err(Failure::Late))
}

async fn shake_hands(tls: &Tls, mut stream: Stream) -> Result<Secured, Failure> {
    match stream.first_byte().await {
        Err(error) => return Err(Failure::Broken(error)),
        Ok(None) => return Err(Failure::Gone),
        Ok(Some(HANDSHAKE_RECORD)) => {}
        Ok(Some(other)) => {
            // Methods are capital letters. To a client of whatever else there is nothing to say.
            if other.is_ascii_uppercase() {
                // That the client is gone meanwhile is no other failure.
                let _ = stream.write_all(NOT_TLS.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
            return Err(Failure::NotTls);
        }
    }
    let stream = tls.acceptor.accept(stream).await.map_err(Failure::of)?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.map(|certificate| fingerprint(certificate).into());
    Ok(Secured { stream, certificate })
}
