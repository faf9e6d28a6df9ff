//! Rings that share the packets of one interface.

use std::io;
use std::sync::{Mutex, PoisonError};

use super::socket::Socket;

/// A group of captures, each packet of whose interface comes to one of them. Packets of a flow come to the same one, unless
/// its ring is full.
///
/// The kernel's group ends with its interface: whoever opens an interface first that has come back founds the group anew.
#[derive(Debug, Default)]
pub struct Group(Mutex<Option<Founded>>);

#[derive(Clone, Copy, Debug)]
struct Founded {
    interface: u32,
    number: u16,
}

impl Group {
    /// Has a socket that is bound to `interface` take its share.
    pub(super) fn enter(&self, socket: &Socket, interface: u32, ignores_outgoing: bool) -> io::Result<()> {
        let mut founded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *founded {
            Some(group) if group.interface == interface => socket.join_group(group.number, ignores_outgoing),
            _ => {
                let number = socket.found_group(ignores_outgoing)?;
                *founded = Some(Founded { interface, number });
                Ok(())
            }
        }
    }
}
