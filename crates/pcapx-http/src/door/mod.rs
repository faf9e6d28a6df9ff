//! Who may use a service.
//!
//! ```text
//! TCP peer ─► proxies ─► the client's address ─► networks: 403
//! Authorization ─► credentials ─► known to be right, from an address that was right lately? ─► in
//!                                   │ no
//!                                   ├─► throttle: 401, not looked at
//!                                   ├─► known what is right, or plain: compared at once ─────► 401 │ in
//!                                   └─► turns ─► hash, off the async threads ─► known ───────► 401 │ in
//! ```
//!
//! **Guessing is slow, being right is not.** Each address may be wrong [`BURST`] times in a row and then once a second;
//! what it presents beyond that is refused without a look at it. An address that was right a short while ago gets in with
//! what is right at once, whatever else it does; so nobody who guesses locks a client out, not even one behind the same
//! proxy. Who shares an address with a client can guess that client's credentials as fast as the network allows
//! meanwhile; `trusted_proxies` tells clients behind a proxy apart.
//!
//! **A hash is worked on until somebody was right.** From then on a keyed digest in memory tells right from wrong, until
//! other credentials are configured or the process ends: guesses cost no work, so they keep nobody waiting. Before
//! that `turns` sees to it that a flood of them from many addresses does not: an address that is new comes before all that
//! have been wrong, and before those that are new as well and came earlier. Whoever goes away leaves the line, nobody stands in
//! it for longer than clients wait, and who is sent away and comes back at once stands behind (`hasty`).
//!
//! What that cannot do: as many *new* addresses a second as hashes can be worked on take each turn of those who come after the
//! first of them. Each address is new once in ten minutes, so it ends when all have had a look.
//!
//! **Bounds.** What is remembered of addresses has a fixed size; the oldest goes. Of hashes at most two are worked on at
//! a time, each in memory that is used again for the next, at most `turns::MOST_PER_ADDRESS` wait for each address, and
//! the same credentials that arrive many times at once are worked on once.

mod bounded;
mod credentials;
mod hasty;
mod known;
mod networks;
mod proven;
mod proxies;
mod throttle;
mod turns;
mod verifier;

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use ipnetwork::IpNetwork;
use pcapx_core::config::{Auth, HashMemory, Secret, same};

use self::credentials::{Broken, Presented};
use self::hasty::{Hasty, LATER};
use self::known::Known;
pub(crate) use self::networks::Networks;
use self::proven::Proven;
pub(crate) use self::proxies::{Proxies, Untraceable};
pub use self::throttle::BURST;
use self::throttle::Throttle;
use self::turns::Standing;
use self::verifier::Verifier;
use crate::audit::Act;
use crate::metrics::{Families, Reason};
use crate::reply::{self, Reply};
use crate::{Context, Current};

/// So much of a name that was tried is written down; more is no name.
const MOST_NAME_CHARS: usize = 64;

/// Lets clients of one service in, or says why not.
#[derive(Debug)]
pub struct Door {
    realm: &'static str,
    rules: Current<Rules>,
    proven: Proven,
    throttle: Throttle,
    hasty: Hasty,
    verifier: Verifier,
    families: Arc<Families>,
}

#[derive(Debug)]
struct Rules {
    auth: Auth,
    allowed: Networks,
    challenges: Vec<HeaderValue>,
    /// Of these `auth` alone, so that what held by former ones holds by no others.
    known: Arc<Known>,
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
    /// Of a hash: their turn did not come.
    Late,
}

/// A request that does not get in. `Display` tells the log why; clients read the same 401 for everything that has to
/// do with credentials, so that nobody learns whether a guess was looked at.
#[derive(Debug, Clone)]
pub struct Denied {
    refusal: Refusal,
    /// As whom somebody wanted to get in.
    tried: Option<Identity>,
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
            Refusal::Late => "not looked at, too many others guess",
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
        if matches!(self.refusal, Refusal::Missing | Refusal::Throttled(_) | Refusal::Late) {
            return;
        }
        let act = Act::denied(self.to_string());
        context.audit(match &self.tried {
            Some(Identity::User(name)) => {
                act.with("user", name.chars().take(MOST_NAME_CHARS).collect::<String>())
            }
            Some(identity) => act.with("user", identity.to_string()),
            None => act,
        });
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
        let wait = match self.refusal {
            Refusal::Throttled(wait) => wait,
            Refusal::Late => LATER,
            _ => return reply,
        };
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
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
            proven: Proven::new(),
            throttle: Throttle::new(),
            hasty: Hasty::new(),
            verifier: Verifier::new(),
            families,
        }
    }

    /// From here on other rules hold. Where credentials differ, none are known any more.
    pub(crate) fn replace(&self, auth: &Auth, allowed: &[IpNetwork]) {
        let mut rules = Rules::new(self.realm, auth, allowed);
        self.rules.update(|former| {
            if former.auth == rules.auth {
                rules.known = Arc::clone(&former.known);
            }
            Some(rules)
        });
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
        Denied { refusal: Refusal::Address, tried: None, challenges: Vec::new() }
    }

    /// Who sent these headers, or why they are refused.
    pub async fn credentials(&self, headers: &HeaderMap, context: &Context) -> Result<Identity, Denied> {
        let rules = self.rules.get();
        if !rules.auth.is_on() {
            return Ok(Identity::Anonymous);
        }
        let refused = |refusal, tried| {
            self.families.denied(match refusal {
                Refusal::Address => Reason::Address,
                Refusal::Missing => Reason::NoCredentials,
                Refusal::Broken(_) => Reason::BrokenCredentials,
                Refusal::Wrong => Reason::WrongCredentials,
                Refusal::Throttled(_) | Refusal::Late => Reason::Throttled,
            });
            Denied { refusal, tried, challenges: rules.challenges.clone() }
        };
        let presented = match Presented::of(headers) {
            Ok(Some(presented)) => presented,
            Ok(None) => return Err(refused(Refusal::Missing, None)),
            Err(broken) => return Err(refused(Refusal::Broken(broken), None)),
        };
        let verified = self.verify(&rules, &presented, context).await;
        let identity = match presented {
            Presented::Basic { user, .. } => Identity::User(user),
            Presented::Bearer { .. } => Identity::Token,
        };
        match verified {
            Ok(()) => Ok(identity),
            Err(refusal) => Err(refused(refusal, Some(identity))),
        }
    }

    async fn verify(
        &self,
        rules: &Arc<Rules>,
        presented: &Presented,
        context: &Context,
    ) -> Result<(), Refusal> {
        let client = site(context.client());
        let secret = rules.secret(presented).ok_or(Refusal::Broken(Broken::Scheme))?;
        let judged = if secret.is_hashed() {
            rules.known.judge(presented)
        } else {
            Some(rules.matches(presented, &mut HashMemory::default()))
        };
        let is_proven = self.proven.has(client, Instant::now());
        if judged != Some(true) || !is_proven {
            self.throttle.may_try(client, Instant::now()).map_err(Refusal::Throttled)?;
            let right = if let Some(right) = judged {
                right
            } else {
                let who = (client, self.standing(client, is_proven));
                let Some(right) = self.verifier.verify(rules, presented, who, context).await else {
                    // It is not known to be wrong, so it is not counted as that.
                    self.hasty.was_told(client, Instant::now());
                    return Err(Refusal::Late);
                };
                right
            };
            if !right {
                self.throttle.was_wrong(client, Instant::now());
                return Err(Refusal::Wrong);
            }
        }
        self.proven.was_right(client, Instant::now());
        Ok(())
    }

    fn standing(&self, client: IpAddr, is_proven: bool) -> Standing {
        if is_proven {
            Standing::Proven
        } else if self.throttle.was_wrong_lately(client, Instant::now())
            || self.hasty.is(client, Instant::now())
        {
            Standing::Wrong
        } else {
            Standing::Fresh
        }
    }
}

impl Rules {
    fn new(realm: &str, auth: &Auth, allowed: &[IpNetwork]) -> Self {
        let challenge = |scheme: &str| reply::header_text(&format!("{scheme} realm=\"{realm}\""));
        // Basic is always offered: it is what the clients of this system understand.
        let challenges = std::iter::once(challenge("Basic"))
            .chain(auth.bearer.is_some().then(|| challenge("Bearer")))
            .collect();
        let allowed = Networks::new(allowed);
        Rules { auth: auth.clone(), allowed, challenges, known: Arc::new(Known::new()) }
    }

    /// What has to be presented in this scheme, where it is taken.
    fn secret(&self, presented: &Presented) -> Option<&Secret> {
        match presented {
            Presented::Basic { .. } => self.auth.basic.as_ref().map(|wanted| &wanted.password),
            Presented::Bearer { .. } => self.auth.bearer.as_ref(),
        }
    }

    /// Whether `presented` is right. A wrong user takes as long as a right one, and a wrong secret as a right one.
    fn matches(&self, presented: &Presented, memory: &mut HashMemory) -> bool {
        let Some(secret) = self.secret(presented) else { return false };
        let user_is_right = match (presented, &self.auth.basic) {
            (Presented::Basic { user, .. }, Some(wanted)) => same(user.as_bytes(), wanted.user.as_bytes()),
            _ => 1.into(),
        };
        let secret_is_right = secret.matches_in(presented.secret().as_bytes(), memory);
        (user_is_right & u8::from(secret_is_right).into()).into()
    }
}

/// The address that is counted: of IPv6 the /64, as one host has as many addresses as it likes below it.
pub(crate) fn site(address: IpAddr) -> IpAddr {
    const HOST_BITS: u32 = 64; // RFC 4291 §2.5.4
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> HOST_BITS << HOST_BITS).into(),
    }
}

#[cfg(test)]
mod tests;
