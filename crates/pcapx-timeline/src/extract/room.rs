//! A floor of free space that an output keeps: it gives up before the volume has less.
//!
//! ```text
//! write ─► allowed already? ─ yes ─► written
//!              no ─► look at the volume ─► room above the floor ─► the next STEP_BYTES are allowed
//!                       ▲         └─ none, or only if all that was written is counted yet
//!                       └──── sync ◄─┘
//! ```
//!
//! A file system that gives blocks to a file only when its pages go to the disk may not count yet what stands in the page
//! cache. So near the floor the file is brought to the disk first, and looked again: what is then free, is free. Others who
//! write at the same time are seen at the next look: together, so many outputs stay above the floor but for a step each.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::fs::fstatvfs;

/// Bytes written between two looks at the volume. A look takes a microsecond.
const STEP_BYTES: u64 = 4 << 20;

/// The room that an output may still take.
#[derive(Debug)]
pub(super) struct Room {
    /// Bytes that are to stay free; 0 is no floor.
    floor: u64,
    /// What may be written before the next look.
    allowed: u64,
    /// What was written since the file was brought to the disk last.
    unsynced: u64,
}

/// There would be less free space than the floor.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("less than {floor} bytes would be left free")]
pub(super) struct BelowFloor {
    pub(super) floor: u64,
}

impl Room {
    /// Room above a floor of so many bytes.
    pub(super) fn above(floor: u64) -> Self {
        Self { floor, allowed: 0, unsynced: 0 }
    }

    /// The floor.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// Takes `bytes` that are going to be written to `file`; an error of [`BelowFloor`] where there is no room for them.
    pub(super) fn take(&mut self, bytes: u64, file: &File) -> io::Result<()> {
        self.take_of(bytes, || free(file), || file.sync_data())
    }

    fn take_of(
        &mut self,
        bytes: u64,
        free: impl Fn() -> u64,
        sync: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        if self.floor == 0 {
            return Ok(());
        }
        if bytes > self.allowed {
            let spare = || free().saturating_sub(self.floor);
            let mut certain = spare().saturating_sub(self.unsynced);
            if certain < bytes && self.unsynced > 0 {
                sync()?;
                self.unsynced = 0;
                certain = spare();
            }
            if certain < bytes {
                return Err(io::Error::new(io::ErrorKind::StorageFull, BelowFloor { floor: self.floor }));
            }
            self.allowed = certain.min(bytes.max(STEP_BYTES));
        }
        self.allowed -= bytes;
        self.unsynced += bytes;
        Ok(())
    }
}

impl BelowFloor {
    /// What `error` tells of a floor, if it does.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// Appends the next of `left` bytes of `from` to `to`, within the kernel. Returns how many: a step, or what is left.
pub(super) fn copy_step(from: &File, left: u64, to: &mut File, room: &mut Room) -> io::Result<u64> {
    let step = left.min(STEP_BYTES);
    room.take(step, to)?;
    match io::copy(&mut from.take(step), to)? {
        // Somebody has cut it since.
        0 if step > 0 => Err(io::ErrorKind::UnexpectedEof.into()),
        copied => Ok(copied),
    }
}

/// Bytes that are free for us on the file's volume. A file system that does not tell has room.
fn free(file: &File) -> u64 {
    fstatvfs(file).map_or(u64::MAX, |volume| volume.f_bavail.saturating_mul(volume.f_frsize))
}

/// A file that is written within its room.
#[derive(Debug)]
pub(super) struct Roomy {
    pub(super) file: File,
    pub(super) room: Room,
}

impl Write for Roomy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room.take(bytes.len() as u64, &self.file)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const FLOOR: u64 = 1000;

    /// A volume that counts what was written at once, or only when it is synced.
    struct Volume {
        free: Cell<u64>,
        cached: Cell<u64>,
        is_delayed: bool,
        looks: Cell<u32>,
        syncs: Cell<u32>,
    }

    impl Volume {
        fn new(free: u64, is_delayed: bool) -> Self {
            let (free, cached) = (Cell::new(free), Cell::default());
            Self { free, cached, is_delayed, looks: Cell::default(), syncs: Cell::default() }
        }

        fn write(&self, room: &mut Room, bytes: u64) -> bool {
            let free = || {
                self.looks.set(self.looks.get() + 1);
                self.free.get()
            };
            let sync = || {
                self.syncs.set(self.syncs.get() + 1);
                self.free.set(self.free.get() - self.cached.take());
                Ok(())
            };
            let taken = room.take_of(bytes, free, sync);
            if let Err(error) = &taken {
                assert!(BelowFloor::of(error).is_some(), "{error}");
                return false;
            }
            let counted = if self.is_delayed { &self.cached } else { &self.free };
            counted.set(if self.is_delayed { counted.get() + bytes } else { counted.get() - bytes });
            true
        }
    }

    #[test]
    fn exactly_what_is_above_the_floor_can_be_written() {
        for is_delayed in [false, true] {
            let volume = Volume::new(FLOOR + 10 * STEP_BYTES, is_delayed);
            let mut room = Room::above(FLOOR);
            let piece = STEP_BYTES / 16;
            let pieces = (0..1000).take_while(|_| volume.write(&mut room, piece));
            let written = pieces.count() as u64;
            assert_eq!(written * piece, 10 * STEP_BYTES, "delayed: {is_delayed}");
            assert_eq!(volume.free.get() - volume.cached.get(), FLOOR);
            assert!(volume.looks.get() < 40, "{} looks", volume.looks.get());
            assert!(volume.syncs.get() < 20, "{} syncs", volume.syncs.get());
        }
    }

    #[test]
    fn far_from_the_floor_nothing_is_synced() {
        let volume = Volume::new(u64::MAX / 2, true);
        let mut room = Room::above(FLOOR);
        assert!((0..1000).all(|_| volume.write(&mut room, STEP_BYTES / 4)));
        assert_eq!((volume.looks.get(), volume.syncs.get()), (250, 0));
    }

    #[test]
    fn several_outputs_stay_above_but_for_a_step_each() {
        let volume = Volume::new(FLOOR + 5 * STEP_BYTES + 77, false);
        let mut rooms = [(); 4].map(|()| Room::above(FLOOR));
        let mut is_going = true;
        while is_going {
            is_going = false;
            for room in &mut rooms {
                is_going |= volume.free.get() > 1000 && volume.write(room, 1000);
            }
        }
        assert!(volume.free.get() + 4 * STEP_BYTES >= FLOOR, "{}", volume.free.get());
    }

    #[test]
    fn without_a_floor_nobody_looks() {
        let volume = Volume::new(100, false);
        assert!(volume.write(&mut Room::above(0), 100));
        assert_eq!((volume.free.get(), volume.looks.get()), (0, 0));
        assert!(!volume.write(&mut Room::above(u64::MAX), 1));
    }
}
