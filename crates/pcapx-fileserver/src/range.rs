//! The one range of a file that a request asks for (RFC 9110 §14.1).

use hyper::header::{HeaderMap, RANGE};

/// What `Range` comes to for a file of a given length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole file: no range, several ranges, another unit, or not the syntax of a range.
    Whole,
    /// `length` bytes from `start`; at least one, none beyond the end.
    Slice {
        /// Offset of the first byte.
        start: u64,
        /// Number of bytes.
        length: u64,
    },
    /// 416: the range begins at or after the end.
    Unsatisfiable,
}

impl Part {
    /// Reads `Range` for a file of `length` bytes.
    pub(crate) fn requested(headers: &HeaderMap, length: u64) -> Self {
        let mut values = headers.get_all(RANGE).iter();
        match (values.next().map(|value| value.to_str()), values.next()) {
            (Some(Ok(value)), None) => Self::parse(value, length).unwrap_or(Part::Whole),
            _ => Part::Whole,
        }
    }

    /// `None`: not the syntax of a single byte range.
    fn parse(value: &str, length: u64) -> Option<Self> {
        let (unit, range) = value.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim_matches([' ', '\t']).split_once('-')?;
        if first.is_empty() {
            let suffix = number(last)?;
            return Some(match suffix.min(length) {
                0 if suffix == 0 => Part::Unsatisfiable,
                // The last bytes of an empty file are the empty file, which no `Content-Range` can tell.
                0 => Part::Whole,
                taken => Part::Slice { start: length - taken, length: taken },
            });
        }
        let first = number(first)?;
        let last = if last.is_empty() { u64::MAX } else { number(last)? };
        if last < first {
            return None;
        }
        if first >= length {
            return Some(Part::Unsatisfiable);
        }
        Some(Part::Slice { start: first, length: last.min(length - 1) - first + 1 })
    }
}

/// Digits only; a number beyond 64 bits is as good as the largest one.
fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(start: u64, length: u64) -> Part {
        Part::Slice { start, length }
    }

    #[test]
    fn ranges_of_ten_bytes() {
        for (value, part) in [
            ("bytes=0-0", slice(0, 1)),
            ("bytes=0-9", slice(0, 10)),
            ("bytes=0-", slice(0, 10)),
            ("bytes=9-", slice(9, 1)),
            ("bytes=3-5", slice(3, 3)),
            ("bytes=3-999", slice(3, 7)),
            ("bytes=3-99999999999999999999999", slice(3, 7)),
            ("bytes=-1", slice(9, 1)),
            ("bytes=-10", slice(0, 10)),
            ("bytes=-11", slice(0, 10)),
            ("Bytes=0-1", slice(0, 2)),
            ("bytes= 0-1", slice(0, 2)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=10-12", Part::Unsatisfiable),
            ("bytes=99999999999999999999999-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=5-3", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes 0-1", Part::Whole),
            ("items=0-1", Part::Whole),
            ("", Part::Whole),
        ] {
            let headers = HeaderMap::from_iter([(RANGE, value.parse().unwrap())]);
            assert_eq!(Part::requested(&headers, 10), part, "{value}");
        }
    }

    #[test]
    fn an_empty_file_has_no_ranges() {
        for (value, part) in
            [("bytes=0-", Part::Unsatisfiable), ("bytes=-1", Part::Whole), ("bytes=-0", Part::Unsatisfiable)]
        {
            let headers = HeaderMap::from_iter([(RANGE, value.parse().unwrap())]);
            assert_eq!(Part::requested(&headers, 0), part, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_slice_never_leaves_the_file(value in "bytes=[0-9]{0,21}-[0-9]{0,21}", length: u64) {
            let headers = HeaderMap::from_iter([(RANGE, value.parse().unwrap())]);
            if let Part::Slice { start, length: taken } = Part::requested(&headers, length) {
                proptest::prop_assert!(taken > 0 && start.checked_add(taken).is_some_and(|end| end <= length));
            }
        }
    }
}
