//! What changes between two readings of a configuration, and who takes it over while running.

use super::keys::{self, KEYS, Key};
use super::{Loaded, Service};

/// Keys whose new values a running service takes over, and which service that is. Every other key is read once, at the
/// start.
const LIVE: &[(&Key, &[Service])] = &[
    (&keys::HOST, LISTENER),
    (&keys::FILESERVER_PORT, LISTENER),
    (&keys::DEFAULT_FILTER, LISTENER),
    (&keys::DEFAULT_BEFORE, LISTENER),
    (&keys::DEFAULT_AFTER, LISTENER),
    (&keys::REPLY_WITHIN, LISTENER),
    (&keys::COMPLETION, LISTENER),
    (&keys::MAX_OUTPUT_BYTES, LISTENER),
    (&keys::MAX_OUTPUT_PACKETS, LISTENER),
    (&keys::MIN_FREE_BYTES, LISTENER),
    (&keys::RETENTION_MAX_AGE_DAYS, LISTENER),
    (&keys::RETENTION_MAX_BYTES, LISTENER),
    (&keys::OUTPUT_FORMAT, LISTENER),
    (&keys::ALLOW_AD_HOC, LISTENER),
    (&keys::DOWNLOAD_URL_BASE, LISTENER),
    (&keys::LISTENER_AUTH_USER, LISTENER),
    (&keys::LISTENER_AUTH_PASS, LISTENER),
    (&keys::LISTENER_AUTH_TOKEN, LISTENER),
    (&keys::LISTENER_ALLOWED_IPS, LISTENER),
    (&keys::LISTENER_TLS_CERT, LISTENER),
    (&keys::LISTENER_TLS_KEY, LISTENER),
    (&keys::LISTENER_TLS_CLIENT_CA, LISTENER),
    (&keys::FILESERVER_AUTH_USER, FILESERVER),
    (&keys::FILESERVER_AUTH_PASS, FILESERVER),
    (&keys::ALLOWED_IPS, FILESERVER),
    // Links of the listener begin with https where the fileserver has TLS.
    (&keys::FILESERVER_TLS_CERT, BOTH),
    (&keys::FILESERVER_TLS_KEY, FILESERVER),
    (&keys::FILESERVER_TLS_CLIENT_CA, FILESERVER),
    (&keys::TRUSTED_PROXIES, BOTH),
    (&keys::METRICS, BOTH),
    (&keys::METRICS_ALLOWED_IPS, BOTH),
    (&keys::BASIC_AUTH_USER, BOTH),
    (&keys::BASIC_AUTH_PASS, BOTH),
];

/// Keys that the fileserver reads at its start; it has nothing to do with those that are neither here nor above.
const FILESERVER_START: &[&Key] = &[
    &keys::FILESERVER_PORT,
    &keys::OUTPUT_DIR,
    &keys::BIND_ADDRESS,
    &keys::DRAIN_TIMEOUT,
    &keys::DIRECTORY_LISTING,
    &keys::AUDIT_LOG,
    &keys::AUDIT_LOG_MAX_BYTES,
];

const LISTENER: &[Service] = &[Service::Listener];
const FILESERVER: &[Service] = &[Service::Fileserver];
const BOTH: &[Service] = &[Service::Listener, Service::Fileserver];

/// What a changed key means for a service that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The service takes the new value over.
    Live,
    /// The new value counts after the next start.
    Restart,
    /// The service does not read the key.
    None,
}

impl Key {
    /// What a change of this key means for `service` while it runs.
    pub fn effect(&self, service: Service) -> Effect {
        let live = LIVE.iter().find(|(key, _)| key.name == self.name).map(|(_, services)| *services);
        let reads_at_start = match service {
            Service::Fileserver => FILESERVER_START.iter().any(|key| key.name == self.name),
            // All that is only the fileserver's is live there.
            Service::Listener => live.is_none() && self.name != keys::DIRECTORY_LISTING.name,
        };
        match live {
            Some(services) if services.contains(&service) => Effect::Live,
            _ if reads_at_start => Effect::Restart,
            _ => Effect::None,
        }
    }
}

impl Loaded {
    /// The keys that have other values in `newer`, in the table's order.
    pub fn changed<'a>(&'a self, newer: &'a Loaded) -> impl Iterator<Item = &'static Key> + 'a {
        KEYS.iter().filter(|key| self.written.get(key) != newer.written.get(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_by_key_and_service() {
        for (key, listener, fileserver) in [
            (&keys::HOST, Effect::Live, Effect::None),
            (&keys::LISTEN_PORT, Effect::Restart, Effect::None),
            (&keys::FILESERVER_PORT, Effect::Live, Effect::Restart),
            (&keys::TIMELINE_DIR, Effect::Restart, Effect::None),
            (&keys::DIRECTORY_LISTING, Effect::None, Effect::Restart),
            (&keys::OUTPUT_DIR, Effect::Restart, Effect::Restart),
            (&keys::LISTENER_AUTH_PASS, Effect::Live, Effect::None),
            (&keys::ALLOWED_IPS, Effect::None, Effect::Live),
            (&keys::TRUSTED_PROXIES, Effect::Live, Effect::Live),
            (&keys::FILESERVER_TLS_CERT, Effect::Live, Effect::Live),
            (&keys::BIND_ADDRESS, Effect::Restart, Effect::Restart),
        ] {
            assert_eq!(key.effect(Service::Listener), listener, "{}", key.name);
            assert_eq!(key.effect(Service::Fileserver), fileserver, "{}", key.name);
        }
    }
}
