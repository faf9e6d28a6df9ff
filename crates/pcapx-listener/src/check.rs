//! `--check`: would the service work here? It looks and changes nothing.
//!
//! One line for each finding on stdout. A finding that keeps the service from working begins with `error:` and makes
//! the exit code 3. A timeline that is not there yet is a warning: the service starts without it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use pcapx_core::config::{Config, Loaded, Service};
use pcapx_http::Front;
use pcapx_http::audit::Audit;
use pcapx_timeline::Catalog;

use crate::evidence::EvidenceFolder;
use crate::extractor::Choice;
use crate::indexer;

/// Capture files that are opened to see whether they can be.
const TRIED_FILES: usize = 1000;
/// Things amiss with folders and links that are told one by one.
const SHOWN_WARNINGS: usize = 8;

/// Prints what was found; `false` when the service would not work.
pub(crate) fn report(loaded: &Loaded) -> bool {
    let config = &loaded.config;
    println!("ok: configuration {}", loaded.path.display());
    for warning in &loaded.warnings {
        println!("warning: {warning}");
    }
    println!("ok: address {}", config.address(Service::Listener));
    println!("ok: authentication {}", config.listener_auth);
    if let Some(warning) = config.openness(Service::Listener) {
        println!("warning: {warning}");
    }
    if config.fileserver_port == 0 {
        println!("warning: fileserver_port 0: the links in answers will not work");
    }
    // Each finding is printed, also after the first error.
    let works = [
        tls(config),
        audit(config),
        timeline(config),
        output(&config.output_dir),
        extractor(config),
        indexes(config),
    ];
    works.into_iter().all(|works| works)
}

fn tls(config: &Config) -> bool {
    match Front::check_tls(Service::Listener, config) {
        Ok(told) => println!("ok: {told}"),
        Err(error) => {
            println!("error: {error}");
            return false;
        }
    }
    true
}

fn audit(config: &Config) -> bool {
    match Audit::check(config) {
        None => {}
        Some(Ok(told)) => println!("ok: {told}"),
        Some(Err(error)) => {
            println!("error: {error}");
            return false;
        }
    }
    true
}

fn timeline(config: &Config) -> bool {
    let path = config.timeline_dir.display();
    match fs::read_dir(&config.timeline_dir) {
        Ok(_) => return segments(&config.timeline_dir),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("warning: timeline_dir {path} is not there yet; until then nothing is found");
        }
        Err(error) => {
            println!("error: timeline_dir {path} cannot be read: {error}");
            return false;
        }
    }
    true
}

/// Whether the capture files can be opened; of many, the last ones by name are tried.
fn segments(timeline: &Path) -> bool {
    let path = timeline.display();
    let catalog = match Catalog::open(&[timeline]) {
        Ok(catalog) => catalog,
        Err(error) => {
            println!("error: timeline_dir: {error}");
            return false;
        }
    };
    for warning in catalog.warnings().iter().take(SHOWN_WARNINGS) {
        println!("warning: timeline_dir: {warning}");
    }
    let files = catalog.segments();
    let tried = &files[files.len().saturating_sub(TRIED_FILES)..];
    let closed: Vec<_> =
        tried.iter().filter_map(|file| Some((file, File::open(&file.path).err()?))).collect();
    match closed.last() {
        None => println!("ok: timeline_dir {path}, files: {}", files.len()),
        Some((file, error)) => {
            let word = if closed.len() == tried.len() { "error" } else { "warning" };
            let (closed, tried) = (closed.len(), tried.len());
            println!(
                "{word}: timeline_dir {path}: {closed} of {tried} files cannot be read, {:?}: {error}",
                file.path
            );
            return closed < tried;
        }
    }
    true
}

fn output(folder: &Path) -> bool {
    let path = folder.display();
    match EvidenceFolder::probe(folder) {
        Ok(true) => println!("ok: output_dir {path}"),
        Ok(false) => println!("ok: output_dir {path} will be created"),
        Err(error) => {
            println!("error: output_dir {path} cannot be used: {error}");
            return false;
        }
    }
    true
}

fn extractor(config: &Config) -> bool {
    match Choice::make(config) {
        Ok(choice) => println!("ok: extractor {choice}"),
        Err(error) => {
            println!("error: {error}");
            return false;
        }
    }
    true
}

/// Without indexes the service works, only slower.
fn indexes(config: &Config) -> bool {
    let place = indexer::place(config);
    let told = indexer::describe(&place);
    if !Choice::make(config).is_ok_and(|choice| choice.is_builtin()) {
        println!("ok: indexes are not needed by this extractor");
    } else if !config.background_indexing {
        println!("ok: {told}; background_indexing is off, none is built");
    } else if let Err(error) = EvidenceFolder::probe(place.folder().unwrap_or(&config.timeline_dir)) {
        let advice = match config.index_dir {
            Some(_) => "let the service write there, or set index_dir to another folder",
            None => "set index_dir to a folder that the service may write to",
        };
        println!(
            "warning: {told}, where none can be written: {error}; {advice}; files without one are read whole"
        );
    } else {
        println!("ok: {told}");
    }
    true
}
