//! Numbers as people read them. Between a number and its unit stands a blank at which no line is broken.

use std::time::Duration;

/// Between the thousands of a count: a narrow blank that is not broken.
const THOUSANDS: char = '\u{202f}';
/// Between a number and its unit.
const BLANK: char = '\u{a0}';

/// `1 234 567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(THOUSANDS);
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 packet`, `1 234 packets`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{}{BLANK}{}", count(number), if number == 1 { one } else { many })
}

/// `31.3 kB`: powers of a thousand, three digits that matter.
pub fn bytes(number: u64) -> String {
    if number < 1000 { format!("{number}{BLANK}B") } else { scaled(number as f64, "B") }
}

/// `12.4 Mbit/s`.
pub fn bits_per_second(rate: f64) -> String {
    scaled(rate, "bit/s")
}

/// `1 204`, and below a hundred with the digits that matter.
#[expect(clippy::cast_sign_loss, reason = "it is not below zero")]
pub fn rate(rate: f64) -> String {
    match rate.max(0.0) {
        rate if rate >= 99.5 => count(rate.round() as u64),
        rate => significant(rate),
    }
}

fn scaled(number: f64, unit: &str) -> String {
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let mut rest = if number.is_finite() { number.max(0.0) } else { 0.0 };
    let mut prefix = 0;
    // What would be written as 1000 has the next prefix.
    while rest >= 999.5 && prefix + 1 < PREFIXES.len() {
        rest /= 1000.0;
        prefix += 1;
    }
    format!("{}{BLANK}{}{unit}", significant(rest), PREFIXES[prefix])
}

/// Three digits that matter, but a zero and whole numbers as they are.
fn significant(number: f64) -> String {
    match number {
        n if n.fract() == 0.0 => format!("{n:.0}"),
        n if n >= 99.95 => format!("{n:.0}"),
        n if n >= 9.995 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

/// `350 ms`, `20 s`, `6 min 20 s`, `4 h 30 min`, `12 d 3 h`: the two largest units.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 10 {
        let millis = time.as_millis();
        return match millis {
            0 if time.is_zero() => format!("0{BLANK}s"),
            0 => format!("{}{BLANK}µs", time.as_micros()),
            1..1000 => format!("{millis}{BLANK}ms"),
            _ => format!("{}{BLANK}s", significant(millis as f64 / 1000.0)),
        };
    }
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(length, _)| seconds >= *length).unwrap_or(units.len() - 1);
    let (length, unit) = units[first];
    let mut text = format!("{}{BLANK}{unit}", count(seconds / length));
    if let Some((shorter, unit)) = units.get(first + 1)
        && seconds % length / shorter > 0
    {
        text = format!("{text}{BLANK}{}{BLANK}{unit}", seconds % length / shorter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace([THOUSANDS, BLANK], " ")
    }

    #[test]
    fn counts_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1 000"),
            (1_234_567, "1 234 567"),
            (u64::MAX, "18 446 744 073 709 551 615"),
        ] {
            assert_eq!(plain(&count(number)), text);
        }
        assert_eq!(plain(&counted(1, "packet", "packets")), "1 packet");
        assert_eq!(plain(&counted(1204, "packet", "packets")), "1 204 packets");
    }

    #[test]
    fn bytes_and_rates_have_three_digits_that_matter() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (31_337, "31.3 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (12_345_678, "12.3 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(plain(&bytes(number)), text);
        }
        assert_eq!(plain(&bits_per_second(12_400_000.0)), "12.4 Mbit/s");
        assert_eq!(plain(&bits_per_second(f64::NAN)), "0 bit/s");
        for (number, text) in [(0.0, "0"), (0.25, "0.25"), (12.34, "12.3"), (99.7, "100"), (1204.4, "1 204")]
        {
            assert_eq!(plain(&rate(number)), text);
        }
    }

    #[test]
    fn times_have_two_units() {
        for (millis, text) in [
            (0, "0 s"),
            (1, "1 ms"),
            (999, "999 ms"),
            (1000, "1 s"),
            (1500, "1.50 s"),
            (20_000, "20 s"),
            (380_000, "6 min 20 s"),
            (720_000, "12 min"),
            (16_200_000, "4 h 30 min"),
            (3_600_000, "1 h"),
            (1_047_600_000, "12 d 3 h"),
        ] {
            assert_eq!(plain(&duration(Duration::from_millis(millis))), text);
        }
        assert_eq!(plain(&duration(Duration::from_micros(40))), "40 µs");
    }
}
