//! Who may use a service.
//!
//! ```text
//! TCP peer ─► proxies ─► the client's address ─► networks: 403
//! Authorization ─► credentials ─► known? ──────────────────────────────► in
//!                                   │ no
//!                                   ├─► throttle: 401, not looked at
//!                                   └─► secret (a hash: in turn, off the async threads) ─► 401 │ known ─► in
//! ```
//!
//! **Guessing is slow, being right is not.** Each address may be wrong [`BURST`] times in a row and then once a second;
//! what it presents beyond that is refused without a look at it. Credentials that were right from an address a short
//! while ago are *known* and pass at once, whatever else that address does; so nobody who guesses locks a client out,
//! not even one behind the same proxy. Who shares an address with a client can guess that client's credentials as
//! fast as the network allows while they are known; `trusted_proxies` tells clients behind a proxy apart.
//!
//! **Bounds.** What is remembered of addresses and of known credentials has a fixed size; the oldest goes. Of hashes at
//! most two are worked on at a time, at most `verifier::MOST_PER_ADDRESS` wait for each address, and the same
//! credentials that arrive many times at once are worked on once.

mod bounded;
mod credentials;
mod known;
mod networks;
mod proxies;
mod throttle;
mod verifier;

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use ipnetwork::IpNetwork;
use pcapx_core::config::{Auth, same};

use self::credentials::{Broken, Presented};
use self::known::Known;
pub(crate) use self::networks::Networks;
pub(crate) use self::proxies::{Proxies, Untraceable};
pub use self::throttle::BURST;
use self::throttle::Throttle;
use self::verifier::Verifier;
use crate::audit::Act;
use crate::metrics::{Families, Reason};
use crate::reply::{self, Reply};
use crate::{Context, Current};

/// Lets clients of one service in, or says why not.
#[derive(Debug)]
pub struct Door {
    realm: &'static str,
    rules: Current<Rules>,
    known: Known,
    throttle: Throttle,
    verifier: Verifier,
    families: Arc<Families>,
}

#[derive(Debug)]
struct Rules {
    auth: Auth,
    allowed: Networks,
    challenges: Vec<HeaderValue>,
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

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The client's address is not allowed.
    Address,
    /// There are no credentials.
    Missing,
    /// They cannot be read, or are of a scheme that is not asked for.
    Broken(Broken),
    /// They are wrong.
    Wrong,
    /// Too many of this address were wrong; these were not looked at.
    Throttled(Duration),
}

/// A request that does not get in. `Display` tells the log why; clients read the same 401 for everything that has to
/// do with credentials, so that nobody learns whether a guess was looked at.
#[derive(Debug, Clone)]
pub struct Denied {
    refusal: Refusal,
    challenges: Vec<HeaderValue>,
}

impl Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.refusal {
            Refusal::Address => "address",
            Refusal::Missing => "no credentials",
            Refusal::Broken(broken) => broken.told(),
            Refusal::Wrong => "wrong credentials",
            Refusal::Throttled(_) => "too many wrong credentials from this address",
        })
    }
}

impl Denied {
    /// Why.
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// Notes the refusal for the audit log where it is an act: asking without credentials is none, and what was not looked
    /// at would only let who guesses fill the disk.
    pub fn audit(&self, context: &Context) {
        if !matches!(self.refusal, Refusal::Missing | Refusal::Throttled(_)) {
            context.audit(Act::new("denied").with("reason", self.to_string()));
        }
    }

    /// 403 `Forbidden`, or 401 `Unauthorized` with the challenges that would be accepted.
    pub fn reply(&self) -> Reply {
        if self.refusal == Refusal::Address {
            return reply::text(StatusCode::FORBIDDEN, "Forbidden");
        }
        let mut reply = reply::text(StatusCode::UNAUTHORIZED, "Unauthorized");
        for challenge in &self.challenges {
            reply.headers_mut().append(WWW_AUTHENTICATE, challenge.clone());
        }
        if let Refusal::Throttled(wait) = self.refusal {
            reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        reply
    }
}

impl Door {
    pub(crate) fn new(
        realm: &'static str,
        auth: &Auth,
        allowed: &[IpNetwork],
        families: Arc<Families>,
    ) -> Self {
        Door {
            realm,
            rules: Current::new(Rules::new(realm, auth, allowed)),
            known: Known::new(),
            throttle: Throttle::new(),
            verifier: Verifier::new(),
            families,
        }
    }

    /// From here on other rules hold. What was known before is not known any more.
    pub(crate) fn replace(&self, auth: &Auth, allowed: &[IpNetwork]) {
        self.rules.set(Rules::new(self.realm, auth, allowed));
        self.known.forget();
    }

    /// Whether the client's address may ask.
    pub fn address(&self, context: &Context) -> Result<(), Denied> {
        let rules = self.rules.get();
        if rules.allowed.is_empty() || rules.allowed.contains(context.client()) {
            return Ok(());
        }
        Err(self.deny_address())
    }

    /// What somebody is told whose address is not allowed.
    pub(crate) fn deny_address(&self) -> Denied {
        self.families.denied(Reason::Address);
        Denied { refusal: Refusal::Address, challenges: Vec::new() }
    }

    /// Who sent these headers, or why they are refused.
    pub async fn credentials(&self, headers: &HeaderMap, context: &Context) -> Result<Identity, Denied> {
        let rules = self.rules.get();
        if !rules.auth.is_on() {
            return Ok(Identity::Anonymous);
        }
        let refused = |refusal| {
            self.families.denied(match refusal {
                Refusal::Address => Reason::Address,
                Refusal::Missing => Reason::NoCredentials,
                Refusal::Broken(_) => Reason::BrokenCredentials,
                Refusal::Wrong => Reason::WrongCredentials,
                Refusal::Throttled(_) => Reason::Throttled,
            });
            Denied { refusal, challenges: rules.challenges.clone() }
        };
        self.identify(&rules.auth, headers, context.client()).await.map_err(refused)
    }

    async fn identify(&self, auth: &Auth, headers: &HeaderMap, client: IpAddr) -> Result<Identity, Refusal> {
        let presented = Presented::of(headers).map_err(Refusal::Broken)?.ok_or(Refusal::Missing)?;
        let (secret, user_is_right) = match (&presented, &auth.basic, &auth.bearer) {
            (Presented::Basic { user, .. }, Some(wanted), _) => {
                (&wanted.password, same(user.as_bytes(), wanted.user.as_bytes()))
            }
            (Presented::Bearer { .. }, _, Some(wanted)) => (wanted, 1.into()),
            _ => return Err(Refusal::Broken(Broken::Scheme)),
        };
        let client = site(client);
        let fingerprint = self.known.fingerprint(client, &presented);
        if !self.known.has(&fingerprint, Instant::now()) {
            self.throttle.may_try(client, Instant::now()).map_err(Refusal::Throttled)?;
            let secret_is_right = if secret.is_hashed() {
                self.verifier.verify(fingerprint, client, secret, presented.secret()).await
            } else {
                Some(secret.matches(presented.secret().as_bytes()))
            };
            // Too many of this address wait already: none of them is known to be wrong, so nothing is counted.
            let secret_is_right = secret_is_right.ok_or(Refusal::Throttled(Duration::ZERO))?;
            if !bool::from(user_is_right & u8::from(secret_is_right).into()) {
                self.throttle.was_wrong(client, Instant::now());
                return Err(Refusal::Wrong);
            }
            self.known.insert(fingerprint, Instant::now());
        }
        Ok(match presented {
            Presented::Basic { user, .. } => Identity::User(user),
            Presented::Bearer { .. } => Identity::Token,
        })
    }
}

impl Rules {
    fn new(realm: &str, auth: &Auth, allowed: &[IpNetwork]) -> Self {
        let challenge = |scheme: &str| reply::header_text(&format!("{scheme} realm=\"{realm}\""));
        // Basic is always offered: it is what the clients of this system understand.
        let challenges = std::iter::once(challenge("Basic"))
            .chain(auth.bearer.is_some().then(|| challenge("Bearer")))
            .collect();
        Rules { auth: auth.clone(), allowed: Networks::new(allowed), challenges }
    }
}

/// The address that is counted: of IPv6 the /64, as one host has as many addresses as it likes below it.
fn site(address: IpAddr) -> IpAddr {
    const HOST_BITS: u32 = 64; // RFC 4291 §2.5.4
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> HOST_BITS << HOST_BITS).into(),
    }
}

#[cfg(test)]
mod tests;
