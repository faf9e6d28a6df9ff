//! A packet socket ([packet(7)](https://man7.org/linux/man-pages/man7/packet.7.html)) and its options.

use std::ffi::{c_int, c_uint};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::source::Counts;

/// How the members of a fanout group share the packets: by a hash of the flow, so that a flow's packets stay in order;
/// whoever's ring is full leaves the packet to another.
const FANOUT_TYPE: c_uint = libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_ROLLOVER;

/// A packet socket; it takes no packets before it is bound.
#[derive(Debug)]
pub(super) struct Socket(OwnedFd);

/// What a wait for a socket has brought.
#[derive(Debug)]
pub(super) enum Polled {
    /// Packets, or nothing in time.
    Quiet,
    /// A signal was handled.
    Interrupted,
    /// The socket has an error; it is gone from the socket now.
    Failed(io::Error),
}

impl Socket {
    /// Opens a socket whose packets begin with the link's header.
    pub(super) fn open() -> io::Result<Self> {
        // Protocol 0: nothing comes until `bind` names interface and protocol, so no other interface's packets do.
        let fd =
            rustix::net::socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Self(fd))
    }

    /// Takes packets of all protocols from an interface, and lets packets be sent there.
    pub(super) fn bind(&self, interface: u32) -> io::Result<()> {
        self.bind_protocol(interface, (libc::ETH_P_ALL as u16).to_be())
    }

    /// Lets packets be sent to an interface, and takes none.
    pub(super) fn bind_for_sending(&self, interface: u32) -> io::Result<()> {
        self.bind_protocol(interface, 0)
    }

    fn bind_protocol(&self, interface: u32, protocol: u16) -> io::Result<()> {
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: protocol,
            sll_ifindex: interface.cast_signed(),
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the address lives until the call returns and is as long as `len`, both in the two lines above.
        checked(unsafe { libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), len) })
    }

    /// Frames of version 3: blocks filled one packet after another.
    pub(super) fn use_version_3(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_VERSION, libc::tpacket_versions::TPACKET_V3 as c_int)
    }

    /// Makes the ring that is mapped next.
    pub(super) fn make_ring(&self, ring: libc::tpacket_req3) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_RX_RING, ring)
    }

    /// Leaves room in front of each packet.
    pub(super) fn reserve(&self, bytes: u32) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_RESERVE, bytes)
    }

    /// Takes no packets that this machine sends. Kernels before 4.20 do not know that: whoever looks at the packets has
    /// to pass over them.
    pub(super) fn ignore_outgoing(&self) -> io::Result<()> {
        match self.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1 as c_int) {
            Err(e) if e.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(()),
            other => other,
        }
    }

    /// Stamps by the card's clock where a packet has one, else by the system's.
    pub(super) fn prefer_hardware_stamps(&self, does: bool) -> io::Result<()> {
        let source = if does { libc::SOF_TIMESTAMPING_RAW_HARDWARE } else { 0 };
        self.set(libc::SOL_PACKET, libc::PACKET_TIMESTAMP, source)
    }

    /// Has the interface take packets for other machines too, for as long as this socket lives.
    pub(super) fn be_promiscuous(&self, interface: u32) -> io::Result<()> {
        let membership = libc::packet_mreq {
            mr_ifindex: interface.cast_signed(),
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, membership)
    }

    /// Founds a group of sockets that share their interface's packets, and tells its number.
    pub(super) fn found_group(&self, ignores_outgoing: bool) -> io::Result<u16> {
        self.set(
            libc::SOL_PACKET,
            libc::PACKET_FANOUT,
            fanout(libc::PACKET_FANOUT_FLAG_UNIQUEID, ignores_outgoing),
        )?;
        let mut member: c_uint = 0;
        self.get(libc::SOL_PACKET, libc::PACKET_FANOUT, &mut member)?;
        Ok(member as u16)
    }

    /// Joins a group founded with the same wish for outgoing packets.
    pub(super) fn join_group(&self, group: u16, ignores_outgoing: bool) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_FANOUT, fanout(c_uint::from(group), ignores_outgoing))
    }

    /// Takes at most `bytes` of each packet from now on; of none with 0.
    pub(super) fn take_at_most(&self, bytes: u32) -> io::Result<()> {
        let mut program =
            [libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: bytes }];
        let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program)
    }

    /// Takes all of each packet from now on.
    pub(super) fn take_all(&self) -> io::Result<()> {
        match self.set(libc::SOL_SOCKET, libc::SO_DETACH_FILTER, 0 as c_int) {
            // There was no filter.
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other,
        }
    }

    /// What came and was lost since this was asked last.
    pub(super) fn take_counts(&self) -> io::Result<Counts> {
        let mut stats = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        self.get(libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut stats)?;
        Ok(Counts {
            // The kernel counts what it drops among the packets.
            received: u64::from(stats.tp_packets.saturating_sub(stats.tp_drops)),
            dropped: u64::from(stats.tp_drops),
            freezes: u64::from(stats.tp_freeze_q_cnt),
        })
    }

    /// Waits for the ring or for an error, until `deadline`.
    pub(super) fn poll(&self, deadline: Instant) -> io::Result<Polled> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&left)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Polled::Interrupted),
            Err(e) => return Err(e.into()),
        }
        if fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
            && let Err(error) = sockopt::socket_error(&self.0)?
        {
            return Ok(Polled::Failed(error.into()));
        }
        Ok(Polled::Quiet)
    }

    fn set<T: Plain>(&self, level: c_int, option: c_int, value: T) -> io::Result<()> {
        let len = size_of::<T>() as libc::socklen_t;
        // SAFETY: the value lives until the call returns and is as long as `len`, in the line above.
        checked(unsafe {
            libc::setsockopt(self.0.as_raw_fd(), level, option, (&raw const value).cast(), len)
        })
    }

    fn get<T: Plain>(&self, level: c_int, option: c_int, value: &mut T) -> io::Result<()> {
        let mut len = size_of::<T>() as libc::socklen_t;
        let value = ptr::from_mut(value).cast();
        // SAFETY: `value` was a unique reference, in the line above; the kernel writes at most `len` bytes there, and any
        // bytes are a `Plain`.
        checked(unsafe { libc::getsockopt(self.0.as_raw_fd(), level, option, value, &raw mut len) })
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What the kernel reads and writes as an option: structures of integers as C lays them out, in which any bytes are
/// valid. A pointer may be among them if what it points to lives as long as the structure.
trait Plain: Copy {}
impl Plain for c_int {}
impl Plain for c_uint {}
impl Plain for libc::tpacket_req3 {}
impl Plain for libc::tpacket_stats_v3 {}
impl Plain for libc::packet_mreq {}
impl Plain for libc::fanout_args {}
impl Plain for libc::sock_fprog {}

fn fanout(flag_or_group: c_uint, ignores_outgoing: bool) -> libc::fanout_args {
    let unique = flag_or_group & libc::PACKET_FANOUT_FLAG_UNIQUEID;
    let outgoing = if ignores_outgoing { libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING } else { 0 };
    libc::fanout_args {
        id: if unique == 0 { flag_or_group as u16 } else { 0 },
        type_flags: (FANOUT_TYPE | unique | outgoing) as u16,
        max_num_members: 0,
    }
}

/// The result of a system call that answers -1 when it fails.
pub(super) fn checked(result: c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
