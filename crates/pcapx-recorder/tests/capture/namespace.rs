//! Network namespaces for tests.

use std::env;

use pcapx_testkit::tool::{self, Tool};

/// Set within a namespace.
const WITHIN: &str = "PCAPX_TEST_WITHIN_NAMESPACE";

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
    if env::var_os(WITHIN).is_none() && !rustix::process::getuid().is_root() {
        tool::skipped("only root can become somebody else");
        return;
    }
    alone_as(&[AS_SYSTEM], test, body);
}

fn alone_as(kinds: &[&'static [&'static str]], test: &str, body: impl FnOnce()) {
    if env::var_os(WITHIN).is_some() {
        return body();
    }
    let (Some(unshare), Some(_)) = (tool::require("unshare"), tool::require("ip")) else { return };
    let Some(flags) = kinds.iter().find(|flags| works(&unshare, flags)) else {
        let refused = unshare.run(AS_ROOT.iter().chain(&["true"]));
        let why = String::from_utf8_lossy(&refused.stderr);
        tool::skipped(format_args!("no network namespace to be had: {}", why.trim()));
        return;
    };
    let this = env::current_exe().unwrap();
    let output = unshare
        .command()
        .args(*flags)
        .arg(this)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(WITHIN, "1")
        .output()
        .unwrap();
    let result = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{result}{errors}");
    assert!(result.contains("1 passed"), "no test is called {test}:\n{result}{errors}");
    for line in errors.lines().filter(|line| line.starts_with("SKIPPED")) {
        tool::skipped(format_args!("a part, {}", line.trim_start_matches("SKIPPED: ")));
    }
}

fn works(unshare: &Tool, flags: &[&str]) -> bool {
    unshare.run(flags.iter().chain(&["true"])).status.success()
}

/// Runs `ip` with these words.
pub(crate) fn ip(words: &str) -> String {
    let output = tool::find("ip").unwrap().run(words.split(' '));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
