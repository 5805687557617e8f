//! What to run, from wherever it was said.
//!
//! **What.** [`Config`] is all that `oneloop serve` can be told. [`SETTINGS`] lists the settings;
//! [`merge`] takes what the flags, the environment and a file say and keeps the strongest;
//! [`Loaded`] still knows who said what.
//!
//! **Why this way.** One table makes a setting a flag, a variable, a key of the file, a line of the
//! help and a line of `--check`, so none of the five can be forgotten. Every source brings text and
//! the same function reads it, so a value means the same everywhere. Rejected: a serde struct
//! beside a clap struct, which say everything twice, and whose errors name neither the source nor
//! the nearest spelling.
//!
//! **Costs.** Once, at start.
//!
//! **Read next.** `src/config/settings.rs`.

mod file;
mod settings;
mod value;

pub use file::read;
pub use settings::{SETTINGS, Setting};

use crate::net::{Address, Endpoint, SelfSigned, TlsServer, TlsSetupError, unknown};
use crate::server::{AtLimit, Limits, Nofile, VARIABLES, WORKERS_MAX};
use crate::service::Builtin;
use crate::sys::rlimit::{self, Rlimit};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where to listen, and the services there.
pub type Listener = (Endpoint, Vec<Builtin>);

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where to listen, and what for. At least one; no service name is empty.
    pub listen: Vec<Listener>,
    /// What bounds the server.
    pub limits: Limits,
    /// Listeners with TLS and without a certificate get one for this host that nobody trusts.
    pub tls_self_signed: Option<String>,
    /// How many loops serve; 0 is one for each CPU that this process may use.
    pub workers: usize,
    /// What each of several is.
    pub worker_kind: WorkerKind,
    /// How several share a port.
    pub accept: Accept,
    /// A port may be shared with another server that shares it too.
    pub join: bool,
    /// Where the counters go; `None` is nowhere.
    pub metrics_file: Option<PathBuf>,
    /// Where the number of the process that serves is; `None` is nowhere.
    pub pid_file: Option<PathBuf>,
    /// What to log, as `tracing_subscriber::EnvFilter` reads it.
    pub log: String,
}

impl Default for Config {
    fn default() -> Self {
        let listen =
            ["tcp://127.0.0.1:7000/echo", "udp://127.0.0.1:7000/echo", "http://127.0.0.1:7080"];
        Config {
            listen: listen.iter().filter_map(|url| value::listener(url).ok()).collect(),
            limits: Limits::default(),
            tls_self_signed: None,
            workers: 1,
            worker_kind: WorkerKind::Process,
            accept: Accept::Reuseport,
            join: false,
            metrics_file: None,
            pid_file: None,
            log: "info".into(),
        }
    }
}

/// What a worker of several is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerKind {
    /// A process: it has a limit of open files of its own.
    Process,
    /// A thread: all share the limit of one process.
    Thread,
}

/// How several workers share a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// A socket for each (SO_REUSEPORT): the kernel spreads connections over them by address.
    Reuseport,
    /// One socket for all (EPOLLEXCLUSIVE): who is free takes the next.
    Shared,
}

impl Config {
    /// How many workers there are to be.
    pub fn workers(&self) -> usize {
        match self.workers {
            // It knows the affinity of this process and the quota of its cgroups.
            0 => std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX),
            workers => workers,
        }
    }

    /// What several workers cannot do; the setting, and what would do.
    fn check_workers(&self) -> Result<(), (&'static str, &'static str)> {
        if self.workers() == 1 {
            return Ok(());
        }
        let is_unix = |(endpoint, _): &Listener| matches!(endpoint.address, Address::Unix(_));
        if self.limits.at_limit == AtLimit::Refuse && self.listen.iter().any(is_unix) {
            let reason = "a unix:// socket that several workers have cannot refuse for a while and \
                          then listen again: use shed, pause or evict-idle, or --workers 1";
            return Err(("at_limit", reason));
        }
        Ok(())
    }

    /// The certificate for listeners that name none, if there is to be one: `before`, if that is
    /// for the same names, or a new one.
    ///
    /// # Errors
    /// [`SelfSigned::new`].
    pub fn certificate(
        &self,
        before: Option<SelfSigned>,
    ) -> Result<Option<SelfSigned>, TlsSetupError> {
        let endpoints = self.listen.iter().map(|(endpoint, _)| endpoint);
        let lacks = |it: &Endpoint| it.tls.as_ref().is_some_and(|tls| tls.cert == Path::new(""));
        let host = self.tls_self_signed.as_ref().filter(|_| endpoints.clone().any(lacks));
        host.map(|host| SelfSigned::new(host, endpoints, before)).transpose()
    }
}

/// One complete line that names the setting, who said it, what is wrong and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// A value as it was written, and where.
#[derive(Clone, Debug)]
pub struct Value {
    /// What was written.
    pub text: String,
    /// "flag --drain", "environment ONELOOP_DRAIN", "file a.toml:3:9".
    pub origin: String,
}

/// What one source says about one setting.
#[derive(Clone, Debug)]
pub struct Given {
    /// The setting.
    pub setting: &'static Setting,
    /// At least one; more than one only if the setting is a list.
    pub values: Vec<Value>,
}

/// A configuration that knows where each of its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Where the value of each of [`SETTINGS`] came from, in the same order.
    origins: Vec<String>,
}

/// Makes a configuration of what was given, the strongest source first. What is overridden is not
/// looked at; what nobody gave keeps its default.
///
/// # Errors
/// The first value that its setting cannot have.
pub fn merge(strongest_first: &[Given]) -> Result<Loaded, ConfigError> {
    let default = Config::default();
    let mut config = Config { listen: Vec::new(), ..default.clone() };
    let mut origins = Vec::with_capacity(SETTINGS.len());
    for setting in SETTINGS {
        let given = strongest_first.iter().find(|given| given.setting.name == setting.name);
        let values = given.map_or(&[][..], |given| &given.values);
        for Value { text, origin } in values {
            (setting.set)(&mut config, text).map_err(|reason| error(setting, origin, &reason))?;
        }
        origins.push(values.first().map_or("default".into(), |value| value.origin.clone()));
    }
    if config.listen.is_empty() {
        config.listen = default.listen;
    }
    Ok(Loaded { config, origins })
}

impl Loaded {
    /// Holds the values against each other and against this process.
    ///
    /// # Errors
    /// The first value that cannot hold, and what can.
    pub fn check(&self) -> Result<(), ConfigError> {
        if let Err(limit) = self.config.limits.check() {
            return Err(self.error(limit.name, &limit.reason));
        }
        if let Err((name, reason)) = self.config.check_workers() {
            return Err(self.error(name, reason));
        }
        if let Nofile::Set(wanted) = self.config.limits.nofile {
            check_nofile(wanted).map_err(|reason| self.error("nofile", &reason))?;
        }
        let certificate = self.config.certificate(None);
        let certificate =
            certificate.map_err(|error| self.error("tls_self_signed", &error.to_string()))?;
        for (at, (endpoint, _)) in self.config.listen.iter().enumerate() {
            TlsServer::load(endpoint, certificate.as_ref())
                .map_err(|error| self.error("listen", &format!("`{}`: {error}", endpoint.url())))?;
            let twin = |(other, _): &&Listener| collide(endpoint, other);
            if let Some((twin, _)) = self.config.listen[..at].iter().find(twin) {
                let (endpoint, twin) = (endpoint.url(), twin.url());
                let reason = format!("`{endpoint}` has the address of `{twin}`; use another one");
                return Err(self.error("listen", &reason));
            }
        }
        Ok(())
    }

    /// The configuration as a file that `--config` reads, with the origin of each value.
    pub fn to_toml(&self) -> String {
        let lines: Vec<(String, &String)> = SETTINGS
            .iter()
            .zip(&self.origins)
            .map(|(setting, origin)| {
                (format!("{} = {}", setting.name, (setting.get)(&self.config)), origin)
            })
            .collect();
        // The listeners may be many: their line does not push the other comments aside.
        let widths = lines.iter().map(|(line, _)| line.len()).filter(|width| *width <= 40);
        let width = widths.max().unwrap_or(0);
        let lines =
            lines.iter().map(|(line, origin)| format!("{line:width$}  # {}\n", one_line(origin)));
        lines.collect()
    }

    fn error(&self, name: &str, reason: &str) -> ConfigError {
        // A limit in milliseconds has its unit in the name; a setting has it in the value.
        let name = name.strip_suffix("_ms").unwrap_or(name);
        let found = SETTINGS.iter().zip(&self.origins).find(|(setting, _)| setting.name == name);
        found.map_or_else(
            || ConfigError(format!("{name}: {reason}")),
            |(setting, origin)| error(setting, origin, reason),
        )
    }
}

/// Warns of `ONELOOP_…` variables that no setting has: most likely they are misspelt. Those of
/// `oneloop load` are not ours to judge.
pub fn unknown_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let known: Vec<String> =
        SETTINGS.iter().map(Setting::variable).chain(["ONELOOP_CONFIG".into()]).collect();
    names
        .filter(|name| name.starts_with("ONELOOP_") && !name.starts_with("ONELOOP_LOAD_"))
        .filter(|name| !VARIABLES.contains(&name.as_str()))
        .filter(|name| !known.contains(name))
        .map(|name| unknown("variable", &name, known.iter().map(String::as_str)))
        .collect()
}

/// `text` without line breaks or anything else that a terminal would act on.
pub fn one_line(text: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

fn error(setting: &Setting, origin: &str, reason: &str) -> ConfigError {
    ConfigError(format!("{} ({origin}): {reason}", setting.name))
}

/// Whether the second of two listeners would find its address in use.
fn collide(one: &Endpoint, other: &Endpoint) -> bool {
    let shared = one.options.reuse_port && other.options.reuse_port;
    match (&one.address, &other.address) {
        (Address::Tcp(a), Address::Tcp(b)) | (Address::Udp(a), Address::Udp(b)) => {
            a == b && a.port() != 0 && !shared
        }
        (Address::Unix(a), Address::Unix(b)) => a == b,
        _ => false,
    }
}

/// Only the kernel knows who may raise the hard limit, and how far: ask it, and put it back.
fn check_nofile(wanted: u64) -> Result<(), String> {
    let now = rlimit::nofile().map_err(|error| format!("the limit cannot be read: {error}"))?;
    if wanted <= now.hard {
        return Ok(());
    }
    rlimit::set_nofile(Rlimit { hard: wanted, ..now })
        .and_then(|()| rlimit::set_nofile(now))
        .map_err(|error| {
            format!(
                "{wanted} is above the hard limit {} and this process may not raise it ({error}); \
                 write at most {0}, or max, or let root raise it first (ulimit -Hn {wanted})",
                now.hard
            )
        })
}

#[cfg(test)]
mod tests;
