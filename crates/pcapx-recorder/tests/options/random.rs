//! Texts of any kind are answered, and settings that are printed are read back.

use std::ffi::OsString;

use pcapx_core::filter;
use pcapx_recorder::options::Simulation;
use pcapx_recorder::options::{
    self, Asked, Direction, DiskLimit, Input, Layer, OPTIONS, OptionsError, Settings,
};
use proptest::prelude::*;

use super::{read, read_file, settings};

/// Words that are nearly options.
fn word() -> impl Strategy<Value = String> {
    let name = (0..OPTIONS.len()).prop_map(|at| OPTIONS[at].name);
    let value = prop_oneof![Just(String::new()), "[0-9]{1,20}%?", "[a-z/.,:@ \"'#=-]{0,12}", any::<String>()];
    let between = prop_oneof![Just("="), Just(" "), Just(""), Just(" = ")];
    prop_oneof![
        6 => (name, between.clone(), value.clone()).prop_map(|(name, between, value)| format!("--{name}{between}{value}")),
        6 => (any::<prop::sample::Index>(), between, value).prop_filter_map("letter", |(at, between, value)| {
            at.get(OPTIONS).letter.map(|letter| format!("-{letter}{between}{value}"))
        }),
        1 => "-{0,3}[a-z0-9]{0,6}",
        1 => any::<String>(),
    ]
}

/// What is told is told on lines of their own, and nothing of a stranger's text moves the cursor.
fn check(asked: Result<Asked, OptionsError>) {
    let told = match asked {
        Ok(Asked::Record { warnings, .. }) => warnings.iter().map(ToString::to_string).collect(),
        Ok(Asked::Print(_)) => Vec::new(),
        Err(OptionsError::Invalid(problems)) => {
            assert!(!problems.is_empty());
            problems.iter().map(ToString::to_string).collect()
        }
        Err(error) => vec![error.to_string()],
    };
    for line in told {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

fn some_settings() -> impl Strategy<Value = Settings> {
    let input = prop_oneof![
        "[a-z][a-z0-9.-]{0,14}"
            .prop_filter("a file by its ending", |name| !name.contains(".p") && !name.contains(".c"))
            .prop_map(Input::Interface),
        "/[a-z #',]{0,20}".prop_map(|path| Input::File(path.into())),
    ];
    let path = || "/[a-zä #'=,-]{0,20}[a-z]";
    let filter =
        prop_oneof![Just(""), Just("tcp and host 10.0.0.1"), Just("not (net 10.0.0.0/8 or port 53)")];
    let layer = prop::option::of((0..3_usize).prop_map(|at| Layer::ALL[at]));
    let limit = prop_oneof![
        (1..=100_u8).prop_map(DiskLimit::Percent),
        (1..1_000_000_u64).prop_map(|megabytes| DiskLimit::Bytes(megabytes << 20))
    ];
    let simulation = prop_oneof![Just(None), Just(Some(Simulation::Disk)), Just(Some(Simulation::Core))];
    let inputs = prop::collection::vec(input, 1..4).prop_map(|mut inputs: Vec<Input>| {
        // Each is recorded once.
        let mut known = Vec::new();
        inputs.retain(|input| {
            !known.contains(input) && {
                known.push(input.clone());
                true
            }
        });
        inputs
    });
    (
        (inputs, 0..=262_144_u32, layer, any::<[bool; 7]>(), filter, 1..=256_usize),
        (1..9999_u64, path(), prop::option::of(path()), 1..99_999_u64, 0..9999_u64, 0..9_u64, limit),
        (
            0..0o177_u32,
            0..0o77_u32,
            prop::option::of("[a-z][a-z0-9-]{0,10}"),
            prop::option::of(path()),
            prop::option::of(any::<std::net::SocketAddrV4>()),
            0..=2_u8,
            simulation,
        ),
    )
        .prop_map(|(capture, files, process)| {
            let (inputs, snaplen, slicing, flags, filter, threads) = capture;
            let [is_both, promiscuous, hardware_time, nanoseconds, index, check, link_up] = flags;
            let (buffer, dump, timeline, file_len, secs, packets, disk_limit) = files;
            let (file_mode, dir_mode, user, pid_file, metrics, verbosity, simulation) = process;
            Settings {
                inputs,
                snaplen: if snaplen == 0 { 262_144 } else { snaplen },
                slicing,
                direction: if is_both { Direction::Both } else { Direction::Received },
                promiscuous,
                filter: filter::parse(filter).ok().filter(|_| !filter.is_empty()),
                hardware_time,
                link_up,
                nanoseconds,
                threads: threads.try_into().unwrap(),
                buffer_bytes: buffer << 20,
                dump: dump.into(),
                timeline: timeline.map(Into::into),
                index,
                file_bytes: file_len << 20,
                file_duration: (secs > 0).then(|| std::time::Duration::from_secs(secs)),
                file_packets: (packets > 0).then_some(packets),
                disk_limit,
                file_mode: file_mode | 0o600,
                dir_mode: dir_mode | 0o700,
                user,
                pid_file: pid_file.map(Into::into),
                metrics: metrics.map(Into::into),
                verbosity,
                simulation,
                check,
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_words_are_answered(words in prop::collection::vec(word(), 0..8)) {
        // Words that name a file read whatever stands there.
        let words = words.into_iter().filter(|word| word.starts_with('-')).map(OsString::from);
        check(options::read(words));
    }

    #[test]
    fn any_lines_are_answered(lines in prop::collection::vec(word(), 0..12)) {
        check(read_file(lines.join("\n"), ""));
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(read_file(bytes, "-i lo -o /d"));
    }

    #[test]
    fn printed_settings_are_read_back(expected in some_settings()) {
        let printed = expected.to_string();
        prop_assert_eq!(settings(read_file(&printed, "")).0, expected, "{}", printed);
    }
}

#[test]
fn the_defaults_are_read_back() {
    let (defaults, _) = settings(read("-i lo -o /d"));
    assert_eq!(settings(read_file(defaults.to_string(), "")).0, defaults);
}
