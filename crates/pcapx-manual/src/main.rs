//! Writes manual pages and shell completions below a folder that stands for `/usr`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Writes the manual pages and shell completions of all programs below a folder, as they belong below /usr.
#[derive(Debug, Parser)]
#[command(name = "pcapx-manual", version)]
struct Options {
    /// Seconds since 1970 of the date in the pages [default: now]
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH", hide_env_values = true)]
    date: Option<i64>,

    /// Folder to write below; it is made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let date = match options.date.map_or_else(|| Ok(Timestamp::now()), Timestamp::from_second) {
        Ok(date) => date.to_zoned(TimeZone::UTC).date().to_string(),
        Err(error) => {
            eprintln!("pcapx-manual: --date: {error}");
            return ExitCode::from(2);
        }
    };
    match pcapx_manual::write_below(&options.folder, &date) {
        Ok(written) => {
            for path in written {
                println!("{}", path.display());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pcapx-manual: cannot write below {}: {error}", options.folder.display());
            ExitCode::FAILURE
        }
    }
}
