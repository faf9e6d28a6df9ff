//! Which capture files hold a packet that is asked for: each is read up to its first one.

use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;

use pcapx_timeline::Query;
use pcapx_timeline::catalog::Segment;
use pcapx_timeline::matcher::Matcher;
use pcapx_timeline::packet::PacketKeys;
use pcapx_timeline::segment::{SegmentError, SegmentReader};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::request::Request;
use crate::voice::Voice;

/// Packets between two looks at the signals.
const CHECK_EVERY_PACKETS: u64 = 4096;

/// Lists the files on standard output, a path a line, in the order of their first packets. Returns how many there are.
pub(crate) fn list(
    query: &Query<'_>,
    request: &Request,
    interrupt: &Interrupt,
    voice: Voice,
) -> Result<u64, Failure> {
    let survey = query.survey().map_err(|error| interrupt.explain(error))?;
    voice.warnings(&survey.warnings);
    let matcher = request.filter.as_ref().map(Matcher::new);
    let mut listed = 0;
    for segment in survey.segments {
        match has_match(segment, request, matcher.as_ref(), interrupt)? {
            Ok(true) => listed += 1,
            Ok(false) => continue,
            Err(error) => {
                voice.note(&format_args!("{:?} {error}", segment.path));
                continue;
            }
        }
        let mut stdout = io::stdout().lock();
        let line = [segment.path.as_os_str().as_bytes(), b"\n"].concat();
        match stdout.write_all(&line).and_then(|()| stdout.flush()) {
            // The reader has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written.map_err(Failure::Stdout)?,
        }
    }
    Ok(listed)
}

/// Whether a packet of `segment` is asked for; the inner error is the segment's.
fn has_match(
    segment: &Segment,
    request: &Request,
    matcher: Option<&Matcher>,
    interrupt: &Interrupt,
) -> Result<Result<bool, SegmentError>, Failure> {
    let mut reader = match SegmentReader::open(&segment.path) {
        Ok(reader) => reader,
        Err(error) => return Ok(Err(error)),
    };
    let mut packets = 0_u64;
    loop {
        if packets.is_multiple_of(CHECK_EVERY_PACKETS) {
            interrupt.check()?;
        }
        packets += 1;
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(Ok(false)),
            Err(error) => return Ok(Err(error)),
        };
        let is_true = |filter: &Matcher| filter.matches(&PacketKeys::of(packet.link_type, packet.data));
        if request.window.contains(packet.time) && matcher.is_none_or(is_true) {
            return Ok(Ok(true));
        }
    }
}
