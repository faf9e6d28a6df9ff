//! tcpdump, asked what it makes of a filter.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::bpf::{self, Instruction};

/// Written past the test harness, which shows what the print macros write of failed tests only.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr().lock(), "SKIPPED: {why}");
}

/// What tcpdump makes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The optimised program it compiles for Ethernet.
    Program(Vec<Instruction>),
    /// No filter, with its reason.
    Refused(String),
}

/// The installed tcpdump.
pub(crate) struct Tcpdump {
    program: &'static str,
}

impl Tcpdump {
    /// `None`, and aloud, if there is none.
    pub(crate) fn require() -> Option<Self> {
        let program = "tcpdump";
        let found = Command::new(program).arg("--version").stdin(Stdio::null()).output();
        if found.is_err() {
            skipped("no comparison of filters with tcpdump, which is not installed");
        }
        found.is_ok().then_some(Self { program })
    }

    pub(crate) fn compile(&self, text: &str) -> Verdict {
        let output = Command::new(self.program)
            .args(["-n", "-ddd", "-y", "EN10MB", "--", text])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if output.status.success() {
            return Verdict::Program(bpf::program(std::str::from_utf8(&output.stdout).unwrap()));
        }
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        // Its optimiser has proven that the filter matches nothing, and it prints no program for such a one.
        if why.contains("expression rejects all packets") {
            Verdict::Program(vec![bpf::REJECT])
        } else {
            Verdict::Refused(why)
        }
    }
}
