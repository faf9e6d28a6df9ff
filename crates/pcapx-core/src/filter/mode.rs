//! The five ways in which an alert becomes a filter.
//!
//! Terms are joined in a fixed order – protocol, client, server, port:
//!
//! | mode | client | server | port |
//! |---|---|---|---|
//! | `full` | ✓ | ✓ | ✓ |
//! | `hosts` | ✓ | ✓ | |
//! | `client` | ✓ | | |
//! | `server` | | ✓ | |
//! | `port` | | ✓ | ✓ |

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{Expr, ipproto};
use crate::alert::{Alert, Excerpt};

/// Which of an alert's addresses and ports the filter names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Client, server and port.
    #[default]
    Full,
    /// Client and server.
    Hosts,
    /// The client alone.
    Client,
    /// The server alone.
    Server,
    /// Server and port.
    Port,
}

impl Mode {
    /// Every mode, in the order in which they are told to people.
    pub const ALL: [Self; 5] = [Self::Full, Self::Hosts, Self::Client, Self::Server, Self::Port];

    /// The word for it in the configuration and in `?filter=`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Hosts => "hosts",
            Self::Client => "client",
            Self::Server => "server",
            Self::Port => "port",
        }
    }

    const fn names_client(self) -> bool {
        matches!(self, Self::Full | Self::Hosts | Self::Client)
    }

    const fn names_server(self) -> bool {
        !matches!(self, Self::Client)
    }

    const fn names_port(self) -> bool {
        matches!(self, Self::Full | Self::Port)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is none of the five modes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown filter mode {0}: expected full, hosts, client, server or port")]
pub struct UnknownMode(Excerpt);

impl FromStr for Mode {
    type Err = UnknownMode;

    /// The exact lower-case word; what an unknown one means is for the caller to say.
    fn from_str(word: &str) -> Result<Self, UnknownMode> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or_else(|| UnknownMode(Excerpt::of(word)))
    }
}

/// The filter that `mode` makes of `alert`; `None` when nothing but a protocol is known.
///
/// - The protocol comes first, except ICMP when a server port is known: such a port is not one of ICMP's.
///   ICMP of IPv6 addresses is ICMPv6; with addresses of both versions either one matches.
/// - Several clients, servers or ports are alternatives: `(host 10.0.0.1 or host 10.0.0.2)`.
/// - Ports are named for TCP, UDP and an unknown protocol only.
pub fn from_alert(alert: &Alert, mode: Mode) -> Option<Expr> {
    let clients: &[IpAddr] = if mode.names_client() { &alert.client } else { &[] };
    let servers: &[IpAddr] = if mode.names_server() { &alert.server } else { &[] };
    let has_ports = matches!(alert.protocol, None | Some(ipproto::TCP | ipproto::UDP));
    let ports: &[u16] = if mode.names_port() && has_ports { &alert.ports } else { &[] };

    let ends: Vec<Expr> =
        [any_of(clients, Expr::host), any_of(servers, Expr::host), any_of(ports, Expr::port)]
            .into_iter()
            .flatten()
            .collect();
    if ends.is_empty() {
        return None;
    }
    let is_icmp = matches!(alert.protocol, Some(ipproto::ICMP | ipproto::ICMPV6));
    let protocol = if is_icmp && !alert.ports.is_empty() { None } else { alert.protocol };
    let protocol = protocol.map(|number| protocol_term(number, clients.iter().chain(servers)));
    Expr::all(protocol.into_iter().chain(ends).collect())
}

/// The protocol's term; senders say ICMP and mean the one that goes with the addresses.
fn protocol_term<'a>(number: u8, mut hosts: impl Iterator<Item = &'a IpAddr> + Clone) -> Expr {
    if number != ipproto::ICMP || hosts.clone().all(IpAddr::is_ipv4) {
        Expr::protocol(number)
    } else if hosts.all(IpAddr::is_ipv6) {
        Expr::protocol(ipproto::ICMPV6)
    } else {
        Expr::Or(vec![Expr::protocol(ipproto::ICMP), Expr::protocol(ipproto::ICMPV6)])
    }
}

fn any_of<T: Copy>(values: &[T], term: fn(T) -> Expr) -> Option<Expr> {
    Expr::any(values.iter().copied().map(term).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_exact_word_only() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        for word in ["", "FULL", "Full", " full", "full ", "hosts,port", "ful"] {
            assert!(word.parse::<Mode>().is_err(), "{word:?}");
        }
    }

    #[test]
    fn an_unknown_mode_is_quoted_escaped_and_short() {
        let error = format!("a\n{}", "x".repeat(9000)).parse::<Mode>().unwrap_err().to_string();
        assert!(error.starts_with("unknown filter mode \"a\\nxxx"), "{error}");
        assert!(error.ends_with("...\": expected full, hosts, client, server or port"), "{error}");
        assert!(error.len() < 200, "{error}");
    }
}
