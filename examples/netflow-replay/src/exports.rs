//! The export packets of a capture, read anew for each pass: memory does not grow with the capture.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use pcapx_timeline::segment::{SegmentError, SegmentReader};

use crate::datagram::Datagram;
use crate::error::ReplayError;
use crate::netflow::Protocol;
use crate::templates::Templates;

/// Reads export packets to one UDP port in the order of recording.
#[derive(Debug)]
pub(crate) struct Exports {
    reader: SegmentReader,
    path: PathBuf,
    port: u16,
    survey: Survey,
}

/// What a capture held so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Export packets to the port: those that are sent.
    pub(crate) exports: u64,
    /// Other payloads to the port.
    pub(crate) other_payloads: u64,
    /// Pieces of fragmented UDP datagrams to any port (only the first piece names one).
    pub(crate) fragments: u64,
    /// Datagrams to the port that were captured only in part.
    pub(crate) cut: u64,
    /// Export packets to other ports, by port.
    pub(crate) elsewhere: BTreeMap<u16, u64>,
}

/// Reads the capture once and tells what is in it; a capture with nothing to send is an error.
pub(crate) fn survey(path: &Path, port: u16) -> Result<Survey, ReplayError> {
    let mut exports = Exports::open(path, port)?;
    let mut payload = Vec::new();
    let mut templates = Templates::default();
    while exports.next_into(&mut payload)? {
        templates.note(&payload);
    }
    let missing = templates.missing();
    if !missing.is_empty() {
        let missing: Vec<String> = missing.iter().map(u16::to_string).collect();
        log::warn!(
            "{} has data but no template for set {}: a collector that does not know it already drops that data",
            path.display(),
            missing.join(", ")
        );
    }
    match exports.survey {
        survey if survey.exports == 0 => Err(ReplayError::Nothing { path: path.to_owned(), port, survey }),
        survey => Ok(survey),
    }
}

impl Exports {
    /// Opens a capture.
    pub(crate) fn open(path: &Path, port: u16) -> Result<Self, ReplayError> {
        let reader = SegmentReader::open(path).map_err(|reason| match reason {
            SegmentError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                ReplayError::NoCapture(path.to_owned())
            }
            reason => ReplayError::Capture { path: path.to_owned(), reason },
        })?;
        Ok(Self { reader, path: path.to_owned(), port, survey: Survey::default() })
    }

    /// Puts the next export packet's payload into `payload`; `false` when there is none any more.
    pub(crate) fn next_into(&mut self, payload: &mut Vec<u8>) -> Result<bool, ReplayError> {
        loop {
            let packet = match self.reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(false),
                // What stands before the damage is good.
                Err(reason @ SegmentError::Damaged { .. }) if self.survey.exports > 0 => {
                    log::warn!("{} {reason}", self.path.display());
                    return Ok(false);
                }
                Err(reason) => return Err(ReplayError::Capture { path: self.path.clone(), reason }),
            };
            let datagram = Datagram::of(&packet);
            if self.survey.count(&datagram, self.port)
                && let Datagram::Udp { payload: bytes, .. } = datagram
            {
                payload.clear();
                payload.extend_from_slice(bytes);
                return Ok(true);
            }
        }
    }
}

impl Survey {
    /// Counts a datagram; true when it is one to send.
    fn count(&mut self, datagram: &Datagram<'_>, port: u16) -> bool {
        match *datagram {
            Datagram::Udp { destination_port, payload } => match Protocol::of(payload) {
                Some(_) if destination_port == port => {
                    self.exports += 1;
                    return true;
                }
                Some(_) => *self.elsewhere.entry(destination_port).or_default() += 1,
                None if destination_port == port => self.other_payloads += 1,
                None => {}
            },
            Datagram::Fragment => self.fragments += 1,
            Datagram::Cut { destination_port } if destination_port == port => self.cut += 1,
            Datagram::Cut { .. } | Datagram::Other => {}
        }
        false
    }

    /// What to do when there is nothing to send; empty when there is no advice.
    pub(crate) fn advice(&self) -> String {
        // A two-byte version is a weak sign, so the port with the most is named.
        match self.elsewhere.iter().max_by_key(|(_, count)| **count) {
            Some((port, count)) => format!("; {count} went to port {port}: try --port {port}"),
            None => String::new(),
        }
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} export packets", self.exports)?;
        for (count, what) in [
            (self.other_payloads, "other payloads skipped"),
            (self.fragments, "fragments skipped"),
            (self.cut, "packets cut short skipped"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
