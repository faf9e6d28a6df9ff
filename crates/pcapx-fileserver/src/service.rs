//! The gates in front of the files, in order; the first that fails answers.
//!
//! 1. `/healthz` and `/readyz` answer everybody, without credentials and from any address, `/metrics` where it is switched
//!    on. Files of these names in the folder cannot be downloaded.
//! 2. Credentials: 401 `Unauthorized`.
//! 3. The client's address: 403 `Forbidden`.
//! 4. The method, GET or HEAD: 405 `Method Not Allowed`.
//! 5. The path: 404 `Not Found` for names that are never served, 403 `Directory listing disabled` for directories. `/` is
//!    the pages', where they are switched on.

use std::io;
use std::sync::Arc;

use hyper::header::{ALLOW, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, StatusCode};
use pcapx_core::config::Config;
use pcapx_http::audit::Act;
use pcapx_http::{Context, Denied, Front, Handler, Identity, Reply, Request, reply};
use tokio::task::spawn_blocking;

use crate::answer::{Question, answer, not_found};
use crate::buffers::Buffers;
use crate::folder::{Folder, Patience};
use crate::pages::Pages;
use crate::requested::Requested;

/// The realm that browsers show.
pub(crate) const REALM: &str = "pcap-files";

/// Answers requests for files.
#[derive(Debug)]
pub(crate) struct FileService {
    folder: Arc<Folder>,
    buffers: Arc<Buffers>,
    pages: Option<Pages>,
    front: Arc<Front>,
}

impl FileService {
    pub(crate) fn new(config: &Config, front: Arc<Front>) -> Self {
        let folder = Arc::new(Folder::new(config.output_dir.clone()));
        let pages = Pages::new(config, &folder);
        FileService { folder, buffers: Arc::default(), pages, front }
    }

    /// Does beforehand, in the background, what the first page would have to wait for.
    pub(crate) fn warm_up(&self) {
        if let Some(pages) = self.pages.clone() {
            tokio::spawn(pages.warm_up());
        }
    }

    async fn reply(&self, request: Request, context: &Context) -> Reply {
        if let Some(house) = self.front.house(request.uri().path()) {
            let kept = self.front.keep_house(house, request.method(), request.headers(), context);
            return kept.await.unwrap_or_else(not_allowed);
        }
        let identity = match self.admit(&request, context).await {
            Ok(identity) => identity,
            Err(denied) => {
                context.note("denied", &denied);
                denied.audit(context);
                return denied.reply();
            }
        };
        if !is_reading(request.method()) {
            return not_allowed();
        }
        let answered = match (Requested::parse(request.uri().path()), &self.pages) {
            (None, _) => return not_found(),
            (Some(Requested::Root), None) => {
                return reply::text(StatusCode::FORBIDDEN, "Directory listing disabled");
            }
            (Some(Requested::Root), Some(pages)) => {
                pages.answer(request.uri().query(), identity, context).await
            }
            (Some(Requested::Below { path, as_directory }), _) => {
                let (head, _) = request.into_parts();
                let question = Question { path, as_directory, method: head.method, headers: head.headers };
                let download = (question.method == Method::GET && self.front.audit().is_on())
                    .then(|| question.path.to_string_lossy().into_owned());
                let answered = self.answer(question, context).await;
                if let (Ok(reply), Some(evidence)) = (&answered, download)
                    && reply.status().is_success()
                {
                    let act = Act::new("download").with("user", identity.to_string());
                    context.audit(act.with("evidence", evidence));
                }
                answered
            }
        };
        answered.unwrap_or_else(|error| {
            context.note("error", error);
            reply::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        })
    }

    /// As whom the client comes.
    async fn admit(&self, request: &Request, context: &Context) -> Result<Identity, Denied> {
        let door = self.front.door();
        let identity = door.credentials(request.headers(), context).await?;
        if identity != Identity::Anonymous {
            context.note("user", &identity);
        }
        door.address(context)?;
        Ok(identity)
    }

    /// Answers at once when everything is in memory, else from a thread that may wait for the disk.
    async fn answer(&self, question: Question, context: &Context) -> io::Result<Reply> {
        match answer(&self.folder, &self.buffers, &question, context, Patience::None) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            answered => return answered,
        }
        let (folder, buffers) = (Arc::clone(&self.folder), Arc::clone(&self.buffers));
        let context = context.clone();
        spawn_blocking(move || answer(&folder, &buffers, &question, &context, Patience::Endless)).await?
    }
}

impl Handler for FileService {
    async fn handle(&self, request: Request, context: Context) -> Reply {
        let mut reply = self.reply(request, &context).await;
        // No browser shall guess a page out of captured bytes.
        reply.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        reply
    }
}

fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn not_allowed() -> Reply {
    let mut reply = reply::text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    reply
}
