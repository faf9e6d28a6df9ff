//! The names under which senders put each field of an alert, and the search through them.
//!
//! A field is looked for twice. First come the original names at the top level, in the original forms of a value:
//! an alert that has always been understood keeps its meaning, whatever else stands in it. Then come all names
//! in every known form, at the top level and after that within the object `result` (Sycope's row behind an alert).
//!
//! A name with dots is a key as it stands (`"id.orig_h": …`, Zeek) or a path (`"source": {"ip": …}`, ECS).

use serde_json::{Map, Value};

use super::entries::is_missing;
use super::refusal::{Refusal, RefusalReason};

/// The names of one field.
pub(super) struct Names {
    /// The names of the original listener, in its order.
    pub(super) original: &'static [&'static str],
    /// The names of further senders, tried after those.
    pub(super) further: &'static [&'static str],
}

/// The side that opened the conversation.
pub(super) const CLIENT: Names = Names {
    original: &["clientIp", "srcIp", "src_ip", "sourceIp", "source"],
    // A joined list holds the first address and the others, so it goes before the first alone.
    further: &[
        "_clientIp",
        "_joinClientIPs",
        "_firstClientIp",
        "id.orig_h",
        "source.ip",
        "client.ip",
        "source_ip",
        "src",
    ],
};

/// The side that was called.
pub(super) const SERVER: Names = Names {
    original: &["serverIp", "dstIp", "dst_ip", "destIp", "destination"],
    further: &[
        "_serverIp",
        "_joinServerIPs",
        "_firstServerIp",
        "dest_ip",
        "id.resp_h",
        "destination.ip",
        "server.ip",
        "destination_ip",
        "dst",
    ],
};

/// The port that was called.
pub(super) const PORT: Names = Names {
    original: &["serverPort", "dstPort", "dst_port", "destPort"],
    further: &[
        "port",
        "_serverPort",
        "_joinServerPorts",
        "_firstServerPort",
        "dest_port",
        "id.resp_p",
        "destination.port",
        "server.port",
        "destination_port",
    ],
};

/// The protocol above IP.
pub(super) const PROTOCOL: Names = Names {
    original: &["protocolName", "protocol", "proto", "ipProtocol"],
    further: &["_protocol", "network.transport", "network.iana_number", "transport"],
};

/// The time as a number of seconds or milliseconds.
pub(super) const UNIX_TIME: &[&str] = &["unixTimestamp", "timestamp_unix", "time"];

/// The time as `dd.mm.yy HH:MM:SS`, after the numbers.
pub(super) const DOTTED_TIME: &[&str] = &["timestamp"];

/// The time in every further form. An alert with no time but its flow's happened when the flow ended.
pub(super) const TIME: Names = Names {
    original: &["unixTimestamp", "timestamp_unix", "time", "timestamp"],
    further: &["@timestamp", "ts", "lastTimestamp", "firstTimestamp"],
};

/// When the flow behind the alert began.
pub(super) const FLOW_FIRST: Names = Names { original: &[], further: &["firstTimestamp"] };

/// When the flow behind the alert ended.
pub(super) const FLOW_LAST: Names = Names { original: &[], further: &["lastTimestamp"] };

/// What the sender calls this one alert.
pub(super) const ID: &[&str] = &["id", "alertId"];

/// What the sender calls alerts of this kind.
pub(super) const NAME: &[&str] = &["name", "alertName"];

/// The same in further shapes: Suricata, ECS, Zeek.
const FURTHER_NAME: Names = Names { original: &[], further: &["alert.signature", "rule.name", "note"] };

/// An alert's fields while they are read, with what was refused on the way.
pub(super) struct Fields<'a> {
    top: &'a Map<String, Value>,
    result: Option<&'a Map<String, Value>>,
    refusals: Vec<Refusal>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(top: &'a Map<String, Value>) -> Self {
        Self { top, result: top.get("result").and_then(Value::as_object), refusals: Vec::new() }
    }

    /// The first usable value of the field: `original` reads the original forms, `any` every known form.
    pub(super) fn find<T>(
        &mut self,
        names: &Names,
        original: impl Fn(&Value, &mut Vec<RefusalReason>) -> Option<T>,
        any: impl Fn(&Value, &mut Vec<RefusalReason>) -> Option<T>,
    ) -> Option<T> {
        self.find_original(names.original, original).or_else(|| self.find_any(names, any))
    }

    /// The first usable value under the original names as they stand at the top level.
    pub(super) fn find_original<T>(
        &mut self,
        names: &[&str],
        read: impl Fn(&Value, &mut Vec<RefusalReason>) -> Option<T>,
    ) -> Option<T> {
        let top = self.top;
        names.iter().find_map(|name| self.read("", name, top.get(*name)?, &read))
    }

    /// The first usable value under all names, at the top level and within `result`.
    pub(super) fn find_any<T>(
        &mut self,
        names: &Names,
        read: impl Fn(&Value, &mut Vec<RefusalReason>) -> Option<T>,
    ) -> Option<T> {
        let places = [("", Some(self.top)), ("result.", self.result)];
        places.into_iter().filter_map(|(prefix, place)| Some((prefix, place?))).find_map(|(prefix, place)| {
            let mut all = names.original.iter().chain(names.further);
            all.find_map(|name| self.read(prefix, name, at(place, name)?, &read))
        })
    }

    /// The first value that is present, whatever it is.
    pub(super) fn present(&self, names: &[&str]) -> Option<&'a Value> {
        [Some(self.top), self.result]
            .into_iter()
            .flatten()
            .find_map(|place| names.iter().find_map(|name| place.get(*name)))
    }

    /// The first text under the further names of an alert's kind.
    pub(super) fn kind(&mut self) -> Option<String> {
        self.find_any(&FURTHER_NAME, |value, _| {
            value.as_str().filter(|text| !is_missing(text.trim())).map(str::to_owned)
        })
    }

    /// What was refused, in the order of reading, each once.
    pub(super) fn into_refusals(self) -> Vec<Refusal> {
        self.refusals
    }

    fn read<T>(
        &mut self,
        prefix: &str,
        name: &str,
        value: &Value,
        read: impl Fn(&Value, &mut Vec<RefusalReason>) -> Option<T>,
    ) -> Option<T> {
        let mut reasons = Vec::new();
        let found = read(value, &mut reasons);
        for reason in reasons {
            let refusal = Refusal { field: format!("{prefix}{name}"), reason };
            if !self.refusals.contains(&refusal) {
                self.refusals.push(refusal);
            }
        }
        found
    }
}

/// The value under `name` as it stands, or under `name` as a path.
fn at<'v>(place: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    place.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(place.get(first)?, |value, key| value.as_object()?.get(key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dotted_name_is_a_key_before_it_is_a_path() {
        let both = serde_json::json!({"a.b": 1, "a": {"b": 2, "c": {"d": 3}}});
        let both = both.as_object().unwrap();
        assert_eq!(at(both, "a.b"), Some(&Value::from(1)));
        assert_eq!(at(both, "a.c.d"), Some(&Value::from(3)));
        assert_eq!(at(both, "a.b.c"), None);
        assert_eq!(at(both, "x.b"), None);
    }

    #[test]
    fn no_name_stands_twice() {
        for names in [CLIENT, SERVER, PORT, PROTOCOL, TIME] {
            let all: Vec<_> = names.original.iter().chain(names.further).collect();
            for (i, name) in all.iter().enumerate() {
                assert!(!all[..i].contains(name), "{name}");
            }
        }
    }
}
