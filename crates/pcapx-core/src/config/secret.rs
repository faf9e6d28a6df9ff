//! Passwords and tokens, plain or hashed.

use std::fmt;

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher, Version};
use subtle::{Choice, ConstantTimeEq};

/// Stands for a secret wherever a value is printed.
pub(super) const HIDDEN: &str = "***";
/// How every hash begins, of whatever kind of Argon2.
const HASH_PREFIX: &str = "$argon2";
/// The one kind that is taken (RFC 9106 recommends it).
const HASH_ALGORITHM: &str = "argon2id";
/// The most memory that a hash may ask for, in KiB: 256 MiB, far above what is recommended (19 to 64 MiB).
const MOST_MEMORY_KIB: u32 = 256 << 10;
/// The most work: memory in KiB times passes. One verification stays within some seconds on a slow machine.
const MOST_WORK: u64 = 4 * (MOST_MEMORY_KIB as u64);

/// A password or a token as the configuration has it: the text itself, or its Argon2id hash as a PHC string
/// (`$argon2id$v=19$m=19456,t=2,p=1$salt$hash`). It is printed nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Plain(String),
    Hashed(Box<PasswordHash>),
}

/// Memory that a hash is worked on in, to be used again: a verification takes 19 to 256 MiB of it.
#[derive(Default)]
pub struct HashMemory(Vec<Block>);

/// A text that begins like a hash and is none that could be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Another kind than Argon2id, or not complete.
    #[error("begins like a hash, but is no complete Argon2id hash ($argon2id$v=19$m=…,t=…,p=…$salt$hash)")]
    NoHash,
    /// It would take too much memory or time to verify.
    #[error("is a hash that takes more than {} MiB, or 4 passes over as much, to verify", MOST_MEMORY_KIB >> 10)]
    TooCostly,
    /// The system has no random numbers, or no memory.
    #[error("cannot be hashed here")]
    NotHashed,
}

impl Secret {
    /// A secret as written. What begins with `$argon2` must be a whole hash.
    pub fn new(written: String) -> Result<Self, SecretError> {
        if !written.starts_with(HASH_PREFIX) {
            return Ok(Self(Kind::Plain(written)));
        }
        let hash = PasswordHash::new(&written).map_err(|_| SecretError::NoHash)?;
        if hash.algorithm.as_str() != HASH_ALGORITHM || hash.salt.is_none() || hash.hash.is_none() {
            return Err(SecretError::NoHash);
        }
        let params = Params::try_from(&hash).map_err(|_| SecretError::NoHash)?;
        let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
        if params.m_cost() > MOST_MEMORY_KIB || work > MOST_WORK {
            return Err(SecretError::TooCostly);
        }
        Ok(Self(Kind::Hashed(Box::new(hash))))
    }

    /// The hash of `password` as a PHC string, with a salt of its own and the parameters that OWASP recommends
    /// (19 MiB, two passes). Takes some ten milliseconds.
    pub fn hash(password: &str) -> Result<String, SecretError> {
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|_| SecretError::NotHashed)
    }

    /// Whether nothing is written at all.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Kind::Plain(text) if text.is_empty())
    }

    /// Whether only a hash is known, so that [`matches`](Self::matches) takes long.
    pub const fn is_hashed(&self) -> bool {
        matches!(self.0, Kind::Hashed(_))
    }

    /// The secret itself, where it is known.
    pub fn plain(&self) -> Option<&str> {
        match &self.0 {
            Kind::Plain(text) => Some(text),
            Kind::Hashed(_) => None,
        }
    }

    /// Whether `presented` is the secret, in a time that depends on what is presented, not on what is right. With a
    /// hash that is some ten milliseconds of work.
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.matches_in(presented, &mut HashMemory::default())
    }

    /// The same, in `memory` where the secret is a hash.
    pub fn matches_in(&self, presented: &[u8], memory: &mut HashMemory) -> bool {
        match &self.0 {
            Kind::Plain(text) => same(presented, text.as_bytes()).into(),
            Kind::Hashed(hash) => memory.verify(presented, hash).unwrap_or(false),
        }
    }
}

impl HashMemory {
    /// How much it is now.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * Block::SIZE
    }

    /// `None`: the hash cannot be worked on.
    fn verify(&mut self, presented: &[u8], hash: &PasswordHash) -> Option<bool> {
        let (salt, wanted) = (hash.salt.as_ref()?, hash.hash.as_ref()?);
        let params = Params::try_from(hash).ok()?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let blocks = params.block_count();
        // What stands in the blocks does not matter: the first pass writes all of them.
        self.0.truncate(blocks);
        self.0.try_reserve_exact(blocks - self.0.len()).ok()?;
        self.0.resize(blocks, Block::new());
        let mut room = [0; Output::MAX_LENGTH];
        let computed = room.get_mut(..wanted.len())?;
        let argon2 = Argon2::new(Algorithm::Argon2id, version, params);
        argon2.hash_password_into_with_memory(presented, salt, computed, &mut self.0).ok()?;
        Some(same(computed, wanted.as_bytes()).into())
    }
}

impl fmt::Debug for HashMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashMemory({} bytes)", self.bytes())
    }
}

/// Whether both are equal, in a time that depends on the length of `presented` only.
pub fn same(presented: &[u8], wanted: &[u8]) -> Choice {
    let mut same = presented.len().ct_eq(&wanted.len());
    for (index, byte) in presented.iter().enumerate() {
        // Beyond the wanted bytes the lengths differ already; the comparison only keeps the time.
        let against = wanted.get(index % wanted.len().max(1)).unwrap_or(&0);
        same &= byte.ct_eq(against);
    }
    same
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<Secret, SecretError> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_plain_secret_matches_itself_alone() {
        for (written, presented, right) in [
            ("secret", "secret", true),
            ("secret", "secreT", false),
            ("secret", "secretsecret", false),
            ("secret", "secre", false),
            ("secret", "", false),
            ("", "", true),
            ("", "x", false),
            ("$2y$10$x", "$2y$10$x", true),
            ("żółw", "żółw", true),
        ] {
            let secret = secret(written).unwrap();
            assert_eq!(secret.matches(presented.as_bytes()), right, "{written} {presented}");
            assert_eq!((secret.is_hashed(), secret.plain()), (false, Some(written)));
        }
    }

    #[test]
    fn a_hash_matches_what_it_was_made_of() {
        let hash = Secret::hash("hunter2").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, Secret::hash("hunter2").unwrap(), "each hash has a salt of its own");
        let secret = secret(&hash).unwrap();
        assert!(secret.matches(b"hunter2"));
        assert!(!secret.matches(b"hunter3") && !secret.matches(b"") && !secret.matches(hash.as_bytes()));
        assert_eq!((secret.is_hashed(), secret.plain(), secret.is_empty()), (true, None, false));
    }

    #[test]
    fn a_hash_of_the_reference_implementation_is_understood() {
        // printf password | argon2 somesalt -id -t 2 -m 16 -p 4 -l 24 -e
        let hash = "$argon2id$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$F1jG2CV3/Nr+yRuIsPKw0J9r4s7cJHBU";
        let secret = secret(hash).unwrap();
        assert!(secret.matches(b"password") && !secret.matches(b"passwork"));
        // Whatever the memory was used for before.
        let mut memory = HashMemory::default();
        let other = Secret::new(Secret::hash("other").unwrap()).unwrap();
        for _ in 0..2 {
            assert!(other.matches_in(b"other", &mut memory) && !other.matches_in(b"password", &mut memory));
            assert!(secret.matches_in(b"password", &mut memory) && !secret.matches_in(b"other", &mut memory));
            assert!(memory.bytes() == 64 << 20, "{memory:?}");
        }
    }

    #[test]
    fn what_only_begins_like_a_hash_is_refused() {
        let salt_and_hash = "$c29tZXNhbHQ$RdescudvJCsgt3ub+b27LA5ahQ1gbyTS";
        for (text, error) in [
            ("$argon2id$".to_owned(), SecretError::NoHash),
            ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ".to_owned(), SecretError::NoHash),
            (format!("$argon2i$v=19$m=65536,t=2,p=1{salt_and_hash}"), SecretError::NoHash),
            (format!("$argon2id$v=19$m=65536,t=0,p=1{salt_and_hash}"), SecretError::NoHash),
            (format!("$argon2id$v=19$m=4194304,t=1,p=1{salt_and_hash}"), SecretError::TooCostly),
            (format!("$argon2id$v=19$m=65536,t=100,p=1{salt_and_hash}"), SecretError::TooCostly),
        ] {
            assert_eq!(secret(&text), Err(error), "{text}");
        }
    }
}
