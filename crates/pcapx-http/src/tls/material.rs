//! From PEM files to what rustls needs.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pcapx_core::config;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};

use super::certificate::{Told, fingerprint};

/// HTTP/1.1 is what is spoken here; clients that offer more than that pick it.
const PROTOCOL: &[u8] = b"http/1.1";

/// Why there is no TLS. `Display` is one line that names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not PEM, or has nothing of what it should have.
    #[error("{}: has no {expected} in PEM form", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What it should have.
        expected: &'static str,
    },
    /// A certificate or key is of no use.
    #[error("{}: {source}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// Certificate and key are not a pair, or of a kind that is not known.
    #[error("{} and {} are no pair that could be used: {source}", .cert.display(), .key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The system does not give what every TLS server needs.
    #[error("TLS cannot be used here: {0}")]
    System(rustls::Error),
    /// Clients would be asked for certificates of nobody.
    #[error("{}: {reason}", .path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        reason: String,
    },
}

/// One state of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds of the last change.
    changed: (i64, i64),
}

/// The present state of each file, links followed; `None` where there is none.
pub(super) fn stamps(files: &config::Tls) -> Vec<Option<Stamp>> {
    let paths = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()];
    let stamp = |path: &PathBuf| {
        let file = fs::metadata(path).ok()?;
        Some(Stamp { inode: file.ino(), length: file.len(), changed: (file.mtime(), file.mtime_nsec()) })
    };
    paths.into_iter().flatten().map(stamp).collect()
}

/// What these files make.
pub(super) struct Material {
    pub(super) config: ServerConfig,
    /// How many certificates are sent.
    pub(super) sent: usize,
    /// The first of them, the service's own.
    pub(super) own: Told,
    /// What was in each file.
    pub(super) contents: Contents,
}

/// Files and what stands for their content.
pub(super) type Contents = Vec<(PathBuf, String)>;

/// Reads the files.
pub(super) fn load(files: &config::Tls) -> Result<Material, TlsError> {
    let mut contents = Contents::new();
    let mut read = |path: &Path| {
        let read = fs::read(path);
        let bytes = read.map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })?;
        contents.push((path.to_owned(), fingerprint(&bytes)));
        Ok(bytes)
    };
    let chain = certificates(&files.cert, &read(&files.cert)?)?;
    let (sent, own) = (chain.len(), Told::of(chain.first().map_or(&[], |own| own)));
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|_| TlsError::Missing { path: files.key.clone(), expected: "private key" })?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::System)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let authorities = Arc::new(authorities(path, &read(path)?)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider).build();
            let verifier = verifier
                .map_err(|error| TlsError::Authorities { path: path.clone(), reason: error.to_string() })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|source| TlsError::Pair {
        cert: files.cert.clone(),
        key: files.key.clone(),
        source,
    })?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // Sessions are resumed without state on our side, under keys of this process.
    config.ticketer = ring::Ticketer::new().map_err(TlsError::System)?;
    Ok(Material { config, sent, own, contents })
}

fn authorities(path: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        store.add(certificate).map_err(|source| TlsError::Unusable { path: path.to_owned(), source })?;
    }
    Ok(store)
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let missing = || TlsError::Missing { path: path.to_owned(), expected: "certificate" };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(missing()),
    }
}
