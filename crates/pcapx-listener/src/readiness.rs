//! What `/readyz` of the listener looks at: could an alert that arrives now be answered with packets of now?

use std::fs;
use std::sync::Arc;

use pcapx_core::config::Config;
use pcapx_core::time::Timestamp;
use pcapx_http::Check;
use pcapx_timeline::recorder::{RecorderState, RecorderStatus};

use crate::evidence::EvidenceFolder;
use crate::jobs::Jobs;

/// How far the recorder's word on what can be found may lie behind the clock.
const FRESH_NANOS: i64 = 60 * 1_000_000_000;

/// The checks of a service with this configuration.
pub(crate) fn checks(config: &Config, jobs: &Arc<Jobs>) -> Vec<Check> {
    let jobs = Arc::clone(jobs);
    let (timeline, output, recorded) =
        (config.timeline_dir.clone(), config.output_dir.clone(), config.timeline_dir.clone());
    vec![
        Check::new("timeline", move || {
            fs::read_dir(&timeline).map(drop).map_err(|error| format!("{}: {error}", timeline.display()))
        }),
        Check::new("output", move || match EvidenceFolder::probe(&output) {
            Ok(true) if jobs.have_room() => Ok(()),
            Ok(true) => Err(format!("less than min_free_bytes is free for {}", output.display())),
            Ok(false) => Err(format!("{} is gone", output.display())),
            Err(error) => Err(format!("{}: {error}", output.display())),
        }),
        // Of other recorders nothing is known: what does not tell is not looked at.
        Check::new("recorder", move || {
            RecorderStatus::read(&recorded).map_or(Ok(()), |status| recorder(&status, Timestamp::now()))
        }),
    ]
}

fn recorder(status: &RecorderStatus, now: Timestamp) -> Result<(), String> {
    match status.state(now) {
        RecorderState::Ended => return Err("the recorder has ended".to_owned()),
        RecorderState::Silent => return Err("the recorder has not told of itself for seconds".to_owned()),
        RecorderState::Recording => {}
    }
    let behind = status.searchable_up_to.map(|up_to| now.as_nanos().saturating_sub(up_to.as_nanos()));
    match behind {
        // It has just begun.
        None => Ok(()),
        Some(behind) if behind <= FRESH_NANOS => Ok(()),
        Some(behind) => {
            Err(format!("packets can be found {} s after they passed only", behind / 1_000_000_000))
        }
    }
}
