//! Whatever a recording can be made of.

use std::time::Duration;

use pcapx_core::time::Timestamp;
use pcapx_timeline::link::LinkType;

use super::{Counts, FileSource, Merged, Packet, PacketSource, SourceError, Waited};
use crate::afpacket::Lasting;

/// An interface, a capture file, or several of them.
#[derive(Debug)]
pub enum InputSource {
    /// An interface.
    Interface(Lasting),
    /// A capture file.
    File(FileSource),
    /// Several.
    Merged(Merged),
}

impl PacketSource for InputSource {
    fn name(&self) -> &str {
        match self {
            Self::Interface(source) => source.name(),
            Self::File(source) => source.name(),
            Self::Merged(source) => source.name(),
        }
    }

    fn link_type(&self) -> LinkType {
        match self {
            Self::Interface(source) => source.link_type(),
            Self::File(source) => source.link_type(),
            Self::Merged(source) => source.link_type(),
        }
    }

    fn wait(&mut self, timeout: Duration, each: &mut impl FnMut(Packet<'_>)) -> Result<Waited, SourceError> {
        match self {
            Self::Interface(source) => source.wait(timeout, each),
            Self::File(source) => source.wait(timeout, each),
            Self::Merged(source) => source.wait(timeout, each),
        }
    }

    fn stop(&mut self) -> Result<(), SourceError> {
        match self {
            Self::Interface(source) => source.stop(),
            Self::File(source) => source.stop(),
            Self::Merged(source) => source.stop(),
        }
    }

    fn settled(&self) -> Timestamp {
        match self {
            Self::Interface(source) => source.settled(),
            Self::File(source) => source.settled(),
            Self::Merged(source) => source.settled(),
        }
    }

    fn counts(&mut self) -> Result<Counts, SourceError> {
        match self {
            Self::Interface(source) => source.counts(),
            Self::File(source) => source.counts(),
            Self::Merged(source) => source.counts(),
        }
    }

    fn fill(&self) -> f64 {
        match self {
            Self::Interface(source) => source.fill(),
            Self::File(source) => source.fill(),
            // Its lanes tell for themselves.
            Self::Merged(source) => source.fill(),
        }
    }
}
