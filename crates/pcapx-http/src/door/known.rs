//! Which credentials are right, once they have been seen.

use std::sync::OnceLock;

use pcapx_core::config::same;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::credentials::Presented;

/// What stands for credentials. Nobody can tell from it what they are, or find others that have the same one: it is a
/// keyed hash under a key that this process has drawn.
pub(super) type Digest = [u8; 32];

/// The right credentials of one set of rules, as digests. There is one right pair for Basic and one right token for
/// Bearer, so whoever knows their digests tells right from wrong without working on a hash.
#[derive(Debug)]
pub(super) struct Known {
    /// `None`: the system has no random numbers, and every verification is done in full.
    key: Option<hmac::Key>,
    basic: OnceLock<Digest>,
    bearer: OnceLock<Digest>,
}

impl Known {
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        let drawn = SystemRandom::new().fill(&mut key).is_ok();
        Known {
            key: drawn.then(|| hmac::Key::new(hmac::HMAC_SHA256, &key)),
            basic: OnceLock::new(),
            bearer: OnceLock::new(),
        }
    }

    /// `None` where there can be none; such credentials are verified each time.
    pub(super) fn digest(&self, presented: &Presented) -> Option<Digest> {
        let (scheme, user) = presented.public();
        let mut hash = hmac::Context::with_key(self.key.as_ref()?);
        // Lengths in front: no two pairs become the same bytes.
        for part in [scheme, user, presented.secret()] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.sign().as_ref().try_into().ok()
    }

    fn right(&self, presented: &Presented) -> &OnceLock<Digest> {
        match presented {
            Presented::Basic { .. } => &self.basic,
            Presented::Bearer { .. } => &self.bearer,
        }
    }

    /// Whether `presented` is right; `None` as long as the right ones have not been seen.
    pub(super) fn judge(&self, presented: &Presented) -> Option<bool> {
        let right = self.right(presented).get()?;
        Some(same(&self.digest(presented)?, right).into())
    }

    /// `presented` was verified and is right.
    pub(super) fn learn(&self, presented: &Presented) {
        if let Some(digest) = self.digest(presented) {
            let _ = self.right(presented).set(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Presented {
        Presented::Basic { user: user.to_owned(), password: password.to_owned() }
    }

    #[test]
    fn nothing_is_judged_before_the_right_ones_were_seen_and_everything_after() {
        let known = Known::new();
        let (right, token) = (basic("user", "pass"), Presented::Bearer { token: "pass".to_owned() });
        assert_eq!((known.judge(&right), known.judge(&token)), (None, None));
        known.learn(&right);
        assert_eq!((known.judge(&right), known.judge(&token)), (Some(true), None));
        for wrong in [basic("userp", "ass"), basic("user", "pasS"), basic("", "pass"), basic("user", "")] {
            assert_eq!(known.judge(&wrong), Some(false));
        }
        known.learn(&token);
        assert_eq!((known.judge(&right), known.judge(&token)), (Some(true), Some(true)));
        assert_ne!(known.digest(&right), Known::new().digest(&right), "each has a key of its own");
    }
}
