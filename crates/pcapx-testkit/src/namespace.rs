//! Namespaces of the kernel: a test that runs within one has a network or mounts of its own, and needs no root for that.

use std::env;

use crate::tool::{self, Tool};

/// Set within a namespace.
const WITHIN: &str = "PCAPX_TEST_WITHIN_NAMESPACE";

/// Runs `body` in a namespace of its own, by running the test of the full name `test` again there. Of several sets of options
/// for the program `unshare`, the first one that the system grants is taken; where it grants none, the test is skipped.
///
/// # Panics
/// When the test fails there.
pub fn alone(options: &[&[&str]], test: &str, body: impl FnOnce()) {
    if env::var_os(WITHIN).is_some() {
        return body();
    }
    let Some(unshare) = tool::require("unshare") else { return };
    let Some(flags) = options.iter().find(|flags| works(&unshare, flags)) else {
        let refused = unshare.run(options.last().copied().unwrap_or_default().iter().chain(&["true"]));
        let why = String::from_utf8_lossy(&refused.stderr);
        tool::skipped(format_args!("no namespace to be had: {}", why.trim()));
        return;
    };
    let this = env::current_exe().unwrap_or_else(|error| panic!("this program has no path: {error}"));
    let output = unshare
        .command()
        .args(*flags)
        .arg(this)
        .args(["--exact", test, "--nocapture", "--test-threads=1", "--include-ignored"])
        .env(WITHIN, "1")
        .output()
        .unwrap_or_else(|error| panic!("unshare: {error}"));
    let result = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{result}{errors}");
    assert!(result.contains("1 passed"), "no test is called {test}:\n{result}{errors}");
    for line in errors.lines() {
        match line.strip_prefix("SKIPPED: ") {
            Some(why) => tool::skipped(format_args!("a part, {why}")),
            None if line.starts_with("MEASURED: ") => eprintln!("{line}"),
            None => {}
        }
    }
}

fn works(unshare: &Tool, flags: &[&str]) -> bool {
    unshare.run(flags.iter().chain(&["true"])).status.success()
}
