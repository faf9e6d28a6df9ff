//! From the path of a request to a path that may be looked up in the folder.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// Ends of names that are still being written.
const TEMPORARY_SUFFIXES: [&[u8]; 2] = [b".tmp", b".partial"];

/// What a request's path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Requested {
    /// The folder itself: `/`.
    Root,
    /// A name below the folder: relative, of plain components only – none empty, hidden, temporary, `.` or `..`, none
    /// with a slash, a backslash or a NUL in it.
    Below {
        /// The path, relative to the folder.
        path: PathBuf,
        /// Whether a slash at the end asks for a directory.
        as_directory: bool,
    },
}

impl Requested {
    /// Reads the path of a request's target. `None`: no file can have this name here.
    ///
    /// Each component is percent-decoded exactly once, after splitting, so that an encoded slash never separates.
    /// `%` without two digits stands for itself.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        if path.is_empty() {
            return Some(Requested::Root);
        }
        let (path, as_directory) = path.strip_suffix('/').map_or((path, false), |path| (path, true));
        let path = path.split('/').map(component).collect::<Option<PathBuf>>()?;
        Some(Requested::Below { path, as_directory })
    }
}

fn component(encoded: &str) -> Option<OsString> {
    let name: Vec<u8> = percent_decode_str(encoded).collect();
    is_servable(&name).then(|| OsString::from_vec(name))
}

/// Whether a file of this name can be asked for.
pub(crate) fn is_servable(name: &[u8]) -> bool {
    let plain = !name.is_empty() && !name.iter().any(|byte| matches!(byte, b'/' | b'\\' | b'\0'));
    plain && !is_hidden(name) && !is_temporary(name)
}

fn is_hidden(name: &[u8]) -> bool {
    name.first() == Some(&b'.')
}

fn is_temporary(name: &[u8]) -> bool {
    TEMPORARY_SUFFIXES.iter().any(|suffix| {
        name.len().checked_sub(suffix.len()).is_some_and(|at| name[at..].eq_ignore_ascii_case(suffix))
    })
}

/// The last component, for the name under which a client saves the file.
pub(crate) fn file_name(path: &Path) -> &[u8] {
    path.file_name().map_or(b"", OsStr::as_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(path: &str, as_directory: bool) -> Requested {
        Requested::Below { path: PathBuf::from(path), as_directory }
    }

    #[test]
    fn plain_names_pass() {
        assert_eq!(Requested::parse("/"), Some(Requested::Root));
        assert_eq!(Requested::parse("/a.pcap"), Some(below("a.pcap", false)));
        assert_eq!(Requested::parse("/2025/a%20b.pcap"), Some(below("2025/a b.pcap", false)));
        assert_eq!(Requested::parse("/2025/"), Some(below("2025", true)));
        assert_eq!(Requested::parse("/a%2525"), Some(below("a%25", false)), "decoded once");
        assert_eq!(Requested::parse("/a%zz%4"), Some(below("a%zz%4", false)));
        assert_eq!(Requested::parse("/%c5%82.pcap"), Some(below("ł.pcap", false)));
        assert_eq!(Requested::parse("/tmp"), Some(below("tmp", false)));
        assert_eq!(Requested::parse("/a..b"), Some(below("a..b", false)));
    }

    #[test]
    fn no_file_has_these_names() {
        for path in [
            "",
            "*",
            "a.pcap",
            "//",
            "//etc/passwd",
            "/a//b",
            "/a.pcap//",
            "/..",
            "/../etc/passwd",
            "/a/../../etc/passwd",
            "/.",
            "/a/./b",
            "/%2e%2e/etc/passwd",
            "/%2E%2e/x",
            "/.%2e/x",
            "/a%2fb",
            "/%2fetc%2fpasswd",
            "/..%2f..%2fetc/passwd",
            "/..%5c..%5cx",
            "/a\\b",
            "/a%00.pcap",
            "/%00",
            "/.hidden",
            "/%2ehidden",
            "/.git/config",
            "/a/.x/b",
            "/a.pcap.tmp",
            "/a.pcap.TMP",
            "/.tmp",
            "/a.partial",
            "/a.tmp/b",
        ] {
            assert_eq!(Requested::parse(path), None, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_passes_is_relative_and_plain(path in "/[a-z.%/\\\\2-5efE\u{142}]{0,40}") {
            if let Some(Requested::Below { path, .. }) = Requested::parse(&path) {
                for component in path.components() {
                    proptest::prop_assert!(matches!(component, std::path::Component::Normal(_)));
                }
            }
        }
    }
}
