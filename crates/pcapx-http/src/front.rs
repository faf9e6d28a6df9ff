//! What stands between the network and a service's handler, put together from the configuration.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::header::HeaderMap;
use pcapx_core::config::{Auth, Config, Service};

use crate::audit::Audit;
use crate::door::{Door, Proxies, Untraceable};
use crate::house::Readers;
use crate::readiness::Readiness;
use crate::tls::{Tls, TlsError};
use crate::{Check, Current, Metrics};

/// The rules of one service: whose word on addresses counts, and who gets in. Everything in here can be replaced while
/// the service runs.
#[derive(Debug)]
pub struct Front {
    proxies: Current<Proxies>,
    door: Door,
    tls: Current<Option<Arc<Tls>>>,
    pub(crate) readers: Current<Readers>,
    readiness: OnceLock<Readiness>,
    audit: OnceLock<Audit>,
    metrics: Metrics,
}

impl Front {
    /// What `config` wants for `service`. `realm` is what clients are asked to authenticate for: letters, digits,
    /// dashes. Reads the TLS files.
    pub fn new(service: Service, config: &Config, realm: &'static str) -> Result<Self, TlsError> {
        let front = Front::open(service, realm);
        front.replace(service, config)?;
        Ok(front)
    }

    /// A front of `service` that trusts no proxy and lets everybody in.
    pub fn open(service: Service, realm: &'static str) -> Self {
        let metrics = Metrics::new(service);
        Front {
            proxies: Current::default(),
            door: Door::new(realm, &Auth::default(), &[], Arc::clone(metrics.families())),
            tls: Current::new(None),
            readers: Current::default(),
            readiness: OnceLock::new(),
            audit: OnceLock::new(),
            metrics,
        }
    }

    /// What `/readyz` looks at from now on. Counts the first time.
    pub fn set_checks(&self, checks: Vec<Check>) {
        let _ = self.readiness.set(Readiness::new(checks));
    }

    /// Where acts go from now on. Counts the first time.
    pub fn set_audit(&self, audit: Audit) {
        let _ = self.audit.set(audit);
    }

    /// The audit log; acts go nowhere until one is set.
    pub fn audit(&self) -> Audit {
        self.audit.get().cloned().unwrap_or_default()
    }

    /// What is counted, and where a service adds its own.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn readiness(&self) -> &Readiness {
        self.readiness.get_or_init(|| Readiness::new(Vec::new()))
    }

    /// What `config` has of TLS for `service`, in words; reads the files and changes nothing.
    pub fn check_tls(service: Service, config: &Config) -> Result<String, TlsError> {
        Ok(load_tls(service, config)?.map_or_else(|| "TLS off".to_owned(), |tls| tls.to_string()))
    }

    /// From here on the rules that `config` has for `service` hold, for connections that begin and requests that arrive
    /// from here on. When its TLS files cannot be used, nothing changes at all.
    pub fn replace(&self, service: Service, config: &Config) -> Result<(), TlsError> {
        self.tls.set(load_tls(service, config)?);
        self.tls_was_read();
        self.readers.set(Readers::new(config.metrics, &config.metrics_allowed_ips));
        self.proxies.set(Proxies::new(&config.trusted_proxies));
        self.door.replace(config.auth(service), config.allowed(service));
        Ok(())
    }

    /// Who gets in.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Whether `peer` is a proxy that asks for others.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.proxies.get().trusts(peer)
    }

    /// Whose request this is.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Untraceable> {
        self.proxies.get().client(peer, headers)
    }

    /// TLS as it is offered now.
    pub(crate) fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.get().as_ref().clone()
    }

    /// Puts `newer` in place of `former`, unless something else stands there already.
    pub(crate) fn renew_tls(&self, former: &Arc<Tls>, newer: Tls) {
        self.tls_was_read();
        self.tls.update(|present| match present {
            Some(present) if Arc::ptr_eq(present, former) => Some(Some(Arc::new(newer))),
            _ => None,
        });
    }

    fn tls_was_read(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        self.metrics.families().certificate_read.set(if self.tls().is_some() { now } else { 0.0 });
    }
}

fn load_tls(service: Service, config: &Config) -> Result<Option<Arc<Tls>>, TlsError> {
    config.tls(service).map(|files| Tls::load(files).map(Arc::new)).transpose()
}
