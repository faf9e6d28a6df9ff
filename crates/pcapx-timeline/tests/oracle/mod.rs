//! One capture, asked twice: by us, and by tcpdump over the same frames without their tags.

use std::path::{Path, PathBuf};

use pcapx_core::filter::Expr;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Capture, Packet, Pcap, read_pcap};
use pcapx_testkit::tool::{Refused, Tcpdump};
use pcapx_timeline::Catalog;
use tempfile::TempDir;

/// A capture file and its plain twin.
pub(crate) struct Subject {
    tcpdump: Tcpdump,
    dir: TempDir,
    file: PathBuf,
    /// What tcpdump reads in the file.
    pub(crate) capture: Capture,
    /// The frames that tcpdump is asked about.
    pub(crate) plain: Vec<Vec<u8>>,
}

impl Subject {
    /// Reads `file` with tcpdump, and has `plain` take from each packet what would hide it from tcpdump.
    pub(crate) fn new(tcpdump: &Tcpdump, file: &Path, plain: impl Fn(u32, &Packet) -> Packet) -> Self {
        let capture = tcpdump.read(file, "").unwrap();
        let dir = tempfile::tempdir().unwrap();
        // In the twin the time stamp is the packet's number: so the answer tells which packets match.
        let numbered = |(number, packet): (i64, &Packet)| Packet {
            time: Timestamp::from_secs(number),
            ..plain(capture.link, packet)
        };
        let twin: Vec<_> = (0..).zip(&capture.packets).map(numbered).collect();
        Pcap::new().link_type(capture.link).write(&dir.path().join("plain.pcap"), &twin);
        let plain = twin.into_iter().map(|packet| packet.data).collect();
        Self { tcpdump: tcpdump.clone(), dir, file: file.to_owned(), capture, plain }
    }

    /// The numbers of the packets that tcpdump finds, in the order of their time stamps.
    pub(crate) fn expected(&self, filter: &str) -> Result<Vec<usize>, Refused> {
        let answer = match self.tcpdump.read(&self.dir.path().join("plain.pcap"), filter) {
            // The compiler has seen that nothing can match.
            Err(Refused(why)) if why.contains("rejects all packets") => return Ok(Vec::new()),
            answer => answer?,
        };
        let mut numbers: Vec<_> =
            answer.packets.iter().map(|packet| packet.time.as_secs().cast_unsigned() as usize).collect();
        numbers.sort_by_key(|&number| self.capture.packets[number].time);
        Ok(numbers)
    }

    /// The packets that we find.
    pub(crate) fn ours(&self, filter: &Expr) -> Vec<Packet> {
        let out = self.dir.path().join("ours.pcap");
        let catalog = Catalog::open(&[&self.file]).unwrap();
        let query = catalog.query(Some(filter.clone()), Window::ALL).threads(1);
        let extraction = query.write_to(&out).unwrap();
        let Some(output) = extraction.output else {
            assert_eq!(extraction.counts.packets_matched, 0);
            return Vec::new();
        };
        let answer = read_pcap(&std::fs::read(output).unwrap()).unwrap();
        assert_eq!(answer.link, self.capture.link);
        assert_eq!(extraction.counts.packets_matched, answer.packets.len() as u64);
        answer.packets
    }

    /// Where our answer differs from tcpdump's: numbers of packets that only we find, and of those that only tcpdump
    /// finds. A packet that is in both but not in the same place or not byte for byte the same is a panic.
    pub(crate) fn compare(&self, filter: &Expr, text: &str) -> Result<(Vec<usize>, Vec<usize>), Refused> {
        let expected = self.expected(text)?;
        let ours = self.ours(filter);
        if ours.iter().eq(expected.iter().map(|&number| &self.capture.packets[number])) {
            return Ok((Vec::new(), Vec::new()));
        }
        let numbers = self.numbers_of(&ours);
        let extra = numbers.iter().filter(|number| !expected.contains(number)).copied().collect();
        let missing = expected.iter().filter(|number| !numbers.contains(number)).copied().collect();
        assert!(
            !Vec::is_empty(&extra) || !Vec::is_empty(&missing),
            "{text}: the same packets in another order"
        );
        Ok((extra, missing))
    }

    /// Which packets of the capture these are; each must be one of it, and they must come in the order of time.
    fn numbers_of(&self, packets: &[Packet]) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.capture.packets.len()).collect();
        order.sort_by_key(|&number| self.capture.packets[number].time);
        let mut rest = order.into_iter();
        let number_of = |packet: &Packet| {
            let number = rest.find(|&number| &self.capture.packets[number] == packet);
            number.expect("a packet that the capture has, in the order of time")
        };
        packets.iter().map(number_of).collect()
    }
}
