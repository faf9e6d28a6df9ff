//! What every part of pcapx agrees on: configuration, alert model, packet filter and time window.
//!
//! ```text
//! config.json + PCAPX_* ──► config::Config
//!
//! alert (JSON) ──► alert::Alert ──┬──► filter::from_alert ──► filter::Expr ──► BPF text (Display)
//!                                 │                               ▲
//! BPF text (-f) ──────────────────┼──► filter::parse ─────────────┘
//!                                 └──► window::Window (nanoseconds, UTC)
//!
//! manifest::Manifest, digest::Digest: what the listener leaves beside a capture file, and the file server reads
//! ```
//!
//! The crate reads one configuration file and touches nothing else: no network, no threads, no async.
//! It knows how a filter is *written* and built. What a filter means for the bytes of a packet is told in
//! `pcapx-timeline`, beside the code that takes packets apart – so this crate never sees a packet.
//!
//! Times are [`time::Timestamp`]s, nanoseconds since the UNIX epoch in UTC. Local time exists only in [`local`].

pub mod alert;
pub mod config;
pub mod digest;
pub mod exposition;
pub mod filter;
pub mod local;
pub mod manifest;
pub mod time;
pub mod window;
