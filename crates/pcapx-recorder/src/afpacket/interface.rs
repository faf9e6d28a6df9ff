//! Interfaces: name, number, what their packets begin with, and whether their cards stamp packets.

use std::ffi::{c_char, c_int};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use pcapx_timeline::link::LinkType;

use super::socket::{Socket, checked};
use crate::source::SourceError;

/// `HWTSTAMP_TX_OFF` and `HWTSTAMP_FILTER_ALL` of the kernel's `net_tstamp.h`.
const STAMP_NOTHING_SENT: c_int = 0;
const STAMP_ALL_RECEIVED: c_int = 1;
/// `if_arp.h`: packets that begin with IP, as mobile modems give them.
const ARPHRD_RAWIP: u16 = 519;

/// An interface that packets can be taken from.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) link_type: LinkType,
    /// What is sent to a loopback comes back: outgoing packets would be seen twice.
    pub(super) is_loopback: bool,
}

/// What may change while packets are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) mtu: c_int,
    pub(super) is_up: bool,
}

impl Interface {
    /// Looks an interface up.
    pub(super) fn find(socket: &Socket, name: &str) -> Result<Self, SourceError> {
        let index = match rustix::net::netdevice::name_to_index(socket, name) {
            Ok(index) => index,
            // Longer than a name can be is as unknown.
            Err(rustix::io::Errno::NODEV | rustix::io::Errno::NAMETOOLONG | rustix::io::Errno::INVAL) => {
                return Err(SourceError::NoSuchInterface { interface: name.to_owned() });
            }
            Err(e) => return Err(system(name, "look the interface up")(e.into())),
        };
        let hardware_type = hardware_type(socket, name).map_err(system(name, "read the interface's type"))?;
        let link_type = match hardware_type {
            libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => LinkType::ETHERNET,
            libc::ARPHRD_NONE | ARPHRD_RAWIP => LinkType::RAW,
            _ => return Err(SourceError::UnknownLink { interface: name.to_owned(), hardware_type }),
        };
        let is_loopback = hardware_type == libc::ARPHRD_LOOPBACK;
        Ok(Self { name: name.to_owned(), index, link_type, is_loopback })
    }

    /// Whether the interface is still there, perhaps under another name.
    pub(super) fn is_there(&self, socket: &Socket) -> bool {
        rustix::net::netdevice::index_to_name_inlined(socket, self.index) != Err(rustix::io::Errno::NODEV)
    }

    /// The longest packet that the interface takes, without its link header; and whether it is up.
    pub(super) fn condition(&self, socket: &Socket) -> io::Result<Condition> {
        // It may have another name by now.
        let name = rustix::net::netdevice::index_to_name(socket, self.index)?;
        let fd = socket.as_fd().as_raw_fd();
        let mut mtu = query(&name, libc::__c_anonymous_ifr_ifru { ifru_mtu: 0 });
        // SAFETY: the request takes an `ifreq`, which lives until the call returns.
        checked(unsafe { libc::ioctl(fd, libc::SIOCGIFMTU as _, &raw mut mtu) })?;
        let mut flags = query(&name, libc::__c_anonymous_ifr_ifru { ifru_flags: 0 });
        // SAFETY: as above.
        checked(unsafe { libc::ioctl(fd, libc::SIOCGIFFLAGS as _, &raw mut flags) })?;
        // SAFETY: the request has succeeded, so the kernel has written a number there; any bytes are one.
        let mtu = unsafe { mtu.ifr_ifru.ifru_mtu };
        // SAFETY: as above, flags.
        let flags = unsafe { flags.ifr_ifru.ifru_flags };
        Ok(Condition { mtu, is_up: flags & libc::IFF_UP as i16 != 0 })
    }

    /// Has the card stamp all packets that it receives. What another program has set for packets sent stays.
    pub(super) fn stamp_packets(&self, socket: &Socket) -> io::Result<()> {
        let mut stamps =
            libc::hwtstamp_config { flags: 0, tx_type: STAMP_NOTHING_SENT, rx_filter: STAMP_ALL_RECEIVED };
        // A card that cannot tell has no other program's settings.
        let _ = self.stamp_ioctl(socket, libc::SIOCGHWTSTAMP, &mut stamps);
        if stamps.rx_filter == STAMP_ALL_RECEIVED
            && self.stamp_ioctl(socket, libc::SIOCGHWTSTAMP, &mut stamps).is_ok()
        {
            return Ok(());
        }
        stamps.rx_filter = STAMP_ALL_RECEIVED;
        self.stamp_ioctl(socket, libc::SIOCSHWTSTAMP, &mut stamps)
    }

    fn stamp_ioctl(
        &self,
        socket: &Socket,
        request: libc::c_ulong,
        stamps: &mut libc::hwtstamp_config,
    ) -> io::Result<()> {
        let union = libc::__c_anonymous_ifr_ifru { ifru_data: (&raw mut *stamps).cast::<c_char>() };
        let mut query = query(&self.name, union);
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: both requests take an `ifreq` whose pointer leads to a `hwtstamp_config`; both live until the call
        // returns, the one in the line above, the other as the caller's unique reference.
        checked(unsafe { libc::ioctl(fd, request as _, &raw mut query) })
    }
}

/// Sets an interface up that is down.
pub(crate) fn set_up(name: &str) -> Result<(), SourceError> {
    let not_permitted = |source: &io::Error| source.kind() == io::ErrorKind::PermissionDenied;
    let socket = Socket::open().map_err(|source| match source {
        source if not_permitted(&source) => SourceError::NotPermitted { interface: name.to_owned() },
        source => system(name, "open a packet socket")(source),
    })?;
    // It is there, and its name is no longer than one can be.
    Interface::find(&socket, name)?;
    let mut flags = query(name, libc::__c_anonymous_ifr_ifru { ifru_flags: 0 });
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the request takes an `ifreq`, which lives until the call returns.
    checked(unsafe { libc::ioctl(fd, libc::SIOCGIFFLAGS as _, &raw mut flags) })
        .map_err(system(name, "read the interface's flags"))?;
    // SAFETY: the request has succeeded, so the kernel has written flags there; any bytes are some.
    let known = unsafe { flags.ifr_ifru.ifru_flags };
    let up = libc::IFF_UP as i16;
    if known & up != 0 {
        return Ok(());
    }
    flags.ifr_ifru.ifru_flags = known | up;
    // SAFETY: as above.
    checked(unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS as _, &raw mut flags) }).map_err(
        |source| match source {
            source if not_permitted(&source) => SourceError::NotSetUp { interface: name.to_owned() },
            source => system(name, "set the interface up")(source),
        },
    )
}

/// `ARPHRD_…` of an interface.
fn hardware_type(socket: &Socket, name: &str) -> io::Result<u16> {
    let mut query = query(name, libc::__c_anonymous_ifr_ifru { ifru_ifindex: 0 });
    // SAFETY: the request takes an `ifreq`, which lives until the call returns.
    checked(unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCGIFHWADDR as _, &raw mut query) })?;
    // SAFETY: the request has succeeded, so the kernel has written an address there; any bytes are one.
    Ok(unsafe { query.ifr_ifru.ifru_hwaddr }.sa_family)
}

/// A question about an interface; what is longer than a name can be was found to be no interface before.
fn query(name: &str, union: libc::__c_anonymous_ifr_ifru) -> libc::ifreq {
    let mut ifr_name = [0; libc::IFNAMSIZ];
    for (to, from) in ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    libc::ifreq { ifr_name, ifr_ifru: union }
}

/// Turns what the operating system says about `interface` into an error.
pub(super) fn system(interface: &str, what: &'static str) -> impl FnOnce(io::Error) -> SourceError {
    move |source| SourceError::System { interface: interface.to_owned(), what, source }
}
