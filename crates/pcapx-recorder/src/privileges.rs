//! Rights that are given up once the sockets are open.
//!
//! What is left is an ordinary user: no capability, none to be had by a program that is started (`no_new_privs`). It all
//! happens while the process has one thread, since the kernel keeps rights for each thread; threads that are started later
//! have those of the one that starts them.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{self, Gid, Group, Uid, User};
use rustix::thread::{CapabilitySet, CapabilitySets};

/// Why rights cannot be given up, or folders not be made ready for that.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivilegeError {
    /// Nobody has that name.
    #[error("there is no {kind} {name:?} on this system: `getent {database}` lists those there are")]
    Unknown {
        /// User or group.
        kind: &'static str,
        /// Where it was looked for.
        database: &'static str,
        /// What was asked for.
        name: String,
    },
    /// The system's accounts cannot be read.
    #[error("the account {name:?} cannot be looked up: {source}")]
    Lookup {
        /// What was asked for.
        name: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The system does not let this process become that user.
    #[error(
        "cannot become the user {name:?}: {source}; to change the user the recorder has to be started as root – or start \
         it as that user at once, with CAP_NET_RAW (AmbientCapabilities= of a systemd unit, or setcap), and without -u"
    )]
    Refused {
        /// The user.
        name: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// Rights are left after they were given up.
    #[error("{name:?} still has rights of root ({what}): this is no user to record as")]
    Left {
        /// The user.
        name: String,
        /// What is left.
        what: &'static str,
    },
    /// A folder cannot be made.
    #[error("{path:?} cannot be made for {name:?}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The user.
        name: String,
        /// What the operating system says.
        source: io::Error,
    },
}

/// Whom to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    name: String,
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
}

impl Account {
    /// Looks up `USER` or `USER:GROUP`, names or numbers. Without a group it is the user's own; the others that the user
    /// is a member of come along.
    pub fn find(text: &str) -> Result<Self, PrivilegeError> {
        let lookup = |e: Errno| PrivilegeError::Lookup { name: text.to_owned(), source: e.into() };
        let (user_name, group_name) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let unknown =
            |kind, database, name: &str| PrivilegeError::Unknown { kind, database, name: name.to_owned() };
        let by_number = || user_name.parse().ok().map(Uid::from_raw);
        let user = User::from_name(user_name)
            .and_then(|user| match (user, by_number()) {
                (None, Some(number)) => User::from_uid(number),
                (user, _) => Ok(user),
            })
            .map_err(lookup)?
            .ok_or_else(|| unknown("user", "passwd", user_name))?;
        let group = match group_name {
            None => user.gid,
            Some(name) => {
                let by_number = name.parse().ok().map(Gid::from_raw);
                let found = Group::from_name(name).map_err(lookup)?.map(|group| group.gid);
                found.or(by_number).ok_or_else(|| unknown("group", "group", name))?
            }
        };
        let c_name = std::ffi::CString::new(user.name.as_str()).map_err(|_| lookup(Errno::EINVAL))?;
        let groups = unistd::getgrouplist(&c_name, group).map_err(lookup)?;
        Ok(Self { name: user.name, user: user.uid, group, groups })
    }

    /// Makes a folder where it is missing, with those above it; those that were missing belong to this account.
    pub fn make_folder(&self, path: &Path, mode: u32) -> Result<(), PrivilegeError> {
        let failed =
            |source| PrivilegeError::Folder { path: path.to_owned(), name: self.name.clone(), source };
        let missing: Vec<_> = path.ancestors().take_while(|folder| !is_there(folder)).collect();
        for folder in missing.into_iter().rev() {
            fs::DirBuilder::new().mode(mode).create(folder).map_err(failed)?;
            // Who may not give a folder away may not become somebody else either.
            chown(folder, Some(self.user.as_raw()), Some(self.group.as_raw())).map_err(|source| {
                let _ = fs::remove_dir(folder);
                PrivilegeError::Refused { name: self.name.clone(), source }
            })?;
        }
        Ok(())
    }

    /// Becomes this account for good. The process has one thread.
    pub fn assume(&self) -> Result<(), PrivilegeError> {
        let refused = |e: Errno| PrivilegeError::Refused { name: self.name.clone(), source: e.into() };
        let is_already = unistd::getresuid()
            .is_ok_and(|ids| [ids.real, ids.effective, ids.saved].iter().all(|&id| id == self.user))
            && unistd::getresgid()
                .is_ok_and(|ids| [ids.real, ids.effective, ids.saved].iter().all(|&id| id == self.group));
        if !is_already {
            // Groups first: who has become somebody else may not change them any more.
            unistd::setgroups(&self.groups).map_err(refused)?;
            unistd::setresgid(self.group, self.group, self.group).map_err(refused)?;
            unistd::setresuid(self.user, self.user, self.user).map_err(refused)?;
        }
        give_up_capabilities().map_err(|e| refused(Errno::from_raw(e.raw_os_error())))?;
        self.verify()
    }

    /// Nothing is taken for granted that everything depends on.
    fn verify(&self) -> Result<(), PrivilegeError> {
        let left = |what| Err(PrivilegeError::Left { name: self.name.clone(), what });
        let sets = rustix::thread::capabilities(None);
        if !sets.is_ok_and(|sets| (sets.effective | sets.permitted).is_empty()) {
            return left("capabilities");
        }
        if !self.user.is_root() && unistd::setuid(Uid::from_raw(0)).is_ok() {
            return left("the way back to root");
        }
        Ok(())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (user {}, group {})", self.name, self.user, self.group)
    }
}

fn is_there(folder: &Path) -> bool {
    // What a relative path begins with.
    folder.as_os_str().is_empty() || folder.symlink_metadata().is_ok()
}

/// A user who is not root by number may still have capabilities: from systemd, from the program's file.
fn give_up_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    rustix::thread::set_no_new_privs(true)?;
    // Kernels before 4.3 have no such set.
    let _ = rustix::thread::clear_ambient_capability_set();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_and_number() {
        let root = Account::find("root").unwrap();
        assert_eq!((root.user, root.group), (Uid::from_raw(0), Gid::from_raw(0)));
        assert_eq!(Account::find("0").unwrap(), root);
        assert_eq!(Account::find("root:0").unwrap().group, root.group);
        assert_eq!(Account::find("root:12345").unwrap().group, Gid::from_raw(12345));
        for (text, told) in [
            ("nobody-of-that-name", "no user \"nobody-of-that-name\""),
            ("root:no-such-group", "no group \"no-such-group\""),
        ] {
            let error = Account::find(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn folders_that_are_missing_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let me =
            Account { name: "me".into(), user: Uid::current(), group: Gid::current(), groups: Vec::new() };
        let path = dir.path().join("a/b/c");
        me.make_folder(&path, 0o750).unwrap();
        me.make_folder(&path, 0o750).unwrap();
        assert!(path.is_dir());
        fs::write(dir.path().join("file"), "").unwrap();
        let error = me.make_folder(&dir.path().join("file/d"), 0o750).unwrap_err().to_string();
        assert!(error.contains("file/d"), "{error}");
    }
}
