//! Network namespaces for tests.

use pcapx_testkit::{namespace, tool};

/// As a service has it: an ordinary user with capabilities. Older programs `unshare` know nothing of that.
const AS_SERVICE: &[&str] = &["-U", "-n", "--map-user=1", "--map-group=1", "--keep-caps"];
/// As root of the namespace.
const AS_ROOT: &[&str] = &["-U", "-r", "-n"];

/// As the machine's own root, who can become anybody.
const AS_SYSTEM: &[&str] = &["-n"];

/// Runs `body` in a network namespace of its own, by running the test of the full name `test` again there.
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    alone_as(&[AS_SERVICE, AS_ROOT], test, body);
}

/// The same, as root of the machine; where the test runs as somebody else, it is skipped.
pub(crate) fn alone_as_root(test: &str, body: impl FnOnce()) {
    if !rustix::process::getuid().is_root() {
        tool::skipped("only root can become somebody else");
        return;
    }
    alone_as(&[AS_SYSTEM], test, body);
}

fn alone_as(kinds: &[&[&str]], test: &str, body: impl FnOnce()) {
    if tool::require("ip").is_some() {
        namespace::alone(kinds, test, body);
    }
}

/// Runs `ip` with these words.
pub(crate) fn ip(words: &str) -> String {
    let output = tool::find("ip").unwrap().run(words.split(' '));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
