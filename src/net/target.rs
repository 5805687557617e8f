//! Whom a client talks to, and how: one URL.
//!
//! **What.** [`Target`] is parsed from `ws://127.0.0.1:7080/echo`, `https://[::1]/`,
//! `tls://localhost:7001`, or any URL of a plain [`Endpoint`](super::Endpoint).
//!
//! **Why this way.** A client's URL is not a listener's: what is behind the path belongs to the
//! server and not to our sockets, the port may be left out, and the name is needed as it was
//! written (`Host`, RFC 9110 7.2; the name in a certificate). So it has a type of its own, which
//! shares the resolving.
//!
//! **Costs.** Parsed once at start. A host name is resolved then (blocking).
//!
//! **Read next.** `src/net/connector.rs`, `src/load/mod.rs`.

use super::endpoint::{
    Address, Endpoint, EndpointError, Protocol, SocketOptions, resolve, unknown,
};
use std::fmt;

/// What is spoken at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The service's own bytes: `tcp://`, `udp://`, `unix://`, `tls://`.
    Bytes,
    /// WebSocket, from the upgrade to the closing handshake: `ws://`, `wss://`.
    WebSocket,
    /// HTTP/1.1: `http://`, `https://`.
    Http,
}

impl Dialect {
    const SCHEMES: [&str; 8] = ["tcp", "udp", "unix", "tls", "ws", "wss", "http", "https"];

    /// The port that a URL may leave out.
    fn default_port(self, is_secure: bool) -> Option<u16> {
        match self {
            Dialect::Bytes => None,
            Dialect::WebSocket | Dialect::Http => Some(if is_secure { 443 } else { 80 }),
        }
    }
}

/// Where to connect, and what to say there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where: what the name stood for at the start.
    pub address: Address,
    /// What is spoken there.
    pub dialect: Dialect,
    /// It is spoken under TLS.
    pub is_secure: bool,
    /// What `Host` says: as in the URL, without the scheme's own port. Empty for plain bytes.
    pub host: String,
    /// Path and query, beginning with `/`. Empty for bytes.
    pub path: String,
}

impl From<Address> for Target {
    /// Plain bytes.
    fn from(address: Address) -> Target {
        let (host, path) = (String::new(), String::new());
        Target { address, dialect: Dialect::Bytes, is_secure: false, host, path }
    }
}

impl Target {
    /// Parses `SCHEME://HOST[:PORT][/PATH][?QUERY]`, `unix:///PATH` and the like.
    ///
    /// # Errors
    /// [`EndpointError`] names the part that is wrong, what is allowed and the nearest spelling.
    pub fn parse(url: &str) -> Result<Target, EndpointError> {
        let fail = |reason| EndpointError::new(url, reason);
        let Some((scheme, rest)) = url.split_once("://") else {
            let forms = "write tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH, tls://HOST:PORT, \
                         ws://HOST:PORT/PATH, http://HOST:PORT/PATH, wss:// or https://";
            return Err(fail(forms.to_owned()));
        };
        match scheme {
            "tcp" | "udp" | "unix" => Endpoint::parse(url).map(|it| it.address.into()),
            "tls" => place(rest, Dialect::Bytes, true).map_err(fail),
            "ws" => place(rest, Dialect::WebSocket, false).map_err(fail),
            "wss" => place(rest, Dialect::WebSocket, true).map_err(fail),
            "http" => place(rest, Dialect::Http, false).map_err(fail),
            "https" => place(rest, Dialect::Http, true).map_err(fail),
            other => Err(fail(unknown("scheme", other, Dialect::SCHEMES))),
        }
    }

    /// The host without its port: what a certificate must be for.
    pub fn host_name(&self) -> &str {
        match self.host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => self.host.split(':').next().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Target {
    /// The URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.is_secure { "s" } else { "" };
        match self.dialect {
            Dialect::WebSocket => write!(f, "ws{s}://{}{}", self.host, self.path),
            Dialect::Http => write!(f, "http{s}://{}{}", self.host, self.path),
            Dialect::Bytes if self.is_secure => write!(f, "tls://{}", self.host),
            Dialect::Bytes => {
                let (protocol, options) = (Protocol::default(), SocketOptions::default());
                let (address, service) = (self.address.clone(), String::new());
                let url = Endpoint { address, protocol, service, options, tls: None }.to_string();
                f.write_str(url.trim_end_matches('/'))
            }
        }
    }
}

/// What stands behind `ws://`, `http://` or `tls://`.
fn place(rest: &str, dialect: Dialect, is_secure: bool) -> Result<Target, String> {
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if dialect == Dialect::Bytes && !matches!(path, "" | "/") {
        return Err("what is behind the port is for a server to know: leave it out".to_owned());
    }
    if path.contains('#') {
        return Err("what is behind # is never sent: leave it out".to_owned());
    }
    if let Some(bad) = path.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(format!("{bad:?} cannot stand in a path: write its bytes as %XX"));
    }
    if authority.contains('@') {
        return Err("user and password are not supported: leave them out".to_owned());
    }
    if !authority.starts_with('[') && authority.matches(':').count() > 1 {
        return Err("an IPv6 address stands in brackets: [::1]:7080".to_owned());
    }
    // The colons of an IPv6 address are within its brackets.
    let behind_address = authority.rsplit(']').next().unwrap_or(authority);
    let default_port = dialect.default_port(is_secure);
    let with_port = match default_port {
        Some(port) if !behind_address.contains(':') => format!("{authority}:{port}"),
        _ => authority.to_owned(),
    };
    if authority.is_empty() || authority.starts_with(':') {
        return Err("no host: write HOST or HOST:PORT behind the slashes".to_owned());
    }
    let own_port = default_port.map(|port| format!(":{port}"));
    let host = own_port.and_then(|port| authority.strip_suffix(&port)).unwrap_or(authority);
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Target {
        address: Address::Tcp(resolve(&with_port)?),
        dialect,
        is_secure,
        host: host.to_owned(),
        path: format!("{slash}{path}"),
    })
}

#[cfg(test)]
mod tests;
