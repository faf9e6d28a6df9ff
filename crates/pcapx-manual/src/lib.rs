//! Manual pages and shell completions, made from what the programs themselves know.
//!
//! ```text
//! clap definitions ────────────────┐                ┌─► page ──────► share/man/man{1,5,8}/NAME.SECTION
//! recorder's OPTIONS ─► recorder ──┼─► program::ALL ┤
//! files, other pages ──────────────┘                └─► completions ► bash, zsh, fish
//! configuration's KEYS ─► configuration ──────────────► share/man/man5/pcapx-config.5
//! ```
//!
//! A page says what `--help` says – its exit codes, its environment, its examples are cut out of the same text – and in
//! addition which files a program uses. Whatever is told in both places stands in one.
//!
//! It is a tool for packages and `deploy/install.sh`: no program depends on it, and it runs when a tree is staged, never while
//! something is compiled.

mod completions;
mod configuration;
mod help_text;
mod page;
mod program;
mod recorder;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use program::{ALL, Program};

/// One file, with its path below the prefix (`/usr`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Such as `share/man/man8/pcapx-listener.8`.
    pub path: PathBuf,
    /// The whole of it.
    pub content: String,
}

/// Every page and every completion. `date` stands at the foot of the pages, as `YYYY-MM-DD`.
pub fn everything(date: &str) -> Vec<Made> {
    let pages = ALL.iter().map(|program| page::of(program, date));
    pages.chain([configuration::page(date)]).chain(ALL.iter().flat_map(completions::of)).collect()
}

/// Writes them below `folder`, and answers with the paths.
pub fn write_below(folder: &Path, date: &str) -> io::Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for Made { path, content } in everything(date) {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, content)?;
        written.push(path);
    }
    Ok(written)
}
