//! Basic and Bearer credentials (RFC 7617, RFC 6750).

use std::fmt::{self, Display};

use http_auth_basic::Credentials as Presented;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use pcapx_core::config::Auth;
use subtle::{Choice, ConstantTimeEq};

use crate::reply::{self, Reply};

/// Checks `Authorization` against what the configuration wants.
///
/// Name, password and token are compared in a time that depends on what the client sent, not on what is right.
#[derive(Debug, Clone)]
pub struct Authenticator {
    auth: Auth,
    basic_challenge: HeaderValue,
    bearer_challenge: Option<HeaderValue>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Nobody is asked for credentials.
    Anonymous,
    /// Basic credentials of this user name.
    User(String),
    /// The Bearer token.
    Token,
}

impl Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Anonymous => f.write_str("-"),
            Identity::User(name) => f.write_str(name),
            Identity::Token => f.write_str("(token)"),
        }
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// No `Authorization` header.
    Missing,
    /// More than one `Authorization` header.
    Repeated,
    /// A scheme that is not asked for.
    WrongScheme,
    /// Not base64, not UTF-8, no colon.
    Broken,
    /// Well-formed and wrong.
    Wrong,
}

/// A request without the right credentials. `Display` tells the log why; clients read the same 401 for each reason.
#[derive(Debug, Clone)]
pub struct Denied {
    refusal: Refusal,
    challenges: Vec<HeaderValue>,
}

impl Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.refusal {
            Refusal::Missing => "no credentials",
            Refusal::Repeated => "several Authorization headers",
            Refusal::WrongScheme => "wrong scheme",
            Refusal::Broken => "broken credentials",
            Refusal::Wrong => "wrong credentials",
        })
    }
}

impl Denied {
    /// 401 `Unauthorized` with the challenges that would be accepted.
    pub fn reply(&self) -> Reply {
        let mut reply = reply::text(StatusCode::UNAUTHORIZED, "Unauthorized");
        for challenge in &self.challenges {
            reply.headers_mut().append(WWW_AUTHENTICATE, challenge.clone());
        }
        reply
    }
}

impl Authenticator {
    /// Asks for the credentials of `auth`, in a realm of plain letters, digits and dashes.
    pub fn new(auth: &Auth, realm: &'static str) -> Self {
        let challenge = |scheme: &str| reply::header_text(&format!("{scheme} realm=\"{realm}\""));
        Authenticator {
            auth: auth.clone(),
            basic_challenge: challenge("Basic"),
            bearer_challenge: auth.bearer.is_some().then(|| challenge("Bearer")),
        }
    }

    /// Who sent these headers, or why they are refused.
    pub fn check(&self, headers: &HeaderMap) -> Result<Identity, Denied> {
        if !self.auth.is_on() {
            return Ok(Identity::Anonymous);
        }
        self.identify(headers).map_err(|refusal| Denied {
            refusal,
            // Basic is always offered: it is what the clients of this system understand.
            challenges: std::iter::once(&self.basic_challenge)
                .chain(&self.bearer_challenge)
                .cloned()
                .collect(),
        })
    }

    fn identify(&self, headers: &HeaderMap) -> Result<Identity, Refusal> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().ok_or(Refusal::Missing)?;
        if values.next().is_some() {
            return Err(Refusal::Repeated);
        }
        let value = value.to_str().map_err(|_| Refusal::Broken)?;
        let (scheme, token) = value.trim().split_once([' ', '\t']).ok_or(Refusal::Broken)?;
        let token = token.trim();
        match (&self.auth.basic, &self.auth.bearer) {
            (Some(wanted), _) if scheme.eq_ignore_ascii_case("basic") => {
                let presented = Presented::decode(token.to_owned()).map_err(|_| Refusal::Broken)?;
                let right = same(presented.user_id.as_bytes(), wanted.user.as_bytes())
                    & same(presented.password.as_bytes(), wanted.password.as_bytes());
                if bool::from(right) { Ok(Identity::User(presented.user_id)) } else { Err(Refusal::Wrong) }
            }
            (_, Some(wanted)) if scheme.eq_ignore_ascii_case("bearer") => {
                let right = same(token.as_bytes(), wanted.as_bytes());
                if bool::from(right) { Ok(Identity::Token) } else { Err(Refusal::Wrong) }
            }
            _ => Err(Refusal::WrongScheme),
        }
    }
}

/// Whether both are equal, in a time that depends on the length of `presented` only.
fn same(presented: &[u8], wanted: &[u8]) -> Choice {
    let mut same = presented.len().ct_eq(&wanted.len());
    for (index, byte) in presented.iter().enumerate() {
        // Beyond the wanted bytes the lengths differ already; the comparison only keeps the time.
        let against = wanted.get(index % wanted.len().max(1)).unwrap_or(&0);
        same &= byte.ct_eq(against);
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderName;
    use pcapx_core::config::Credentials;

    const CHALLENGE: &str = "Basic realm=\"pcap-files\"";

    fn auth(user: &str, password: &str, bearer: Option<&str>) -> Auth {
        Auth {
            basic: Credentials::new(user.to_owned(), password.to_owned()),
            bearer: bearer.map(str::to_owned),
        }
    }

    fn basic(user: &str, password: &str) -> String {
        http_auth_basic::Credentials::new(user, password).as_http_header()
    }

    fn check(auth: &Auth, values: &[&[u8]]) -> Result<Identity, Denied> {
        let values = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value).unwrap()));
        let headers: HeaderMap = values.collect::<Vec<(HeaderName, HeaderValue)>>().into_iter().collect();
        Authenticator::new(auth, "pcap-files").check(&headers)
    }

    #[test]
    fn nothing_is_asked_when_nothing_is_set() {
        assert_eq!(check(&auth("", "", None), &[]).unwrap(), Identity::Anonymous);
        assert_eq!(check(&auth("", "", None), &[b"Basic !!"]).unwrap(), Identity::Anonymous);
    }

    #[test]
    fn the_right_credentials_pass() {
        let user = |name: &str| Identity::User(name.to_owned());
        let both = auth("sycope", "pass:word", Some("t0ken"));
        for (auth, value, identity) in [
            (&both, basic("sycope", "pass:word"), user("sycope")),
            (&both, basic("sycope", "pass:word").replace("Basic", "bAsIc"), user("sycope")),
            (&both, basic("sycope", "pass:word").replace("Basic ", "Basic  "), user("sycope")),
            (&both, "Bearer t0ken".to_owned(), Identity::Token),
            (&both, "bearer t0ken".to_owned(), Identity::Token),
            (&auth("only-user", "", None), basic("only-user", ""), user("only-user")),
            (&auth("", "only-pass", None), basic("", "only-pass"), user("")),
            (&auth("łoś", "żółw", None), basic("łoś", "żółw"), user("łoś")),
            (&auth("", "", Some("t0ken")), "Bearer t0ken".to_owned(), Identity::Token),
        ] {
            assert_eq!(check(auth, &[value.as_bytes()]).unwrap(), identity, "{value}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let both = auth("sycope", "secret", None);
        let right = basic("sycope", "secret");
        for (auth, values, why) in [
            (&both, vec![], "no credentials"),
            (&both, vec![right.as_bytes(), right.as_bytes()], "several Authorization headers"),
            (&both, vec![basic("sycope", "secreT").as_bytes()], "wrong credentials"),
            (&both, vec![basic("sycope", "secretsecret").as_bytes()], "wrong credentials"),
            (&both, vec![basic("sycope", "secre").as_bytes()], "wrong credentials"),
            (&both, vec![basic("sycope", "").as_bytes()], "wrong credentials"),
            (&both, vec![basic("", "secret").as_bytes()], "wrong credentials"),
            (&both, vec![basic("sycope:secret", "").as_bytes()], "wrong credentials"),
            (&auth("only-user", "", None), vec![basic("only-user", "x").as_bytes()], "wrong credentials"),
            (&auth("", "only-pass", None), vec![basic("x", "only-pass").as_bytes()], "wrong credentials"),
            (&both, vec![b"Basic ***"], "broken credentials"),
            (&both, vec![b"Basic c3ljb3Bl"], "broken credentials"), // no colon
            (&both, vec![b"Basic //79Og=="], "broken credentials"), // not UTF-8
            (&both, vec![b"Basic"], "broken credentials"),
            (&both, vec![b"Basic "], "broken credentials"),
            (&both, vec![b"\xff\xfe"], "broken credentials"),
            (&both, vec![b""], "broken credentials"),
            (&both, vec![b"Digest username=sycope"], "wrong scheme"),
            (&both, vec![b"Bearer secret"], "wrong scheme"),
            (&both, vec![right.replace("Basic ", "Basic").as_bytes()], "broken credentials"),
            (&auth("", "", Some("t0ken")), vec![b"Bearer t0kem"], "wrong credentials"),
            (&auth("", "", Some("t0ken")), vec![right.as_bytes()], "wrong scheme"),
        ] {
            let denied = check(auth, &values).unwrap_err();
            assert_eq!(denied.to_string(), why, "{values:?}");
            let reply = denied.reply();
            assert_eq!(reply.status(), 401);
            assert_eq!(reply.headers()[WWW_AUTHENTICATE], CHALLENGE);
        }
    }

    #[test]
    fn bearer_is_offered_beside_basic_where_it_is_taken() {
        let reply = check(&auth("u", "p", Some("t")), &[]).unwrap_err().reply();
        let offered: Vec<_> = reply.headers().get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(offered, [CHALLENGE, "Bearer realm=\"pcap-files\""]);
    }
}
