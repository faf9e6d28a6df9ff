//! The log on stderr, whose lines systemd or a person reads.

use std::io::{self, IsTerminal, Write};

use env_logger::{Builder, Env, Target, WriteStyle};

/// From here on what is logged goes to stderr, as far as `PCAPX_LOG` wants it: `info` and above when it is not set. In
/// colours on a terminal. Call once at start.
pub fn log_to_stderr() {
    let mut builder = Builder::from_env(Env::new().filter_or("PCAPX_LOG", "info"));
    if !io::stderr().is_terminal() {
        // The same lines, made without colours: to search each line for colours, and to ask each time whether this is a
        // terminal, is a tenth of what a small answer costs.
        builder.target(Target::Pipe(Box::new(io::stderr()))).write_style(WriteStyle::Always);
        builder.format(|line, record| {
            let (time, level, target) = (line.timestamp(), record.level(), record.target());
            line.write_all(format!("[{time} {level:<5} {target}] {}\n", record.args()).as_bytes())
        });
    }
    builder.init();
}
