//! Whether a capture brings the templates of its data: a collector drops data that it has no template for.
//!
//! After the header, NetFlow v9 (RFC 3954, 5.2–5.4) and IPFIX (RFC 7011, 3.3–3.4) carry sets: identifier and length, 16
//! bits each, the length counting these four bytes. Sets 0 and 2 define templates, 1 and 3 options templates, those from
//! 256 on hold data in the form of the template with that number, which is valid for one source of the exporter.

use std::collections::BTreeSet;

use crate::netflow::Protocol;

/// The lowest number of a template.
const FIRST_TEMPLATE: u16 = 256;

/// Templates seen and templates needed, each with the exporter's source number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Templates {
    defined: BTreeSet<(u32, u16)>,
    used: BTreeSet<(u32, u16)>,
}

impl Templates {
    /// Takes note of the sets of an export packet. What is malformed ends the packet.
    pub(crate) fn note(&mut self, payload: &[u8]) {
        let (source_at, header_bytes) = match Protocol::of(payload) {
            Some(Protocol::V9) => (16, 20),
            Some(Protocol::Ipfix) => (12, 16),
            Some(Protocol::V5) | None => return,
        };
        let Some(source) = payload.get(source_at..).and_then(|rest| rest.first_chunk()).copied() else {
            return;
        };
        let source = u32::from_be_bytes(source);
        let mut rest = payload.get(header_bytes..).unwrap_or_default();
        while let (Some(id), Some(len)) = (word(rest, 0), word(rest, 2)) {
            let Some(body) = rest.get(4..usize::from(len)) else { return };
            match id {
                0 => self.define(source, body, |record| Some(4 + usize::from(word(record, 2)?) * 4)),
                1 => self.define(source, body, |record| {
                    Some(6 + usize::from(word(record, 2)?) + usize::from(word(record, 4)?))
                }),
                2 => self.define(source, body, |record| ipfix_record_bytes(record, 4)),
                3 => self.define(source, body, |record| ipfix_record_bytes(record, 6)),
                FIRST_TEMPLATE.. => {
                    self.used.insert((source, id));
                }
                _ => {}
            }
            rest = &rest[usize::from(len)..];
        }
    }

    /// Takes note of the template records in `body`; `record_bytes` tells the length of the one that it begins with.
    fn define(&mut self, source: u32, mut body: &[u8], record_bytes: impl Fn(&[u8]) -> Option<usize>) {
        while let Some(id) = word(body, 0).filter(|id| *id >= FIRST_TEMPLATE) {
            let Some(rest) = record_bytes(body).and_then(|len| body.get(len..)) else { return };
            self.defined.insert((source, id));
            body = rest;
        }
    }

    /// Numbers of templates that data needs and the capture does not define.
    pub(crate) fn missing(&self) -> BTreeSet<u16> {
        self.used.difference(&self.defined).map(|(_, id)| *id).collect()
    }
}

/// Length of an IPFIX template record whose fields begin at `at`: a field with the enterprise bit is four bytes longer.
fn ipfix_record_bytes(record: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..word(record, 2)? {
        at += if word(record, at)? & 0x8000 == 0 { 4 } else { 8 };
    }
    Some(at)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn v9(source: u16, sets: &[u16]) -> Vec<u8> {
        words(&[&[9, 1, 0, 0, 0, 0, 0, 0, 0, source], sets].concat())
    }

    fn ipfix(source: u16, sets: &[u16]) -> Vec<u8> {
        words(&[&[10, 0, 0, 0, 0, 0, 0, source], sets].concat())
    }

    fn missing(packets: &[Vec<u8>]) -> Vec<u16> {
        let mut templates = Templates::default();
        for packet in packets {
            templates.note(packet);
        }
        templates.missing().into_iter().collect()
    }

    #[test]
    fn data_needs_the_template_of_its_source() {
        // Two templates of one field each, then data for both and for a third.
        let templates = v9(1, &[0, 20, 256, 1, 8, 4, 257, 1, 12, 4]);
        let data = v9(1, &[256, 8, 0, 0, 257, 8, 0, 0, 300, 8, 0, 0]);
        assert_eq!(missing(&[templates.clone(), data.clone()]), [300]);
        assert_eq!(missing(&[data.clone(), templates]), [300]);
        assert_eq!(missing(&[v9(2, &[0, 12, 256, 1, 8, 4]), data]), [256, 257, 300]);
    }

    #[test]
    fn options_templates_count() {
        // Scope of one field and one option, four bytes each.
        assert_eq!(missing(&[v9(1, &[1, 18, 256, 4, 4, 1, 4, 2, 4, 256, 8, 0, 0])]), [] as [u16; 0]);
        assert_eq!(missing(&[ipfix(1, &[3, 18, 256, 2, 1, 1, 4, 2, 4, 256, 8, 0, 0])]), [] as [u16; 0]);
    }

    #[test]
    fn enterprise_fields_are_longer() {
        let sets = [2, 24, 256, 2, 0x8001, 4, 0, 9, 8, 4, 257, 0, 257, 8, 0, 0];
        assert_eq!(missing(&[ipfix(1, &sets)]), [] as [u16; 0]);
    }

    #[test]
    fn malformed_sets_end_the_packet() {
        for sets in
            [&[256_u16, 0][..], &[256, 3], &[256, 400, 0], &[0, 8, 256, 900], &[0], &[2, 8, 256, 0xffff]]
        {
            assert_eq!(missing(&[v9(1, sets), ipfix(1, sets)]), [] as [u16; 0], "{sets:?}");
        }
    }
}
