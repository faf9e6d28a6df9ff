//! What a GET is told: how the service is used.

use pcapx_core::config::Config;
use pcapx_core::filter::Mode;
use serde_json::json;

use crate::outcome::base_url;

/// The JSON document, indented by two. Host and port are the configured ones.
pub(crate) fn document(config: &Config) -> String {
    let base = base_url(&config.host, config.listen_port);
    let modes: Vec<_> = Mode::ALL.iter().map(ToString::to_string).collect();
    let document = json!({
        "status": "ok",
        "usage": {
            "endpoint": format!("POST {base}extract?filter=MODE&before=SECONDS&after=SECONDS"),
            "filter_modes": modes,
            "defaults": {
                "filter": config.default_mode.to_string(),
                "before": config.default_before.as_secs(),
                "after": config.default_after.as_secs(),
            },
        },
        "examples": [
            format!("{base}extract?filter=full&before=60&after=60"),
            format!("{base}extract?filter=client&before=300&after=300"),
            format!("{base}extract?filter=port"),
        ],
    });
    format!("{document:#}")
}
