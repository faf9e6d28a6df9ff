//! The configuration as written: one value per key, whoever gave it.
//!
//! Four layers, the later over the earlier: values of the table, older keys, the file, the environment. The
//! `config` crate lays them over each other. Only names of the table reach it, because it takes a dot or a bracket
//! in a name for a path; and the file is parsed here, because its own JSON reader cannot tell where an error is.

use std::ffi::OsString;

use config::{Map, Source, Value, ValueKind};
use serde_json::Value as Json;

use super::Warning;
use super::keys::{self, KEYS, Key, OTHER_VARIABLES, VARIABLE_PREFIX};
use super::notes::Notes;

/// One value per key; a key that is nowhere has none.
#[derive(Debug)]
pub(super) struct Written(Map<String, Value>);

/// Values of one origin.
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
    /// Lays the environment over the file, and both over older keys and the table's values.
    pub(super) fn merge(
        file: &serde_json::Map<String, Json>,
        environment: &[(OsString, OsString)],
        notes: &mut Notes,
    ) -> Result<Self, config::ConfigError> {
        let given = config::Config::builder()
            .add_source(file_layer(file, notes))
            .add_source(environment_layer(environment, notes))
            .build()?;
        let older = older_layer(&given.collect()?, notes);
        let all = config::Config::builder()
            .add_source(table_layer())
            .add_source(older)
            .add_source(given)
            .build()?;
        Ok(Self(all.collect()?))
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

fn table_layer() -> Layer {
    let optional = KEYS.iter().filter(|key| !key.required);
    Layer(optional.filter_map(|key| Some((key.name.to_owned(), key.value?.value()))).collect())
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
fn older_layer(given: &Map<String, Value>, notes: &mut Notes) -> Layer {
    let mut layer = Layer::default();
    for older in KEYS {
        let Some(value) = given.get(older.name) else { continue };
        let fills: Vec<_> = KEYS.iter().filter(|key| key.older == Some(older.name)).collect();
        let missing: Vec<_> = fills.iter().filter(|key| !given.contains_key(key.name)).collect();
        if missing.is_empty() && !fills.is_empty() && !is_empty_text(&value.kind) {
            let names = fills.iter().map(|key| key.name).collect::<Vec<_>>().join(" and ");
            notes.warn(older, value.origin().map(str::to_owned), format!("has no effect, {names} are set"));
        }
        let origin = value.origin().unwrap_or(older.name).to_owned();
        layer.0.extend(
            missing.iter().map(|key| (key.name.to_owned(), Value::new(Some(&origin), value.kind.clone()))),
        );
    }
    layer
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
