//! The interfaces of a pcapng file: numbered as their first packets come, each told right before the first one.
//!
//! Scans run beside each other and know nothing of one another, so they name interfaces by numbers of their own. Where a
//! record is written its number is replaced: the file does not depend on which scan was faster.

use super::blocks::interface_block;
use crate::segment::Interface;

/// Where an enhanced packet block has its interface's number.
pub(super) const NUMBER_AT: usize = 8;

/// From the scans' numbers to those of the file.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// The file's interfaces, as a reader finds them.
    interfaces: Vec<Interface>,
    /// Of those, the first ones were in the file before; which of them a scan has met again.
    met: Vec<bool>,
    /// The file's number for each of the scans'.
    numbers: Vec<Option<u32>>,
}

impl Numbering {
    /// For a file that has `interfaces` already.
    pub(super) fn going_on(interfaces: &[Interface]) -> Self {
        Self { interfaces: interfaces.to_vec(), met: vec![false; interfaces.len()], numbers: Vec::new() }
    }

    /// The file's interfaces.
    pub(super) fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The number of the scans' interface `n`, if it has one.
    #[inline]
    pub(super) fn number(&self, n: u32) -> Option<u32> {
        self.numbers.get(n as usize).copied().flatten()
    }

    /// Gives `interface`, the scans' `n`, its number. Returns the block that has to tell it, where it is new to the file.
    pub(super) fn assign(&mut self, n: u32, interface: Interface) -> (u32, Vec<u8>) {
        // Two that look alike are two still.
        let known =
            (0..self.met.len()).find(|&known| !self.met[known] && self.interfaces[known] == interface);
        let (number, block) = if let Some(known) = known {
            self.met[known] = true;
            (known, Vec::new())
        } else {
            let block = interface_block(&interface);
            self.interfaces.push(interface);
            (self.interfaces.len() - 1, block)
        };
        let at = n as usize;
        self.numbers.resize(self.numbers.len().max(at + 1), None);
        self.numbers[at] = Some(number as u32);
        (number as u32, block)
    }
}
