//! The values of options: from text to what it stands for, or a sentence that says what would be right.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use super::error::excerpt;
use super::settings::{Direction, DiskLimit, Input, MB, Simulation};
use super::slicing::Layer;

/// The most MB that a value can name: more than any disk, and no sum of a few of them overflows.
const MOST_MB: u64 = 1 << 40;
/// `IFNAMSIZ` of the kernel, without the zero at the end.
const INTERFACE_NAME_BYTES: usize = 15;
/// `useradd`'s limit, the longest of the usual ones.
const USER_NAME_BYTES: usize = 32;
/// Names of capture files end so.
const FILE_ENDINGS: [&str; 3] = [".pcap", ".pcapng", ".cap"];

fn found(expected: &str, text: &str) -> String {
    format!("expected {expected}, found \"{}\"", excerpt(text))
}

/// A whole number.
pub(super) fn number(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if is_number && range.contains(&number) => Ok(number),
        _ if *range.end() == u64::MAX => {
            Err(found(&format!("a whole number from {} on", range.start()), text))
        }
        _ => Err(found(&format!("a whole number from {} to {}", range.start(), range.end()), text)),
    }
}

/// A size in MB, in bytes.
pub(super) fn megabytes(text: &str) -> Result<u64, String> {
    number(text, 1..=MOST_MB)
        .map(|megabytes| megabytes * MB)
        .map_err(|_| found("MB, a whole number from 1 on", text))
}

/// MB, or hundredths of the disk.
pub(super) fn disk_limit(text: &str) -> Result<DiskLimit, String> {
    let limit = match text.strip_suffix('%') {
        Some(percent) => number(percent.trim_end(), 1..=100).map(|percent| DiskLimit::Percent(percent as u8)),
        None => megabytes(text).map(DiskLimit::Bytes),
    };
    limit.map_err(|_| found("MB, a whole number from 1 on, or 1% to 100%", text))
}

/// Rights in octal, of which the recorder itself needs `own`.
pub(super) fn mode(text: &str, own: u32) -> Result<u32, String> {
    let is_octal = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if is_octal && mode <= 0o777 && mode & own == own => Ok(mode),
        Ok(mode) if is_octal && mode <= 0o777 => Err(format!(
            "the recorder itself needs {own:o}, found {:?}: write {:o}",
            excerpt(text),
            mode | own
        )),
        _ => Err(found("octal rights such as 640", text)),
    }
}

pub(super) fn layer(text: &str) -> Result<Layer, String> {
    Layer::ALL
        .into_iter()
        .find(|layer| layer.number().to_string() == text)
        .ok_or_else(|| found("2, 3 or 4, the layer whose header is the last one kept", text))
}

pub(super) fn direction(text: &str) -> Result<Direction, String> {
    match text {
        "0" => Ok(Direction::Both),
        "1" => Ok(Direction::Received),
        "2" => Err("what is sent cannot be recorded alone: write 0 for what is received and sent".to_owned()),
        _ => Err(found("0 (received and sent) or 1 (received)", text)),
    }
}

pub(super) fn simulation(text: &str) -> Result<Simulation, String> {
    let known = Simulation::ALL.into_iter().find(|(_, number, word)| text == *number || text == *word);
    known
        .map(|(simulation, ..)| simulation)
        .ok_or_else(|| found("disk, capture, index or core (1 to 4)", text))
}

/// An address and a port; a port alone is one of this machine's own.
pub(super) fn endpoint(text: &str) -> Result<SocketAddr, String> {
    let port =
        || number(text, 0..=u16::MAX.into()).ok().map(|port| (Ipv4Addr::LOCALHOST, port as u16).into());
    text.parse()
        .ok()
        .or_else(port)
        .ok_or_else(|| found("a port, or ADDRESS:PORT such as 10.0.0.5:9108 or [::]:9108", text))
}

/// The name of an account, or its number; perhaps those of a group behind a colon.
pub(super) fn user(text: &str) -> Result<String, String> {
    let is_name = |name: &str| {
        name.len() <= USER_NAME_BYTES
            && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-$@\\".contains(&byte))
    };
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    if is_name(user) && group.is_none_or(is_name) {
        Ok(text.to_owned())
    } else {
        Err(found("the name of a user, or USER:GROUP", text))
    }
}

/// What is to be recorded, and what there is to say about it.
///
/// A text with a `/` is one file; else it is names with commas between them, each of a file by its ending, or of an
/// interface.
pub(super) fn inputs(text: &str) -> Result<(Vec<Input>, Vec<String>), String> {
    if text.contains('/') {
        return Ok((vec![Input::File(text.into())], Vec::new()));
    }
    let mut inputs = Vec::new();
    let mut warnings = Vec::new();
    for name in text.split(',') {
        let name = name.trim();
        let input = if FILE_ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            Input::File(name.into())
        } else {
            Input::Interface(interface(name, &mut warnings)?)
        };
        inputs.push(input);
    }
    Ok((inputs, warnings))
}

/// The name of an interface as the kernel knows it.
fn interface(name: &str, warnings: &mut Vec<String>) -> Result<String, String> {
    let kernel = name.strip_prefix("zc:").unwrap_or(name);
    if kernel != name {
        warnings.push(format!("\"{}\" is recorded through the kernel, without PF_RING", excerpt(kernel)));
    }
    let kernel = match kernel.split_once('@') {
        Some((whole, _)) => {
            warnings.push(format!(
                "all queues of \"{}\" are recorded; --threads shares them out",
                excerpt(whole)
            ));
            whole
        }
        None => kernel,
    };
    let is_name = (1..=INTERFACE_NAME_BYTES).contains(&kernel.len())
        && !matches!(kernel, "." | "..")
        && !kernel.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':');
    match kernel.split_once(':') {
        _ if is_name => Ok(kernel.to_owned()),
        Some((driver, _)) if !driver.is_empty() => Err(format!(
            "\"{}\" belongs to a driver of PF_RING; name the interface as `ip link` lists it",
            excerpt(name)
        )),
        _ => Err(found("the name of an interface, as `ip link` lists it, or of a capture file", name)),
    }
}
