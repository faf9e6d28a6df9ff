//! A segment with an index that is made ill.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use pcapx_core::filter::Expr;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Packet, Pcap, link};
use pcapx_timeline::index::{Identity, IndexReader, Plan};
use pcapx_timeline::matcher::Matcher;
use tempfile::TempDir;

use crate::asking::{Answer, assert_same, filter, finish, index, indexed, scanned, scratch, sidecar};
use crate::chance::Chance;
use crate::generated::START;
use crate::zoo;

/// A segment with its index, questions, and what a sound index answers them.
pub(crate) struct Patient {
    pub(crate) folder: TempDir,
    pub(crate) segment: PathBuf,
    pub(crate) index: PathBuf,
    pub(crate) sound: Vec<u8>,
    identity: Identity,
    pub(crate) questions: Vec<(Expr, Matcher, Window)>,
    plans: Vec<Plan>,
    pub(crate) answers: Vec<Answer>,
}

/// What has become of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is not believed, or not for some question.
    Refused,
    /// It answers as before.
    Sound,
}

impl Patient {
    pub(crate) fn new(packets: &[Packet], questions: &[(&str, Window)]) -> Self {
        let folder = scratch();
        let segment = folder.path().join("a.pcap");
        Pcap::new().write(&segment, packets);
        finish(&segment);
        index(&segment).unwrap();
        let index = sidecar(&segment);
        let questions: Vec<_> = questions
            .iter()
            .map(|(text, window)| (filter(text), Matcher::new(&filter(text)), *window))
            .collect();
        let answers = questions
            .iter()
            .map(|(filter, _, window)| scanned(folder.path(), Some(filter), *window))
            .inspect(|answer| assert!(answer.name.is_some()))
            .collect();
        let identity = Identity::of(&segment.metadata().unwrap());
        let sound = fs::read(&index).unwrap();
        let mut patient =
            Self { folder, segment, index, sound, identity, questions, plans: Vec::new(), answers };
        let reader = IndexReader::open(&patient.index, &patient.identity).unwrap();
        reader.verify().unwrap();
        patient.plans = patient
            .questions
            .iter()
            .map(|(e, m, window)| reader.plan(Some((e, m)), *window).unwrap())
            .collect();
        patient
    }

    /// A thousand and a half packets of few hosts, each in its part of the segment.
    pub(crate) fn small() -> Self {
        let frames = zoo::frames(link::ETHERNET);
        let mut chance = Chance::new(3);
        let packets: Vec<_> = (0..1500)
            .map(|number| {
                let mut frame = frames[(number / 10 * 37 + number % 3) % frames.len()].clone();
                frame.resize(frame.len() + chance.below(700), 0);
                Packet::new(Timestamp::from_nanos(START.as_nanos() + number as i64 * 1_000_000), frame)
            })
            .collect();
        let middle = Window::new(packets[500].time, packets[900].time).unwrap();
        Self::new(
            &packets,
            &[
                ("host 10.0.1.2 and udp port 53", Window::ALL),
                ("vlan 6 or not (ip or arp)", middle),
                ("net 2001:db8::/32 and portrange 400-50000", Window::ALL),
            ],
        )
    }

    pub(crate) fn len(&self) -> u64 {
        self.sound.len() as u64
    }

    /// Asks the index alone. What it still answers must be what it has answered before.
    #[track_caller]
    pub(crate) fn state(&self, what: &str) -> State {
        let Ok(reader) = IndexReader::open(&self.index, &self.identity) else { return State::Refused };
        let mut state = State::Sound;
        for ((filter, matcher, window), sound) in self.questions.iter().zip(&self.plans) {
            match reader.plan(Some((filter, matcher)), *window) {
                Ok(plan) => assert_eq!(&plan, sound, "{what}"),
                Err(_) => state = State::Refused,
            }
        }
        state
    }

    /// Asks the timeline, which has to be right whatever the index is.
    #[track_caller]
    pub(crate) fn ask(&self, what: &str) {
        for ((filter, _, window), right) in self.questions.iter().zip(&self.answers) {
            assert_same(&indexed(self.folder.path(), Some(filter), *window), right, what);
        }
    }

    /// Changes the bytes at `at` by `change`, looks, and puts them back.
    #[track_caller]
    pub(crate) fn spoil(
        &self,
        file: &File,
        at: u64,
        len: u64,
        change: impl Fn(u8) -> u8,
        what: &str,
    ) -> State {
        let range = at as usize..(at + len).min(self.len()) as usize;
        let spoiled: Vec<u8> = self.sound[range.clone()].iter().map(|&byte| change(byte)).collect();
        file.write_all_at(&spoiled, at).unwrap();
        let state = self.state(what);
        // Nothing but the mark at the head is without a checksum.
        let is_same = spoiled == self.sound[range.clone()];
        assert!(state == State::Refused || at < 8 || is_same || self.is_unread(at), "{what}: nobody notices");
        file.write_all_at(&self.sound[range], at).unwrap();
        state
    }

    /// Whether no question needs the chunk at `at`: then the reader that reads all has to notice.
    pub(crate) fn is_unread(&self, at: u64) -> bool {
        let reader = IndexReader::open(&self.index, &self.identity);
        assert!(reader.is_ok_and(|reader| reader.verify().is_err()), "byte {at}: nobody notices");
        true
    }

    pub(crate) fn file(&self) -> File {
        OpenOptions::new().write(true).open(&self.index).unwrap()
    }
}
