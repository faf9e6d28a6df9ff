//! A status as figures for monitoring, so that whoever tells them – the recorder itself, or the service beside it – calls them
//! the same.

use pcapx_core::time::Timestamp;

use super::{RecorderState, RecorderStatus};

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Its name, without the `_total` that a counter's samples have.
    pub name: &'static str,
    /// What it tells.
    pub help: &'static str,
    /// The value.
    pub value: FigureValue,
}

/// The value of a figure, and how it goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FigureValue {
    /// It only grows, and begins anew with the recorder.
    Counter(u64),
    /// It goes up and down.
    Gauge(f64),
}

impl RecorderStatus {
    /// Everything that can be told at `now`. What is not known – how late packets can be found, before the first – is left
    /// out.
    pub fn figures(&self, now: Timestamp) -> Vec<Figure> {
        let counter = |name, help, value| Figure { name, help, value: FigureValue::Counter(value) };
        let gauge = |name, help, value| Figure { name, help, value: FigureValue::Gauge(value) };
        let is_up = self.state(now) == RecorderState::Recording;
        let lag = self.searchable_up_to.map(|up_to| (seconds(now) - seconds(up_to)).max(0.0));
        let lag = lag.map(|lag| {
            gauge("pcapx_recorder_search_lag_seconds", "After how long packets can be found", lag)
        });
        let oldest = self.oldest_kept.map(|oldest| {
            gauge(
                "pcapx_recorder_oldest_time_seconds",
                "When the oldest packet kept was recorded",
                seconds(oldest),
            )
        });
        let mut figures = vec![
            gauge(
                "pcapx_recorder_up",
                "Whether the recorder has told of itself within seconds",
                f64::from(is_up),
            ),
            counter("pcapx_recorder_received_packets", "Packets taken from the link", self.packets_received),
            counter("pcapx_recorder_received_bytes", "Their bytes on the wire", self.bytes_received),
            counter(
                "pcapx_recorder_filtered_packets",
                "Packets that the filter left out",
                self.packets_filtered,
            ),
            counter(
                "pcapx_recorder_recorded_packets",
                "Packets handed over to be written",
                self.packets_recorded,
            ),
            counter(
                "pcapx_recorder_cut_packets",
                "Packets longer than what is kept of each",
                self.packets_cut,
            ),
            counter("pcapx_recorder_written_bytes", "Bytes of capture files written", self.bytes_written),
            counter(
                "pcapx_recorder_kernel_drops",
                "Packets the kernel dropped, the ring being full",
                self.kernel_drops,
            ),
            counter("pcapx_recorder_drops", "Packets that could not be stored", self.recorder_drops),
            counter("pcapx_recorder_ring_freezes", "How often the ring was full", self.ring_freezes),
            counter("pcapx_recorder_segments_sealed", "Capture files finished", self.segments_sealed),
            counter(
                "pcapx_recorder_segments_removed",
                "Capture files removed to make room",
                self.segments_removed,
            ),
            gauge("pcapx_recorder_start_time_seconds", "When the recorder began", seconds(self.started_at)),
            gauge("pcapx_recorder_packets_per_second", "Packets of the last second", self.packets_per_second),
            gauge(
                "pcapx_recorder_bytes_per_second",
                "Bytes on the wire in the last second",
                self.bits_per_second / 8.0,
            ),
            gauge("pcapx_recorder_ring_fill", "How full the ring was at most, 0 to 1", self.ring_fill),
            gauge("pcapx_recorder_queue_fill", "How full the queue to the disk was, 0 to 1", self.queue_fill),
            gauge("pcapx_recorder_kept_bytes", "Bytes of capture files and indexes", self.bytes_kept as f64),
            gauge("pcapx_recorder_limit_bytes", "The most that they may take", self.disk_limit_bytes as f64),
            gauge("pcapx_recorder_free_bytes", "Free on the recorder's disk", self.disk_free_bytes as f64),
        ];
        figures.extend(lag.into_iter().chain(oldest));
        figures
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_nanos() as f64 / 1e9
}
