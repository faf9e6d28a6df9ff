//! A query: which packets, how many at most, and where to.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::catalog::Catalog;
use crate::control::{CancelToken, Progress};
use crate::coverage::Coverage;
use crate::extract::{self, ExtractError, Extraction, LimitHit, Notes, NotesOf, PartedExtraction, Survey};
use crate::index::IndexPlace;
use crate::recorder::Unsealed;
use pcapx_core::filter::Expr;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// A question to a [`Catalog`], made by [`Catalog::query`].
#[derive(Clone, Debug)]
pub struct Query<'c> {
    pub(crate) catalog: &'c Catalog,
    pub(crate) filter: Option<Expr>,
    pub(crate) window: Window,
    pub(crate) limits: Limits,
    pub(crate) snaplen: Option<u32>,
    /// `None` is one for each processor.
    threads: Option<usize>,
    pub(crate) cancel: CancelToken,
    pub(crate) progress: Arc<Progress>,
    pub(crate) indexes: Option<IndexPlace>,
    pub(crate) complete_up_to: Option<Timestamp>,
    pub(crate) unsealed: Vec<Unsealed>,
    pub(crate) is_hashed: bool,
    /// The part of the window that is searched.
    pub(crate) searched: Window,
    pub(crate) previous: Option<PathBuf>,
    pub(crate) format: Format,
    pub(crate) notes: Option<NotesOf>,
    pub(crate) client: Vec<IpAddr>,
    pub(crate) is_digested: bool,
    /// Bytes that are to stay free; 0 is no floor.
    pub(crate) keep_free: u64,
}

/// The format of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// pcap, as long as it can hold the packets; otherwise, or where the name ends in `.pcapng`, pcapng.
    #[default]
    Auto,
    /// pcapng; its name ends in `.pcapng`.
    Pcapng,
}

/// Where an answer ends although more would match. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes the output file may have, its header included.
    pub max_bytes: Option<u64>,
    /// The most packets it may have.
    pub max_packets: Option<u64>,
}

impl<'c> Query<'c> {
    pub(crate) fn new(catalog: &'c Catalog, filter: Option<Expr>, window: Window) -> Self {
        Self {
            catalog,
            filter,
            window,
            limits: Limits::default(),
            snaplen: None,
            threads: None,
            cancel: CancelToken::new(),
            progress: Arc::default(),
            indexes: Some(IndexPlace::beside()),
            complete_up_to: None,
            unsealed: Vec::new(),
            is_hashed: false,
            searched: window,
            previous: None,
            format: Format::Auto,
            notes: None,
            client: Vec::new(),
            is_digested: false,
            keep_free: 0,
        }
    }

    /// Ends the answer at a packet when it would grow beyond `limits`.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Keeps at most `bytes` of each packet; 0 is no limit.
    #[must_use]
    pub fn snaplen(mut self, bytes: u32) -> Self {
        self.snaplen = (bytes > 0).then_some(bytes);
        self
    }

    /// Reads this many segments at a time; the default is one for each processor.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// How many threads share so many pieces of work. Processors are counted only where that matters: it takes a dozen
    /// system calls.
    pub(crate) fn threads_for(&self, work: usize) -> usize {
        if work <= 1 {
            return work;
        }
        let threads = || thread::available_parallelism().map_or(1, Into::into);
        self.threads.unwrap_or_else(threads).min(work)
    }

    /// Ends the query when `token` says so.
    #[must_use]
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = token;
        self
    }

    /// Counts into `progress` while the query runs.
    #[must_use]
    pub fn progress(mut self, progress: Arc<Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Looks for the indexes of segments in `place`; the default is beside them. `None` reads every segment of the window as
    /// a whole.
    #[must_use]
    pub fn indexes(mut self, place: Option<IndexPlace>) -> Self {
        self.indexes = place;
        self
    }

    /// Tells that the recording is complete up to `instant`, though its newest packet may be older: the link was quiet
    /// since. It shows in the [coverage](Extraction::coverage) only.
    #[must_use]
    pub fn complete_up_to(mut self, instant: Timestamp) -> Self {
        self.complete_up_to = Some(instant);
        self
    }

    /// Tells what was lost in segments that have no index yet, as their recorder says. Who asks it before listing the
    /// segments is told of all that are listed without an index. It shows in the [coverage](Extraction::coverage) only.
    #[must_use]
    pub fn unsealed(mut self, unsealed: Vec<Unsealed>) -> Self {
        self.unsealed = unsealed;
        self
    }

    /// Computes the [SHA-256](Extraction::sha256) of the output file.
    #[must_use]
    pub fn hash(mut self, is_hashed: bool) -> Self {
        self.is_hashed = is_hashed;
        self
    }

    /// The format of the answer.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// What an answer says of itself, if it is a pcapng file: `notes` is asked with what is known of the coverage before the
    /// search, and again after it with the limit that was met as well; the later ones stand in the file, unless they are longer
    /// and a limit of bytes or the [floor of free space](Self::keep_free) leaves no room for that. It ends with statistics of its interfaces then, with what was
    /// [lost](crate::coverage::Coverage::drops).
    #[must_use]
    pub fn notes(
        mut self,
        notes: impl Fn(&Coverage, Option<LimitHit>) -> Notes + Send + Sync + 'static,
    ) -> Self {
        self.notes = Some(NotesOf::new(notes));
        self
    }

    /// Who asks has these addresses: what they have sent and what was sent to them is [counted](Extraction::directions).
    #[must_use]
    pub fn client(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.client = addresses.into_iter().collect();
        self
    }

    /// Makes the [digest](Extraction::digest) of the answer on the way.
    #[must_use]
    pub fn digest(mut self, is_digested: bool) -> Self {
        self.is_digested = is_digested;
        self
    }

    /// Leaves at least `bytes` of the output's volume free; 0 is no floor. The query fails with [`ExtractError::NoRoom`] before
    /// there is less, whatever it is writing: packets, a copy in another order, parts.
    ///
    /// It looks at the volume after every 4 MiB. Where others write at the same time there may be less by that much, and by what
    /// the file system rounds up.
    #[must_use]
    pub fn keep_free(mut self, bytes: u64) -> Self {
        self.keep_free = bytes;
        self
    }

    /// Goes on with an answer to the same question: of the file `previous` the packets before `from` are taken over, and
    /// only what is left of the window is searched.
    ///
    /// When the previous answer was made, every packet before `from` had to be there to be found; then the new file is what
    /// it would be if all of the window was searched. [`Counts`](crate::extract::Counts) tell of the whole file what was
    /// matched, and how many packets were taken over. An answer that was ended by a limit is complete as it is, and not to
    /// be gone on with.
    ///
    /// All of the window is searched where the previous file is gone, damaged, or of a form that is not written here, and
    /// where it is a pcap file and a packet of another kind follows. The new file may stand where the previous one stands.
    #[must_use]
    pub fn continue_from(mut self, previous: &Path, from: Timestamp) -> Self {
        self = self.continue_empty(from);
        self.previous = Some(previous.to_owned());
        self
    }

    /// Goes on with an answer that had no packets, and so no file: only what is left of the window from `from` on is
    /// searched. The coverage is that of all of the window.
    #[must_use]
    pub fn continue_empty(mut self, from: Timestamp) -> Self {
        let from = from.clamp(self.window.start(), self.window.end());
        self.searched = Window::new(from, self.window.end()).unwrap_or(self.window);
        self.previous = None;
        self
    }

    /// The same, with nothing taken over.
    pub(crate) fn anew(&self) -> Self {
        Self { searched: self.window, previous: None, ..self.clone() }
    }

    /// Writes the packets, in the order of their time stamps, to a new capture file.
    ///
    /// The file appears under its name when it is complete, replacing what stood there; when nothing matches, no file
    /// appears. It is a pcap file with the link type and the precision of the segments. Where those differ it is a
    /// pcapng file with an interface for each, and its name ends in `.pcapng`; so it is when `path` ends like that.
    pub fn write_to(self, path: &Path) -> Result<Extraction, ExtractError> {
        extract::run(&self, path)
    }

    /// Writes the packets to files in `folder`, each within `part`: `{prefix}00001.pcap` and so on, names that sort in the
    /// order of time.
    ///
    /// A packet that is larger than `part` allows has a file of its own. The files appear together when all are complete,
    /// and take the formats of [`write_to`](Self::write_to). The folder's disk has to have room for the answer twice.
    pub fn write_parts(
        self,
        folder: &Path,
        prefix: &str,
        part: Limits,
    ) -> Result<PartedExtraction, ExtractError> {
        extract::parts::run(&self, folder, prefix, part)
    }

    /// Tells which segments the query has to read.
    pub fn survey(&self) -> Result<Survey<'c>, ExtractError> {
        // Progress counts what is read for the answer.
        extract::survey(&self.clone().progress(Arc::default()))
    }
}
