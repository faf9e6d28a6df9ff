//! Long inputs from short ones.
//!
//! A fuzzer works best on a few hundred bytes, but reading has limits far above: buffers of 32 KiB and 1 MiB, packets
//! of 256 KiB, filters of 64 KiB, 250 levels. So the last bytes of an input tell which piece of it is repeated, and
//! how often:
//!
//! ```text
//! input = bytes … | from (2, little-endian) | len (1) | power (1) | share (2, little-endian)
//! ```
//!
//! `len` bytes from `from` on stand 2^`power` times in the stretched bytes. A power above [`MAX_POWER`] stands for 0, so
//! that most inputs are what they are. `share` is for the check: a place in the stretched bytes, in 1/65536 of them.

/// The highest power that repeats anything: 2^19 single bytes are more than the longest packet.
pub const MAX_POWER: u8 = 19;

/// Bytes that the footer takes of an input.
const FOOTER_BYTES: usize = 6;

/// The bytes that an input stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretched {
    /// The bytes, with the piece repeated.
    pub bytes: Vec<u8>,
    /// A place in them that the input chose.
    pub place: usize,
    /// The number that stands for the place in the input.
    pub share: u16,
}

/// What the footer of an input tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    /// Where the piece begins.
    pub from: u16,
    /// Its length.
    pub len: u8,
    /// How many times it is doubled.
    pub power: u8,
    /// A place in the stretched bytes.
    pub share: u16,
}

impl Footer {
    /// The input that stands for `bytes`, stretched as told.
    pub fn behind(self, bytes: &[u8]) -> Vec<u8> {
        let mut input = bytes.to_vec();
        input.extend_from_slice(&self.from.to_le_bytes());
        input.extend_from_slice(&[self.len, self.power]);
        input.extend_from_slice(&self.share.to_le_bytes());
        input
    }
}

impl Stretched {
    /// The bytes that `input` stands for, at most `limit` of them unless the input itself has more.
    pub fn new(input: &[u8], limit: usize) -> Self {
        let (bytes, footer) = split(input);
        let from = usize::from(footer.from).min(bytes.len());
        let to = (from + usize::from(footer.len)).min(bytes.len());
        let (head, piece, tail) = (&bytes[..from], &bytes[from..to], &bytes[to..]);
        let power = if footer.power > MAX_POWER { 0 } else { footer.power };
        let most = limit.saturating_sub(head.len() + tail.len()).checked_div(piece.len()).unwrap_or(1);
        let times = (1_usize << power).min(most).max(1);
        let bytes = [head, &piece.repeat(times), tail].concat();
        let place = (bytes.len() * usize::from(footer.share)) >> 16;
        Self { bytes, place, share: footer.share }
    }
}

/// An input without its footer; one that is too short for a footer has none.
fn split(input: &[u8]) -> (&[u8], Footer) {
    match input.split_last_chunk::<FOOTER_BYTES>() {
        Some((bytes, &[a, b, len, power, c, d])) => {
            let (from, share) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
            (bytes, Footer { from, len, power, share })
        }
        None => (input, Footer::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_repeated_up_to_the_limit() {
        let footer = Footer { from: 1, len: 2, power: 2, share: 0x8000 };
        let input = footer.behind(b"abcd");
        assert_eq!(
            Stretched::new(&input, 100),
            Stretched { bytes: b"abcbcbcbcd".to_vec(), place: 5, share: 0x8000 }
        );
        assert_eq!(Stretched::new(&input, 7).bytes, b"abcbcd");
        assert_eq!(Stretched::new(&input, 0).bytes, b"abcd");
    }

    #[test]
    fn what_tells_no_piece_is_left_as_it_is() {
        for footer in [
            Footer { from: 4, len: 9, power: 9, share: 0 },
            Footer { from: 0, len: 0, power: 9, share: 0 },
            Footer { from: 0, len: 9, power: MAX_POWER + 1, share: 0 },
        ] {
            assert_eq!(Stretched::new(&footer.behind(b"abcd"), 100).bytes, b"abcd", "{footer:?}");
        }
        assert_eq!(Stretched::new(b"abc", 100).bytes, b"abc");
    }
}
