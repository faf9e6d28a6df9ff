//! What stands between the network and a service's handler, put together from the configuration.

use std::net::IpAddr;

use hyper::header::HeaderMap;
use pcapx_core::config::{Config, Service};

use crate::Current;
use crate::door::{Door, Proxies, Untraceable};

/// The rules of one service: whose word on addresses counts, and who gets in. Everything in here can be replaced while
/// the service runs.
#[derive(Debug)]
pub struct Front {
    proxies: Current<Proxies>,
    door: Door,
}

impl Front {
    /// What `config` wants for `service`. `realm` is what clients are asked to authenticate for: letters, digits,
    /// dashes.
    pub fn new(service: Service, config: &Config, realm: &'static str) -> Self {
        Front {
            proxies: Current::new(Proxies::new(&config.trusted_proxies)),
            door: Door::new(realm, config.auth(service), config.allowed(service)),
        }
    }

    /// A front that trusts no proxy and lets everybody in.
    pub fn open(realm: &'static str) -> Self {
        Front {
            proxies: Current::default(),
            door: Door::new(realm, &pcapx_core::config::Auth::default(), &[]),
        }
    }

    /// From here on the rules that `config` has for `service` hold, for requests that arrive from here on.
    pub fn replace(&self, service: Service, config: &Config) {
        self.proxies.set(Proxies::new(&config.trusted_proxies));
        self.door.replace(config.auth(service), config.allowed(service));
    }

    /// Who gets in.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Whose request this is.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Untraceable> {
        self.proxies.get().client(peer, headers)
    }
}
