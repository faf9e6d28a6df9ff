//! The systemd units of the services and the recorder: correct, and closed.

use std::path::{Path, PathBuf};

use pcapx_testkit::tool;

/// What systemd may call their exposure at most: 0 is nothing, 10 is everything.
const MOST_EXPOSED: f64 = 1.5;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

#[test]
fn the_units_are_as_closed_as_they_were() {
    let Some(analyze) = tool::require("systemd-analyze") else { return };
    for unit in ["pcapx-listener.service", "pcapx-fileserver.service", "pcapx-recorder.service"] {
        let output = analyze
            .command()
            .args(["security", "--offline=true", "--no-pager"])
            .arg(deploy().join(unit))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let told = told.lines().find(|line| line.contains("Overall exposure level"));
        let Some(level) =
            told.and_then(|line| line.rsplit(": ").next()?.split(' ').next()?.parse::<f64>().ok())
        else {
            tool::skipped(format_args!(
                "systemd-analyze cannot tell here: {:?}",
                output.stderr.escape_ascii()
            ));
            return;
        };
        assert!(level <= MOST_EXPOSED, "{unit}: {level}");
    }
}

#[test]
fn systemd_understands_every_line() {
    let Some(analyze) = tool::require("systemd-analyze") else { return };
    let units =
        ["pcapx.target", "pcapx-listener.service", "pcapx-fileserver.service", "pcapx-recorder.service"];
    let sockets = ["pcapx-listener.socket", "pcapx-fileserver.socket"];
    let mut command = analyze.command();
    // Pages are not installed here either.
    command.args(["verify", "--man=no"]).args(units.iter().chain(&sockets).map(|unit| deploy().join(unit)));
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    // The programs are not installed here, and other units of the machine are not ours.
    let ours = |line: &&str| line.contains("pcapx") && !line.contains("is not executable");
    assert_eq!(told.lines().filter(ours).collect::<Vec<_>>(), [""; 0]);
}
