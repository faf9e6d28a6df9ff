//! Indexes with wrong bytes: nobody believes them, and nobody panics.

use std::os::unix::fs::FileExt;

use pcapx_core::window::Window;
use pcapx_testkit::trace::{Needle, Trace};

use crate::chance::{Chance, effort};
use crate::patient::{Patient, State};

/// A memory page, and a line of it.
const PAGE_BYTES: u64 = 4096;
const LINE_BYTES: u64 = 64;

#[test]
fn every_byte_of_an_index_can_be_wrong() {
    let patient = Patient::small();
    let file = patient.file();
    // One bit of each byte in turn; with more effort every bit, and all of them.
    let rest: &[u8] = if effort() == 1 { &[] } else { &[1, 2, 4, 8, 16, 32, 64, 128, 0xff] };
    let mut refused = 0;
    for at in 0..patient.len() {
        for mask in [1 << (at % 8)].into_iter().chain(rest.iter().copied()) {
            let what = format!("byte {at} ^ {mask:#04x}");
            refused += u64::from(patient.spoil(&file, at, 1, |byte| byte ^ mask, &what) == State::Refused);
        }
        if at % 331 == 0 {
            file.write_all_at(&[!patient.sound[at as usize]], at).unwrap();
            patient.ask(&format!("byte {at} inverted"));
            file.write_all_at(&patient.sound[at as usize..=at as usize], at).unwrap();
        }
    }
    let tried = patient.len() * (rest.len() as u64 + 1);
    eprintln!("{tried} flips in an index of {} bytes, {refused} of them refused", patient.len());
    assert!(patient.len() > 2 * PAGE_BYTES && refused > tried / 2);
    assert_eq!(patient.state("put back"), State::Sound);
}

#[test]
fn an_index_can_end_anywhere() {
    let patient = Patient::small();
    let file = patient.file();
    for len in (0..patient.len()).rev() {
        file.set_len(len).unwrap();
        assert_eq!(patient.state(&format!("{len} bytes")), State::Refused, "{len} bytes");
        if len % 211 == 0 || len < 3 {
            patient.ask(&format!("{len} bytes"));
        }
    }
}

#[test]
fn every_page_and_line_of_an_index_can_be_zero() {
    let patient = Patient::small();
    let file = patient.file();
    for unit in [PAGE_BYTES, LINE_BYTES] {
        for at in (0..patient.len()).step_by(unit as usize) {
            let what = format!("{unit} zeros at {at}");
            patient.spoil(&file, at, unit, |_| 0, &what);
            if unit == PAGE_BYTES {
                let end = (at + unit).min(patient.len());
                file.write_all_at(&vec![0; (end - at) as usize], at).unwrap();
                patient.ask(&what);
                file.write_all_at(&patient.sound[at as usize..end as usize], at).unwrap();
            }
        }
    }
}

#[test]
fn a_large_index_can_be_wrong_anywhere() {
    let packets: Vec<_> = Trace::new(8).bytes(12 << 20).packets().collect();
    let middle = Window::new(packets[4000].time, packets[9000].time).unwrap();
    let patient = Patient::new(
        &packets,
        &[
            (Needle::FILTER, Window::ALL),
            ("net 10.13.0.0/16 and udp", middle),
            ("ip6 and port 53", Window::ALL),
        ],
    );
    let (file, mut chance) = (patient.file(), Chance::new(5));
    for round in 0..300 * u64::from(effort()) {
        let at = chance.roll() % patient.len();
        let mask = 1 + chance.below(255) as u8;
        patient.spoil(&file, at, 1, |byte| byte ^ mask, &format!("byte {at} ^ {mask:#04x}"));
        let page = at / PAGE_BYTES * PAGE_BYTES;
        patient.spoil(&file, page, PAGE_BYTES, |_| 0, &format!("page at {page}"));
        if round % 100 == 0 {
            file.write_all_at(&[!patient.sound[at as usize]], at).unwrap();
            patient.ask(&format!("byte {at} inverted"));
            file.write_all_at(&patient.sound[at as usize..=at as usize], at).unwrap();
        }
    }
    for _ in 0..100 * effort() {
        let len = chance.roll() % patient.len();
        file.set_len(len).unwrap();
        assert_eq!(patient.state(&format!("{len} bytes")), State::Refused);
        file.write_all_at(&patient.sound[len as usize..], len).unwrap();
    }
    eprintln!(
        "an index of {} bytes for {} of packets",
        patient.len(),
        patient.segment.metadata().unwrap().len()
    );
    patient.ask("put back");
}
