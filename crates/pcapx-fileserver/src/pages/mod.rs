//! Pages for analysts: the list of evidence, and one page for each piece of it.
//!
//! ```text
//! GET /?… ─► asked ─┬─ list ◄─ shelf (which names there are) ◄─ output_dir
//!                   │    └─ search: the same, by what manifests tell
//!                   └─ view ◄─ manifest, digest, file ─► coverage │ traffic │ tables │ commands │ facts
//! ```
//!
//! `directory_listing` switches them on. They stand behind the same gates as files, and show what the listener left beside
//! the packets: no packet is read here. Everything that they show comes from the wire, from alerts or from file names; see
//! [`pcapx_http::page`] for how that is kept harmless.
//!
//! **Bounds.** A page is made on a reading thread, few of them at once, so that downloads keep theirs, and searches apart from the
//! rest, see [`turns`]. A list reads the manifests of its rows, a search as many as its time allows, see [`search`]; what is read
//! at once has a limit, see [`reading`]. What they cost stands on the access line: `manifests=` were read, `listings=` of the whole folder
//! were made since the start.

mod asked;
mod commands;
mod coverage;
mod facts;
mod list;
mod reading;
mod search;
mod shelf;
mod tables;
mod traffic;
mod turns;
mod view;

use std::io;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use maud::{Markup, html};
use pcapx_core::config::Config;
use pcapx_core::local::LocalZone;
use pcapx_http::page::Page;
use pcapx_http::{Context, Identity, Reply};
use tokio::task::spawn_blocking;

use self::asked::Asked;
use self::commands::Links;
use self::list::List;
use self::reading::Reader;
use self::shelf::{Cursor, Shelf};
use self::turns::Turns;
use self::view::View;
use crate::folder::Folder;

/// Seconds after which a page asks again while its window is open.
const REFRESH_SECS: u32 = 5;
/// When a search that found all seats taken is worth another try: they are through by then.
const CROWDED_SECS: u32 = 2;
/// What the pages are called.
const PART: &str = "Evidence";

/// Makes pages.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    shared: Arc<Shared>,
    turns: Turns,
}

#[derive(Debug)]
struct Shared {
    folder: Arc<Folder>,
    shelf: Shelf,
    zone: LocalZone,
    links: Links,
}

impl Pages {
    /// Pages about what stands in `folder`; `None` where `config` wants none.
    pub(crate) fn new(config: &Config, folder: &Arc<Folder>) -> Option<Self> {
        let shared = Shared {
            folder: Arc::clone(folder),
            shelf: Shelf::new(config.output_dir.clone()),
            zone: LocalZone::system(),
            links: Links::new(config),
        };
        config.directory_listing.then(|| Self { shared: Arc::new(shared), turns: Turns::new() })
    }

    /// Lists the folder for the first time, so that nobody has to wait for that.
    pub(crate) async fn warm_up(self) {
        let shared = Arc::clone(&self.shared);
        // Whoever asks for the list is told what is wrong.
        let listed = spawn_blocking(move || shared.shelf.slice(&Cursor::Newest, 0)).await;
        if let Ok(Err(error)) = listed {
            log::warn!("output_dir: it cannot be listed: {error}");
        }
    }

    /// The page that `query` asks for.
    pub(crate) async fn answer(
        &self,
        query: Option<&str>,
        identity: Identity,
        context: &Context,
    ) -> io::Result<Reply> {
        let (asked, shared) = (Asked::parse(query), Arc::clone(&self.shared));
        let is_search = matches!(&asked, Asked::List(list) if list.is_search());
        let turn = if is_search { self.turns.search().await } else { Ok(self.turns.page().await) };
        let Ok(turn) = turn else {
            context.note("searches", "crowded");
            return Ok(shared.crowded());
        };
        let context = context.clone();
        spawn_blocking(move || {
            // Whoever went away meanwhile has this thread all the same, so the turn is the thread's.
            let _turn = turn;
            shared.answer(&asked, &identity, &context)
        })
        .await?
    }
}

impl Shared {
    fn answer(&self, asked: &Asked, identity: &Identity, context: &Context) -> io::Result<Reply> {
        let mut reader = Reader::new(&self.folder);
        let reply = match asked {
            Asked::List(asked) => {
                let list = List::read(&self.shelf, &mut reader, asked)?;
                self.page(StatusCode::OK, PART, None, list.markup(asked, &self.zone))
            }
            Asked::View { name, is_live } => {
                context.note("evidence", name.text());
                match View::read(&self.shelf, &mut reader, name)? {
                    Some(view) => {
                        let refresh = (*is_live && view.is_open()).then_some(REFRESH_SECS);
                        let body = view.markup(&self.zone, &self.links, identity, refresh);
                        self.page(StatusCode::OK, &view.title(), refresh, body)
                    }
                    None => self.nothing(),
                }
            }
            Asked::Nothing => self.nothing(),
        };
        context.note("manifests", reader.manifests);
        context.note("listings", self.shelf.looks().listings);
        Ok(reply)
    }

    fn nothing(&self) -> Reply {
        let body = html! {
            h1 { "There is no evidence of this name" }
            p.lead { "It may have been removed, by somebody or because of its age. " a href="./" { "All evidence" } }
        };
        self.page(StatusCode::NOT_FOUND, "Not found", None, body)
    }

    fn crowded(&self) -> Reply {
        let body = html! {
            h1 { "Too many searches at once" }
            p.lead { "Others are searching at this moment. Load this page again in a few seconds. " a href="./" { "All evidence" } }
        };
        let mut reply = self.page(StatusCode::SERVICE_UNAVAILABLE, "Too many searches", None, body);
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(CROWDED_SECS));
        reply
    }

    fn page(&self, status: StatusCode, title: &str, refresh: Option<u32>, body: Markup) -> Reply {
        Page { title, part: PART, zone: &self.zone, refresh, script: None, body }.reply(status)
    }
}
