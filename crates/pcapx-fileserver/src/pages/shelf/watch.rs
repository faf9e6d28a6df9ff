//! What comes into a folder and goes out of it, as the kernel tells.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// Room for the events of one read; a name has at most 255 bytes.
const BUFFER_BYTES: usize = 16 << 10;

/// A folder that is being watched. Events wait in the kernel, a bounded number of them, until they are asked for.
#[derive(Debug)]
pub(super) struct Watch {
    events: OwnedFd,
}

/// A name came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Came,
    Went,
}

/// What the events amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// All of them: so many.
    All(u64),
    /// Some were lost, or the folder is not what it was.
    Lost,
}

impl Watch {
    /// Watches the folder at `path`. Not every system has watches to spare.
    pub(super) fn new(path: &Path) -> Result<Self, Errno> {
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        // What is written or dated anew has come again: the list is in the order of such times, too.
        let coming = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE | WatchFlags::ATTRIB;
        let going = WatchFlags::DELETE | WatchFlags::MOVED_FROM;
        let leaving = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        inotify::add_watch(&events, path, coming | going | leaving)?;
        Ok(Self { events })
    }

    /// Hands every change since the last time to `told`, in order.
    pub(super) fn hear(&self, mut told: impl FnMut(&[u8], Change)) -> Heard {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
        let mut reader = Reader::new(&self.events, &mut buffer);
        let mut heard = 0;
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Heard::All(heard),
                Err(Errno::INTR) => continue,
                Err(_) => return Heard::Lost,
            };
            let flags = event.events();
            let lost = ReadFlags::QUEUE_OVERFLOW
                | ReadFlags::IGNORED
                | ReadFlags::DELETE_SELF
                | ReadFlags::MOVE_SELF;
            if flags.intersects(lost | ReadFlags::UNMOUNT) {
                return Heard::Lost;
            }
            heard += 1;
            if flags.contains(ReadFlags::ISDIR) {
                continue;
            }
            let is_gone = flags.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
            let change = if is_gone { Change::Went } else { Change::Came };
            if let Some(name) = event.file_name() {
                told(CStr::to_bytes(name), change);
            }
        }
    }
}
