//! Which folders are looked at each time.
//!
//! All of them – but recorders that sort by time make thousands: n2disk has a folder for ten minutes and one for each
//! dump. Such folders have numbers for names, and come and go at the ends of time. Where many of them stand together,
//! those at the ends are looked at, and all with the next full look.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::disk::{ById, FileId, Stat};
use super::folder::Folder;

/// So many numbered folders are looked at as all others are: rings with a folder for each receive queue are among them.
const FEW: usize = 64;
/// Of many, so many are looked at that were written to last; more while they differ or were not quiet. Several recorders
/// can write to one tree, each at its own pace.
const NEWEST: usize = 8;
/// Of many, so many are looked at that were written to first; more while they differ.
const OLDEST: usize = 2;

/// Which folders to look at.
#[derive(Debug, Default)]
pub(super) struct Plan {
    always: Vec<FileId>,
    /// Numbered folders that stand together, by the time of writing.
    rolling: Vec<Vec<FileId>>,
}

impl Plan {
    pub(super) fn make(folders: &ById<Folder>, roots: &[Stat]) -> Self {
        let mut plan = Self::default();
        let mut groups: HashMap<&[u8], Vec<FileId>> = HashMap::new();
        for (&id, folder) in folders {
            match folder.numbered_below {
                Some(above) if !roots.iter().any(|root| root.id == id) && !folder.is_restless() => {
                    groups.entry(&folder.real.as_os_str().as_bytes()[..above]).or_default().push(id);
                }
                _ => plan.always.push(id),
            }
        }
        for mut group in groups.into_values() {
            if group.len() > FEW {
                group.sort_by_cached_key(|id| folders[id].stat.modified);
                plan.rolling.push(group);
            } else {
                plan.always.append(&mut group);
            }
        }
        plan
    }

    /// Looks at what is due; `check` tells whether nothing was different and the folder had been quiet.
    pub(super) fn carry_out(&self, mut check: impl FnMut(FileId) -> bool) {
        for &id in &self.always {
            check(id);
        }
        for group in &self.rolling {
            for (n, &id) in group.iter().rev().enumerate() {
                let is_calm = check(id);
                if n + 1 >= NEWEST && is_calm {
                    break;
                }
            }
            for (n, &id) in group.iter().enumerate() {
                let is_calm = check(id);
                if n + 1 >= OLDEST && is_calm {
                    break;
                }
            }
        }
    }
}

/// The length of the path of the nearest folder above a numbered one whose own name is no number; `None` for a folder
/// that is not numbered.
pub(super) fn numbered_below(path: &Path) -> Option<usize> {
    let is_number = |path: &&Path| path.file_name().is_some_and(is_number);
    let last = path.ancestors().take_while(is_number).last()?;
    Some(last.parent()?.as_os_str().len())
}

/// Whether a name is made as recorders make names from numbers and times: `07`, `1772356272.123456`, `2026-03-01T10:20`.
fn is_number(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.first().is_some_and(u8::is_ascii_digit)
        && name.iter().all(|b| b.is_ascii_digit() || b".-_:T".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_folders_stand_together_below_the_first_with_a_name() {
        let above = |path: &'static str| numbered_below(Path::new(path)).map(|len| &path[..len]);
        assert_eq!(above("/storage/rolling/2026/03/01/10/20"), Some("/storage/rolling"));
        assert_eq!(above("/storage/rolling/1772356272.123456"), Some("/storage/rolling"));
        assert_eq!(above("/storage/7/eth0/2026-03-01"), Some("/storage/7/eth0"));
        assert_eq!(above("/storage/rolling"), None);
        assert_eq!(above("/2026"), Some("/"));
        assert_eq!(above("/"), None);
    }
}
