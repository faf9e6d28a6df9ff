//! The configuration file, the environment over it, and what comes of both.
//!
//! ```text
//! config.json ──┐
//! credentials ──┼──► written: one value per key ──► reading, resolve ──► Config + warnings
//! PCAPX_<KEY> ──┘              ▲                                         or every error at once
//!                        keys: the table
//! ```
//!
//! [`KEYS`] is the one table of all keys: names, older names, values as shipped. Loading reads one file and the
//! environment, checks everything, and changes nothing.

mod auth;
mod credential;
mod error;
mod host;
mod keys;
mod link_base;
mod metrics;
mod network;
mod notes;
mod reading;
mod reload;
mod resolve;
mod secret;
mod service;
mod source;
mod tls;
mod written;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnetwork::IpNetwork;

pub use auth::{Auth, Credentials};
pub use error::{ConfigError, Problem, Warning};
pub use keys::{KEYS, Key, Literal, markdown_table};
pub use metrics::{MetricsAccess, UnknownAccess};
pub use reload::Effect;
pub use secret::{HashMemory, Secret, SecretError, same};
pub use service::Service;
pub use source::Sources;
pub use tls::Tls;

use self::written::Written;
use crate::filter::Mode;
use crate::manifest::Format;

/// The configuration, checked and in the types that the services work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Host of the links in answers: a name, an IPv4 or an IPv6 address (without brackets).
    pub host: String,
    /// Port of the listener; 0 is any free port.
    pub listen_port: u16,
    /// Port of the fileserver, also in the links; 0 is any free port.
    pub fileserver_port: u16,
    /// The rolling capture.
    pub timeline_dir: PathBuf,
    /// Where extracted captures are kept.
    pub output_dir: PathBuf,
    /// The filter mode of requests that name none; key `default_filter`.
    pub default_mode: Mode,
    /// Reach of the window ahead of the alert: 0 to 86 400 s.
    pub default_before: Duration,
    /// Reach of the window past the alert: 0 to 86 400 s.
    pub default_after: Duration,
    /// Extractions that may run at once: 1 to 1024.
    pub max_concurrent_extractions: NonZeroUsize,
    /// What the listener asks of its clients.
    pub listener_auth: Auth,
    /// What the fileserver asks of its clients; Bearer is never set.
    pub fileserver_auth: Auth,
    /// Who may download, host bits clear, IPv4-mapped networks as IPv4; empty is everybody.
    pub allowed_ips: Vec<IpNetwork>,
    /// Who may use the listener; empty is everybody.
    pub listener_allowed_ips: Vec<IpNetwork>,
    /// Proxies in front of both services whose word on their clients' addresses counts; empty is none.
    pub trusted_proxies: Vec<IpNetwork>,
    /// What makes the listener speak TLS.
    pub listener_tls: Option<Tls>,
    /// What makes the fileserver speak TLS.
    pub fileserver_tls: Option<Tls>,
    /// What stands in links in front of the file's name, with a slash at its end; `None` makes it of host and port.
    pub download_url_base: Option<String>,
    /// The folder of the audit logs; `None` keeps none.
    pub audit_log: Option<PathBuf>,
    /// How long a file of an audit log gets; `None` is no limit.
    pub audit_log_max_bytes: Option<u64>,
    /// Whether both services tell metrics, and to whom.
    pub metrics: MetricsAccess,
    /// Who may read metrics; empty is everybody.
    pub metrics_allowed_ips: Vec<IpNetwork>,
    /// Who cuts the packets out.
    pub extractor: ExtractorChoice,
    /// When an extraction is given up: above 0, at most 86 400 s.
    pub extractor_timeout: Duration,
    /// How long running work may go on after the order to stop: 0 to 86 400 s.
    pub drain_timeout: Duration,
    /// The address that both services bind; key `bind_address`.
    pub bind: IpAddr,
    /// Where indexes of the rolling capture are kept; `None` leaves the place to the listener.
    pub index_dir: Option<PathBuf>,
    /// Whether the listener indexes the rolling capture while it runs.
    pub background_indexing: bool,
    /// What becomes of a window that is not over yet.
    pub completion: Completion,
    /// When a POST is answered at the latest; `None` when its extraction has ended.
    pub reply_within: Option<Duration>,
    /// Format of extracted captures.
    pub output_format: Format,
    /// Alerts that may wait for an extraction.
    pub max_queued_extractions: usize,
    /// Where an extracted capture is cut.
    pub max_output_bytes: Option<u64>,
    /// Where an extracted capture is cut.
    pub max_output_packets: Option<u64>,
    /// When finished evidence is removed; key `retention_max_age_days`.
    pub retention_max_age: Option<Duration>,
    /// How much the output folder may hold.
    pub retention_max_bytes: Option<u64>,
    /// What stays free on the disk of the output folder.
    pub min_free_bytes: u64,
    /// Whether packets can be asked for by hand; key `allow_ad_hoc`, `auto` resolved.
    pub allow_ad_hoc: bool,
    /// Whether the file server shows pages for people.
    pub directory_listing: bool,
}

/// A configuration and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file it was read from.
    pub path: PathBuf,
    /// What is odd about it, for the log.
    pub warnings: Vec<Warning>,
    /// What stands under each key, secrets too.
    written: Written,
}

/// Who cuts packets out of the timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExtractorChoice {
    /// ntop's npcapextract where it is installed and has indexes to work on, else our own.
    #[default]
    Auto,
    /// Our own.
    Builtin,
    /// ntop's npcapextract.
    Npcapextract,
}

/// What becomes of a window that is not over yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Completion {
    /// Its file is completed when the time has come.
    #[default]
    Follow,
    /// It is answered with what is there.
    Now,
}

/// A word that names no [`ExtractorChoice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected auto, builtin or npcapextract")]
pub struct UnknownExtractor;

impl Config {
    /// Loads the configuration of this process: the file `explicit` (from `--config`), else the one that
    /// `$PCAPX_CONFIG` names, else `config/config.json` under the working directory, else
    /// `/etc/pcapx/config.json`; over it secrets from `$CREDENTIALS_DIRECTORY` and the environment's `PCAPX_<KEY>`.
    pub fn load(explicit: Option<&Path>) -> Result<Loaded, ConfigError> {
        Sources::of_process(explicit).load()
    }

    /// The link to a file in `output_dir`, for example `http://192.168.0.109:8081/20260301_101112_7.pcap`.
    ///
    /// The name is put in as it is: it must hold nothing that has a meaning in a URL.
    pub fn download_url(&self, file_name: &str) -> String {
        match &self.download_url_base {
            Some(base) => format!("{base}{file_name}"),
            None => self.url(Service::Fileserver, self.fileserver_port, file_name),
        }
    }

    /// `http://HOST:PORT/PATH`, with `https` where `service` speaks TLS, an IPv6 address in brackets.
    pub fn url(&self, service: Service, port: u16, path: &str) -> String {
        let scheme = if self.tls(service).is_some() { "https" } else { "http" };
        host::link(scheme, &self.host, port, path)
    }

    /// What a log should tell at start, one line each, without secrets.
    pub fn summary(&self) -> Vec<String> {
        let allowed = |service| match self.allowed(service) {
            [] => "everybody".to_owned(),
            nets => nets.iter().map(IpNetwork::to_string).collect::<Vec<_>>().join(", "),
        };
        let tls = |service| match self.tls(service) {
            None => "off",
            Some(Tls { client_ca: None, .. }) => "on",
            Some(_) => "with client certificates",
        };
        let indexes = match &self.index_dir {
            None => "by default".to_owned(),
            Some(folder) => format!("below {folder:?}"),
        };
        vec![
            format!("timeline {:?}, output {:?}", self.timeline_dir, self.output_dir),
            format!("links {}", self.download_url("…")),
            format!(
                "listener {}, TLS {}, auth {}, open to {}",
                self.address(Service::Listener),
                tls(Service::Listener),
                self.listener_auth,
                allowed(Service::Listener)
            ),
            format!(
                "fileserver {}, TLS {}, auth {}, open to {}",
                self.address(Service::Fileserver),
                tls(Service::Fileserver),
                self.fileserver_auth,
                allowed(Service::Fileserver)
            ),
            format!(
                "defaults: filter {}, {} s before, {} s after",
                self.default_mode,
                self.default_before.as_secs(),
                self.default_after.as_secs()
            ),
            format!(
                "extractor {}, {} at once, {:?} each; {:?} to finish when stopped",
                self.extractor, self.max_concurrent_extractions, self.extractor_timeout, self.drain_timeout
            ),
            format!("indexes {indexes}, background indexing {}", self.background_indexing),
            format!("open windows {}, up to {} alerts wait", self.completion, self.max_queued_extractions),
        ]
    }
}

impl ExtractorChoice {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Builtin, Self::Npcapextract];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Builtin => "builtin",
            Self::Npcapextract => "npcapextract",
        }
    }
}

impl fmt::Display for ExtractorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ExtractorChoice {
    type Err = UnknownExtractor;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == word).ok_or(UnknownExtractor)
    }
}

/// A word that names no [`Completion`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected follow or now")]
pub struct UnknownCompletion;

impl Completion {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Now => "now",
        }
    }
}

impl fmt::Display for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Completion {
    type Err = UnknownCompletion;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Follow, Self::Now].into_iter().find(|choice| choice.as_str() == word).ok_or(UnknownCompletion)
    }
}
