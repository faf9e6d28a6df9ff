//! A capture file in the place of an interface.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pcapx_core::time::Timestamp;
use pcapx_timeline::link::LinkType;
use pcapx_timeline::segment::{Ending, SegmentError, SegmentReader};

use super::{Counts, Packet, PacketSource, SourceError, Waited};

/// Packets visited in one call: what a block of the ring holds, so that whoever waits looks up as often.
const BATCH_PACKETS: usize = 1024;

/// The packets of a capture file in its order, as fast as they are taken.
#[derive(Debug)]
pub struct FileSource {
    reader: SegmentReader,
    path: PathBuf,
    name: String,
    link_type: LinkType,
    snaplen: usize,
    /// Whether the reader stands at a packet that was read to learn the link type.
    is_ahead: bool,
    is_over: bool,
    received: u64,
}

impl FileSource {
    /// Opens a capture file, of whose packets at most `snaplen` bytes are of interest.
    pub fn open(path: &Path, snaplen: u32) -> Result<Self, SourceError> {
        let failed = |source| SourceError::File { path: path.to_owned(), source };
        let mut reader = SegmentReader::open(path).map_err(failed)?;
        // A pcapng file tells its link types no earlier than with its first packet.
        let first = reader.next_packet().map_err(failed)?.map(|packet| packet.link_type);
        let link_type = first.or(reader.interfaces().first().map(|interface| interface.link_type));
        Ok(Self {
            reader,
            path: path.to_owned(),
            name: path.display().to_string(),
            link_type: link_type.unwrap_or(LinkType::ETHERNET),
            snaplen: snaplen as usize,
            is_ahead: first.is_some(),
            is_over: false,
            received: 0,
        })
    }

    /// Visits the next packet, if there is one.
    fn visit(&mut self, each: &mut impl FnMut(Packet<'_>)) -> Result<bool, SegmentOrLink> {
        let packet = if std::mem::take(&mut self.is_ahead) {
            self.reader.current_packet()
        } else {
            self.reader.next_packet()?
        };
        let Some(packet) = packet else { return Ok(false) };
        if packet.link_type != self.link_type {
            return Err(SegmentOrLink::Link);
        }
        let kept = packet.data.len().min(self.snaplen);
        // A packet that claims to have been shorter on the wire than it is in the file was as long as it is.
        let orig_len = packet.orig_len.max(packet.data.len() as u32);
        each(Packet { time: packet.time, data: &packet.data[..kept], orig_len });
        self.received += 1;
        Ok(true)
    }
}

/// What can be wrong with a packet; the path is told by whoever knows it.
enum SegmentOrLink {
    Segment(SegmentError),
    Link,
}

impl From<SegmentError> for SegmentOrLink {
    fn from(error: SegmentError) -> Self {
        Self::Segment(error)
    }
}

impl PacketSource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// Never waits. A file that ends inside a packet ends with a warning in the log.
    fn wait(&mut self, _: Duration, each: &mut impl FnMut(Packet<'_>)) -> Result<Waited, SourceError> {
        let mut visited = 0;
        while visited < BATCH_PACKETS && !self.is_over {
            match self.visit(each) {
                Ok(true) => visited += 1,
                Ok(false) => {
                    self.is_over = true;
                    if let Some(Ending::Cut(offset)) = self.reader.ending() {
                        log::warn!("{:?} ends inside a packet that begins at byte {offset}", self.path);
                    }
                }
                Err(error) => {
                    self.is_over = true;
                    let path = self.path.clone();
                    return Err(match error {
                        SegmentOrLink::Segment(source) => SourceError::File { path, source },
                        SegmentOrLink::Link => SourceError::MixedLinks { path },
                    });
                }
            }
        }
        Ok(if visited == 0 { Waited::End } else { Waited::Packets(visited) })
    }

    fn stop(&mut self) -> Result<(), SourceError> {
        self.is_over = true;
        Ok(())
    }

    /// A file may hold any time up to its end.
    fn settled(&self) -> Timestamp {
        if self.is_over { Timestamp::MAX } else { Timestamp::MIN }
    }

    fn counts(&mut self) -> Result<Counts, SourceError> {
        Ok(Counts { received: self.received, ..Counts::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcapx_testkit::capture::{self, Interface, Pcap, Pcapng, link};

    type Kept = (i64, Vec<u8>, u32);

    fn read(source: &mut FileSource) -> (Vec<Kept>, Result<(), SourceError>) {
        let mut packets = Vec::new();
        loop {
            let mut each = |p: Packet<'_>| packets.push((p.time.as_nanos(), p.data.to_vec(), p.orig_len));
            match source.wait(Duration::ZERO, &mut each) {
                Ok(Waited::End) => return (packets, Ok(())),
                Ok(_) => {}
                Err(error) => return (packets, Err(error)),
            }
        }
    }

    fn packets(n: u32) -> Vec<capture::Packet> {
        let at = |i| Timestamp::from_nanos(1_700_000_000_000_000_000 + i64::from(i) * 1000);
        (0..n).map(|i| capture::Packet::new(at(i), vec![i as u8; 60 + i as usize % 7])).collect()
    }

    #[test]
    fn every_packet_of_every_form_is_visited_once_and_cut_to_the_snap_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcap");
        let written = packets(3 * BATCH_PACKETS as u32 + 1);
        let expected: Vec<Kept> = written
            .iter()
            .map(|p| (p.time.as_nanos(), p.data[..p.data.len().min(64)].to_vec(), p.orig_len))
            .collect();
        for form in Pcap::forms() {
            form.write(&path, &written);
            let mut source = FileSource::open(&path, 64).unwrap();
            assert_eq!(source.link_type(), LinkType::ETHERNET);
            let (read, end) = read(&mut source);
            end.unwrap();
            assert!(read == expected, "{form:?}: {} packets", read.len());
            assert_eq!(source.counts().unwrap().received, expected.len() as u64);
        }
    }

    #[test]
    fn links_of_several_types_are_refused_behind_the_packets_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcapng");
        let time = Timestamp::from_secs(1);
        let file = Pcapng::little_endian()
            .interface(Interface::new().link_type(link::RAW))
            .interface(Interface::new())
            .packet(0, time, &[0x45; 20])
            .packet(1, time, &[0; 60])
            .finish();
        std::fs::write(&path, file).unwrap();
        let mut source = FileSource::open(&path, 65535).unwrap();
        assert_eq!(source.link_type(), LinkType::RAW);
        let (read, end) = read(&mut source);
        assert_eq!(read.len(), 1);
        assert!(matches!(end, Err(SourceError::MixedLinks { .. })), "{end:?}");
        assert_eq!(source.wait(Duration::ZERO, &mut |_| ()).unwrap(), Waited::End);
    }

    #[test]
    fn a_file_cut_inside_a_packet_ends_there_and_one_without_packets_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcap");
        let bytes = Pcap::new().link_type(link::LINUX_SLL).encode(&packets(2));
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let mut source = FileSource::open(&path, 65535).unwrap();
        assert_eq!(source.link_type(), LinkType::LINUX_SLL);
        let (cut, end) = read(&mut source);
        end.unwrap();
        assert_eq!(cut.len(), 1);

        std::fs::write(&path, &bytes[..24]).unwrap();
        let mut source = FileSource::open(&path, 65535).unwrap();
        assert_eq!(source.link_type(), LinkType::LINUX_SLL);
        assert_eq!(source.wait(Duration::ZERO, &mut |_| ()).unwrap(), Waited::End);

        let error = FileSource::open(&dir.path().join("none"), 65535).unwrap_err();
        assert!(error.to_string().contains("none\" cannot be read"), "{error}");
    }

    #[test]
    fn a_stopped_file_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcap");
        Pcap::new().write(&path, &packets(2 * BATCH_PACKETS as u32));
        let mut source = FileSource::open(&path, 65535).unwrap();
        assert_eq!(source.wait(Duration::ZERO, &mut |_| ()).unwrap(), Waited::Packets(BATCH_PACKETS));
        source.stop().unwrap();
        assert_eq!(source.wait(Duration::ZERO, &mut |_| ()).unwrap(), Waited::End);
    }
}
