//! The recorder and its recording: is it at work, how far back does it reach, what does it take.

use std::path::Path;

use maud::{Markup, html};
use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use pcapx_http::page::{Foreign, number, time};
use pcapx_timeline::catalog::Catalog;
use pcapx_timeline::recorder::{RecorderState, RecorderStatus, StatusError};
use rustix::fs::statvfs;

use super::charts::Charts;

/// What is found of a timeline and its recorder.
#[derive(Debug)]
pub(super) struct Recording {
    status: Result<RecorderStatus, StatusError>,
    /// Capture files and their bytes; `None` when the timeline cannot be listed.
    files: Option<(u64, u64)>,
    /// The oldest packet, as far as it is known.
    pub(super) oldest: Option<Timestamp>,
    /// Finished files without an index; `None` when nobody makes indexes.
    backlog: Option<usize>,
    /// The disk of evidence.
    evidence: Option<Room>,
    now: Timestamp,
}

/// Bytes of a disk.
#[derive(Clone, Copy, Debug)]
struct Room {
    free: u64,
    all: u64,
}

impl Recording {
    /// Looks at everything.
    pub(super) fn look(
        timeline: &Path,
        catalog: Option<&Catalog>,
        backlog: Option<usize>,
        output: &Path,
        now: Timestamp,
    ) -> Self {
        let status = RecorderStatus::read(timeline);
        let oldest = oldest(status.as_ref().ok(), catalog);
        let files = catalog.map(|catalog| {
            let segments = catalog.segments();
            let bytes = segments.iter().map(|segment| segment.len).fold(0, u64::saturating_add);
            (segments.len() as u64, bytes)
        });
        let evidence = statvfs(output).ok().map(|volume| Room {
            free: volume.f_bavail.saturating_mul(volume.f_frsize),
            all: volume.f_blocks.saturating_mul(volume.f_frsize),
        });
        Self { status, files, oldest, backlog, evidence, now }
    }

    /// Whether a recorder tells what it receives and loses.
    pub(super) fn is_told(&self) -> bool {
        self.status.is_ok()
    }

    fn state(&self) -> Option<RecorderState> {
        self.status.as_ref().ok().map(|status| status.state(self.now))
    }

    /// What a reader has to know before the rest.
    pub(super) fn head(&self, zone: &LocalZone) -> Markup {
        let (class, word) = match self.state() {
            Some(RecorderState::Recording) => ("complete", "recording"),
            Some(RecorderState::Ended) => ("failed", "ended"),
            Some(RecorderState::Silent) => ("failed", "silent"),
            None => ("bare", "not known"),
        };
        html! {
            div.split {
                h1 { "Recorder" }
                span .state .(class) { (word) }
            }
            @match (&self.status, self.state()) {
                (Ok(status), Some(RecorderState::Recording)) => {
                    p.lead.quiet { "From " (sources(status)) ", since " (time::instant(zone, status.started_at)) }
                }
                (Ok(status), Some(RecorderState::Ended)) => {
                    div.note.bad { p { "The recorder has ended at " (time::instant(zone, status.written_at)) ". Nothing is recorded." } }
                }
                (Ok(status), _) => {
                    div.note.bad { p { "The recorder has not told of itself since " (time::instant(zone, status.written_at)) ". It was killed, or is stuck." } }
                }
                (Err(StatusError::Missing { .. }), _) => {
                    div.note { p { "No pcapx-recorder writes to this timeline. What another recorder receives and loses is not known here." } }
                }
                (Err(_), _) => {
                    div.note.warn { p { "The recorder’s status cannot be read; the log of the listener says why when it is asked for readiness." } }
                }
            }
            @if self.files.is_none() {
                div.note.bad { p { "The folder of the recording cannot be listed. No packets can be found until it can." } }
            }
        }
    }

    /// The few numbers that matter most.
    pub(super) fn figures(&self, charts: &Charts, zone: &LocalZone) -> Markup {
        let status = self.status.as_ref().ok();
        let is_up = self.state() == Some(RecorderState::Recording);
        html! {
            dl.figures {
                @if let Some(oldest) = self.oldest {
                    @let reach = number::duration(time::between(oldest, self.now));
                    (figure("The recording reaches back", &reach, &html! { "to " (time::instant(zone, oldest)) }))
                }
                @if let Some(status) = status.filter(|_| is_up) {
                    @let packets = html! { (number::rate(status.packets_per_second)) " packets/s" };
                    (figure("Received now", &number::bits_per_second(status.bits_per_second), &packets))
                    @if let Some(up_to) = status.searchable_up_to {
                        @let lag = number::duration(time::between(up_to, self.now));
                        (figure("Newest packets that are found", &format!("{lag} old"), &html! { "newer ones are being written" }))
                    }
                }
                @if let Some(status) = status {
                    @let all = status.kernel_drops.saturating_add(status.recorder_drops);
                    @if let Some(lost) = charts.told_lost() {
                        @let since = html! { (number::count(all)) " since the recorder started" };
                        (figure("Lost in the last hour", &number::counted(lost, "packet", "packets"), &since))
                    } @else {
                        (figure("Lost since the recorder started", &number::counted(all, "packet", "packets"), &html! {}))
                    }
                }
                @if let Some((files, bytes)) = self.files {
                    @let told = html! { (number::bytes(bytes)) ", " (self.indexes()) };
                    (figure("Capture files", &number::count(files), &told))
                }
            }
        }
    }

    fn indexes(&self) -> Markup {
        html! {
            @match self.backlog {
                None => "indexed elsewhere or not at all",
                Some(0) => "none waits for an index",
                Some(1) => span.warn { "one without an index" },
                Some(waiting) => span.warn { (number::count(waiting as u64)) " without an index" },
            }
        }
    }

    /// Disks, and what a recorder tells of its work.
    pub(super) fn room(&self) -> Markup {
        let status = self.status.as_ref().ok();
        html! {
            section {
                h2 { "Disks" }
                dl.figures {
                    @if let Some(status) = status.filter(|status| status.disk_limit_bytes > 0) {
                        @let kept = number::bytes(status.bytes_kept);
                        @let limit = html! { "of " (number::bytes(status.disk_limit_bytes)) " that it may take" };
                        (metered("The recording takes", &kept, &limit, share(status.bytes_kept, status.disk_limit_bytes)))
                        (figure("Free on its disk", &number::bytes(status.disk_free_bytes), &html! {}))
                    }
                    @if let Some(room) = self.evidence {
                        @let all = html! { "of " (number::bytes(room.all)) };
                        (metered("Free on the disk of evidence", &number::bytes(room.free), &all, 1.0 - share(room.free, room.all)))
                    }
                }
            }
            @if let Some(status) = status.filter(|_| self.state() == Some(RecorderState::Recording)) {
                section {
                    h2 { "In the last second" }
                    dl.facts {
                        (fact("Busiest 10 ms", &html! {
                            (number::bits_per_second(status.burst_bits_per_second)) ", "
                            (number::rate(status.burst_packets_per_second)) " packets/s"
                        }))
                        (fact("The ring was full to", &html! { (percent(status.ring_fill)) }))
                        (fact("The queue to the disk was full to", &html! { (percent(status.queue_fill)) }))
                        (fact("Slowest write", &html! { (format!("{:.1}\u{a0}ms", status.slowest_write_ms)) }))
                    }
                }
            }
        }
    }
}

/// The oldest packet: the recorder knows it; of other recorders' files they themselves tell.
fn oldest(status: Option<&RecorderStatus>, catalog: Option<&Catalog>) -> Option<Timestamp> {
    status.and_then(|status| status.oldest_kept).or_else(|| catalog?.oldest())
}

fn sources(status: &RecorderStatus) -> Markup {
    html! {
        @if status.sources.is_empty() { "a source that it does not name" }
        @for (number, source) in status.sources.iter().enumerate() {
            @if number > 0 { ", " }
            code { (Foreign::new(source)) }
        }
    }
}

fn figure(name: &str, value: &str, small: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) small { (small) } } } }
}

fn metered(name: &str, value: &str, small: &Markup, filled: f64) -> Markup {
    html! {
        div {
            dt { (name) }
            dd {
                (value) small { (small) }
                div.meter aria-hidden="true" { svg { rect.(if filled > 0.95 { "lost" } else { "kept" }) width=(percent(filled)) height="100%" {} } }
            }
        }
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64).clamp(0.0, 1.0) }
}

/// `12%`, of a part of one.
fn percent(part: f64) -> String {
    format!("{:.0}%", part.clamp(0.0, 1.0) * 100.0)
}
