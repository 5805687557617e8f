//! Beginning at a given time.
//!
//! **What.** A [`Start`] is what `--start-at` says; [`wait`] waits for it.
//!
//! **Why this way.** Generators on several machines need one moment that all of them know, and no
//! network between them: the calendar's. How well they agree is for NTP to see to, and `merge` says
//! how much of the time they had in common. A time in the past is refused and not begun late: the
//! others have begun.
//!
//! **Costs.** A wake-up a second until then.
//!
//! **Read next.** `src/report/merge.rs`.

use super::progress::Progress;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// By the calendar.
    At(SystemTime),
    /// So long after the command began.
    After(Duration),
}

impl Start {
    /// Reads RFC 3339 (UTC, `Z`), seconds since 1970, or `+` and a duration.
    pub(super) fn parse(text: &str) -> Result<Start, String> {
        let start = match text.strip_prefix('+') {
            Some(after) => humantime::parse_duration(after).ok().map(Start::After),
            None => {
                let seconds = text.parse().ok().and_then(|it| Duration::try_from_secs_f64(it).ok());
                match seconds {
                    Some(seconds) => UNIX_EPOCH.checked_add(seconds).map(Start::At),
                    None => humantime::parse_rfc3339_weak(text).ok().map(Start::At),
                }
            }
        };
        let forms = "write 2026-01-31T12:00:00Z (UTC), seconds since 1970, or +10s";
        start.ok_or_else(|| forms.to_owned())
    }

    /// The time that is meant if it is `now`.
    ///
    /// # Errors
    /// It is over: by how much.
    pub(super) fn resolve(self, now: SystemTime) -> Result<SystemTime, String> {
        let at = match self {
            Start::At(at) => Some(at),
            Start::After(after) => now.checked_add(after),
        };
        let at = at.ok_or_else(|| "start-at: beyond the calendar; give an earlier time".to_owned());
        let at = at?;
        match now.duration_since(at) {
            Ok(ago) if !ago.is_zero() => Err(format!(
                "start-at {}: is over since {} (here it is {}); give a later time, or set the \
                 clock",
                humantime::format_rfc3339_millis(at),
                humantime::format_duration(Duration::from_millis(ago.as_millis() as u64)),
                humantime::format_rfc3339_millis(now)
            )),
            _ => Ok(at),
        }
    }
}

/// Waits, and shows how long it still takes. A signal ends the process: nothing has begun.
pub(super) fn wait(at: SystemTime, progress: &mut Progress) {
    while let Ok(left) = at.duration_since(SystemTime::now())
        && !left.is_zero()
    {
        progress.countdown(left);
        // Up to the next whole second that is left.
        let part = Duration::from_nanos(u64::from(left.subsec_nanos()));
        std::thread::sleep(if part.is_zero() { left.min(SECOND) } else { part });
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
