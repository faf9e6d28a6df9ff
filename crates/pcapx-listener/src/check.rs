//! `--check`: would the service work here? It looks and changes nothing.
//!
//! One line for each finding on stdout. A finding that keeps the service from working begins with `error:` and makes
//! the exit code 3. A timeline that is not there yet is a warning: the service starts without it.

use std::fs;
use std::io;
use std::path::Path;

use pcapx_core::config::{Config, Loaded};

use crate::evidence::EvidenceFolder;
use crate::extractor::Choice;

/// Prints what was found; `false` when the service would not work.
pub(crate) fn report(loaded: &Loaded) -> bool {
    let config = &loaded.config;
    println!("ok: configuration {}", loaded.path.display());
    for warning in &loaded.warnings {
        println!("warning: {warning}");
    }
    println!("ok: authentication {}", config.listener_auth);
    // Each finding is printed, also after the first error.
    let works = [timeline(config), output(&config.output_dir), extractor(config)];
    works.into_iter().all(|works| works)
}

fn timeline(config: &Config) -> bool {
    let path = config.timeline_dir.display();
    match fs::read_dir(&config.timeline_dir) {
        Ok(_) => println!("ok: timeline_dir {path}"),
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
