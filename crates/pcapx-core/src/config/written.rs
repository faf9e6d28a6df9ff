//! The configuration as written: one value per key, whoever gave it.
//!
//! The `config` crate lays credentials over the file and the environment over both; what is still missing then is filled from older keys and
//! from the table. Only names of the table reach that crate, because it takes a dot or a bracket in a name for a
//! path; and the file is parsed here, because its own JSON reader cannot tell where in the file an error is.

use std::ffi::OsString;
use std::fmt;

use config::{Map, Source, Value, ValueKind};
use serde_json::Value as Json;

use super::keys::{self, KEYS, Key, OTHER_VARIABLES, VARIABLE_PREFIX};
use super::notes::Notes;
use super::{Warning, credential};

/// One value per key; a key that is nowhere has none.
#[derive(Clone, PartialEq)]
pub(super) struct Written(Map<String, Value>);

// What came out of JSON or text is never NaN, the one value that is not itself.
impl Eq for Written {}

/// Secrets are in it.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written(…)")
    }
}

/// Values of one origin, by key.
#[derive(Clone, Debug, Default)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

impl Written {
    /// Lays credentials and the environment over the file, then fills what is missing.
    pub(super) fn merge(
        file: &serde_json::Map<String, Json>,
        environment: &[(OsString, OsString)],
        notes: &mut Notes,
    ) -> Result<Self, config::ConfigError> {
        let mut values = config::Config::builder()
            .add_source(file_layer(file, notes))
            .add_source(Layer(credential::values(environment, notes)))
            .add_source(environment_layer(environment, notes))
            .build()?
            .collect()?;
        fill_from_older(&mut values, notes);
        for key in KEYS.iter().filter(|key| !key.required) {
            if let Some(default) = key.value {
                values.entry(key.name.to_owned()).or_insert_with(|| default.value());
            }
        }
        Ok(Self(values))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &Key) -> Option<&ValueKind> {
        self.0.get(key.name).map(|value| &value.kind)
    }

    /// Who gave the value, if it does not stand under that key in the file.
    pub(super) fn from(&self, key: &Key) -> Option<String> {
        self.0.get(key.name).and_then(Value::origin).map(str::to_owned)
    }
}

fn file_layer(file: &serde_json::Map<String, Json>, notes: &mut Notes) -> Layer {
    let mut layer = Layer::default();
    for (name, value) in file {
        match keys::by_name(name) {
            // `null` says nothing about a key that may be missing.
            Some(key) if value.is_null() && !key.required => {}
            Some(key) => {
                layer.0.insert(key.name.to_owned(), from_json(value));
            }
            None => notes.warnings.push(Warning::UnknownKey {
                key: name.clone(),
                similar: keys::similar_to(name).map(|key| key.name),
            }),
        }
    }
    layer
}

fn environment_layer(environment: &[(OsString, OsString)], notes: &mut Notes) -> Layer {
    let mut known = Layer::default();
    for (name, value) in environment {
        let name = name.to_string_lossy();
        let Some(suffix) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
        if OTHER_VARIABLES.contains(&name.as_ref()) {
            continue;
        }
        let Some(key) = KEYS.iter().find(|key| key.variable() == name) else {
            let similar = keys::similar_to(suffix).map(Key::variable);
            notes.warnings.push(Warning::UnknownVariable { name: name.into_owned(), similar });
            continue;
        };
        match value.to_str() {
            Some(text) => {
                known.0.insert(key.name.to_owned(), Value::new(Some(&key.variable()), text));
            }
            None => notes.refuse(key, Some(key.variable()), "expected UTF-8 text"),
        }
    }
    known
}

/// Fills each missing key that has an older one.
fn fill_from_older(values: &mut Map<String, Value>, notes: &mut Notes) {
    for older in KEYS {
        let (newer, set): (Vec<&Key>, Vec<&Key>) = KEYS
            .iter()
            .filter(|key| key.older == Some(older.name))
            .partition(|key| !values.contains_key(key.name));
        let Some(value) = values.get(older.name).cloned() else { continue };
        let origin = value.origin().unwrap_or(older.name).to_owned();
        if newer.is_empty() && !set.is_empty() && !is_empty_text(&value.kind) {
            let names = set.iter().map(|key| key.name).collect::<Vec<_>>().join(" and ");
            let from = value.origin().map(str::to_owned);
            notes.warn(older, from, format!("has no effect, {names} are set"));
        }
        for key in newer {
            values.insert(key.name.to_owned(), Value::new(Some(&origin), value.kind.clone()));
        }
    }
}

fn is_empty_text(kind: &ValueKind) -> bool {
    matches!(kind, ValueKind::String(text) if text.is_empty())
}

fn from_json(json: &Json) -> Value {
    Value::from(match json {
        Json::Null => ValueKind::Nil,
        Json::Bool(value) => ValueKind::Boolean(*value),
        Json::String(text) => ValueKind::String(text.clone()),
        Json::Array(items) => ValueKind::Array(items.iter().map(from_json).collect()),
        // No key takes an object, so nothing of it is needed but that it is one.
        Json::Object(_) => ValueKind::Table(Map::new()),
        Json::Number(number) => {
            let whole = number.as_i64().map(ValueKind::I64).or_else(|| number.as_u64().map(ValueKind::U64));
            // A number beyond the range of floats (1e999) stays what it is: text that is no number.
            whole
                .or_else(|| number.as_f64().map(ValueKind::Float))
                .unwrap_or_else(|| ValueKind::String(number.to_string()))
        }
    })
}
