//! From the inputs that were named to sources: how many rings there are, and how the buffer is shared out.
//!
//! ```text
//! one interface, one thread     --buffer-len = chunks + ring
//! several of either             --buffer-len = chunks + for each interface and thread: batches (a quarter) + ring
//! ```

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use pcapx_timeline::link::LinkType;
use pcapx_timeline::matcher::Matcher;

use crate::afpacket::{CaptureOptions, Lasting, bear, set_up};
use crate::counters::Counters;
use crate::options::{Direction, Input, Settings};
use crate::recording::CHUNKS_BYTES;
use crate::sieve::Sieve;
use crate::source::{FileSource, InputSource, LanePlan, Merged, PacketSource, SourceError};

/// The least ring that is worth having.
const RING_LEAST_BYTES: u64 = 8 << 20;
/// Of what a lane has, its batches take this part: they keep packets only while those of other lanes may be earlier.
const BATCHES_PART: u64 = 4;
/// With several rings, packets of one wait until the others have handed over theirs.
const RETIRE_AMONG_SEVERAL: Duration = Duration::from_millis(20);

/// The sources of a recording, open: the kernel keeps what comes.
#[derive(Debug)]
pub(crate) struct Opened {
    sources: Vec<InputSource>,
    /// What the batches of a lane may take.
    lane_bytes: usize,
}

impl Opened {
    /// Begins to take packets, with a thread for each source if they are several. What is kept of the packets is chosen by
    /// whoever has the sieve.
    pub(crate) fn start(
        mut self,
        settings: &Settings,
        counters: &Arc<Counters>,
    ) -> Result<(InputSource, Option<Sieve>), SourceError> {
        let sieve = Sieve {
            link_type: self.sources.first().map_or(LinkType::ETHERNET, PacketSource::link_type),
            filter: settings.filter.as_ref().map(Matcher::new),
            slicing: settings.slicing,
            snaplen: settings.snaplen,
        };
        if self.sources.len() == 1
            && let Some(source) = self.sources.pop()
        {
            return Ok((source, Some(sieve)));
        }
        let lanes =
            LanePlan { sieve: Arc::new(sieve), counters: Arc::clone(counters), bytes: self.lane_bytes };
        Ok((InputSource::Merged(Merged::start(self.sources, &lanes)?), None))
    }
}

/// Opens everything that is named.
pub(crate) fn open(settings: &Settings) -> Result<Opened, SourceError> {
    let threads = settings.threads;
    let lanes: usize = settings
        .inputs
        .iter()
        .map(|input| match input {
            Input::Interface(_) => threads.get(),
            Input::File(_) => 1,
        })
        .sum();
    let bytes = settings.buffer_bytes.saturating_sub(CHUNKS_BYTES) / lanes.max(1) as u64;
    let batches = if lanes > 1 { bytes / BATCHES_PART } else { 0 };
    let options = CaptureOptions {
        ring_bytes: usize::try_from((bytes - batches).max(RING_LEAST_BYTES)).unwrap_or(usize::MAX),
        snaplen: settings.snaplen,
        retire_after: if lanes > 1 { RETIRE_AMONG_SEVERAL } else { CaptureOptions::default().retire_after },
        promiscuous: settings.promiscuous,
        outgoing: settings.direction == Direction::Both,
        hardware_time: settings.hardware_time,
    };
    bear(options.ring_bytes.saturating_mul(lanes))?;
    let mut sources = Vec::with_capacity(lanes);
    for input in &settings.inputs {
        if let Input::Interface(name) = input
            && settings.link_up
        {
            set_up(name)?;
        }
        match input {
            Input::File(path) => sources.push(InputSource::File(FileSource::open(path, settings.snaplen)?)),
            Input::Interface(name) if threads == NonZeroUsize::MIN => {
                sources.push(InputSource::Interface(Lasting::open(name, &options)?));
            }
            Input::Interface(name) => {
                let group = Lasting::open_group(name, &options, threads)?;
                sources.extend(group.into_iter().map(InputSource::Interface));
            }
        }
    }
    Ok(Opened { sources, lane_bytes: usize::try_from(batches).unwrap_or(usize::MAX) })
}
