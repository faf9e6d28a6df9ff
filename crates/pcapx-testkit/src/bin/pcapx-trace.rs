//! Writes realistic traffic as a recorder would: `pcapx-trace --out DIR --bytes 4GB --seed 1`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_testkit::trace::{Mix, Needle, Trace};

const USAGE: &str = "\
Usage: pcapx-trace --out DIR [OPTIONS]

Writes realistic traffic from a seed: DIR/<epoch.usec>/<epoch.usec>.pcap

  --out DIR            where to (made when missing)
  --bytes N            about how much; with KB, MB, GB or KiB, MiB, GiB   [64MiB]
  --seed N             the same seed gives the same bytes                 [1]
  --mix WHAT           usual, or 64-byte frames only: flood (of 64 flows),
                       syn-flood (each packet a flow of its own)          [usual]
  --duration SECONDS   in which all packets come                          [3600]
  --file SECONDS       of each file                                       [300]
  --start EPOCH        when the trace begins                              [1772355600]
  --nanos              time stamps in nanoseconds
";

struct Options {
    out: PathBuf,
    trace: Trace,
    file: Duration,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprint!("pcapx-trace: {wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let begun = Instant::now();
    let is_watched = std::io::stderr().is_terminal();
    let progress = |bytes: u64| {
        if is_watched {
            eprint!("\r{} MB", bytes / 1_000_000);
            let _ = std::io::stderr().flush();
        }
    };
    match options.trace.write_rolling(&options.out, options.file, progress) {
        Ok(written) => {
            let seconds = begun.elapsed().as_secs_f64();
            let rate = written.bytes as f64 / 1e6 / seconds;
            let clear = if is_watched { "\r" } else { "" };
            eprintln!("{clear}{} bytes in {} files, {rate:.0} MB/s", written.bytes, written.files.len());
            println!("packets {}", written.packets);
            println!("first   {}", written.first);
            println!("last    {}", written.last);
            println!("needle  {} packets: {}", written.needle.packets.len(), Needle::FILTER);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\npcapx-trace: {}: {error}", options.out.display());
            ExitCode::FAILURE
        }
    }
}

/// `None` when only the usage was asked for.
fn options(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let (mut out, mut file) = (None, 300);
    let (mut seed, mut bytes, mut duration, mut start, mut nanos) = (1, 64 << 20, 3600, None, false);
    let mut mix = Mix::Usual;
    while let Some(name) = args.next() {
        match name.as_str() {
            "-h" | "--help" => return Ok(None),
            "--nanos" => {
                nanos = true;
                continue;
            }
            _ => {}
        }
        let value = args.next().ok_or_else(|| format!("{name} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name} {value} is no number"));
        match name.as_str() {
            "--out" => out = Some(PathBuf::from(value)),
            "--bytes" => bytes = size(&value).ok_or_else(|| format!("--bytes {value} is no size"))?,
            "--seed" => seed = number()?,
            "--mix" => {
                mix = match value.as_str() {
                    "usual" => Mix::Usual,
                    "flood" => Mix::Flood,
                    "syn-flood" => Mix::SynFlood,
                    _ => return Err(format!("--mix {value} is not known")),
                }
            }
            "--duration" => duration = number()?,
            "--file" => file = number()?,
            "--start" => start = Some(number()?),
            _ => return Err(format!("{name} is no option")),
        }
    }
    let out = out.ok_or("--out is missing")?;
    let mut trace = Trace::new(seed).mix(mix).bytes(bytes).duration(Duration::from_secs(duration));
    if let Some(start) = start {
        trace = trace.start(Timestamp::from_secs(start.cast_signed()));
    }
    if nanos {
        trace = trace.nanos();
    }
    Ok(Some(Options { out, trace, file: Duration::from_secs(file) }))
}

/// A number of bytes with a unit behind it.
fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor: u64 = match &text[digits..] {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(factor)
}
