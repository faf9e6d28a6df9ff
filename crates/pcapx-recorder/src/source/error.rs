//! Why a source gives no packets.

use std::io;
use std::path::PathBuf;

use pcapx_timeline::link::LinkType;
use pcapx_timeline::segment::SegmentError;

/// Why a source gives no packets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The process may not open packet sockets.
    #[error(
        "capturing from {interface} needs the capability CAP_NET_RAW, which this process does not have: start it as root \
         (-u USER gives all rights up again), or have systemd grant it (AmbientCapabilities=CAP_NET_RAW in the unit), or \
         give it to the program (setcap cap_net_raw+ep {}); to try it without root, `unshare -Urn` gives a network of \
         one's own",
        program()
    )]
    NotPermitted {
        /// The interface asked for.
        interface: String,
    },
    /// The process may not set interfaces up.
    #[error(
        "setting {interface} up needs the capability CAP_NET_ADMIN: set it up before (`ip link set {interface} up`), or \
         grant it"
    )]
    NotSetUp {
        /// The interface asked for.
        interface: String,
    },
    /// There is no interface of that name.
    #[error("there is no interface {interface:?}; `ip link` lists those there are")]
    NoSuchInterface {
        /// The interface asked for.
        interface: String,
    },
    /// The interface's packets begin with something that is neither Ethernet nor IP.
    #[error(
        "{interface} is neither an Ethernet nor an IP interface (its type in the kernel's if_arp.h is {hardware_type})"
    )]
    UnknownLink {
        /// The interface asked for.
        interface: String,
        /// `ARPHRD_…`
        hardware_type: u16,
    },
    /// The kernel has no memory for the ring.
    #[error(
        "the kernel gives no memory for a ring of {bytes} bytes on {interface}, ask for a smaller one: {source}"
    )]
    NoMemory {
        /// The interface asked for.
        interface: String,
        /// The ring asked for.
        bytes: usize,
        /// What the kernel says.
        source: io::Error,
    },
    /// The rings are larger than this machine can bear.
    #[error(
        "a buffer of {bytes} bytes is more than half of this machine's memory ({memory} bytes), ask for a smaller one"
    )]
    RingTooLarge {
        /// The ring asked for.
        bytes: usize,
        /// Bytes of memory of this machine.
        memory: u64,
    },
    /// The interface went down. The source is still good: it goes on when the interface is up again.
    #[error("{interface} is down; recording goes on when it is up again")]
    Down {
        /// The interface.
        interface: String,
    },
    /// The interface was removed. This source gives no packets any more.
    #[error("{interface} is gone")]
    Gone {
        /// The interface.
        interface: String,
    },
    /// The interface was removed. The source is still good: it goes on when there is one of that name again.
    #[error("{interface} is gone; recording goes on when it is there again")]
    Away {
        /// The interface.
        interface: String,
    },
    /// The interface was removed, and this process has no right any more to open it again.
    #[error(
        "{interface} is gone, and to open it again needs the capability CAP_NET_RAW, which was given up: start the \
         recorder again when the interface is there, or have systemd do it (Restart=)"
    )]
    NotReopened {
        /// The interface.
        interface: String,
    },
    /// The operating system refused.
    #[error("{interface}: cannot {what}: {source}")]
    System {
        /// The interface.
        interface: String,
        /// What was tried.
        what: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
    /// A block of the ring contradicts itself; its packets from there on are lost. The source is still good.
    #[error("{interface}: a block of the ring contradicts itself, {lost} packets of it are lost")]
    Damaged {
        /// The interface.
        interface: String,
        /// Packets that the block should have held besides those visited.
        lost: usize,
    },
    /// A capture file cannot be read, or not to its end.
    #[error("{path:?} {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: SegmentError,
    },
    /// Sources whose packets do not fit into one file.
    #[error(
        "{one} ({one_type}) and {other} ({other_type}) have packets of different link types, which one file cannot hold: \
         start a recorder for each, with a folder of its own"
    )]
    DifferentLinks {
        /// The first source.
        one: String,
        /// What its packets begin with.
        one_type: LinkType,
        /// A source that differs.
        other: String,
        /// What its packets begin with.
        other_type: LinkType,
    },
    /// A capture file's packets come from links of several types, which one recording cannot hold.
    #[error("{path:?} holds packets of several link types: split it first")]
    MixedLinks {
        /// The file.
        path: PathBuf,
    },
}

/// The path of this program, for whoever has to name it.
fn program() -> String {
    let path = std::env::current_exe();
    path.map_or_else(|_| "pcapx-recorder".to_owned(), |path| path.display().to_string())
}

impl SourceError {
    /// Whether the source may be waited on again after this error.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Down { .. } | Self::Away { .. } | Self::Damaged { .. })
    }
}
