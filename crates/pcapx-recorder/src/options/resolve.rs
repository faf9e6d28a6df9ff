//! From what is given to settings.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use pcapx_core::filter;
use pcapx_timeline::segment::MAX_PACKET_BYTES;

use super::error::{OptionsError, Problem, Warning};
use super::given::Given;
use super::settings::{Direction, DiskLimit, Input, MB, Settings, Simulation};
use super::table::{Effect, Setting, Value};
use super::value;

/// n2disk's default: an Ethernet frame with room for tags.
const DEFAULT_SNAPLEN: u32 = 1536;
/// Below this the addresses of IPv6 behind a tag are cut off, and nothing can be searched for them.
const SHORT_SNAPLEN: u32 = 58;
/// A tenth of a second of 10 Gbit/s. n2disk wants it to be named.
const DEFAULT_BUFFER_BYTES: u64 = 128 * MB;
/// The example of n2disk's guide; n2disk wants it to be named.
const DEFAULT_FILE_BYTES: u64 = 512 * MB;
/// What n2disk says it takes where a timeline is kept: that of a folder of it.
const DEFAULT_FILE_DURATION: Duration = Duration::from_secs(600);
/// A year: longer files are a slip.
const MOST_SECS: u64 = 366 * 24 * 60 * 60;
const DEFAULT_DISK_LIMIT: DiskLimit = DiskLimit::Percent(80);
const DEFAULT_FILE_MODE: u32 = 0o640;
const DEFAULT_DIR_MODE: u32 = 0o750;
/// The recorder reads and writes its files, and enters its folders.
const OWN_FILE_MODE: u32 = 0o600;
const OWN_DIR_MODE: u32 = 0o700;
/// The most threads of one interface: the kernel's fanout groups take 256, no machine has so many idle cores.
const MOST_THREADS: u64 = 256;
const MOST_VERBOSITY: usize = 2;

/// Resolves what is given. `problems` are those found before.
pub(super) fn resolve(
    given: &[Given],
    problems: Vec<Problem>,
) -> Result<(Settings, Vec<Warning>), OptionsError> {
    let mut desk = Desk { given, problems, warnings: Vec::new() };
    desk.look_through();
    let simulation = desk.value(Setting::Simulation, value::simulation);
    let timeline = desk.folder(Setting::Timeline);
    let default_duration = timeline.as_ref().map_or(0, |_| DEFAULT_FILE_DURATION.as_secs());
    let settings = Settings {
        inputs: desk.inputs(simulation),
        snaplen: desk.snaplen(),
        slicing: desk.value(Setting::Slicing, value::layer),
        direction: desk.value(Setting::Direction, value::direction).unwrap_or(Direction::Received),
        promiscuous: !desk.flag(Setting::NotPromiscuous),
        filter: desk.value(Setting::Filter, |text| filter::parse(text).map_err(|error| error.to_string())),
        hardware_time: desk.flag(Setting::HardwareTime),
        link_up: desk.flag(Setting::LinkUp),
        nanoseconds: desk.flag(Setting::Nanoseconds),
        threads: desk
            .number(Setting::Threads, 1, MOST_THREADS)
            .and_then(|threads| NonZeroUsize::new(threads as usize))
            .unwrap_or(NonZeroUsize::MIN),
        buffer_bytes: desk.value(Setting::Buffer, value::megabytes).unwrap_or(DEFAULT_BUFFER_BYTES),
        dump: desk.dump(simulation),
        timeline,
        index: desk.flag(Setting::Index),
        file_bytes: desk.value(Setting::FileBytes, value::megabytes).unwrap_or(DEFAULT_FILE_BYTES),
        file_duration: Some(desk.number(Setting::FileDuration, 0, MOST_SECS).unwrap_or(default_duration))
            .filter(|secs| *secs > 0)
            .map(Duration::from_secs),
        file_packets: desk.number(Setting::FilePackets, 0, u64::MAX).filter(|packets| *packets > 0),
        disk_limit: desk.value(Setting::DiskLimit, value::disk_limit).unwrap_or(DEFAULT_DISK_LIMIT),
        file_mode: desk
            .value(Setting::FileMode, |text| value::mode(text, OWN_FILE_MODE))
            .unwrap_or(DEFAULT_FILE_MODE),
        dir_mode: desk
            .value(Setting::DirMode, |text| value::mode(text, OWN_DIR_MODE))
            .unwrap_or(DEFAULT_DIR_MODE),
        user: desk.value(Setting::User, value::user),
        pid_file: desk.value(Setting::PidFile, |text| Ok(text.into())),
        metrics: desk.value(Setting::Metrics, value::endpoint),
        verbosity: desk.all(Setting::Verbosity).count().min(MOST_VERBOSITY) as u8,
        simulation,
        check: desk.flag(Setting::Check),
    };
    desk.compare(&settings);
    if desk.problems.is_empty() {
        Ok((settings, desk.warnings))
    } else {
        Err(OptionsError::Invalid(desk.problems))
    }
}

struct Desk<'a> {
    given: &'a [Given],
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl<'a> Desk<'a> {
    fn refuse(&mut self, given: &Given, reason: String) {
        self.problems.push(Problem {
            place: Some(given.place.clone()),
            option: given.written.clone(),
            reason,
        });
    }

    fn warn(&mut self, given: &Given, reason: String) {
        self.warnings.push(Warning {
            place: Some(given.place.clone()),
            option: given.written.clone(),
            reason,
        });
    }

    /// Everything that sets `setting`, in the order in which it is written.
    fn all(&self, setting: Setting) -> impl DoubleEndedIterator<Item = &'a Given> + use<'a> {
        self.given.iter().filter(move |given| given.option.setting() == Some(setting))
    }

    fn flag(&self, setting: Setting) -> bool {
        self.all(setting).next().is_some()
    }

    /// What can be said of each option by itself.
    fn look_through(&mut self) {
        for (at, given) in self.given.iter().enumerate() {
            match given.option.effect {
                Effect::Sets { .. } => {}
                // Once, however often it is given.
                _ if self.given[..at].iter().any(|before| before.option == given.option) => {}
                Effect::Idle(advice) => {
                    self.warn(given, format!("n2disk's option has no effect here: {advice}"));
                }
                Effect::Refused(advice) => {
                    self.refuse(given, format!("is not offered: {advice}"));
                }
            }
            let Some(value) = &given.value else { continue };
            if value.contains(char::is_control) {
                self.refuse(given, "the value has control characters".to_owned());
            } else if value.is_empty() {
                let (Value::Needed(what) | Value::Maybe(what)) = given.option.value else { continue };
                self.refuse(given, format!("needs a value: {what}"));
            } else if given.option.setting() == Some(Setting::Index) {
                self.warn(given, "indexes stand beside their files, the folder is not used".to_owned());
            }
        }
    }

    /// What the last option of `setting` comes to; those before it are told to be in vain.
    fn value<T>(&mut self, setting: Setting, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let mut all = self.all(setting).rev();
        let last = all.next()?;
        if all.any(|before| before.value != last.value) {
            self.warn(last, "is given more than once; the last one counts".to_owned());
        }
        self.read(last, read)
    }

    fn read<T>(&mut self, given: &Given, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        // Empty values and those with control characters are refused already.
        let value =
            given.value.as_ref().filter(|value| !value.is_empty() && !value.contains(char::is_control))?;
        read(value).map_err(|reason| self.refuse(given, reason)).ok()
    }

    fn number(&mut self, setting: Setting, least: u64, most: u64) -> Option<u64> {
        self.value(setting, |text| value::number(text, least..=most))
    }

    /// A folder, of which there can be one only: two would not both be written to.
    fn folder(&mut self, setting: Setting) -> Option<PathBuf> {
        let mut all = self.all(setting);
        let first = all.next()?;
        if let Some(other) = all.find(|other| other.value != first.value) {
            self.refuse(other, "one recorder writes to one folder; run one for each".to_owned());
        }
        self.read(first, |text| Ok(text.into()))
    }

    fn dump(&mut self, simulation: Option<Simulation>) -> PathBuf {
        let is_given = self.flag(Setting::Dump);
        if !is_given && simulation.is_none_or(Simulation::writes) {
            self.missing("-o", "--dump-directory", "is missing: name the folder of the capture files");
        }
        self.folder(Setting::Dump).unwrap_or_else(|| ".".into())
    }

    fn inputs(&mut self, simulation: Option<Simulation>) -> Vec<Input> {
        let mut inputs = Vec::new();
        for given in self.all(Setting::Inputs) {
            let Some((more, warnings)) = self.read(given, value::inputs) else { continue };
            for warning in warnings {
                self.warn(given, warning);
            }
            for input in more {
                if inputs.contains(&input) {
                    self.warn(given, "is named twice and recorded once".to_owned());
                } else {
                    inputs.push(input);
                }
            }
        }
        if !self.flag(Setting::Inputs) && simulation.is_none_or(Simulation::captures) {
            self.missing("-i", "--interface", "is missing: name the interface to record");
        }
        inputs
    }

    /// What is there without its value is told already.
    fn missing(&mut self, option: &str, long: &str, reason: &str) {
        if self.problems.iter().any(|problem| problem.option == option || problem.option == long) {
            return;
        }
        self.problems.push(Problem { place: None, option: option.to_owned(), reason: reason.to_owned() });
    }

    fn snaplen(&mut self) -> u32 {
        match self.number(Setting::Snaplen, 0, MAX_PACKET_BYTES.into()) {
            None => DEFAULT_SNAPLEN,
            Some(0) => MAX_PACKET_BYTES,
            Some(bytes) => bytes as u32,
        }
    }

    /// What can be said of several together.
    fn compare(&mut self, settings: &Settings) {
        if settings.snaplen < SHORT_SNAPLEN
            && let Some(given) = self.all(Setting::Snaplen).next_back()
        {
            self.warn(
                given,
                format!("with less than {SHORT_SNAPLEN} bytes of a packet not all addresses are found"),
            );
        }
        if let DiskLimit::Bytes(limit) = settings.disk_limit
            && limit < settings.file_bytes.saturating_mul(2)
            && let Some(given) = self.all(Setting::DiskLimit).next_back()
        {
            let reason =
                format!("{} MB keep less than two files of {} MB", limit / MB, settings.file_bytes / MB);
            self.warn(given, reason);
        }
    }
}
