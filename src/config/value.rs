//! Values: from text, and back.
//!
//! **What.** One function for each kind of value; an error is a sentence that shows the value and
//! says what may stand there.
//!
//! **Why this way.** A value is text in a flag, in a variable and (mostly) in a file, so there is
//! one grammar for the three. What is written is what was read: `--check` gives back what it was
//! given.
//!
//! **Costs.** Nothing that matters at start.
//!
//! **Read next.** `src/net/endpoint.rs`, the largest of the values.

use super::{Accept, Listener, WorkerKind};
use crate::net::{
    Address, Endpoint, Protocol, format_bytes, format_duration, parse_bytes, unknown,
};
use crate::server::{AtLimit, Nofile, WORKERS_MAX};
use crate::service::Builtin;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Value as Toml;
use tracing_subscriber::EnvFilter;

const LOCALHOST: &str = "localhost";
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A URL to listen on and its service, which is `echo` if it is not said.
/// A listener and its services: one, or with HTTP all of them unless the path names one.
pub(super) fn listener(url: &str) -> Result<Listener, String> {
    let mut endpoint = Endpoint::parse(url).map_err(|error| error.to_string())?;
    if endpoint.protocol == Protocol::Http && endpoint.service.is_empty() {
        return Ok((endpoint, Builtin::ALL.to_vec()));
    }
    if endpoint.service.is_empty() {
        endpoint.service = "echo".into();
    }
    let Some(service) = Builtin::from_name(&endpoint.service) else {
        let reason = unknown("service", &endpoint.service, Builtin::NAMES);
        return Err(format!("`{url}`: {reason}"));
    };
    match (&endpoint.address, service) {
        (Address::Udp(_), Builtin::Broadcast) => Err(format!(
            "`{url}`: broadcast sends to every connection, and udp has none; \
             use tcp or unix, or one of: echo, discard"
        )),
        _ => Ok((endpoint, vec![service])),
    }
}

pub(super) fn show_listeners(listeners: &[Listener]) -> Toml {
    Toml::Array(listeners.iter().map(|(endpoint, _)| endpoint.url().into()).collect())
}

/// An origin, or several with commas between them.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let is_origin = text.split_once("://").is_some_and(|(scheme, host)| {
        // A pattern, say, would never be met: origins are compared whole.
        let is_plain = |c: char| c.is_ascii_graphic() && !"/*@?#".contains(c);
        ["http", "https"].contains(&scheme) && !host.is_empty() && host.chars().all(is_plain)
    });
    if text == "*" || text == "null" || is_origin {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is not an origin: write https://example.org, without a path or a pattern, or *"
    ))
}

pub(super) fn nofile(text: &str) -> Result<Nofile, String> {
    match text {
        "max" => Ok(Nofile::Max),
        "keep" => Ok(Nofile::Keep),
        _ if text.starts_with(|c: char| c.is_ascii_digit()) => {
            let number = text.parse().map_err(|_| {
                format!("`{text}` is not a number of open files: write 20000, max or keep")
            })?;
            Ok(Nofile::Set(number))
        }
        _ => Err(unknown("value", text, ["max", "keep"]) + ", or a number"),
    }
}

pub(super) fn show_nofile(nofile: Nofile) -> Toml {
    match nofile {
        Nofile::Max => "max".into(),
        Nofile::Keep => "keep".into(),
        Nofile::Set(number) => integer(number),
    }
}

pub(super) fn at_limit(text: &str) -> Result<AtLimit, String> {
    let found = AtLimit::NAMES.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, policy)| *policy)
        .ok_or_else(|| unknown("policy", text, AtLimit::NAMES.map(|(name, _)| name)))
}

/// `on` or `off`.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(unknown("value", text, ["on", "off"])),
    }
}

pub(super) fn show_switch(on: bool) -> Toml {
    if on { "on".into() } else { "off".into() }
}

/// How many workers; `auto` is 0.
pub(super) fn workers(text: &str) -> Result<usize, String> {
    let number = match text {
        "auto" => Some(0),
        _ => text.parse().ok().filter(|number| (1..=WORKERS_MAX).contains(number)),
    };
    number.ok_or_else(|| {
        format!("`{text}` is no number of workers: write auto, or 1 to {WORKERS_MAX}")
    })
}

pub(super) fn show_workers(workers: usize) -> Toml {
    if workers == 0 { "auto".into() } else { integer(workers as u64) }
}

pub(super) fn worker_kind(text: &str) -> Result<WorkerKind, String> {
    match text {
        "process" => Ok(WorkerKind::Process),
        "thread" => Ok(WorkerKind::Thread),
        _ => Err(unknown("kind", text, ["process", "thread"])),
    }
}

pub(super) fn show_worker_kind(kind: WorkerKind) -> Toml {
    match kind {
        WorkerKind::Process => "process".into(),
        WorkerKind::Thread => "thread".into(),
    }
}

pub(super) fn accept(text: &str) -> Result<Accept, String> {
    match text {
        "reuseport" => Ok(Accept::Reuseport),
        "shared" => Ok(Accept::Shared),
        _ => Err(unknown("way", text, ["reuseport", "shared"])),
    }
}

pub(super) fn show_accept(accept: Accept) -> Toml {
    match accept {
        Accept::Reuseport => "reuseport".into(),
        Accept::Shared => "shared".into(),
    }
}

/// A number of things; `off` is 0, which means no limit.
pub(super) fn count<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let number = match text {
        "off" => Some(0),
        _ => text.parse::<u64>().ok(),
    };
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("`{text}` is not a number that fits: write 1000, or off"))
}

/// A number for which there is no "off".
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number that fits: write 64"))
}

pub(super) fn show_count(number: u64) -> Toml {
    if number == 0 { "off".into() } else { integer(number) }
}

pub(super) fn bytes<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let number = parse_bytes(text).and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| {
        format!("`{text}` is not a number of bytes that fits: write 65536, 64KiB or 1MiB")
    })
}

pub(super) fn show_bytes(number: u64) -> Toml {
    format_bytes(number).into()
}

/// A number of bytes; `off` is 0, which means no limit.
pub(super) fn bytes_or_off(text: &str) -> Result<u64, String> {
    match text {
        "off" => Ok(0),
        _ => bytes(text).map_err(|reason| reason + ", or off"),
    }
}

pub(super) fn show_bytes_or_off(number: u64) -> Toml {
    if number == 0 { "off".into() } else { show_bytes(number) }
}

/// Whom a self-signed certificate is for, beside localhost; `on` is nobody else.
pub(super) fn self_signed(text: &str) -> Result<Option<String>, String> {
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
    match text {
        "off" => Ok(None),
        "on" => Ok(Some(LOCALHOST.to_owned())),
        _ if !text.is_empty() && text.chars().all(is_host) => Ok(Some(text.to_owned())),
        _ => Err(format!("`{text}` is not a host: write its name or address, on or off")),
    }
}

pub(super) fn show_self_signed(host: Option<&str>) -> Toml {
    match host {
        None => "off".into(),
        Some(LOCALHOST) => "on".into(),
        Some(host) => host.into(),
    }
}

/// A duration in milliseconds, at least `least_ms`.
pub(super) fn duration_ms(text: &str, least_ms: u64) -> Result<u64, String> {
    let allowed = "write 500ms, 10s or 5m";
    let time = humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is not a duration: {allowed}"))?;
    if !time.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(format!("`{text}` is not a whole number of milliseconds: {allowed}"));
    }
    match u64::try_from(time.as_millis()) {
        Ok(ms) if ms >= least_ms => Ok(ms),
        Ok(_) => Err(format!("`{text}` is too short, at least {least_ms}ms is needed: {allowed}")),
        Err(_) => Err(format!("`{text}` is too long: {allowed}")),
    }
}

/// A duration in milliseconds; `off` is 0, which means never.
pub(super) fn duration_or_off_ms(text: &str) -> Result<u64, String> {
    match text {
        "off" => Ok(0),
        _ => duration_ms(text, 1).map_err(|reason| reason + ", or off"),
    }
}

pub(super) fn show_duration(ms: u64) -> Toml {
    format_duration(Duration::from_millis(ms)).into()
}

pub(super) fn show_duration_or_off(ms: u64) -> Toml {
    if ms == 0 { "off".into() } else { show_duration(ms) }
}

/// A path; `off` is none (a file of that name is `./off`).
pub(super) fn file(text: &str) -> Result<Option<PathBuf>, String> {
    if text == "off" {
        return Ok(None);
    }
    let path = PathBuf::from(text);
    let Some(dir) = path.parent() else {
        return Err(format!("`{text}` is not the name of a file: write one, or off"));
    };
    // The directory of a bare name is empty, and means this one.
    if path.is_dir() || !(dir.as_os_str().is_empty() || dir.is_dir()) {
        let hint = "write a file in a directory that is there, or off";
        return Err(format!("`{text}` cannot be written: {hint}"));
    }
    Ok(Some(path))
}

pub(super) fn show_file(path: Option<&Path>) -> Toml {
    path.map_or("off".into(), |path| path.to_string_lossy().into_owned().into())
}

/// A level, or levels by module: `info`, `warn,oneloop::server=debug`.
pub(super) fn log(text: &str) -> Result<String, String> {
    for part in text.split(',') {
        // The filter would take a lone misspelt level for the name of a module.
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        let is_level = LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level));
        if !is_level && !part.contains('[') {
            let reason = unknown("level", level, LEVELS);
            return Err(format!("`{text}`: {reason}, or MODULE=LEVEL,…"));
        }
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("`{text}`: {error}; write info, or MODULE=LEVEL,…")),
    }
}

/// TOML's integers have a sign; the few numbers that are too large for it are written as text.
fn integer(number: u64) -> Toml {
    i64::try_from(number).map_or_else(|_| number.to_string().into(), Toml::from)
}
