//! From the configuration as written to the one the services work with.

use std::time::Duration;

use config::ValueKind;

use super::keys::{self, Key};
use super::notes::Notes;
use super::reading::{self, Read};
use super::written::Written;
use super::{Auth, Config, Credentials, MetricsAccess, Tls, host, link_base, network};

const SECS_PER_DAY: u64 = 86_400;

/// Reads every key, so that everything that is wrong is noted; `None` when a value is not there to be used.
pub(super) fn config(written: &Written, notes: &mut Notes) -> Option<Config> {
    let mut keys = Keys { written, notes };

    let host = keys.read(&keys::HOST, host::host);
    let listen_port = keys.read(&keys::LISTEN_PORT, reading::port);
    let fileserver_port = keys.read(&keys::FILESERVER_PORT, reading::port);
    let timeline_dir = keys.read(&keys::TIMELINE_DIR, reading::path);
    let output_dir = keys.read(&keys::OUTPUT_DIR, reading::path);
    let default_mode = keys.read(&keys::DEFAULT_FILTER, |written| Ok(reading::mode(written)));
    let default_before = keys.read(&keys::DEFAULT_BEFORE, reading::reach);
    let default_after = keys.read(&keys::DEFAULT_AFTER, reading::reach);
    let max_concurrent =
        keys.read(&keys::MAX_CONCURRENT_EXTRACTIONS, |written| Ok(reading::concurrency(written)));
    let listener_auth = keys.basic(&keys::LISTENER_AUTH_USER, &keys::LISTENER_AUTH_PASS);
    let fileserver_auth = keys.basic(&keys::FILESERVER_AUTH_USER, &keys::FILESERVER_AUTH_PASS);
    let listener_bearer = keys.read(&keys::LISTENER_AUTH_TOKEN, reading::token);
    let allowed_ips = keys.read(&keys::ALLOWED_IPS, network::networks);
    let listener_allowed_ips = keys.read(&keys::LISTENER_ALLOWED_IPS, network::networks);
    let trusted_proxies = keys.read(&keys::TRUSTED_PROXIES, network::networks);
    let listener_tls =
        keys.tls(&keys::LISTENER_TLS_CERT, &keys::LISTENER_TLS_KEY, &keys::LISTENER_TLS_CLIENT_CA);
    let fileserver_tls =
        keys.tls(&keys::FILESERVER_TLS_CERT, &keys::FILESERVER_TLS_KEY, &keys::FILESERVER_TLS_CLIENT_CA);
    let download_url_base = keys.read(&keys::DOWNLOAD_URL_BASE, link_base::link_base);
    let metrics = keys.read(&keys::METRICS, reading::metrics);
    let metrics_allowed_ips = keys.read(&keys::METRICS_ALLOWED_IPS, network::networks);
    let audit_log = keys.read(&keys::AUDIT_LOG, reading::path_or_none);
    let audit_log_max_bytes = keys.read(&keys::AUDIT_LOG_MAX_BYTES, reading::amount);
    let extractor = keys.read(&keys::EXTRACTOR, reading::extractor);
    let extractor_timeout = keys.read(&keys::EXTRACTOR_TIMEOUT, |written| reading::timeout(written, false));
    let drain_timeout = keys.read(&keys::DRAIN_TIMEOUT, |written| reading::timeout(written, true));
    let bind = keys.read(&keys::BIND_ADDRESS, reading::address);
    let index_dir = keys.read(&keys::INDEX_DIR, reading::path_or_none);
    let background_indexing = keys.read(&keys::BACKGROUND_INDEXING, reading::flag);
    let completion = keys.read(&keys::COMPLETION, reading::completion);
    let reply_within = keys.read(&keys::REPLY_WITHIN, |written| reading::timeout(written, true));
    let output_format = keys.read(&keys::OUTPUT_FORMAT, reading::format);
    let max_queued = keys.read(&keys::MAX_QUEUED_EXTRACTIONS, reading::queue);
    let max_output_bytes = keys.read(&keys::MAX_OUTPUT_BYTES, reading::amount);
    let max_output_packets = keys.read(&keys::MAX_OUTPUT_PACKETS, reading::amount);
    let retention_days = keys.read(&keys::RETENTION_MAX_AGE_DAYS, reading::amount);
    let retention_max_bytes = keys.read(&keys::RETENTION_MAX_BYTES, reading::amount);
    let min_free_bytes = keys.read(&keys::MIN_FREE_BYTES, reading::amount);
    let allow_ad_hoc = keys.read(&keys::ALLOW_AD_HOC, reading::flag_or_auto);
    let directory_listing = keys.read(&keys::DIRECTORY_LISTING, reading::flag);

    let listener_auth = Auth { bearer: listener_bearer?, ..listener_auth? };
    // Whoever may ask for everything has said who he is, unless the configuration wants it otherwise.
    let ad_hoc_by_default = listener_auth.is_on();
    let config = Config {
        host: host?,
        listen_port: listen_port?,
        fileserver_port: fileserver_port?,
        timeline_dir: timeline_dir?,
        output_dir: output_dir?,
        default_mode: default_mode?,
        default_before: default_before?,
        default_after: default_after?,
        max_concurrent_extractions: max_concurrent?,
        listener_auth,
        fileserver_auth: fileserver_auth?,
        allowed_ips: allowed_ips?,
        listener_allowed_ips: listener_allowed_ips?,
        trusted_proxies: trusted_proxies?,
        listener_tls,
        fileserver_tls,
        download_url_base: download_url_base?,
        audit_log: audit_log?,
        audit_log_max_bytes: audit_log_max_bytes?,
        metrics: metrics?,
        metrics_allowed_ips: metrics_allowed_ips?,
        extractor: extractor?,
        extractor_timeout: extractor_timeout?,
        drain_timeout: drain_timeout?,
        bind: bind?,
        index_dir: index_dir?,
        background_indexing: background_indexing?,
        completion: completion?,
        reply_within: reply_within.map(|time| (!time.is_zero()).then_some(time))?,
        output_format: output_format?,
        max_queued_extractions: max_queued?,
        max_output_bytes: max_output_bytes?,
        max_output_packets: max_output_packets?,
        retention_max_age: retention_days?.map(|days| Duration::from_secs(days.saturating_mul(SECS_PER_DAY))),
        retention_max_bytes: retention_max_bytes?,
        min_free_bytes: min_free_bytes?.unwrap_or(0),
        allow_ad_hoc: allow_ad_hoc?.unwrap_or(ad_hoc_by_default),
        directory_listing: directory_listing?,
    };
    keys.compare(&config);
    Some(config)
}

struct Keys<'a> {
    written: &'a Written,
    notes: &'a mut Notes,
}

impl Keys<'_> {
    fn read<T>(&mut self, key: &Key, read: impl FnOnce(&ValueKind) -> Read<T>) -> Option<T> {
        let Some(written) = self.written.get(key) else {
            self.notes.missing.push(key.name);
            return None;
        };
        match read(written) {
            Ok(reading) => {
                if let Some(remark) = reading.remark {
                    self.notes.warn(key, self.written.from(key), remark);
                }
                Some(reading.value)
            }
            Err(reason) => {
                self.notes.refuse(key, self.written.from(key), reason);
                None
            }
        }
    }

    fn basic(&mut self, user_key: &Key, password_key: &Key) -> Option<Auth> {
        let user = self.read(user_key, reading::text);
        let password = self.read(password_key, reading::secret);
        let (user, password) = (user?, password?);
        if user.contains(':') {
            let reason = "holds a colon, but HTTP Basic ends the user at the first one: nobody can log in";
            self.notes.warn(user_key, self.written.from(user_key), reason);
        }
        Some(Auth { basic: Credentials::new(user, password), bearer: None })
    }

    /// TLS material: certificate and key, both or none; without them no authorities. Half of it is noted and is none.
    fn tls(&mut self, cert_key: &Key, key_key: &Key, client_ca_key: &Key) -> Option<Tls> {
        let [cert, key, client_ca] =
            [cert_key, key_key, client_ca_key].map(|key| self.read(key, reading::path_or_none).flatten());
        match (cert, key, client_ca) {
            (Some(cert), Some(key), client_ca) => return Some(Tls { cert, key, client_ca }),
            (None, None, None) => {}
            (cert, ..) => {
                let missing = if cert.is_none() { cert_key } else { key_key };
                let reason = "is missing: TLS needs a certificate and its key";
                self.notes.refuse(missing, self.written.from(missing), reason);
            }
        }
        None
    }

    /// Values that are right alone and odd together.
    fn compare(&mut self, config: &Config) {
        if config.listen_port == config.fileserver_port && config.listen_port != 0 {
            let reason =
                format!("is {} as listen_port is: one of the services cannot start", config.listen_port);
            self.notes.warn(&keys::FILESERVER_PORT, self.written.from(&keys::FILESERVER_PORT), reason);
        }
        if config.output_dir.starts_with(&config.timeline_dir) {
            let reason = "lies in timeline_dir: extracted packets are found again by later extractions";
            self.notes.warn(&keys::OUTPUT_DIR, self.written.from(&keys::OUTPUT_DIR), reason);
        }
        if config.index_dir.as_ref().is_some_and(|folder| folder.starts_with(&config.output_dir)) {
            let reason = "lies in output_dir: indexes tell who spoke with whom and can be downloaded there";
            self.notes.warn(&keys::INDEX_DIR, self.written.from(&keys::INDEX_DIR), reason);
        }
        self.compare_access(config);
    }

    /// What lets more people in than it looks like.
    fn compare_access(&mut self, config: &Config) {
        for (auth, key) in [
            (&config.listener_auth, &keys::LISTENER_AUTH_PASS),
            (&config.fileserver_auth, &keys::FILESERVER_AUTH_PASS),
        ] {
            if auth.basic.as_ref().is_some_and(|credentials| credentials.password.is_empty()) {
                let reason = "is empty: whoever knows the user's name gets in";
                self.notes.warn(key, self.written.from(key), reason);
            }
        }
        let is_open = |auth: &Auth| !auth.is_on();
        if config.metrics == MetricsAccess::Auth
            && config.metrics_allowed_ips.is_empty()
            && (is_open(&config.listener_auth) || is_open(&config.fileserver_auth))
        {
            let reason = "is auth, and a service without credentials tells its figures to everybody";
            self.notes.warn(&keys::METRICS, self.written.from(&keys::METRICS), reason);
        }
        if config.trusted_proxies.iter().any(|network| network.prefix() == 0) {
            let reason = "has every address: every client can say that it is another one";
            self.notes.warn(&keys::TRUSTED_PROXIES, self.written.from(&keys::TRUSTED_PROXIES), reason);
        }
    }
}
