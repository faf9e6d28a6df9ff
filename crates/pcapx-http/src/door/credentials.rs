//! Reading Basic and Bearer credentials (RFC 7617, RFC 6750).

use http_auth_basic::Credentials;
use hyper::header::{AUTHORIZATION, HeaderMap};

/// What a client presents.
#[derive(Clone)]
pub(super) enum Presented {
    Basic { user: String, password: String },
    Bearer { token: String },
}

/// Why credentials cannot be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// More than one `Authorization` header.
    Repeated,
    /// A scheme that is not asked for.
    Scheme,
    /// Not base64, not UTF-8, no colon.
    Syntax,
}

impl Broken {
    pub(super) fn told(self) -> &'static str {
        match self {
            Broken::Repeated => "several Authorization headers",
            Broken::Scheme => "wrong scheme",
            Broken::Syntax => "broken credentials",
        }
    }
}

impl Presented {
    /// The credentials in `headers`, if there are any.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Broken> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Broken::Repeated);
        }
        let value = value.to_str().map_err(|_| Broken::Syntax)?;
        let (scheme, text) = value.trim().split_once([' ', '\t']).ok_or(Broken::Syntax)?;
        let text = text.trim().to_owned();
        if scheme.eq_ignore_ascii_case("basic") {
            let Credentials { user_id: user, password } =
                Credentials::decode(text).map_err(|_| Broken::Syntax)?;
            Ok(Some(Presented::Basic { user, password }))
        } else if scheme.eq_ignore_ascii_case("bearer") {
            Ok(Some(Presented::Bearer { token: text }))
        } else {
            Err(Broken::Scheme)
        }
    }

    /// The part that nobody else shall know.
    pub(super) fn secret(&self) -> &str {
        match self {
            Presented::Basic { password, .. } => password,
            Presented::Bearer { token } => token,
        }
    }

    /// The part that everybody may know; no user name is the same as a token's.
    pub(super) fn public(&self) -> (&'static str, &str) {
        match self {
            Presented::Basic { user, .. } => ("basic", user),
            Presented::Bearer { .. } => ("bearer", ""),
        }
    }
}
