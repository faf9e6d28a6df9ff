//! A npcapextract of the tests' own: a shell script on the service's `PATH`, held and released through pipes.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use pcapx_testkit::process::{PATIENCE, Service, Site, poll};

use crate::LISTENER;

/// The script's beginning: where it is, and what it was called with, each argument behind a zero byte.
const PRELUDE: &str = r#"#!/bin/sh
site=$(dirname "$(dirname "$0")")
printf '%s\0' "$@" > "$site/argv.$$"
mv "$site/argv.$$" "$site/argv"
output=${10}
"#;

/// Waits to be released; leaves traces when two scripts run at once.
pub(crate) const HELD: &str = r#"
mkdir "$site/running" 2>/dev/null || echo "$$" >> "$site/overlaps"
echo "$$" >> "$site/started"
read line < "$site/release"
echo packets > "$output"
rmdir "$site/running"
"#;

/// A site whose `extractor` is the fake.
pub(crate) struct Fake {
    pub(crate) site: Site,
    release: File,
}

impl Fake {
    /// A fake that does what `script` says. `$site` is the site's folder, `$output` where its file belongs.
    pub(crate) fn new(script: &str) -> Self {
        let mut site = Site::new();
        site.set("extractor", "npcapextract");
        let bin = site.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let pipe = site.path().join("release");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Open both ways, so that neither side ever waits for the other to open it.
        let release = OpenOptions::new().read(true).write(true).open(pipe).unwrap();
        let fake = Self { site, release };
        fake.script(script);
        fake
    }

    /// From now on the fake does what `script` says.
    pub(crate) fn script(&self, script: &str) {
        let program = self.site.path().join("bin/npcapextract");
        fs::write(&program, format!("{PRELUDE}{script}")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The command that runs the listener with the fake on its `PATH`.
    pub(crate) fn command(&self) -> Command {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.site.path().join("bin")).chain(std::env::split_paths(&own));
        let mut command = self.site.command(LISTENER);
        command.env("TZ", "UTC").env("PATH", std::env::join_paths(folders).unwrap());
        command
    }

    /// A listener with the fake on its `PATH`.
    pub(crate) fn listener(&self) -> Service {
        Service::spawn(&mut self.command()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Lets `count` held scripts go, now or when they come.
    pub(crate) fn release(&mut self, count: usize) {
        self.release.write_all("\n".repeat(count).as_bytes()).unwrap();
    }

    /// Waits until `count` held scripts have started since the beginning.
    #[track_caller]
    pub(crate) fn wait_for_starts(&self, count: usize) {
        let started = || self.file("started").lines().count();
        assert!(poll(PATIENCE, || (started() >= count).then_some(())).is_some(), "{} started", started());
    }

    /// The process id that a script wrote to the file `name`.
    #[track_caller]
    pub(crate) fn pid(&self, name: &str) -> u32 {
        let read = || self.file(name).strip_suffix('\n').and_then(|pid| pid.parse().ok());
        poll(PATIENCE, read).unwrap_or_else(|| panic!("no process id in {name}"))
    }

    /// The arguments of the last run.
    pub(crate) fn argv(&self) -> Vec<String> {
        self.file("argv").split_terminator('\0').map(str::to_owned).collect()
    }

    /// What a file of the site holds; nothing when it is not there.
    pub(crate) fn file(&self, name: &str) -> String {
        fs::read_to_string(self.site.path().join(name)).unwrap_or_default()
    }

    /// A path of the site as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.site.path().join(name).to_str().unwrap().to_owned()
    }
}

/// Asserts that the process ends. One that nobody has collected yet has ended too.
#[track_caller]
pub(crate) fn assert_dead(pid: u32) {
    let stat = PathBuf::from(format!("/proc/{pid}/stat"));
    let dead = || match fs::read_to_string(&stat) {
        Err(_) => Some(()),
        Ok(stat) => {
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X'])).then_some(())
        }
    };
    assert!(poll(PATIENCE, dead).is_some(), "process {pid} still runs");
}
