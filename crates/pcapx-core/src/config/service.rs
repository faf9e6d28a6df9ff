//! The two services that share a configuration, and what each finds in it.

use std::net::SocketAddr;

use ipnetwork::IpNetwork;

use super::{Auth, Config, Tls};

/// One of the two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Takes alerts.
    Listener,
    /// Hands evidence out.
    Fileserver,
}

impl Service {
    /// The program's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listener => "pcapx-listener",
            Self::Fileserver => "pcapx-fileserver",
        }
    }

    /// The name of a key of this service: `listener_tls_cert` of `tls_cert`.
    pub fn key(self, name: &str) -> String {
        let prefix = match self {
            Self::Listener => "listener",
            Self::Fileserver => "fileserver",
        };
        format!("{prefix}_{name}")
    }

    /// What somebody who gets in can do.
    const fn use_of_it(self) -> &'static str {
        match self {
            Self::Listener => "have packets extracted",
            Self::Fileserver => "download evidence",
        }
    }

    /// The keys that close it.
    const fn closing_keys(self) -> &'static str {
        match self {
            Self::Listener => {
                "listener_auth_user and listener_auth_pass, listener_auth_token, or listener_allowed_ips"
            }
            Self::Fileserver => "fileserver_auth_user and fileserver_auth_pass, or allowed_ips",
        }
    }
}

impl Config {
    /// Where `service` listens.
    pub fn address(&self, service: Service) -> SocketAddr {
        let port = match service {
            Service::Listener => self.listen_port,
            Service::Fileserver => self.fileserver_port,
        };
        SocketAddr::new(self.bind, port)
    }

    /// What `service` asks of its clients.
    pub const fn auth(&self, service: Service) -> &Auth {
        match service {
            Service::Listener => &self.listener_auth,
            Service::Fileserver => &self.fileserver_auth,
        }
    }

    /// Who may use `service`; empty is everybody.
    pub fn allowed(&self, service: Service) -> &[IpNetwork] {
        match service {
            Service::Listener => &self.listener_allowed_ips,
            Service::Fileserver => &self.allowed_ips,
        }
    }

    /// What makes `service` speak TLS; `None` is plain HTTP.
    pub const fn tls(&self, service: Service) -> Option<&Tls> {
        match service {
            Service::Listener => self.listener_tls.as_ref(),
            Service::Fileserver => self.fileserver_tls.as_ref(),
        }
    }

    /// A warning when everybody who reaches `service` over the network may use it.
    pub fn openness(&self, service: Service) -> Option<String> {
        let closed = self.bind.is_loopback()
            || self.auth(service).is_on()
            || self.tls(service).is_some_and(|tls| tls.client_ca.is_some())
            || self.allowed(service).iter().any(|network| network.prefix() > 0);
        (!closed).then(|| {
            format!(
                "everybody who reaches {} can {}: set {}",
                self.address(service),
                service.use_of_it(),
                service.closing_keys()
            )
        })
    }
}
