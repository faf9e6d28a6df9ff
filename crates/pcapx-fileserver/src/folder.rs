//! Opening a file beneath the served folder, and never one beside it.
//!
//! The kernel does the check where it can (`openat2` with `RESOLVE_BENEATH`, Linux 5.6). Where it cannot – an older
//! kernel, a sandbox that forbids the call – each component is opened relative to its parent without following
//! links, and links are resolved here by the same rule: a link may point to another place in the folder, an
//! absolute link or one that climbs out leads nowhere. Both work on open directories, so that nobody can swap a
//! directory for a link in between.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat, openat2, readlinkat};
use rustix::io::Errno;

/// How files are opened: a FIFO does not wait for its writer, a terminal does not become ours.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
/// How directories on the way are opened: as a place only.
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// How paths below the folder are resolved: never out of it, never by way of `/proc/PID/fd` and its like.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
/// Attempts while somebody renames directories under our eyes; then the walk decides.
const ATTEMPTS: u32 = 4;
/// Links followed on one path, as the kernel has it.
const MOST_LINKS: u32 = 40;

/// The served folder. It need not exist.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// Whether looking a path up may wait for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Only what the kernel knows by heart (`RESOLVE_CACHED`, Linux 5.12).
    None,
    /// As long as it takes.
    Endless,
}

/// What stands at a path.
#[derive(Debug)]
pub(crate) enum Found {
    /// A regular file, open.
    File(OwnedFd, Box<Stat>),
    /// A directory.
    Directory,
    /// Nothing that is served; the reason is for the log.
    Nothing(Errno),
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Folder { path }
    }

    /// Opens what stands at `path`, relative to the folder. Fails when the system is out of files or memory, or the
    /// disk fails; all that a client can cause is [`Found::Nothing`]. Without patience also fails with `WouldBlock`.
    pub(crate) fn find(&self, path: &Path, patience: Patience) -> io::Result<Found> {
        let opened = match patience {
            Patience::None => self.open_cached(path),
            Patience::Endless => self.open(path),
        };
        let found = opened.and_then(|file| {
            let stat = fstat(&file)?;
            Ok(match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Found::File(file, Box::new(stat)),
                FileType::Directory => Found::Directory,
                _ => Found::Nothing(Errno::NXIO),
            })
        });
        match found {
            Err(error @ (Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::IO)) => {
                Err(error.into())
            }
            Err(error) => Ok(Found::Nothing(error)),
            Ok(found) => Ok(found),
        }
    }

    fn open_cached(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let cached = ResolveFlags::CACHED;
        let in_steps = || {
            let root = openat2(CWD, &self.path, PLACE, Mode::empty(), cached)?;
            openat2(root, path, READ, Mode::empty(), BENEATH | cached)
        };
        // Without a link anywhere and without `..` the way leads nowhere else, and one call is enough.
        let is_plain = path.components().all(|component| matches!(component, Component::Normal(_)));
        let opened = if is_plain {
            match openat2(CWD, self.path.join(path), READ, Mode::empty(), ResolveFlags::NO_SYMLINKS | cached)
            {
                Err(Errno::LOOP) => in_steps(),
                opened => opened,
            }
        } else {
            in_steps()
        };
        opened
            // Kernels that do not know the flag or the call, sandboxes that forbid it: the patient way decides.
            .map_err(|error| {
                if matches!(error, Errno::INVAL | Errno::NOSYS | Errno::PERM) { Errno::AGAIN } else { error }
            })
    }

    fn open(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let root = open(&self.path, PLACE, Mode::empty())?;
        for _ in 0..ATTEMPTS {
            match openat2(&root, path, READ, Mode::empty(), BENEATH) {
                Err(Errno::AGAIN) => {}
                // No such call, or a sandbox that does not know it.
                Err(Errno::NOSYS | Errno::PERM) => break,
                opened => return opened,
            }
        }
        walk(root.as_fd(), path)
    }
}

/// Opens `path` beneath `root`, component by component.
fn walk(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let mut ahead: Vec<OsString> = Vec::new();
    push_components(&mut ahead, path)?;
    // The open directories from the root (not in here) down to the one we are in.
    let mut places: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        if name == ".." {
            places.pop().ok_or(Errno::XDEV)?;
            continue;
        }
        let here = places.last().map_or(root, AsFd::as_fd);
        let is_last = ahead.is_empty();
        let flags = if is_last { READ } else { PLACE };
        match openat(here, &name, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(file) if is_last => return Ok(file),
            Ok(place) => places.push(place),
            // What the kernel says of a link that it must not follow, as a file and as a directory.
            Err(error @ (Errno::LOOP | Errno::NOTDIR)) => {
                let target = link_target(here, &name).ok_or(error)?;
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP);
                }
                push_components(&mut ahead, &target)?;
            }
            Err(error) => return Err(error),
        }
    }
    // The path ended with `..`, in a directory.
    places.pop().map_or_else(|| openat(root, c".", PLACE, Mode::empty()), Ok)
}

/// Puts the components of `path` on the stack, the first on top. An absolute path leads out.
fn push_components(ahead: &mut Vec<OsString>, path: &Path) -> Result<(), Errno> {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => ahead.push(name.to_owned()),
            Component::ParentDir => ahead.push("..".into()),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Err(Errno::XDEV),
        }
    }
    Ok(())
}

fn link_target(place: BorrowedFd<'_>, name: &OsStr) -> Option<PathBuf> {
    let target = readlinkat(place, name, Vec::new()).ok()?;
    Some(PathBuf::from(OsString::from_vec(target.into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A folder with files, links inside, links out of it, and a secret beside it.
    fn scene() -> (tempfile::TempDir, PathBuf) {
        let scene = tempfile::tempdir().unwrap();
        let root = scene.path().join("served");
        fs::create_dir_all(root.join("day/hour")).unwrap();
        fs::write(scene.path().join("secret"), "secret").unwrap();
        fs::write(root.join("a.pcap"), "a").unwrap();
        fs::write(root.join("day/hour/b.pcap"), "b").unwrap();
        for (target, link) in [
            ("a.pcap", "to-a"),
            ("day/hour/b.pcap", "to-b"),
            ("../../a.pcap", "day/hour/up-to-a"),
            ("day", "to-day"),
            ("to-to-day/hour/b.pcap", "chain"),
            ("to-day", "to-to-day"),
            ("day/..", "to-root"),
            ("../secret", "out"),
            ("..", "out-dir"),
            ("day/../../secret", "out-later"),
            ("/etc/passwd", "absolute"),
            ("loop-b", "loop-a"),
            ("loop-a", "loop-b"),
            ("missing", "dangling"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        // Absolute, although it stays inside: the kernel's rule, and ours.
        symlink(root.join("a.pcap"), root.join("absolute-inside")).unwrap();
        (scene, root)
    }

    /// What was opened: the kind and the length of a file.
    fn kind(opened: Result<OwnedFd, Errno>) -> Result<(FileType, i64), Errno> {
        let stat = fstat(&opened?)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        Ok((kind, if kind == FileType::RegularFile { stat.st_size } else { 0 }))
    }

    #[test]
    fn the_walk_opens_what_the_kernel_opens() {
        const FILE: Result<(FileType, i64), Errno> = Ok((FileType::RegularFile, 1));
        const DIRECTORY: Result<(FileType, i64), Errno> = Ok((FileType::Directory, 0));
        let (_scene, root) = scene();
        let folder = Folder::new(root.clone());
        let place = open(&root, PLACE, Mode::empty()).unwrap();
        for (path, expected) in [
            ("a.pcap", FILE),
            ("day/hour/b.pcap", FILE),
            ("to-a", FILE),
            ("to-b", FILE),
            ("day/hour/up-to-a", FILE),
            ("to-day/hour/b.pcap", FILE),
            ("chain", FILE),
            ("to-root/a.pcap", FILE),
            ("day", DIRECTORY),
            ("to-day", DIRECTORY),
            ("to-root", DIRECTORY),
            ("out", Err(Errno::XDEV)),
            ("out-dir", Err(Errno::XDEV)),
            ("out-dir/secret", Err(Errno::XDEV)),
            ("out-later", Err(Errno::XDEV)),
            ("absolute", Err(Errno::XDEV)),
            ("absolute-inside", Err(Errno::XDEV)),
            ("loop-a", Err(Errno::LOOP)),
            ("dangling", Err(Errno::NOENT)),
            ("missing", Err(Errno::NOENT)),
            ("missing/b", Err(Errno::NOENT)),
            ("a.pcap/b", Err(Errno::NOTDIR)),
        ] {
            assert_eq!(kind(walk(place.as_fd(), Path::new(path))), expected, "walked: {path}");
            assert_eq!(kind(folder.open(Path::new(path))), expected, "opened: {path}");
            // What was just opened is known by heart, unless memory is short or the kernel does not know how.
            let cached = kind(folder.open_cached(Path::new(path)));
            assert!(cached == expected || cached == Err(Errno::AGAIN), "cached: {path}: {cached:?}");
        }
    }

    #[test]
    fn a_missing_folder_has_nothing() {
        let scene = tempfile::tempdir().unwrap();
        let folder = Folder::new(scene.path().join("not/yet"));
        assert!(matches!(folder.find(Path::new("a"), Patience::Endless), Ok(Found::Nothing(Errno::NOENT))));
    }

    #[test]
    fn a_fifo_does_not_block_and_is_not_served() {
        let scene = tempfile::tempdir().unwrap();
        let path = scene.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let folder = Folder::new(scene.path().to_owned());
        assert!(matches!(folder.find(Path::new("fifo"), Patience::Endless), Ok(Found::Nothing(Errno::NXIO))));
    }
}
