//! The command line, understood: from texts to a window, a filter and a target, with every error that can be seen before
//! a file is opened.

use std::path::PathBuf;

use pcapx_core::filter::Expr;
use pcapx_core::local::{Edge, LocalZone};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_timeline::segment::SegmentReader;

use crate::args::Args;
use crate::failure::Failure;
use crate::marked_filter;
use crate::target::Target;
use crate::time;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Request {
    /// Folders and files to search.
    pub(crate) roots: Vec<PathBuf>,
    /// `None` is true of every packet.
    pub(crate) filter: Option<Expr>,
    pub(crate) window: Window,
    /// Where packets go; `None` where only files are listed.
    pub(crate) target: Option<Target>,
}

impl Request {
    pub(crate) fn of(args: &Args, zone: &LocalZone) -> Result<Self, Failure> {
        if args.timelines.is_empty() && args.files.is_empty() {
            return Err(Failure::Usage(
                "nothing to search: give -t DIR, a folder of capture files, or -a FILE, a single one",
            ));
        }
        let window = window(args, zone)?;
        let filter = args.filter.as_deref().map(marked_filter::read).transpose()?;
        let target = if args.list { None } else { Some(Target::of(args)?) };
        // In a folder, what is no capture is a warning. A file that is named is meant.
        for path in &args.files {
            SegmentReader::open(path)
                .map_err(|source| Failure::NotACapture { path: path.clone(), source })?;
        }
        let roots = args.timelines.iter().chain(&args.files).cloned().collect();
        Ok(Self { roots, filter, window, target })
    }
}

fn window(args: &Args, zone: &LocalZone) -> Result<Window, Failure> {
    let edge = |text: &Option<String>, edge, open_end, option| match text {
        None => Ok(open_end),
        Some(text) => time::parse(text, edge, zone).map_err(|source| Failure::Time { option, source }),
    };
    let begin = edge(&args.begin, Edge::Begin, Timestamp::MIN, "-b")?;
    let end = edge(&args.end, Edge::End, Timestamp::MAX, "-e")?;
    Window::new(begin, end).map_err(|reversed| Failure::window_reversed(reversed, zone))
}
