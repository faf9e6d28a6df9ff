//! The families of every service.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper ends of the request histogram, in seconds: an answer from memory to a download of a large capture.
const SECONDS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 100.0, 300.0];

/// Why somebody was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Address,
    NoCredentials,
    BrokenCredentials,
    WrongCredentials,
    Throttled,
    ProxyHeaders,
    ClientCertificate,
    Connections,
}

impl Reason {
    fn label(self) -> &'static str {
        match self {
            Reason::Address => "address",
            Reason::NoCredentials => "no_credentials",
            Reason::BrokenCredentials => "broken_credentials",
            Reason::WrongCredentials => "wrong_credentials",
            Reason::Throttled => "throttled",
            Reason::ProxyHeaders => "proxy_headers",
            Reason::ClientCertificate => "client_certificate",
            Reason::Connections => "connections",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    method: &'static str,
    status: u16,
    end: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct EndLabel {
    end: &'static str,
}

/// What is counted; shared, since a clone would touch each of them.
#[derive(Debug)]
pub(crate) struct Families {
    requests: Family<RequestLabels, Counter>,
    request_seconds: Histogram,
    sent_body_bytes: Counter,
    pub(crate) received_body_bytes: Counter,
    pub(crate) connections: Gauge,
    pub(crate) connections_accepted: Counter,
    pub(crate) connections_evicted: Counter,
    pub(crate) accept_errors: Counter,
    denied: Family<ReasonLabel, Counter>,
    handshakes: Family<EndLabel, Counter>,
    reloads: Family<EndLabel, Counter>,
    pub(crate) certificate_read: Gauge<f64, AtomicU64>,
}

impl Default for Families {
    fn default() -> Self {
        Families {
            requests: Family::default(),
            request_seconds: Histogram::new(SECONDS),
            sent_body_bytes: Counter::default(),
            received_body_bytes: Counter::default(),
            connections: Gauge::default(),
            connections_accepted: Counter::default(),
            connections_evicted: Counter::default(),
            accept_errors: Counter::default(),
            denied: Family::default(),
            handshakes: Family::default(),
            reloads: Family::default(),
            certificate_read: Gauge::default(),
        }
    }
}

impl Families {
    pub(super) fn register(&self, registry: &mut Registry) {
        let r = registry;
        r.register("pcapx_http_requests", "Requests by method, status and end", self.requests.clone());
        r.register(
            "pcapx_http_request_seconds",
            "From a request's head to the last byte of its answer",
            self.request_seconds.clone(),
        );
        r.register("pcapx_http_sent_body_bytes", "Bytes of answers' bodies", self.sent_body_bytes.clone());
        r.register(
            "pcapx_http_received_body_bytes",
            "Bytes of requests' bodies",
            self.received_body_bytes.clone(),
        );
        r.register("pcapx_http_connections", "Connections that are open", self.connections.clone());
        r.register(
            "pcapx_http_connections_accepted",
            "Connections so far",
            self.connections_accepted.clone(),
        );
        r.register(
            "pcapx_http_connections_evicted",
            "Idle connections closed because all places were taken",
            self.connections_evicted.clone(),
        );
        r.register(
            "pcapx_http_accept_errors",
            "How often the system gave no connection",
            self.accept_errors.clone(),
        );
        r.register(
            "pcapx_http_denied",
            "Requests and handshakes that did not get in, by reason",
            self.denied.clone(),
        );
        r.register("pcapx_tls_handshakes", "TLS handshakes by end", self.handshakes.clone());
        r.register(
            "pcapx_tls_certificate_read_timestamp_seconds",
            "When certificate and key were read last; 0 without TLS",
            self.certificate_read.clone(),
        );
        r.register("pcapx_config_reloads", "Reloads of the configuration by end", self.reloads.clone());
        // Rates and alerts need a zero before the first event.
        for reason in [Reason::Address, Reason::WrongCredentials, Reason::Throttled] {
            self.denied.get_or_create(&ReasonLabel { reason: reason.label() }).inc_by(0);
        }
        for succeeded in [true, false] {
            self.reloads.get_or_create(&EndLabel { end: reload_label(succeeded) }).inc_by(0);
        }
    }

    /// A request that has ended. Labels are names from lists of ours.
    pub(crate) fn requests(
        &self,
        method: &'static str,
        status: u16,
        end: &'static str,
        seconds: f64,
        sent: u64,
    ) {
        self.requests.get_or_create(&RequestLabels { method, status, end }).inc();
        self.request_seconds.observe(seconds);
        self.sent_body_bytes.inc_by(sent);
    }

    pub(crate) fn denied(&self, reason: Reason) {
        self.denied.get_or_create(&ReasonLabel { reason: reason.label() }).inc();
    }

    pub(crate) fn handshake(&self, end: &'static str) {
        self.handshakes.get_or_create(&EndLabel { end }).inc();
    }

    pub(crate) fn reload(&self, succeeded: bool) {
        self.reloads.get_or_create(&EndLabel { end: reload_label(succeeded) }).inc();
    }
}

fn reload_label(succeeded: bool) -> &'static str {
    if succeeded { "done" } else { "failed" }
}
