//! Whatever the file and the environment hold, loading answers.

use std::time::Duration;

use pcapx_core::config::KEYS;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{least, least_and, load, load_text};

#[test]
fn numbers_beyond_all_ranges_are_told() {
    for number in ["1e999", "-1e999", "123456789012345678901234567890", "1e-999", "18446744073709551616"] {
        for key in KEYS {
            let mut fields: Vec<String> = least()
                .as_object()
                .unwrap()
                .iter()
                .filter(|(name, _)| *name != key.name)
                .map(|(name, value)| format!("{name:?}: {value}"))
                .collect();
            fields.push(format!("{:?}: {number}", key.name));
            let (_, loaded) = load_text(format!("{{{}}}", fields.join(", ")), &[]);
            if ["listen_port", "fileserver_port"].contains(&key.name) && number != "1e-999" {
                assert!(loaded.is_err(), "{} {number}", key.name);
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9a-f:./, ]{0,24}".prop_map(Value::from),
        Just(json!({ "$serde_json::private::Number": "x" })),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// A name of the table, or any other.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(KEYS).prop_map(|key| key.name.to_owned()),
        1 => any::<String>(),
        1 => "[a-z_.\\[\\]0-9]{0,12}",
    ]
}

proptest! {
    #[test]
    fn no_value_of_any_key_panics(
        file in prop::collection::vec((any_name(), any_json()), 0..12),
        environment in prop::collection::vec((any_name(), "[^\0]{0,20}"), 0..4),
    ) {
        let mut config = least();
        config.as_object_mut().unwrap().extend(file);
        let environment: Vec<(String, String)> = environment
            .into_iter()
            .map(|(name, value)| (format!("PCAPX_{}", name.to_uppercase()), value))
            .collect();
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match load(&config, &environment) {
            Ok(loaded) => {
                let config = loaded.config;
                prop_assert!(config.default_before <= Duration::from_secs(86_400));
                prop_assert!(!config.extractor_timeout.is_zero());
                prop_assert!(config.summary().iter().all(|line| !line.contains('\n')));
                prop_assert!(config.download_url("a").bytes().all(|byte| byte.is_ascii_graphic()));
                for net in config.allowed_ips {
                    prop_assert_eq!(net.ip(), net.network());
                }
                prop_assert!(loaded.warnings.iter().all(|warning| !warning.to_string().contains('\n')));
            }
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }

    #[test]
    fn no_file_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]\":,0-9a-z. \n]{0,60}") {
        let _ = load_text(bytes, &[]);
        let (_, loaded) = load_text(text, &[]);
        prop_assert!(loaded.is_err(), "the required keys are missing");
    }

    #[test]
    fn no_secret_is_repeated(secret in "[\\PC]{4,20}", junk in any::<bool>()) {
        let marked = format!("x{secret}s3cr3t");
        let value = if junk { json!([marked]) } else { json!(marked) };
        let secrets: Map<String, Value> =
            KEYS.iter().filter(|key| key.secret).map(|key| (key.name.to_owned(), value.clone())).collect();
        let printed = match load(&least_and(&Value::Object(secrets)), &[]) {
            Ok(loaded) => format!("{loaded:?} {:?}", loaded.config.summary()),
            Err(error) => format!("{error} {error:?}"),
        };
        prop_assert!(!printed.contains("s3cr3t"), "{}", printed);
    }
}
