//! Where to listen or connect, and how: one URL.
//!
//! **What.** [`Endpoint`] is parsed from `tcp://127.0.0.1:7000/echo?backlog=128`; [`OPTIONS`] lists
//! what may stand behind the question mark.
//!
//! **Why this way.** One line says everything about a listener, on the command line as in a file.
//! The `url` crate was rejected: it brings Unicode domain tables, and its errors could not name the
//! nearest spelling.
//!
//! **Costs.** Parsed once at start. A host name is resolved then (blocking).
//!
//! **Read next.** `src/net/acceptor.rs`, which binds it.

use std::fmt;
use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

/// A transport and an address of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `tcp://HOST:PORT`
    Tcp(SocketAddr),
    /// `udp://HOST:PORT`
    Udp(SocketAddr),
    /// `unix:///PATH`
    Unix(PathBuf),
}

/// What connections speak at an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The service's own bytes or lines: `tcp://`, `udp://`, `unix://`, `tls://`.
    #[default]
    Stream,
    /// HTTP, from which a connection may be upgraded to WebSocket: `http://`, `https://`.
    Http,
}

/// An address, the service behind it and the options of its sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub address: Address,
    /// What connections speak there.
    pub protocol: Protocol,
    /// The name of the service: the URL's path, or `service=` for a Unix socket. May be empty.
    pub service: String,
    /// How.
    pub options: SocketOptions,
    /// Under TLS, if it is: `https://`, `tls://`.
    pub tls: Option<Box<TlsOptions>>,
}

/// What TLS needs at an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// A PEM file with the certificate and those that sign it. Empty if it is not given.
    pub cert: PathBuf,
    /// A PEM file with its key. Given exactly if `cert` is.
    pub key: PathBuf,
}

/// The options of a listener's sockets. All but `backlog` are inherited by accepted sockets, so
/// they cost nothing at accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Connections the kernel may hold ready for `accept` (`listen(2)`).
    pub backlog: u32,
    /// Several sockets may listen on the port and share its connections (`SO_REUSEPORT`).
    pub reuse_port: bool,
    /// Send small writes at once (`TCP_NODELAY`).
    pub nodelay: bool,
    /// Probe a connection that is silent for so long; `None` never does (`SO_KEEPALIVE`).
    pub keepalive: Option<Duration>,
    /// Give up on a connection whose sent bytes are unacknowledged for so long
    /// (`TCP_USER_TIMEOUT`); `None` leaves it to the system.
    pub user_timeout: Option<Duration>,
    /// Accept only when data has arrived, or after so long (`TCP_DEFER_ACCEPT`, whole seconds).
    pub defer_accept: Option<Duration>,
    /// Bytes of the receive buffer (`SO_RCVBUF`); `None` lets the kernel adapt it.
    pub rcvbuf: Option<usize>,
    /// Bytes of the send buffer (`SO_SNDBUF`); `None` lets the kernel adapt it.
    pub sndbuf: Option<usize>,
    /// An IPv6 listener takes no IPv4 connections (`IPV6_V6ONLY`).
    pub v6only: bool,
}

impl Default for SocketOptions {
    fn default() -> Self {
        SocketOptions {
            backlog: 4096,
            reuse_port: false,
            nodelay: true,
            keepalive: Some(Duration::from_secs(60)),
            user_timeout: None,
            defer_accept: None,
            rcvbuf: None,
            sndbuf: None,
            v6only: false,
        }
    }
}

/// A query option: how it is written and what it does.
pub struct OptionDoc {
    /// The key.
    pub name: &'static str,
    /// What may stand behind `=`, and the default.
    pub values: &'static str,
    /// One line.
    pub doc: &'static str,
}

/// Every option that may stand behind the `?` of an endpoint.
pub const OPTIONS: &[OptionDoc] = &[
    option(
        "backlog",
        "N (4096)",
        "connections the kernel may hold ready for accept; at most net.core.somaxconn",
    ),
    option("reuse_port", "true|false (false)", "let several sockets share the port (SO_REUSEPORT)"),
    option("nodelay", "true|false (true)", "send small writes at once (TCP_NODELAY)"),
    option(
        "keepalive",
        "DURATION|off (60s)",
        "probe a connection that is silent for so long (SO_KEEPALIVE)",
    ),
    option(
        "user_timeout",
        "DURATION|off (off)",
        "drop a connection whose output is unacknowledged for so long (TCP_USER_TIMEOUT)",
    ),
    option(
        "defer_accept",
        "DURATION|off (off)",
        "accept only when data is there, or after so long (TCP_DEFER_ACCEPT)",
    ),
    option("rcvbuf", "BYTES|auto (auto)", "receive buffer of each socket (SO_RCVBUF)"),
    option("sndbuf", "BYTES|auto (auto)", "send buffer of each socket (SO_SNDBUF)"),
    option(
        "v6only",
        "true|false (false)",
        "an IPv6 listener takes no IPv4 connections (IPV6_V6ONLY)",
    ),
    option(TLS_CERT, "PATH", "https, tls: PEM file with the certificate and those that sign it"),
    option(TLS_KEY, "PATH", "https, tls: PEM file with the certificate's private key"),
];

pub(super) const TLS_CERT: &str = "tls_cert";
pub(super) const TLS_KEY: &str = "tls_key";

const fn option(name: &'static str, values: &'static str, doc: &'static str) -> OptionDoc {
    OptionDoc { name, values, doc }
}

/// A URL that cannot be used: what is wrong, what is allowed, the nearest spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointError(String);

impl EndpointError {
    pub(super) fn new(url: &str, reason: String) -> EndpointError {
        EndpointError(format!("`{url}`: {reason}"))
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EndpointError {}

impl Endpoint {
    /// Parses `SCHEME://ADDRESS[/SERVICE][?OPTION=VALUE&…]`.
    ///
    /// # Errors
    /// [`EndpointError`] names the part that is wrong, what is allowed and the nearest spelling.
    pub fn parse(url: &str) -> Result<Endpoint, EndpointError> {
        parse(url).map_err(|reason| EndpointError::new(url, reason))
    }

    /// The whole URL: parsed again it is the same endpoint. Options at their default are left out.
    pub fn url(&self) -> String {
        let default = SocketOptions::default();
        let mut url = self.to_string();
        for OptionDoc { name, .. } in OPTIONS {
            let value = match &self.tls {
                Some(tls) if *name == TLS_CERT => tls.cert.display().to_string(),
                Some(tls) if *name == TLS_KEY => tls.key.display().to_string(),
                _ => self.options.get(name),
            };
            if value != default.get(name) {
                url.push(if url.contains('?') { '&' } else { '?' });
                url.extend([*name, "=", &value]);
            }
        }
        url
    }
}

impl fmt::Display for Endpoint {
    /// The URL without its options: what a `listening` line shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Tcp(address) => {
                let (scheme, is_http) = match (self.protocol, &self.tls) {
                    (Protocol::Http, None) => ("http", true),
                    (Protocol::Http, Some(_)) => ("https", true),
                    (Protocol::Stream, None) => ("tcp", false),
                    (Protocol::Stream, Some(_)) => ("tls", false),
                };
                let slash = if is_http && self.service.is_empty() { "" } else { "/" };
                write!(f, "{scheme}://{address}{slash}{}", self.service)
            }
            Address::Udp(address) => write!(f, "udp://{address}/{}", self.service),
            Address::Unix(path) if self.service.is_empty() => {
                write!(f, "unix://{}", path.display())
            }
            Address::Unix(path) => write!(f, "unix://{}?service={}", path.display(), self.service),
        }
    }
}

fn parse(url: &str) -> Result<Endpoint, String> {
    const FORM: &str = "write tcp://HOST:PORT/SERVICE, tls://HOST:PORT/SERVICE, \
                        udp://HOST:PORT/SERVICE, http://HOST:PORT, https://HOST:PORT or \
                        unix:///PATH";
    let (scheme, rest) = url.split_once("://").ok_or(FORM)?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (place, mut service) = match scheme {
        "tcp" | "tls" | "udp" | "http" | "https" => place.split_once('/').unwrap_or((place, "")),
        _ => (place, ""),
    };
    let address = match scheme {
        "tcp" | "tls" | "http" | "https" => Address::Tcp(resolve(place)?),
        "udp" => Address::Udp(resolve(place)?),
        "unix" if place.starts_with('/') => Address::Unix(PathBuf::from(place)),
        "unix" => return Err("a unix socket needs an absolute path: unix:///run/x.sock".into()),
        "ws" | "wss" => {
            return Err("a server listens on http:// or https://, where a path is upgraded".into());
        }
        other => {
            let schemes = ["tcp", "tls", "udp", "unix", "http", "https"];
            return Err(unknown("scheme", other, schemes));
        }
    };
    let mut options = SocketOptions::default();
    let mut tls = ["tls", "https"].contains(&scheme).then(Box::<TlsOptions>::default);
    if tls.is_some() && !cfg!(feature = "tls") {
        return Err("this program was built without TLS: build it with the feature `tls`".into());
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("option `{pair}` has no value: {pair}=…"))?;
        match (key, &mut tls) {
            ("service", _) if scheme == "unix" => service = value,
            (TLS_CERT, Some(tls)) => tls.cert = value.into(),
            (TLS_KEY, Some(tls)) => tls.key = value.into(),
            (TLS_CERT | TLS_KEY, None) => {
                return Err(format!("option {key}: {scheme}:// has no TLS; use tls or https"));
            }
            (key, _) => options.set(key, value)?,
        }
    }
    let given = tls.as_ref().map(|tls| [&tls.cert, &tls.key].map(|it| !it.as_os_str().is_empty()));
    if let Some([true, false] | [false, true]) = given {
        return Err(format!("{TLS_CERT} and {TLS_KEY} go together: give both"));
    }
    if matches!(&address, Address::Tcp(a) | Address::Udp(a) if options.v6only && a.is_ipv4()) {
        return Err("v6only=true needs an IPv6 address, such as [::]".into());
    }
    let protocol = match scheme {
        "http" | "https" => Protocol::Http,
        _ => Protocol::Stream,
    };
    Ok(Endpoint { address, protocol, service: service.to_owned(), options, tls })
}

impl SocketOptions {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let Some(option) = OPTIONS.iter().find(|option| option.name == key) else {
            return Err(unknown("option", key, OPTIONS.iter().map(|option| option.name)));
        };
        self.try_set(key, value)
            .ok_or_else(|| format!("option {key}: `{value}` is not {}", option.values))
    }

    /// The value of an option as a URL has it; empty for what is no option.
    fn get(&self, key: &str) -> String {
        match key {
            "backlog" => self.backlog.to_string(),
            "reuse_port" => self.reuse_port.to_string(),
            "nodelay" => self.nodelay.to_string(),
            "keepalive" => self.keepalive.map_or("off".into(), format_duration),
            "user_timeout" => self.user_timeout.map_or("off".into(), format_duration),
            "defer_accept" => self.defer_accept.map_or("off".into(), format_duration),
            "rcvbuf" => self.rcvbuf.map_or("auto".into(), |bytes| format_bytes(bytes as u64)),
            "sndbuf" => self.sndbuf.map_or("auto".into(), |bytes| format_bytes(bytes as u64)),
            "v6only" => self.v6only.to_string(),
            _ => String::new(),
        }
    }

    /// `None` if `value` is not one of the values that the option's line in [`OPTIONS`] names.
    fn try_set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "backlog" => {
                self.backlog = value.parse().ok().filter(|n| (1..=i32::MAX as u32).contains(n))?;
            }
            "reuse_port" => self.reuse_port = value.parse().ok()?,
            "nodelay" => self.nodelay = value.parse().ok()?,
            "keepalive" => self.keepalive = duration(value)?,
            "user_timeout" => self.user_timeout = duration(value)?,
            "defer_accept" => self.defer_accept = duration(value)?,
            "rcvbuf" => self.rcvbuf = buffer_bytes(value)?,
            "sndbuf" => self.sndbuf = buffer_bytes(value)?,
            "v6only" => self.v6only = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }
}

fn duration(value: &str) -> Option<Option<Duration>> {
    match value {
        "off" => Some(None),
        value => humantime::parse_duration(value).ok().filter(|time| !time.is_zero()).map(Some),
    }
}

fn buffer_bytes(value: &str) -> Option<Option<usize>> {
    match value {
        "auto" => Some(None),
        value => {
            let bytes = parse_bytes(value)?;
            usize::try_from(bytes).ok().filter(|n| (1..=i32::MAX as usize).contains(n)).map(Some)
        }
    }
}

/// Parses a number of bytes: `4096`, `64KiB`, `64k`, `1M`, `2GiB`. Units are powers of 1,024.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Writes a number of bytes as [`parse_bytes`] reads it, in the largest exact unit: `64KiB`.
pub fn format_bytes(bytes: u64) -> String {
    match bytes.trailing_zeros() {
        30..64 => format!("{}GiB", bytes >> 30),
        20..30 => format!("{}MiB", bytes >> 20),
        10..20 => format!("{}KiB", bytes >> 10),
        _ => bytes.to_string(),
    }
}

/// Writes a duration as one word: `1m30s`.
pub fn format_duration(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

/// The first address of `HOST:PORT`.
pub(super) fn resolve(place: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = place.parse() {
        return Ok(address);
    }
    if !place.rsplit(']').next().is_some_and(|end| end.contains(':')) {
        return Err(format!("`{place}` has no port: write {place}:7000"));
    }
    match place.to_socket_addrs() {
        Ok(mut found) => found.next().ok_or_else(|| format!("`{place}` has no address")),
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            Err(format!("`{place}` is not HOST:PORT ({error})"))
        }
        Err(error) => Err(format!("`{place}` cannot be resolved ({error}); is the name right?")),
    }
}

/// "unknown option `nodealy`; did you mean `nodelay`? (allowed: …)"
pub(crate) fn unknown<'a>(
    what: &str,
    given: &str,
    allowed: impl IntoIterator<Item = &'a str>,
) -> String {
    let allowed: Vec<&str> = allowed.into_iter().collect();
    let nearest = allowed
        .iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(2))
        .min();
    let hint = nearest.map_or(String::new(), |(_, name)| format!(" did you mean `{name}`?"));
    format!("unknown {what} `{given}`;{hint} allowed: {}", allowed.join(", "))
}
