//! `--explain`: what a search planned, what it read, and how long each step took.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use pcapx_timeline::catalog::Segment;
use pcapx_timeline::extract::Extraction;
use pcapx_timeline::index::{Identity, IndexError, IndexPlace, IndexReader};
use pcapx_timeline::warning::WarningKind;
use pcapx_timeline::{Catalog, Query};

use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// Why a file that grows is searched as a whole.
const IS_WRITTEN: &str = "the file is being written";

/// Everything there is to say about a search that has run.
#[derive(Debug)]
pub(crate) struct Explanation<'e> {
    pub(crate) catalog: &'e Catalog,
    pub(crate) extraction: &'e Extraction,
    /// Why files were searched as a whole, and how many for each reason.
    pub(crate) reasons: BTreeMap<String, u64>,
    /// How long the timeline took to be listed.
    pub(crate) listed: Duration,
}

/// Why files that `query` searches are searched as a whole. Looked up after the search, so that it does not help it.
pub(crate) fn reasons(
    query: &Query<'_>,
    place: Option<&IndexPlace>,
    extraction: &Extraction,
    interrupt: &Interrupt,
) -> Result<BTreeMap<String, u64>, Failure> {
    let unused: BTreeMap<_, _> = extraction
        .warnings
        .iter()
        .filter_map(|warning| match &warning.kind {
            WarningKind::IndexNotUsed(why) => Some((&warning.path, why)),
            _ => None,
        })
        .collect();
    let survey = query.survey().map_err(|error| interrupt.explain(error))?;
    let mut reasons = BTreeMap::new();
    for segment in survey.segments {
        let reason = match unused.get(&segment.path) {
            Some(why) => Some((*why).clone()),
            None => reason(segment, place),
        };
        if let Some(reason) = reason {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    Ok(reasons)
}

/// Why there is nothing that could have been used.
fn reason(segment: &Segment, place: Option<&IndexPlace>) -> Option<String> {
    let Some(place) = place else { return Some("indexes are not to be used".to_owned()) };
    if segment.is_open {
        return Some(IS_WRITTEN.to_owned());
    }
    let identity = Identity { len: segment.len, modified: segment.modified, inode: segment.file_id.1 };
    match IndexReader::find(place, &segment.file, &identity) {
        Err(error @ IndexError::Missing) => Some(error.to_string()),
        // That is told as a warning, unless it grows.
        Err(IndexError::Stale) => Some(IS_WRITTEN.to_owned()),
        _ => None,
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Extraction { counts, steps, limit_hit, .. } = self.extraction;
        write!(f, "plan\n  files    {} in the timeline", self.catalog.segments().len())?;
        write!(f, "\n           {} outside of the window", counts.segments_skipped)?;
        write!(f, "\n           {} excluded by their indexes", counts.segments_excluded)?;
        let by_index = counts.segments.saturating_sub(counts.segments_without_index);
        write!(f, "\n           {by_index} searched by their indexes")?;
        write!(f, "\n           {} searched as a whole", counts.segments_without_index)?;
        for (reason, files) in &self.reasons {
            write!(f, "\n             {files}: {reason}")?;
        }
        write!(f, "\n  blocks   {} of {} can hold a match", counts.blocks_read, counts.blocks)?;
        write!(f, "\ncost\n  indexes  {} bytes read", counts.index_bytes_read)?;
        write!(f, "\n  files    {} bytes read", counts.bytes_read)?;
        if let Some(amplification) = counts.read_amplification() {
            let written = counts.bytes_written;
            write!(f, "\n  answer   {written} bytes, {amplification:.2} read for each of them")?;
        }
        write!(
            f,
            "\n  packets  {} looked at, {} of them in the window and tested, {} matched",
            counts.packets_scanned, counts.packets_in_window, counts.packets_matched
        )?;
        if limit_hit.is_some() {
            f.write_str("\n  note     it ended early: files that were read in part are not counted")?;
        }
        f.write_str("\nsteps")?;
        for (step, took) in [
            ("list", self.listed),
            ("plan", steps.plan),
            ("search", steps.search),
            ("publish", steps.publish),
        ] {
            write!(f, "\n  {step:<8} {:.3} ms", took.as_secs_f64() * 1e3)?;
        }
        Ok(())
    }
}
