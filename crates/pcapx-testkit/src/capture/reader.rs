//! A strict reader for pcap files: what an oracle wrote must be flawless.

use pcapx_core::time::Timestamp;

use super::Packet;

/// A pcap file, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The link type.
    pub link: u32,
    /// Whether the time stamps are nanoseconds in the file.
    pub nanos: bool,
    /// The packets in the file's order.
    pub packets: Vec<Packet>,
}

/// Why bytes are no flawless pcap file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The file does not begin with one of the four magic numbers.
    NoPcap,
    /// The file ends inside a header or a packet that begins at this byte.
    Cut {
        /// Where the cut record begins.
        offset: usize,
    },
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoPcap => f.write_str("the file does not begin as a pcap file does"),
            Self::Cut { offset } => write!(f, "the file ends inside the record at byte {offset}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Reads a whole pcap file of either byte order and precision.
pub fn read_pcap(file: &[u8]) -> Result<Capture, ReadError> {
    let (header, mut rest) = file.split_first_chunk::<24>().ok_or(ReadError::NoPcap)?;
    let (read_u32, nanos): (fn(&[u8]) -> u32, bool) = match header[..4] {
        [0xd4, 0xc3, 0xb2, 0xa1] => (little, false),
        [0x4d, 0x3c, 0xb2, 0xa1] => (little, true),
        [0xa1, 0xb2, 0xc3, 0xd4] => (big, false),
        [0xa1, 0xb2, 0x3c, 0x4d] => (big, true),
        _ => return Err(ReadError::NoPcap),
    };
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let offset = file.len() - rest.len();
        let cut = ReadError::Cut { offset };
        let (record, body) = rest.split_first_chunk::<16>().ok_or(cut)?;
        let (data, behind) = body.split_at_checked(read_u32(&record[8..12]) as usize).ok_or(cut)?;
        let fraction = i64::from(read_u32(&record[4..8])) * if nanos { 1 } else { 1000 };
        let time = Timestamp::from_nanos(i64::from(read_u32(&record[0..4])) * 1_000_000_000 + fraction);
        packets.push(Packet { time, data: data.to_vec(), orig_len: read_u32(&record[12..16]) });
        rest = behind;
    }
    // The upper bits of the link type's field hold the length of a frame check sequence.
    Ok(Capture { link: read_u32(&header[20..24]) & 0xffff, nanos, packets })
}

fn little(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
}

fn big(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::super::Pcap;
    use super::*;

    #[test]
    fn reads_back_what_the_writers_wrote() {
        let time = Timestamp::from_nanos(1_700_000_000_123_456_000);
        let packets = vec![Packet::new(time, vec![1; 60]), Packet::new(time, vec![2; 1500]).cut(96)];
        for form in Pcap::forms() {
            let read = read_pcap(&form.link_type(276).encode(&packets)).unwrap();
            assert_eq!((read.link, &read.packets), (276, &packets));
        }
    }

    #[test]
    fn says_where_the_file_is_cut() {
        let file = Pcap::new().encode(&[Packet::new(Timestamp::from_secs(1), vec![0; 10])]);
        assert_eq!(read_pcap(&file[..45]), Err(ReadError::Cut { offset: 24 }));
        assert_eq!(read_pcap(&file[..30]), Err(ReadError::Cut { offset: 24 }));
        assert_eq!(read_pcap(&file[..10]), Err(ReadError::NoPcap));
    }
}
