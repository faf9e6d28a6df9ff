//! What a GET is told: how the service is used.

use pcapx_core::config::{Config, Service};
use pcapx_core::filter::Mode;
use serde::Serialize;

/// The document; its keys are those of the wire contract.
#[derive(Serialize)]
struct Document {
    status: &'static str,
    usage: Usage,
    examples: [String; 3],
}

#[derive(Serialize)]
struct Usage {
    endpoint: String,
    filter_modes: FilterModes,
    defaults: Defaults,
}

/// Each mode, and which parts of the alert make its filter.
#[derive(Serialize)]
struct FilterModes {
    full: &'static str,
    hosts: &'static str,
    client: &'static str,
    server: &'static str,
    port: &'static str,
}

#[derive(Serialize)]
struct Defaults {
    filter: &'static str,
    before: u64,
    after: u64,
}

const FILTER_MODES: FilterModes = FilterModes {
    full: "client and server address, server port",
    hosts: "client and server address",
    client: "client address",
    server: "server address",
    port: "server address and server port",
};

/// The JSON document, indented by two, for the configured host and the `port` that is bound.
pub(crate) fn document(config: &Config, port: u16) -> String {
    let base = config.url(Service::Listener, port, "");
    let mode: Mode = config.default_mode;
    let document = Document {
        status: "ok",
        usage: Usage {
            endpoint: format!("POST {base}extract?filter=MODE&before=SECONDS&after=SECONDS"),
            filter_modes: FILTER_MODES,
            defaults: Defaults {
                filter: mode.as_str(),
                before: config.default_before.as_secs(),
                after: config.default_after.as_secs(),
            },
        },
        examples: [
            format!("{base}extract?filter=full&before=60&after=60"),
            format!("{base}extract?filter=client&before=300&after=300"),
            format!("{base}extract?filter=port"),
        ],
    };
    // Texts and numbers under fixed names: there is nothing in it that JSON could not tell.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}
