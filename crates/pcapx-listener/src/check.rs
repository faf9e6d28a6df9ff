//! `--check`: would the service work here? It looks and changes nothing.
//!
//! One line for each finding on stdout. A finding that keeps the service from working begins with `error:` and makes
//! the exit code 3. A timeline that is not there yet is a warning: the service starts without it.

use std::fs;
use std::io;
use std::path::Path;

use pcapx_core::config::{Config, Loaded};
use rustix::fs::Access;

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
    match writable(folder) {
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

/// Whether `folder` is there, and files can be made in it; where it is not, whether it can be created.
fn writable(folder: &Path) -> io::Result<bool> {
    let absolute = std::path::absolute(folder)?;
    for ancestor in absolute.ancestors() {
        match fs::metadata(ancestor) {
            Ok(found) if !found.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
            Ok(_) => {
                rustix::fs::access(ancestor, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?;
                return Ok(ancestor == absolute);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_writable_when_it_or_its_nearest_ancestor_is() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, b"").unwrap();
        assert!(writable(root.path()).unwrap());
        assert!(!writable(&root.path().join("a/b/c")).unwrap());
        assert_eq!(writable(&file).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert_eq!(writable(&file.join("a")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert!(!root.path().join("a").exists(), "nothing is created");
    }
}
