//! TLS 1.2 and 1.3 in front of a service, when it has a certificate.
//!
//! ```text
//! PEM files ─► material ─► ServerConfig ─┐ replaced as a whole when a file changes, or on a reload
//!                                        ▼
//! TCP ─► first byte ─ TLS ─► handshake (time limit, inside the connection cap) ─► hyper
//!           └─ HTTP ─► 400, this port speaks HTTPS
//! ```
//!
//! A connection keeps the certificate that it began with, so that a new one ends nothing. Files that do not fit
//! together – a renewal writes them one after the other – change nothing either: what was read last goes on, and the next
//! change is tried again.

mod certificate;
mod handshake;
mod material;
mod watch;

use std::path::Path;
use std::sync::Arc;

use pcapx_core::config;
use tokio_rustls::TlsAcceptor;

pub(crate) use self::certificate::Told;
pub(crate) use self::handshake::{Failure, Secured, accept};
pub use self::material::TlsError;
use self::material::{Contents, Stamp, stamps};
pub(crate) use self::watch::follow;

/// TLS as it is offered to the connections that begin now.
pub(crate) struct Tls {
    files: config::Tls,
    /// The state of the files that was read, or tried to be.
    seen: Vec<Option<Stamp>>,
    acceptor: TlsAcceptor,
    certificates: usize,
    own: Told,
    contents: Contents,
}

impl Tls {
    /// Reads the files. Blocks, for as long as small files take.
    pub(crate) fn load(files: &config::Tls) -> Result<Self, TlsError> {
        // Before the files themselves: what changes in between is read once more.
        let seen = stamps(files);
        let material::Material { config, sent, own, contents } = material::load(files)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Tls { files: files.clone(), seen, acceptor, certificates: sent, own, contents })
    }

    /// The certificate that is shown.
    pub(crate) fn own(&self) -> &Told {
        &self.own
    }

    /// The files in which something else stands than in those of `former`.
    pub(crate) fn changed<'t>(&'t self, former: Option<&Tls>) -> impl Iterator<Item = &'t Path> {
        let known = former.map_or(Vec::new(), |former| former.contents.clone());
        let newer = self.contents.iter().filter(move |file| !known.contains(file));
        newer.map(|(path, _)| path.as_path())
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// For the log and `--check`: what is offered.
impl std::fmt::Display for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.files.cert.to_string_lossy();
        let path = crate::LogValue::new(path.as_ref());
        write!(f, "TLS with {path}, certificates: {}, {}", self.certificates, self.own)?;
        if self.files.client_ca.is_some() {
            f.write_str(", clients need one")?;
        }
        Ok(())
    }
}
