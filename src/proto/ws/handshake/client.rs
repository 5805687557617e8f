//! The client's side of the handshake (RFC 6455 section 4.1).
//!
//! **What.** [`request`] appends the request; [`verify`] judges the answer.
//!
//! **Why this way.** The nonce is an argument, as all randomness is. The answer is judged as
//! strictly as a request: a proxy that answers 101 without having understood it would otherwise
//! get frames.
//!
//! **Costs.** One SHA-1 of 60 bytes; no allocation.
//!
//! **Read next.** `src/proto/ws/handshake/fields.rs`.

use super::fields::{self, OnlyOne, has_token};
use super::{Accept, KEY_BYTES, STANDARD};
use base64::Engine;
use std::fmt;

/// What the client asks with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// From 16 random bytes, fresh for each connection.
    pub fn new(nonce: [u8; 16]) -> Key {
        let mut text = [0; KEY_BYTES];
        let written = STANDARD.encode_slice(nonce, &mut text);
        debug_assert_eq!(written.ok(), Some(KEY_BYTES), "16 bytes are 24 in base64");
        Key(text)
    }

    /// As the header field has it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why an answer opens no WebSocket (4.1, the list at the end).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The status is not 101.
    Status(u16),
    /// `Upgrade` is not `websocket`.
    Upgrade,
    /// `Connection` does not list `upgrade`.
    Connection,
    /// `Sec-WebSocket-Accept` is not the answer to the key: something else answered.
    Accept,
    /// An extension that was not asked for.
    Extension,
    /// A subprotocol that was not asked for.
    Protocol,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Status(status) => write!(f, "the status is {status} and not 101"),
            Mismatch::Upgrade => f.write_str("Upgrade is not websocket"),
            Mismatch::Connection => f.write_str("Connection does not list upgrade"),
            Mismatch::Accept => f.write_str("Sec-WebSocket-Accept does not answer the key"),
            Mismatch::Extension => f.write_str("an extension that was not asked for"),
            Mismatch::Protocol => f.write_str("a subprotocol that was not asked for"),
        }
    }
}

/// Appends the request for `path` (with its query, beginning with `/`) on `host` (with its port,
/// unless that is the scheme's own). `extensions` is the value of that field; empty: none.
pub fn request(
    host: &str,
    path: &str,
    key: &Key,
    protocols: &[&str],
    extensions: &[u8],
    out: &mut Vec<u8>,
) {
    let mut put = |text: &str| out.extend_from_slice(text.as_bytes());
    put("GET ");
    put(path);
    put(" HTTP/1.1\r\nHost: ");
    put(host);
    put("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
    for (index, protocol) in protocols.iter().enumerate() {
        put(if index == 0 { "Sec-WebSocket-Protocol: " } else { ", " });
        put(protocol);
    }
    put(if protocols.is_empty() { "Sec-WebSocket-Key: " } else { "\r\nSec-WebSocket-Key: " });
    out.extend_from_slice(key.as_bytes());
    if !extensions.is_empty() {
        out.extend_from_slice(b"\r\nSec-WebSocket-Extensions: ");
        out.extend_from_slice(extensions);
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// Judges the answer to a request with `key` and `protocols`; returns the subprotocol that the
/// server chose. `extensions` are the names of those that were asked for.
///
/// # Errors
/// The first [`Mismatch`] in the order of the enum.
pub fn verify<'h, 'p>(
    status: u16,
    headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    key: &Key,
    protocols: &[&'p str],
    extensions: &[&str],
) -> Result<Option<&'p str>, Mismatch> {
    let only_one = |name| {
        let mut only = OnlyOne::default();
        fields::values(headers.clone(), name).for_each(|value| only.add(fields::trim(value)));
        only
    };
    if status != 101 {
        return Err(Mismatch::Status(status));
    }
    let upgrade = only_one("upgrade").get();
    if !upgrade.is_some_and(|value| value.eq_ignore_ascii_case(b"websocket")) {
        return Err(Mismatch::Upgrade);
    }
    if !fields::values(headers.clone(), "connection").any(|value| has_token(value, "upgrade")) {
        return Err(Mismatch::Connection);
    }
    let accept = Accept::of(key.as_bytes());
    if only_one("sec-websocket-accept").get() != Some(accept.as_bytes()) {
        return Err(Mismatch::Accept);
    }
    let mut agreed = fields::values(headers.clone(), "sec-websocket-extensions")
        .flat_map(super::parse_extensions);
    if !agreed.all(|it| it.is_ok_and(|it| extensions.contains(&it.name))) {
        return Err(Mismatch::Extension);
    }
    match only_one("sec-websocket-protocol") {
        OnlyOne::None => Ok(None),
        OnlyOne::Several => Err(Mismatch::Protocol),
        OnlyOne::One(chosen) => {
            let asked = protocols.iter().find(|asked| asked.as_bytes() == chosen);
            asked.copied().map(Some).ok_or(Mismatch::Protocol)
        }
    }
}

#[cfg(test)]
mod tests;
