//! What a service asks of its clients.

use std::fmt;

use super::Secret;
use super::secret::HIDDEN;

/// What a service asks of its clients; the default asks for nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// A user and a password for HTTP Basic (RFC 7617).
    pub basic: Option<Credentials>,
    /// A token for HTTP Bearer (RFC 6750): ASCII without blanks, never empty, or a hash of one.
    pub bearer: Option<Secret>,
}

/// A user and a password. One of the two may be empty, never both.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl Auth {
    /// Whether a client has to prove anything. Where both ways are set, one of them is enough.
    pub const fn is_on(&self) -> bool {
        self.basic.is_some() || self.bearer.is_some()
    }
}

impl Credentials {
    /// `None` when both are empty: Basic is off. One alone switches it on.
    pub fn new(user: String, password: Secret) -> Option<Self> {
        if user.is_empty() && password.is_empty() { None } else { Some(Self { user, password }) }
    }
}

/// The ways that are open, without any secret: `off`, `basic`, `bearer`, `basic or bearer`.
impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (&self.basic, &self.bearer) {
            (None, None) => "off",
            (Some(_), None) => "basic",
            (None, Some(_)) => "bearer",
            (Some(_), Some(_)) => "basic or bearer",
        })
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("basic", &self.basic)
            .field("bearer", &self.bearer.as_ref().map(|_| HIDDEN))
            .finish()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("password", &HIDDEN).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned()).unwrap()
    }

    fn basic(user: &str, password: &str) -> Option<Credentials> {
        Credentials::new(user.to_owned(), secret(password))
    }

    #[test]
    fn one_of_user_and_password_switches_it_on() {
        for (user, password, on) in [("", "", false), ("u", "", true), ("", "p", true), ("u", "p", true)] {
            let auth = Auth { basic: basic(user, password), bearer: None };
            assert_eq!(auth.is_on(), on, "{user:?} {password:?}");
        }
        assert!(Auth { basic: None, bearer: Some(secret("t")) }.is_on());
        assert!(!Auth::default().is_on());
    }

    #[test]
    fn secrets_are_never_printed() {
        let auth = Auth { basic: basic("sycope", "hunter2"), bearer: Some(secret("t0ken")) };
        let printed = format!("{auth:?} {auth:#?} {auth}");
        assert!(printed.contains("sycope") && printed.contains("basic or bearer"));
        assert!(!printed.contains("hunter2") && !printed.contains("t0ken"), "{printed}");
    }
}
