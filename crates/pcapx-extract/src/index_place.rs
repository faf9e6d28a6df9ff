//! Where indexes are looked for and written.

use std::path::Path;

use pcapx_timeline::index::IndexPlace;

use crate::args::Args;

/// Where the installed service keeps its indexes when it may not write beside the files.
const SERVICE_FOLDER: &str = "/var/lib/pcapx/index";

/// Where a search looks for indexes; `None` is nowhere. Those beside the files are found in any case.
pub(crate) fn for_reading(args: &Args) -> Option<IndexPlace> {
    if args.no_index {
        return None;
    }
    let service = || Path::new(SERVICE_FOLDER);
    let folder = args.index_dir().or_else(|| service().is_dir().then(|| service().to_owned()));
    Some(folder.map_or_else(IndexPlace::beside, IndexPlace::below))
}

/// Where indexes are written.
pub(crate) fn for_writing(args: &Args) -> IndexPlace {
    args.index_dir().map_or_else(IndexPlace::beside, IndexPlace::below)
}
