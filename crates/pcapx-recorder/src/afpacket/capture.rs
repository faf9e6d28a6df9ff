//! A live interface as a source of packets.

use std::io;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_timeline::link::LinkType;
use pcapx_timeline::segment::MAX_PACKET_BYTES;

use super::clock::Clock;
use super::group::Group;
use super::interface::{Condition, Interface, system};
use super::layout::{Description, Frame, TAG_BYTES};
use super::mapping::Mapping;
use super::options::CaptureOptions;
use super::socket::{Polled, Socket};
use crate::source::{Counts, Packet, PacketSource, SourceError, Waited};

/// Bytes of a block, weighed in the documentation of the folder.
const BLOCK_BYTES: usize = 1 << 20;
/// Fewer blocks than this, and the kernel has none to fill while one is read.
const BLOCKS_MIN: usize = 2;
/// More than this the kernel cannot count in frames.
const BLOCKS_MAX: usize = (u32::MAX / (BLOCK_BYTES as u32 / FRAME_BYTES)) as usize;
/// What the kernel may need besides its timer until a packet is handed over: a tick of a slow clock, a queue, a busy machine.
const KERNEL_SLACK: Duration = Duration::from_millis(60);
/// How often it is looked whether the interface is up, and how long its packets may be: the socket tells only the end of that.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The kernel wants to know a size of frames for the older versions' sake; it has to divide a block.
const FRAME_BYTES: u32 = 2048;

/// A ring that the kernel fills with the packets of one interface.
#[derive(Debug)]
pub struct Capture {
    interface: Interface,
    socket: Socket,
    ring: Mapping,
    clock: Clock,
    snaplen: usize,
    takes_outgoing: bool,
    /// After this time whatever came has been handed over by the kernel.
    hands_over_after: Duration,
    settled: Timestamp,
    counts: Counts,
    state: State,
    /// How the interface was when it was looked at last, and when it will be looked at again.
    condition: Option<Condition>,
    look_at: Instant,
}

/// Whether packets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// They do.
    Open,
    /// The interface is down, which was told.
    Down,
    /// None come any more; what the ring has is visited until this instant.
    Emptying(Instant, Last),
    /// There is nothing left to visit.
    Over(Last),
}

/// Why no packets come any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// `stop` was called.
    Stopped,
    /// The interface went down, or is gone.
    Failed,
}

impl Capture {
    /// Takes packets of the interface from now on.
    pub fn open(interface: &str, options: &CaptureOptions) -> Result<Self, SourceError> {
        let capture = Self::prepare(interface, options)?;
        capture.begin()?;
        Ok(capture)
    }

    /// Several captures that share an interface's packets, one for each thread, as `group`, which is a new one. Each packet
    /// goes to one of them; packets of a flow go to the same one, unless its ring is full.
    pub fn open_group(
        interface: &str,
        options: &CaptureOptions,
        group: &Group,
        members: NonZeroUsize,
    ) -> Result<Vec<Self>, SourceError> {
        let join = |_| Self::join(interface, options, group);
        let captures: Vec<Self> = (0..members.get()).map(join).collect::<Result<_, _>>()?;
        captures.iter().try_for_each(Self::begin)?;
        Ok(captures)
    }

    /// One of the captures that share an interface's packets; it takes none before it is told to [`begin`](Self::begin),
    /// since a packet would come to it and to the group before it has joined.
    pub(super) fn join(
        interface: &str,
        options: &CaptureOptions,
        group: &Group,
    ) -> Result<Self, SourceError> {
        let capture = Self::prepare(interface, options)?;
        group
            .enter(&capture.socket, capture.interface.index, !capture.takes_outgoing)
            .map_err(system(interface, "share packets between threads"))?;
        Ok(capture)
    }

    /// Everything but taking packets.
    fn prepare(name: &str, options: &CaptureOptions) -> Result<Self, SourceError> {
        let socket = Socket::open().map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => SourceError::NotPermitted { interface: name.to_owned() },
            _ => system(name, "open a packet socket")(source),
        })?;
        let interface = Interface::find(&socket, name)?;
        let blocks = ring_blocks(options.ring_bytes)?;
        let takes_outgoing = options.outgoing && !interface.is_loopback;

        // Not a packet before everything is set: neither from other interfaces nor whole where a part was asked for.
        socket.take_at_most(0).map_err(system(name, "set a filter"))?;
        socket.use_version_3().map_err(system(name, "use version 3 of the kernel's packet rings"))?;
        if !takes_outgoing {
            socket.ignore_outgoing().map_err(system(name, "ignore outgoing packets"))?;
        }
        let clock = if options.hardware_time { Clock::of_card(&interface, &socket) } else { Clock::Believed };
        socket.reserve(TAG_BYTES as u32).map_err(system(name, "leave room for tags"))?;
        let no_memory = |source| {
            let bytes = blocks as usize * BLOCK_BYTES;
            SourceError::NoMemory { interface: name.to_owned(), bytes, source }
        };
        socket
            .make_ring(libc::tpacket_req3 {
                tp_block_size: BLOCK_BYTES as u32,
                tp_block_nr: blocks,
                tp_frame_size: FRAME_BYTES,
                tp_frame_nr: blocks * (BLOCK_BYTES as u32 / FRAME_BYTES),
                tp_retire_blk_tov: options.retire_after.as_millis().clamp(1, 1000) as u32,
                tp_sizeof_priv: 0,
                tp_feature_req_word: 0,
            })
            .map_err(no_memory)?;
        let ring = Mapping::new(&socket, BLOCK_BYTES, blocks as usize).map_err(no_memory)?;
        socket.bind(interface.index).map_err(system(name, "bind to the interface"))?;
        if options.promiscuous {
            socket.be_promiscuous(interface.index).map_err(system(name, "make the interface promiscuous"))?;
        }
        Ok(Self {
            interface,
            socket,
            ring,
            clock,
            snaplen: options.snaplen as usize,
            takes_outgoing,
            // Its timer may have run just before the packet came, and runs again.
            hands_over_after: options.retire_after.saturating_mul(2) + KERNEL_SLACK,
            settled: Timestamp::MIN,
            counts: Counts::default(),
            state: State::Open,
            condition: None,
            look_at: Instant::now(),
        })
    }

    /// Takes packets.
    pub(super) fn begin(&self) -> Result<(), SourceError> {
        let all = MAX_PACKET_BYTES as usize;
        let begun = if self.snaplen >= all {
            self.socket.take_all()
        } else {
            self.socket.take_at_most(self.snaplen as u32)
        };
        begun.map_err(system(&self.interface.name, "set a filter"))
    }

    /// Visits the next block, if there is one, and gives it back. Its packets may be none.
    fn visit_block(&mut self, each: &mut impl FnMut(Packet<'_>)) -> Option<Result<usize, SourceError>> {
        let mut block = self.ring.next_block()?;
        let block = block.bytes();
        let Some(Description { packets, first }) = Description::read(block) else { return Some(Ok(0)) };
        let was = self.clock;
        let mut visited = 0;
        let mut upcoming = Frame::read(block, first);
        for nth in 0..packets {
            let damaged =
                || SourceError::Damaged { interface: self.interface.name.clone(), lost: packets - nth };
            let Some(frame) = upcoming else { return Some(Err(damaged())) };
            // Read before this one's bytes are: memory is waited for once, not twice.
            upcoming = Frame::read(block, frame.next);
            let Some((data, orig_len)) = frame.bytes(block) else { return Some(Err(damaged())) };
            if frame.is_outgoing && !self.takes_outgoing {
                continue;
            }
            let time = self.clock.time(&frame, Timestamp::now);
            let data = &data[..data.len().min(self.snaplen)];
            each(Packet { time, data, orig_len: orig_len.max(data.len() as u32) });
            visited += 1;
        }
        if self.clock != was && self.clock == Clock::Wrong {
            Clock::leave_card(&self.interface, &self.socket);
        }
        Some(Ok(visited))
    }

    /// Looks how the interface is, and says what has become of it.
    fn look(&mut self) {
        // One that is gone is told by the socket.
        let Ok(now) = self.interface.condition(&self.socket) else { return };
        let Some(before) = self.condition.replace(now) else { return };
        let name = &self.interface.name;
        if before.mtu != now.mtu {
            log::info!("{name} takes packets of up to {} bytes now, {} before (MTU)", now.mtu, before.mtu);
        }
        if now.is_up {
            self.go_on();
        }
    }

    /// Takes in that an interface that was down is up.
    fn go_on(&mut self) {
        if self.state == State::Down {
            log::info!("{} is up again", self.interface.name);
            self.state = State::Open;
        }
    }

    /// What to answer when the ring is empty and nothing can come.
    fn last(&mut self, last: Last) -> Result<Waited, SourceError> {
        let interface = self.interface.name.clone();
        match last {
            Last::Stopped => {
                self.state = State::Over(last);
                Ok(Waited::End)
            }
            Last::Failed if self.interface.is_there(&self.socket) => {
                self.state = State::Down;
                Err(SourceError::Down { interface })
            }
            Last::Failed => {
                self.state = State::Over(last);
                Err(SourceError::Gone { interface })
            }
        }
    }

    /// Takes in that the socket has failed.
    fn fail(&mut self, error: io::Error) -> Result<(), SourceError> {
        match error.raw_os_error() {
            Some(libc::ENETDOWN | libc::ENODEV | libc::ENXIO) => {
                if matches!(self.state, State::Open | State::Down) {
                    self.state = State::Emptying(Instant::now() + self.hands_over_after, Last::Failed);
                }
                Ok(())
            }
            _ => Err(system(&self.interface.name, "receive packets")(error)),
        }
    }
}

/// Whether this machine can bear rings of so many bytes in all: the kernel would rather end other programs than refuse it.
pub(crate) fn bear(bytes: usize) -> Result<(), SourceError> {
    let system = rustix::system::sysinfo();
    let memory = (system.totalram as u64).saturating_mul(u64::from(system.mem_unit));
    if bytes as u64 > memory / 2 { Err(SourceError::RingTooLarge { bytes, memory }) } else { Ok(()) }
}

/// Blocks of a ring of so many bytes.
fn ring_blocks(bytes: usize) -> Result<u32, SourceError> {
    bear(bytes)?;
    Ok((bytes / BLOCK_BYTES).clamp(BLOCKS_MIN, BLOCKS_MAX) as u32)
}

impl PacketSource for Capture {
    fn name(&self) -> &str {
        &self.interface.name
    }

    fn link_type(&self) -> LinkType {
        self.interface.link_type
    }

    /// Visits one block. Stamps of packets that came over several processors may be out of order by some microseconds.
    fn wait(&mut self, timeout: Duration, each: &mut impl FnMut(Packet<'_>)) -> Result<Waited, SourceError> {
        let begun = Instant::now();
        let deadline = begun + timeout;
        if begun >= self.look_at {
            self.look_at = begun + LOOK_EVERY;
            self.look();
        }
        loop {
            let seen = Timestamp::now();
            match self.visit_block(each) {
                None => self.settled = self.settled.max(seen.saturating_sub(self.hands_over_after)),
                Some(Ok(0)) => continue,
                Some(Ok(visited)) => {
                    self.go_on();
                    return Ok(Waited::Packets(visited));
                }
                Some(Err(error)) => return Err(error),
            }
            let now = Instant::now();
            let until = match self.state {
                State::Over(last) => return self.last(last),
                State::Emptying(until, last) if now >= until => return self.last(last),
                State::Emptying(until, _) => until.min(deadline),
                // An interface that was down when it was removed leaves no error at the socket.
                State::Down if !self.interface.is_there(&self.socket) => return self.last(Last::Failed),
                State::Down | State::Open => deadline,
            };
            if now >= deadline {
                return Ok(Waited::Nothing);
            }
            match self.socket.poll(until) {
                Ok(Polled::Quiet) => {}
                Ok(Polled::Interrupted) => return Ok(Waited::Nothing),
                Ok(Polled::Failed(error)) => self.fail(error)?,
                Err(error) => return Err(system(&self.interface.name, "wait for packets")(error)),
            }
        }
    }

    fn stop(&mut self) -> Result<(), SourceError> {
        self.socket.take_at_most(0).map_err(system(&self.interface.name, "set a filter"))?;
        if !matches!(self.state, State::Over(_)) {
            self.state = State::Emptying(Instant::now() + self.hands_over_after, Last::Stopped);
        }
        Ok(())
    }

    fn settled(&self) -> Timestamp {
        self.settled
    }

    fn fill(&self) -> f64 {
        self.ring.fill()
    }

    /// Costs a system call.
    fn counts(&mut self) -> Result<Counts, SourceError> {
        let new = self.socket.take_counts();
        // The kernel forgets them when they are read.
        let new = new.map_err(system(&self.interface.name, "read the kernel's counts"))?;
        self.counts.received += new.received;
        self.counts.dropped += new.dropped;
        self.counts.freezes += new.freezes;
        Ok(self.counts)
    }
}
