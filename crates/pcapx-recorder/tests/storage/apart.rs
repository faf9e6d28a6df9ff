//! Namespaces for tests: a network with a loopback, and mounts that nobody else sees.

use std::env;
use std::path::Path;

use pcapx_testkit::tool::{self, Tool};

/// Set within a namespace.
const WITHIN: &str = "PCAPX_TEST_WITHIN_NAMESPACE";
/// As a service has it: an ordinary user with capabilities. tcpdump goes on as such; older programs `unshare` know nothing
/// of that.
const AS_SERVICE: &[&str] = &["-U", "-n", "-m", "--map-user=1", "--map-group=1", "--keep-caps"];
/// As root of the namespace.
const AS_ROOT: &[&str] = &["-U", "-r", "-n", "-m"];

/// Runs `body` apart from the machine's network and mounts, by running the test of the full name `test` again there.
pub(crate) fn apart(test: &str, body: impl FnOnce()) {
    if env::var_os(WITHIN).is_some() {
        run("ip", "link set lo up");
        return body();
    }
    let (Some(unshare), Some(_), Some(_)) =
        (tool::require("unshare"), tool::require("ip"), tool::require("mount"))
    else {
        return;
    };
    let works = |flags: &&&[&str]| unshare.run(flags.iter().chain(&["true"])).status.success();
    let Some(flags) = [AS_SERVICE, AS_ROOT].iter().find(works) else {
        let refused = unshare.run(AS_ROOT.iter().chain(&["true"]));
        let why = String::from_utf8_lossy(&refused.stderr);
        tool::skipped(format_args!("no namespaces to be had: {}", why.trim()));
        return;
    };
    let output = unshare
        .command()
        .args(*flags)
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1", "--include-ignored"])
        .env(WITHIN, "1")
        .output()
        .unwrap();
    let result = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{result}{errors}");
    assert!(result.contains("1 passed"), "no test is called {test}:\n{result}{errors}");
    for line in errors.lines() {
        match line.strip_prefix("SKIPPED: ") {
            Some(what) => tool::skipped(format_args!("a part, {what}")),
            None if line.starts_with("MEASURED: ") => eprintln!("{line}"),
            None => {}
        }
    }
}

/// Runs a program with these words.
pub(crate) fn run(program: &str, words: &str) -> String {
    let output = tool::find(program).unwrap().run(words.split(' '));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Mounts a file system of that many megabytes in memory.
pub(crate) fn mount_disk(at: &Path, megabytes: u64) {
    run("mount", &format!("-t tmpfs -o size={megabytes}m,mode=0755 disk {}", at.display()));
}

/// A program that is installed, without a word when it is not.
pub(crate) fn find(name: &str) -> Option<Tool> {
    tool::find(name)
}
