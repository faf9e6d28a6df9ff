//! What a service counts, and `GET /metrics` that tells it, in either [form](Exposition).
//!
//! The families of this crate are about connections, requests and who was turned away; a service adds its own with
//! [`Metrics::register`]. What a gauge shows is asked for when somebody reads, not kept up to date meanwhile: register a
//! [`Collector`](prometheus_client::collector::Collector).
//!
//! No label has a value that a client chooses: methods are named from a list, paths not at all.

mod families;
mod process;

use std::sync::{Arc, Mutex, PoisonError};

use pcapx_core::config::Service;
use pcapx_core::exposition::Exposition;
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub(crate) use self::families::{Families, Reason};
use self::process::Process;

/// All families of one process; clones are the same.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    families: Arc<Families>,
}

impl Metrics {
    pub(crate) fn new(service: Service) -> Self {
        let mut registry = Registry::default();
        let labels = [("service", service.name()), ("version", env!("CARGO_PKG_VERSION"))];
        registry.register("pcapx_build", "The program and its version", Info::new(labels.to_vec()));
        registry.register_collector(Box::new(Process::new()));
        let families = Arc::new(Families::default());
        families.register(&mut registry);
        Metrics { registry: Arc::new(Mutex::new(registry)), families }
    }

    /// Lets `add` register further families, under their full names.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn families(&self) -> &Arc<Families> {
        &self.families
    }

    /// The text; may take as long as its collectors do.
    pub(crate) fn text(&self, form: Exposition) -> Result<String, std::fmt::Error> {
        let mut page = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        match form {
            Exposition::Classic => prometheus_text::encode(&mut page, &registry)?,
            Exposition::OpenMetrics => text::encode(&mut page, &registry)?,
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn either_text_has_all_samples_and_its_own_families() {
        let metrics = Metrics::new(Service::Fileserver);
        let own: Counter = Counter::default();
        metrics.register(|registry| registry.register("pcapx_own", "A family of the service", own.clone()));
        own.inc_by(7);
        metrics.families().requests("GET", 200, "complete", 0.001, 5);
        let classic = metrics.text(Exposition::Classic).unwrap();
        let text = metrics.text(Exposition::OpenMetrics).unwrap();
        for line in [
            "pcapx_build_info{service=\"pcapx-fileserver\",version=\"0.1.0\"} 1",
            "pcapx_own_total 7",
            "pcapx_http_requests_total{method=\"GET\",status=\"200\",end=\"complete\"} 1",
            "pcapx_http_sent_body_bytes_total 5",
            "pcapx_http_request_seconds_bucket{le=\"0.001\"} 1",
            "pcapx_http_request_seconds_count 1",
            "pcapx_http_connections 0",
            "# TYPE process_start_time_seconds gauge",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
            assert!(classic.lines().any(|told| told == line), "{line}\n{classic}");
        }
        let samples = |text: &str| -> Vec<String> {
            let own = |line: &&str| !line.starts_with('#') && !line.starts_with("process_");
            // The ends of buckets are written "1" here and "1.0" there.
            let mut samples: Vec<_> =
                text.lines().filter(own).map(|line| line.replace(".0\"}", "\"}")).collect();
            samples.sort();
            samples
        };
        assert_eq!(samples(&classic), samples(&text));
        for (text, line) in [
            (&text, "# TYPE pcapx_build info"),
            (&classic, "# TYPE pcapx_build_info gauge"),
            (&text, "# TYPE pcapx_own counter"),
            (&classic, "# TYPE pcapx_own_total counter"),
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n") && !classic.contains("EOF"));
    }
}
