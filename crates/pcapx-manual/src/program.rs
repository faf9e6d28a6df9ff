//! The programs, and what their command lines do not tell of them.

use clap::{Command, CommandFactory};

use crate::recorder;

/// One program.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// As it is called.
    pub name: &'static str,
    /// Of the manual: 1 for what everybody may run, 8 for services.
    pub section: u8,
    command: fn() -> Command,
    /// One line, for those who search the manual.
    pub(crate) purpose: &'static str,
    /// What it reads and writes beside what its options name.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Other pages.
    pub(crate) see_also: &'static [(&'static str, u8)],
}

impl Program {
    /// Its command line, with all that clap adds by itself.
    pub fn command(&self) -> Command {
        let mut command = (self.command)();
        command.build();
        command
    }
}

const CONFIGURATION: (&str, &str) = (
    "/etc/pcapx/config.json",
    "The configuration, where --config and PCAPX_CONFIG name none and there is no config/config.json below the working \
     directory.",
);
const VARIABLES: (&str, &str) = (
    "/etc/pcapx/pcapx.env",
    "PCAPX_<KEY>=value lines that the systemd unit sets, one a line. May be missing.",
);
const AUDIT: (&str, &str) = ("/var/log/pcapx", "The folder that the systemd unit allows for audit_log.");

/// All that have a page and completions.
pub const ALL: &[Program] = &[
    Program {
        name: "pcapx-listener",
        section: 8,
        command: pcapx_listener_cli::Options::command,
        purpose: "answer security alerts with their packets",
        files: &[
            CONFIGURATION,
            VARIABLES,
            (
                "/etc/credstore/pcapx.KEY",
                "A secret of the configuration, which systemd hands to the service alone: pcapx.listener_auth_pass, \
                 pcapx.listener_auth_token, pcapx.basic_auth_pass. May be missing.",
            ),
            ("/var/lib/pcapx/index", "Indexes of the recording. They can be deleted at any time."),
            AUDIT,
        ],
        see_also: &[
            ("pcapx-fileserver", 8),
            ("pcapx-recorder", 8),
            ("pcapx-extract", 1),
            ("pcapx-config", 5),
            ("systemctl", 1),
        ],
    },
    Program {
        name: "pcapx-fileserver",
        section: 8,
        command: pcapx_fileserver_cli::Options::command,
        purpose: "serve extracted captures over HTTP",
        files: &[
            CONFIGURATION,
            VARIABLES,
            (
                "/etc/credstore/pcapx.KEY",
                "A secret of the configuration, which systemd hands to the service alone: pcapx.fileserver_auth_pass, \
                 pcapx.basic_auth_pass. May be missing.",
            ),
            AUDIT,
        ],
        see_also: &[("pcapx-listener", 8), ("pcapx-config", 5), ("systemctl", 1)],
    },
    Program {
        name: "pcapx-recorder",
        section: 8,
        command: recorder::command,
        purpose: "record network interfaces into rolling capture files",
        files: &[
            ("/etc/n2disk/n2disk.conf", "The options that the systemd unit starts it with."),
            (
                "DIR/SECONDS.MICROSECONDS/SECONDS.MICROSECONDS.pcap",
                "A capture file below --dump-directory, named by the time of its first packet. It ends in .pcap.tmp while \
                 it is written to.",
            ),
            ("NAME.pcapx", "The index of the capture file NAME, beside it."),
            (
                "DIR/YYYY/MM/DD/HH/M0/NAME.pcap",
                "A link to a capture file below --timeline-dir, in local time.",
            ),
        ],
        see_also: &[("pcapx-listener", 8), ("pcapx-extract", 1), ("pcap-filter", 7), ("systemctl", 1)],
    },
    Program {
        name: "pcapx-extract",
        section: 1,
        command: pcapx_extract_cli::Args::command,
        purpose: "cut packets out of a rolling capture",
        files: &[
            (
                "NAME.pcapx",
                "The index of the capture file NAME, beside it or below --index-dir. It can be deleted at any time.",
            ),
            ("/var/lib/pcapx/index", "Where the listener keeps indexes of folders that it cannot write to."),
        ],
        see_also: &[("pcapx-listener", 8), ("pcapx-recorder", 8), ("tcpdump", 8), ("pcap-filter", 7)],
    },
    Program {
        name: "netflow-replay",
        section: 1,
        command: netflow_replay_cli::Options::command,
        purpose: "replay captured NetFlow exports with today's time",
        files: &[("/opt/netflow-demo/Netflowv9.pcap", "The capture, where --pcap names none.")],
        see_also: &[("pcapx-extract", 1), ("nfcapd", 1)],
    },
];
