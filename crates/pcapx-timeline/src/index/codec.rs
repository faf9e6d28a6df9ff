//! How numbers and lists stand in an index: varints, folded signs, runs of consecutive numbers.

use std::ops::Range;

/// Seven bits a byte: 128 bits take at most this many.
const VARINT_MAX_BYTES: usize = 19;
/// So many of them fit into 64 bits.
const NARROW_BYTES: usize = 9;

/// Appends numbers to bytes.
pub(super) trait Put {
    fn put_varint(&mut self, value: u128);
    fn put_signed(&mut self, value: u128);
    fn put_u64(&mut self, value: u64);
    fn put_list(&mut self, ascending: &[u32]);
}

impl Put for Vec<u8> {
    #[inline]
    fn put_varint(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    /// A difference that was taken wrapping: small ones of either sign become short.
    #[inline]
    fn put_signed(&mut self, value: u128) {
        let sign = if value >> 127 == 0 { 0 } else { u128::MAX };
        self.put_varint((value << 1) ^ sign);
    }

    #[inline]
    fn put_u64(&mut self, value: u64) {
        self.put_varint(value.into());
    }

    /// The list must not be empty.
    fn put_list(&mut self, ascending: &[u32]) {
        let (mut at, mut next) = (0, 0);
        while at < ascending.len() {
            let first = ascending[at];
            let run =
                ascending[at..].iter().zip(first..).take_while(|(n, expected)| **n == *expected).count();
            at += run;
            let (more, long) = (u64::from(at < ascending.len()), u64::from(run > 1));
            self.put_u64((u64::from(first - next) << 2) | (more << 1) | long);
            if run > 1 {
                self.put_u64(run as u64 - 2);
            }
            next = first + run as u32;
        }
    }
}

/// Takes numbers from bytes. Every method answers `None` where the bytes end or cannot be what is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'b>(pub(super) &'b [u8]);

impl Cursor<'_> {
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    #[inline]
    pub(super) fn two(&mut self) -> Option<u16> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_le_bytes(*first))
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Option<u128> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(first.into());
        }
        // Nearly all fit into 63 bits, and those are quicker to put together.
        let mut value = u64::from(first & 0x7f);
        for n in 1..NARROW_BYTES {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * n);
            if byte < 0x80 {
                return Some(value.into());
            }
        }
        self.wide_varint(value.into())
    }

    /// Goes on with a varint of which [`NARROW_BYTES`] are read.
    #[cold]
    fn wide_varint(&mut self, mut value: u128) -> Option<u128> {
        for n in NARROW_BYTES..VARINT_MAX_BYTES {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7f) << (7 * n);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    #[inline]
    pub(super) fn signed(&mut self) -> Option<u128> {
        let folded = self.varint()?;
        Some((folded >> 1) ^ (folded & 1).wrapping_neg())
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Option<u64> {
        u64::try_from(self.varint()?).ok()
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }

    /// A number of things that take at least one byte each: more than there are bytes left is damage.
    pub(super) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok().filter(|&count| count <= self.0.len())
    }

    /// A list of numbers below `limit`, given to `each` as runs.
    #[inline]
    pub(super) fn list(&mut self, limit: u32, mut each: impl FnMut(Range<u32>)) -> Option<()> {
        let mut next = 0_u32;
        loop {
            let head = self.varint()?;
            let gap = u32::try_from(head >> 2).ok()?;
            let run = if head & 1 == 0 { 1 } else { self.u32()?.checked_add(2)? };
            let first = next.checked_add(gap)?;
            next = first.checked_add(run).filter(|&end| end <= limit)?;
            each(first..next);
            if head & 2 == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(values in prop::collection::vec(any::<u128>(), 0..20), shift in 0_u32..128) {
            let mut bytes = Vec::new();
            for value in &values {
                bytes.put_varint(value >> shift);
                bytes.put_signed(value >> shift);
                bytes.put_signed(value.wrapping_neg() >> shift);
            }
            let mut cursor = Cursor(&bytes);
            for value in values {
                prop_assert_eq!(cursor.varint(), Some(value >> shift));
                prop_assert_eq!(cursor.signed(), Some(value >> shift));
                prop_assert_eq!(cursor.signed(), Some(value.wrapping_neg() >> shift));
            }
            prop_assert!(cursor.is_at_end());
        }

        #[test]
        fn lists_come_back(set in prop::collection::btree_set(0_u32..400, 1..200)) {
            let list: Vec<u32> = set.into_iter().collect();
            let mut bytes = Vec::new();
            bytes.put_list(&list);
            let (mut cursor, mut read) = (Cursor(&bytes), Vec::new());
            prop_assert_eq!(cursor.list(400, |run| read.extend(run)), Some(()));
            prop_assert!(cursor.is_at_end());
            prop_assert_eq!(&read, &list);
            let last = list[list.len() - 1];
            prop_assert_eq!(Cursor(&bytes).list(last, |_| ()), None, "a number beyond its table is damage");
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut cursor = Cursor(&bytes);
            while cursor.list(1 << 20, |run| assert!(run.start < run.end && run.end <= 1 << 20)).is_some() {}
            let mut cursor = Cursor(&bytes);
            while cursor.varint().is_some() {}
        }
    }

    #[test]
    fn small_numbers_are_short_and_small_differences_too() {
        let mut bytes = Vec::new();
        bytes.put_varint(127);
        bytes.put_signed(0_u128.wrapping_sub(64));
        bytes.put_list(&[31]);
        assert_eq!(bytes.len(), 3);
        bytes.clear();
        bytes.put_varint(u128::MAX);
        assert_eq!(bytes.len(), VARINT_MAX_BYTES);
    }
}
