//! Who may read metrics.

use std::str::FromStr;

/// Whether `GET /metrics` is answered, and to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsAccess {
    /// It is a path like any other.
    #[default]
    Off,
    /// Without credentials.
    Open,
    /// With the credentials of the service.
    Auth,
}

/// A word that names no [`MetricsAccess`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected off, open or auth")]
pub struct UnknownAccess;

impl FromStr for MetricsAccess {
    type Err = UnknownAccess;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "off" => Ok(Self::Off),
            "open" => Ok(Self::Open),
            "auth" => Ok(Self::Auth),
            _ => Err(UnknownAccess),
        }
    }
}
