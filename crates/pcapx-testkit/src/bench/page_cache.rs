//! The page cache of the system, file by file.
//!
//! Only contents are told apart: the entries of folders and inodes stay in memory, as they do on a machine that runs.

use std::fs::File;
use std::io::{self, IoSliceMut, Read};
use std::path::Path;

use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};

/// Drops the contents of `file` from the page cache; what is not on disk yet is written first.
///
/// The system takes it as advice. A file system in memory keeps everything: [`is_cached`] tells.
pub fn evict(file: &Path) -> io::Result<()> {
    let file = File::open(file)?;
    file.sync_all()?;
    Ok(rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?)
}

/// Reads all of `file`, so that it is in the page cache. A machine that reclaims idle memory needs that before each turn.
pub fn load(file: &Path) -> io::Result<()> {
    let mut file = File::open(file)?;
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Whether the first bytes of `file` are there without a disk being asked. Asking may make the system read them.
pub fn is_cached(file: &Path) -> io::Result<bool> {
    let (file, mut bytes) = (File::open(file)?, [0; 1]);
    match rustix::io::preadv2(&file, &mut [IoSliceMut::new(&mut bytes)], 0, ReadWriteFlags::NOWAIT) {
        Ok(_) => Ok(true),
        Err(Errno::AGAIN) => Ok(false),
        Err(e) => Err(e.into()),
    }
}
