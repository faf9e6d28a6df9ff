//! Sends packets as they are: what tests and measurements feed a capture with.

use std::io::{self, IoSlice};

use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags};

use super::interface::{Interface, system};
use super::socket::Socket;
use crate::source::SourceError;

/// Packets given to the kernel in one call.
const BATCH_PACKETS: usize = 64;

/// Sends packets out of one interface, link header first.
#[derive(Debug)]
pub struct Sender {
    interface: String,
    socket: Socket,
}

impl Sender {
    /// Sends out of the interface from now on.
    pub fn open(interface: &str) -> Result<Self, SourceError> {
        let socket = Socket::open().map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => SourceError::NotPermitted { interface: interface.to_owned() },
            _ => system(interface, "open a packet socket")(source),
        })?;
        let index = Interface::find(&socket, interface)?.index;
        socket.bind_for_sending(index).map_err(system(interface, "bind to the interface"))?;
        Ok(Self { interface: interface.to_owned(), socket })
    }

    /// Sends packets in order, waiting where the interface has no room.
    pub fn send(&self, packets: &[impl AsRef<[u8]>]) -> Result<(), SourceError> {
        packets
            .chunks(BATCH_PACKETS)
            .try_for_each(|batch| self.send_batch(batch).map_err(system(&self.interface, "send packets")))
    }

    fn send_batch(&self, batch: &[impl AsRef<[u8]>]) -> io::Result<()> {
        let slices: Vec<_> = batch.iter().map(|packet| [IoSlice::new(packet.as_ref())]).collect();
        let mut none: Vec<_> = batch.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let mut messages: Vec<_> =
            slices.iter().zip(&mut none).map(|(slice, none)| MMsgHdr::new(slice, none)).collect();
        let mut left = messages.as_mut_slice();
        while !left.is_empty() {
            match rustix::net::sendmmsg(&self.socket, left, SendFlags::empty()) {
                Ok(sent) => left = &mut left[sent..],
                Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) => std::thread::yield_now(),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}
