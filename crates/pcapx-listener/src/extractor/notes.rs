//! What a pcapng file says of itself: alert, filter, window and coverage, as comments of its section.

use pcapx_core::manifest::Manifest;
use pcapx_timeline::coverage::{Coverage, Gap};
use pcapx_timeline::extract::{LimitHit, Notes};
use pcapx_timeline::query::Limits;
use pcapx_timeline::recorder::RecorderStatus;

/// Stretches of time that a comment names; the manifest has more of them.
const NAMED_STRETCHES: usize = 20;

/// The notes of `manifest` with what is known of the coverage.
pub(super) fn of(manifest: &Manifest, coverage: &Coverage, interface: Option<&str>) -> Notes {
    let mut comments = vec![format!("pcapx evidence: {}", manifest.name)];
    if let Some(about) = &manifest.about {
        comments.push(format!("alert: {}, {}, raised {}", about.id, about.name, about.time));
    }
    comments.push(format!("filter: {}", manifest.filter));
    comments.push(format!("window: {}..{}", manifest.asked.from, manifest.asked.to));
    let covered = coverage.covered.iter().map(ToString::to_string);
    comments.push(format!("recorded of it: {}", listed(covered, coverage.covered.len())));
    if !coverage.gaps.is_empty() {
        let gaps = coverage.gaps.iter().map(|Gap { from, to, .. }| format!("{from}..{to}"));
        comments.push(format!("not recorded: {}", listed(gaps, coverage.gaps.len())));
    }
    match coverage.drops.total() {
        None => comments.push("lost while recording: not known".to_owned()),
        Some(drops) => comments.push(format!("lost while recording: {drops} packets")),
    }
    for warning in coverage.segments_unreadable.iter().take(NAMED_STRETCHES) {
        comments.push(format!("could not be read: {warning}"));
    }
    Notes { comments, interface: interface.map(str::to_owned), ..Notes::default() }
}

/// How the file ends, where a limit is set. All such comments are equally long: a file that a limit of bytes has cut has no
/// room for a longer one.
pub(super) fn ending(limits: Limits, hit: Option<LimitHit>) -> Option<String> {
    const CUT: &str = "cut off at max_output_packets";
    (limits != Limits::default()).then(|| {
        let ending = match hit {
            None => "with the last packet found",
            Some(LimitHit::Bytes) => "cut off at max_output_bytes",
            Some(LimitHit::Packets) => CUT,
        };
        format!("end: {ending:<width$}", width = CUT.len())
    })
}

/// What the recorder says that it records.
pub(super) fn interface(status: &RecorderStatus) -> Option<String> {
    (!status.sources.is_empty()).then(|| status.sources.join(","))
}

fn listed(stretches: impl Iterator<Item = String>, count: usize) -> String {
    let named: Vec<_> = stretches.take(NAMED_STRETCHES).collect();
    match count.saturating_sub(named.len()) {
        0 if named.is_empty() => "nothing".to_owned(),
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
