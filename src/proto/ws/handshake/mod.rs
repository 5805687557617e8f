//! How an HTTP connection becomes a WebSocket (RFC 6455 section 4).
//!
//! **What.** [`check`] judges a request as a server must, and [`Upgrade::write`] answers it;
//! [`client`] has the other side.
//!
//! **Why this way.** Header fields come in as pairs of name and value, from whatever parsed them:
//! nothing here knows an HTTP parser, and nothing is stored. Each refusal has the status that the
//! RFC names. Who may come (the origin, 10.2) and where to (the path) is the server's matter, not
//! the protocol's.
//!
//! **Costs.** One pass over the fields, one SHA-1 of 60 bytes, no allocation.
//!
//! **Read next.** `src/proto/ws/handshake/fields.rs`, `src/proto/ws/handshake/client.rs`.

pub mod client;
pub mod extension;
mod fields;

use super::deflate;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use extension::parse as parse_extensions;
use fields::{OnlyOne, has_token, is_token, list};

/// What the accept value is made of besides the client's key (1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// A key: 16 bytes in base64.
const KEY_BYTES: usize = 24;

/// Subprotocols that a client may list. Each is compared with those before it.
const PROTOCOLS_MAX: usize = 32;

/// What the server answers to a key: 20 bytes of SHA-1 in base64 (4.2.2, step 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept([u8; 28]);

impl Accept {
    /// The answer to a key in the form in which it was sent.
    pub fn of(key: &[u8]) -> Accept {
        let mut sha1 = sha1_smol::Sha1::new();
        sha1.update(key);
        sha1.update(GUID);
        let mut text = [0; 28];
        let written = STANDARD.encode_slice(sha1.digest().bytes(), &mut text);
        debug_assert_eq!(written.ok(), Some(28), "20 bytes are 28 in base64");
        Accept(text)
    }

    /// As the header field has it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why a request is no good opening of a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not GET.
    Method,
    /// Below HTTP/1.1.
    HttpVersion,
    /// A body follows, which would be taken for frames.
    Body,
    /// No `Host`, or several.
    Host,
    /// `Upgrade` does not list `websocket`.
    NoUpgrade,
    /// `Connection` does not list `upgrade`.
    NoConnectionUpgrade,
    /// `Sec-WebSocket-Key` is missing, doubled, or not 16 bytes in base64.
    Key,
    /// `Sec-WebSocket-Version` is not 13.
    Version,
    /// `Sec-WebSocket-Protocol` is not a list of different tokens, or of more than 32.
    Protocols,
    /// `Sec-WebSocket-Extensions` breaks its grammar (9.1).
    Extensions,
}

impl Refusal {
    /// The HTTP status to answer with.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Method => 405,
            Refusal::NoUpgrade | Refusal::Version => 426,
            _ => 400,
        }
    }

    /// Header fields that belong to that status, each with its line ending. Besides them the
    /// answer must have `Connection: close`.
    pub fn fields(self) -> &'static str {
        match self {
            Refusal::Method => "Allow: GET\r\n",
            Refusal::NoUpgrade | Refusal::Version => {
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            }
            _ => "",
        }
    }

    /// The same in words, for the body of the answer.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::Method => "a WebSocket begins with GET",
            Refusal::HttpVersion => "a WebSocket needs HTTP/1.1",
            Refusal::Body => "an upgrade must not have a body",
            Refusal::Host => "one Host field is needed",
            Refusal::NoUpgrade => "this is a WebSocket: send Upgrade: websocket",
            Refusal::NoConnectionUpgrade => "send Connection: Upgrade",
            Refusal::Key => "Sec-WebSocket-Key must be 16 bytes in base64, once",
            Refusal::Version => "Sec-WebSocket-Version must be 13",
            Refusal::Protocols => "Sec-WebSocket-Protocol must list different tokens",
            Refusal::Extensions => "Sec-WebSocket-Extensions is malformed",
        }
    }
}

/// A request that may be upgraded, and the answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgrade<'a> {
    /// The answer to the client's key.
    pub accept: Accept,
    /// The subprotocol that both speak, if there is one.
    pub protocol: Option<&'a str>,
    /// What was agreed on if messages may be compressed. It is the caller's to set.
    pub deflate: Option<deflate::Params>,
}

impl Upgrade<'_> {
    /// Appends the answer. Frames follow it at once.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: ",
        );
        out.extend_from_slice(self.accept.as_bytes());
        if let Some(protocol) = self.protocol {
            out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
            out.extend_from_slice(protocol.as_bytes());
        }
        if let Some(agreed) = &self.deflate {
            out.extend_from_slice(b"\r\nSec-WebSocket-Extensions: ");
            agreed.write(out);
        }
        out.extend_from_slice(b"\r\n\r\n");
    }
}

/// Judges a request as 4.2.1 wants it: its method, the minor version of HTTP/1.x, and its header
/// fields in order. Of `protocols`, what the server speaks, the first that the client lists is
/// chosen: the client lists them as it likes them best (4.1).
///
/// # Errors
/// The first [`Refusal`] in the order of the enum.
pub fn check<'h, 'p>(
    method: &str,
    minor_version: u8,
    headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    protocols: &[&'p str],
) -> Result<Upgrade<'p>, Refusal> {
    let mut seen = Seen::default();
    for (name, value) in headers.clone() {
        seen.add(name, value.trim_ascii());
    }
    let require = |met: bool, otherwise: Refusal| if met { Ok(()) } else { Err(otherwise) };
    require(method == "GET", Refusal::Method)?;
    require(minor_version >= 1, Refusal::HttpVersion)?;
    require(!seen.has_body, Refusal::Body)?;
    require(seen.host.get().is_some(), Refusal::Host)?;
    require(seen.upgrade, Refusal::NoUpgrade)?;
    require(seen.connection, Refusal::NoConnectionUpgrade)?;
    let key = seen.key.get().filter(|key| is_key(key)).ok_or(Refusal::Key)?;
    require(seen.version.get() == Some(b"13"), Refusal::Version)?;
    let protocol = choose_protocol(headers.clone(), protocols)?;
    for value in fields::values(headers, "sec-websocket-extensions") {
        require(parse_extensions(value).all(|it| it.is_ok()), Refusal::Extensions)?;
    }
    Ok(Upgrade { accept: Accept::of(key), protocol, deflate: None })
}

/// What the fields of a request said.
#[derive(Default)]
struct Seen<'h> {
    host: OnlyOne<'h>,
    upgrade: bool,
    connection: bool,
    key: OnlyOne<'h>,
    version: OnlyOne<'h>,
    has_body: bool,
}

impl<'h> Seen<'h> {
    fn add(&mut self, name: &str, value: &'h [u8]) {
        match name {
            _ if name.eq_ignore_ascii_case("host") => self.host.add(value),
            _ if name.eq_ignore_ascii_case("upgrade") => {
                self.upgrade |= has_token(value, "websocket");
            }
            _ if name.eq_ignore_ascii_case("connection") => {
                self.connection |= has_token(value, "upgrade");
            }
            _ if name.eq_ignore_ascii_case("sec-websocket-key") => self.key.add(value),
            _ if name.eq_ignore_ascii_case("sec-websocket-version") => self.version.add(value),
            _ if name.eq_ignore_ascii_case("transfer-encoding") => self.has_body = true,
            _ if name.eq_ignore_ascii_case("content-length") => self.has_body |= value != b"0",
            _ => {}
        }
    }
}

/// Whether `key` is 16 bytes in base64.
fn is_key(key: &[u8]) -> bool {
    // The decoder wants room for what might be 18 bytes.
    let mut bytes = [0; 18];
    key.len() == KEY_BYTES && STANDARD.decode_slice(key, &mut bytes) == Ok(16)
}

fn choose_protocol<'h, 'p>(
    headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    protocols: &[&'p str],
) -> Result<Option<&'p str>, Refusal> {
    let wanted = || fields::values(headers.clone(), "sec-websocket-protocol").flat_map(list);
    let mut chosen = None;
    for (index, name) in wanted().enumerate() {
        if index == PROTOCOLS_MAX
            || !is_token(name)
            || wanted().take(index).any(|before| before == name)
        {
            return Err(Refusal::Protocols);
        }
        let spoken = || protocols.iter().find(|spoken| spoken.as_bytes() == name).copied();
        chosen = chosen.or_else(spoken);
    }
    let is_empty = wanted().next().is_none();
    let is_sent = fields::values(headers, "sec-websocket-protocol").next().is_some();
    if is_sent && is_empty { Err(Refusal::Protocols) } else { Ok(chosen) }
}

#[cfg(test)]
mod tests;
