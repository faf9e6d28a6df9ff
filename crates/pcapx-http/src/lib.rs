//! What the pcapx services share on low-level hyper: one HTTP/1.1 server with its limits, and who may use it.
//!
//! ```text
//!            ┌ Server::bind ─ listening socket, open-file limit
//!            │
//! connection ─► slot (cap, oldest idle gives way) ─► TLS? ─► hyper http1 ─► Front ─► Handler ─► Reply ─► access line
//!               └ Stream: stalled writes end,          │  ▲         whose request │ Door: who may
//!                 lingering close                      ▼  │                       ▼
//!                                          RequestBody::read    ReplyBody (bytes or stream)
//!                                          (size and time)
//! ```
//!
//! **Limits.** No client holds anything for ever: a request head must be complete within [`Limits::head`] – that
//! covers silence, trickled bytes and the wait between two requests of a kept-alive connection –, a request body is
//! read by [`RequestBody::read`] with a size and a time, a client that stops reading its answer is cut off after
//! [`Limits::write_stall`]. When [`Limits::connections`] are open, the connection that has waited longest for a
//! request is closed in favour of the new one; are all of them busy, the new one waits in front.
//!
//! **Disconnects.** A client that closes its sending side still gets its answer. A client that is gone (connection
//! reset) is noticed when its body is read – [`BodyError::Gone`] – or its answer is written: a handler that waits for
//! something else runs to its end, a body that streams is dropped and the access line says `end=cut`. Only a stop
//! whose drain time is over drops a handler's future; work that must survive that belongs into a task of its own.
//!
//! **Answers before the body.** A handler may answer without reading the request's body (401, 411, 413). The server
//! then announces `Connection: close`, sends the answer, closes its sending side and swallows what the client still
//! sends, for a bounded time and amount, so that the client reads the answer and not a reset.
//!
//! **Stop.** See [`Stop`]: the listening socket goes first, idle connections next, running requests finish within
//! the drain time, then they are cut.
//!
//! **Clients.** The client of a request is the TCP peer, unless that is a trusted proxy: then the right-most address of
//! `X-Forwarded-For` or `Forwarded` that is no trusted proxy itself. A trusted proxy's request that does not tell is
//! answered 400. See [`door`] for who gets in.
//!
//! **Pages.** What people read comes as a [`page::Page`]: no script, nothing from elsewhere, every text escaped by its type.
//!
//! **Log.** Nothing a client sent reaches a log line raw: everything goes through [`LogValue`].

mod access;
mod addresses;
pub mod audit;
mod bind;
mod connection;
mod context;
mod current;
pub mod door;
mod front;
mod house;
mod life;
mod log_lines;
mod log_value;
pub mod metrics;
pub mod page;
mod panics;
mod readiness;
pub mod reply;
mod request_body;
mod server;
mod slots;
mod stream;
mod tls;

pub use bind::{BindError, raise_open_file_limit};
pub use connection::Handler;
pub use context::Context;
pub use current::Current;
pub use door::{Denied, Door, Identity};
pub use front::Front;
pub use house::House;
pub use life::{Inherited, Reloads, Stop};
pub use log_lines::log_to_stderr;
pub use log_value::LogValue;
pub use metrics::Metrics;
pub use panics::log_panics;
pub use readiness::Check;
pub use reply::{Reply, ReplyBody};
pub use request_body::{BodyError, Request, RequestBody};
pub use server::{Drained, Limits, Server};
pub use tls::TlsError;
