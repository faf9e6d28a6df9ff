//! Certificates of a test's own, and clients that trust them.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Signs certificates for servers and clients.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, both PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub cert: String,
    /// The private key.
    pub key: String,
}

/// What a TLS client goes by.
pub type TlsClient = Arc<ClientConfig>;

impl Authority {
    /// An authority that nobody has heard of.
    ///
    /// # Panics
    /// When the system has no random numbers.
    pub fn new(name: &str) -> Self {
        let mut params = params(&[], name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority { issuer: must(CertifiedIssuer::self_signed(params, must(KeyPair::generate()))) }
    }

    /// Its own certificate, PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for loopback and `localhost`, called `name`.
    ///
    /// # Panics
    /// When the system has no random numbers.
    pub fn issue(&self, name: &str) -> Certificate {
        let key = must(KeyPair::generate());
        let params = params(&["localhost", "127.0.0.1", "::1"], name);
        let cert = must(params.signed_by(&key, &self.issuer));
        Certificate { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// A client that trusts this authority, with a certificate of its own or without.
    ///
    /// # Panics
    /// When the certificate is of no use.
    pub fn client(&self, own: Option<&Certificate>) -> TlsClient {
        let mut roots = RootCertStore::empty();
        must(roots.add(must(CertificateDer::from_pem_slice(self.pem().as_bytes()))));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            must(ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions());
        let builder = builder.with_root_certificates(roots);
        Arc::new(match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let cert = must(CertificateDer::from_pem_slice(own.cert.as_bytes()));
                let key = must(PrivateKeyDer::from_pem_slice(own.key.as_bytes()));
                must(builder.with_client_auth_cert(vec![cert], key))
            }
        })
    }
}

impl Certificate {
    /// Writes both into `folder` as `NAME.crt` and `NAME.key`, each in one step.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn write(&self, folder: &Path, name: &str) {
        for (ending, text) in [("crt", &self.cert), ("key", &self.key)] {
            let path = folder.join(format!("{name}.{ending}"));
            let new = path.with_extension("new");
            must(std::fs::write(&new, text));
            must(std::fs::rename(&new, &path));
        }
    }
}

fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = must(CertificateParams::new(names));
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn must<T, E: std::fmt::Display>(made: Result<T, E>) -> T {
    match made {
        Ok(made) => made,
        Err(error) => panic!("no certificate: {error}"),
    }
}
