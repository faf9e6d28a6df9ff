//! What cannot be captured from says why, and what to do.

use pcapx_recorder::afpacket::{Capture, CaptureOptions};
use pcapx_recorder::source::SourceError;
use pcapx_testkit::tool;

use crate::namespace::alone;
use crate::veth::{connect, options};

#[test]
fn without_the_capability_its_name_and_the_remedy_are_told() {
    let Some(unshare) = tool::require("unshare") else { return };
    // A user namespace without a network namespace: root, but not over the network.
    if !unshare.run(["-Ur", "true"]).status.success() {
        tool::skipped("no user namespace to be had");
        return;
    }
    let dump = tempfile::tempdir().unwrap();
    let folder = dump.path().to_str().unwrap();
    let output = unshare.run(["-Ur", env!("CARGO_BIN_EXE_pcapx-recorder"), "-i", "lo", "-o", folder]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    let setcap = concat!("setcap cap_net_raw+ep ", env!("CARGO_BIN_EXE_pcapx-recorder"));
    for word in ["capturing from lo", "CAP_NET_RAW", "root", "AmbientCapabilities=", setcap, "unshare -Urn"] {
        assert!(errors.contains(word), "{errors}");
    }
}

#[test]
fn names_that_no_interface_has_are_told() {
    alone("refusal::names_that_no_interface_has_are_told", || {
        for name in ["none", "", "longer-than-fifteen-characters", "a/b", "far\0", "ä"] {
            let error = Capture::open(name, &options()).unwrap_err();
            assert!(matches!(error, SourceError::NoSuchInterface { .. }), "{name:?}: {error}");
        }
    });
}

#[test]
fn a_ring_beyond_the_machine_is_told() {
    alone("refusal::a_ring_beyond_the_machine_is_told", || {
        connect();
        for ring_bytes in [1 << 46, usize::MAX] {
            let options = CaptureOptions { ring_bytes, ..options() };
            let error = Capture::open("far", &options).unwrap_err();
            assert!(matches!(error, SourceError::RingTooLarge { .. }), "{error}");
        }
    });
}
