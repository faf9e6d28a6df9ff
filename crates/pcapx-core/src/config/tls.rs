//! Where a service's TLS material lies.

use std::path::PathBuf;

/// The PEM files that make a service speak TLS. They are read when the service starts and whenever they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, the service's own first, then those that lead to an authority.
    pub cert: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
    /// The authorities one of which must have signed a client's certificate; `None` asks for none.
    pub client_ca: Option<PathBuf>,
}
