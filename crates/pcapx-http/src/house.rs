//! The paths that every service answers the same way, for those who run it.
//!
//! | path | who may ask | answer |
//! |---|---|---|
//! | `/healthz` | everybody | `ok`: the process lives |
//! | `/readyz` | everybody | whether it could do its work, see [`Check`](crate::Check) |
//! | `/metrics` | as the key `metrics` says: nobody (then the path is like any other), addresses of `metrics_allowed_ips`, those with credentials |

use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use hyper::{Method, StatusCode};
use ipnetwork::IpNetwork;
use pcapx_core::config::MetricsAccess;
use pcapx_core::exposition::Exposition;
use tokio::task::spawn_blocking;

use crate::door::{Denied, Networks};
use crate::reply::{self, Reply};
use crate::{Context, Front};

/// One of these paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum House {
    /// `/healthz`
    Health,
    /// `/readyz`
    Readiness,
    /// `/metrics`
    Metrics,
}

/// Who may read metrics.
#[derive(Debug)]
pub(crate) struct Readers {
    access: MetricsAccess,
    allowed: Networks,
}

impl Readers {
    pub(crate) fn new(access: MetricsAccess, allowed: &[IpNetwork]) -> Self {
        Readers { access, allowed: Networks::new(allowed) }
    }
}

impl Default for Readers {
    fn default() -> Self {
        Readers::new(MetricsAccess::Off, &[])
    }
}

impl Front {
    /// Which of these paths `path` is, as the service is configured now.
    pub fn house(&self, path: &str) -> Option<House> {
        match path {
            "/healthz" => Some(House::Health),
            "/readyz" => Some(House::Readiness),
            "/metrics" if self.readers.get().access != MetricsAccess::Off => Some(House::Metrics),
            _ => None,
        }
    }

    /// The answer to GET or HEAD of one of them; `None` for other methods.
    pub async fn keep_house(
        &self,
        house: House,
        method: &Method,
        headers: &HeaderMap,
        context: &Context,
    ) -> Option<Reply> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        Some(match house {
            House::Health => reply::text(StatusCode::OK, "ok"),
            House::Readiness => self.readiness().reply().await,
            House::Metrics => match self.may_read_metrics(headers, context).await {
                Ok(()) => self.metrics_reply(headers).await,
                Err(denied) => {
                    context.note("denied", &denied);
                    denied.audit(context);
                    denied.reply()
                }
            },
        })
    }

    async fn may_read_metrics(&self, headers: &HeaderMap, context: &Context) -> Result<(), Denied> {
        let readers = self.readers.get();
        if !readers.allowed.is_empty() && !readers.allowed.contains(context.client()) {
            return Err(self.door().deny_address());
        }
        if readers.access == MetricsAccess::Auth {
            self.door().credentials(headers, context).await?;
        }
        Ok(())
    }

    async fn metrics_reply(&self, headers: &HeaderMap) -> Reply {
        let wanted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let form = Exposition::accepted(wanted);
        // Some figures are counted when somebody reads them.
        let metrics = self.metrics().clone();
        let Ok(Ok(text)) = spawn_blocking(move || metrics.text(form)).await else {
            return reply::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
        };
        let mut reply = reply::text(StatusCode::OK, text);
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
        reply.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply
    }
}
