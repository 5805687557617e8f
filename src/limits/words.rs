//! **What.** Numbers as people read them: `1,048,576` and `24.3 GB`.
//!
//! **Why this way.** Decimal units, as every other figure of the doctor counts in tens. Rejected:
//! a crate for twenty lines; rounding up, which would promise memory that is not there.
//!
//! **Costs.** One String each, at start-up only.
//!
//! **Read next.** `src/limits/render.rs`.

/// Groups of three: `1,048,576`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Two or more digits and a decimal unit, rounded down: `5.2 kB`, `24 GB`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let power = n.checked_ilog10().map_or(0, |digits| digits as usize / 3);
    let unit = 1000_u64.pow(power as u32);
    let (whole, tenths) = (n / unit, n % unit * 10 / unit.max(1));
    match power {
        0 => format!("{n} B"),
        _ => format!("{whole}.{tenths} {}", UNITS[power]),
    }
}

/// `1 step`, `2 steps`: regular plurals only.
pub(super) fn plural(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).into(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `text` with line breaks, so that no line is wider than `width` unless one word is.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split(' ') {
        let fits = column + 1 + word.len() <= width;
        let gap = if fits { " " } else { "\n" };
        let gap = if out.is_empty() { "" } else { gap };
        column = if gap == " " { column + 1 + word.len() } else { word.len() };
        out.push_str(gap);
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests;
