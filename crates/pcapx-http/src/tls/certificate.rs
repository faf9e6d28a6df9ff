//! What a certificate says of itself.

use std::fmt::{self, Write as _};

use ring::digest;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// A certificate, as people tell it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    fingerprint: String,
    /// Its serial number and until when it is good; `None` where it cannot be read.
    inside: Option<(String, String)>,
}

impl Told {
    /// Of the certificate in DER.
    pub(super) fn of(certificate: &[u8]) -> Self {
        // Whatever TLS has taken is shown, also where it does not keep to RFC 5280 and cannot be read.
        let inside = Certificate::from_der(certificate).ok().map(|read| {
            let tbs = read.tbs_certificate();
            (hex(tbs.serial_number().as_bytes()), tbs.validity().not_after.to_string())
        });
        Told { fingerprint: fingerprint(certificate), inside }
    }
}

/// `good until 2027-03-01T10:00:00Z, serial 0a1b, sha256:…`
impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((serial, end)) = &self.inside {
            write!(f, "good until {end}, serial {serial}, ")?;
        }
        f.write_str(&self.fingerprint)
    }
}

/// What stands for a certificate in DER: `sha256:` and 64 hexadecimal digits.
pub(super) fn fingerprint(certificate: &[u8]) -> String {
    format!("sha256:{}", hex(digest::digest(&digest::SHA256, certificate).as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_has_a_fingerprint_still() {
        let told = Told::of(b"").to_string();
        assert_eq!(told, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
