//! The values of `port` and `portrange`.

use super::error::ParseError;
use super::names;
use super::value::{Value, ValueKind};
use crate::filter::Transport;

/// Ports from `first` to `last`, of the transport that a name stood for.
pub(super) struct Ports {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) transport: Option<Transport>,
}

pub(super) type ReadPorts = fn(&Value<'_>) -> Result<Ports, ParseError>;

const PORT_NAME: &str = "this port name is not known here: write the number";

pub(super) fn port(value: &Value<'_>) -> Result<Ports, ParseError> {
    let (port, transport) = match value.kind {
        ValueKind::Number(number) => (value.within(number, "port", 65535)? as u16, None),
        ValueKind::Name(name) if is_range(name) => {
            return Err(value.misapplied("write \"portrange\" in front of a range"));
        }
        ValueKind::Name(name) => names::port(name).ok_or_else(|| value.name(PORT_NAME))?,
        _ => return Err(value.misapplied("\"port\" wants a number up to 65535")),
    };
    Ok(Ports { first: port, last: port, transport })
}

/// Whether a name is made of two numbers, as in `80-90`.
fn is_range(name: &str) -> bool {
    name.split_once('-').is_some_and(|(first, last)| is_decimal(first) && is_decimal(last))
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `80`, `80-90`, `http-90`; in a range the numbers are decimal even with a leading 0.
pub(super) fn port_range(value: &Value<'_>) -> Result<Ports, ParseError> {
    const RANGE: &str = "\"portrange\" wants two ports with a hyphen between them, such as 8000-8080";
    let name = match value.kind {
        ValueKind::Number(_) => return port(value),
        ValueKind::Name(name) => name,
        _ => return Err(value.misapplied(RANGE)),
    };
    let (first, last) = name.split_once('-').ok_or_else(|| value.misapplied(RANGE))?;
    let (first, first_transport) = range_end(value, first)?;
    let (last, last_transport) = range_end(value, last)?;
    Ok(Ports {
        first: first.min(last),
        last: first.max(last),
        // A number stands for every transport, so a name beside it does not narrow the range.
        transport: first_transport.filter(|_| first_transport == last_transport),
    })
}

fn range_end(value: &Value<'_>, end: &str) -> Result<(u16, Option<Transport>), ParseError> {
    if is_decimal(end) {
        let port: u32 = end.parse().map_err(|_| value.malformed("has a port above 65535"))?;
        return Ok((value.within(port, "port", 65535)? as u16, None));
    }
    if end.starts_with(|character: char| character.is_ascii_digit()) {
        return Err(value.malformed("is no range of ports: write two decimal numbers, such as 8000-8080"));
    }
    names::port(end).ok_or_else(|| value.name(PORT_NAME))
}
