//! What two ends agree on (RFC 7692 section 7.1): four parameters, in an offer and in an answer.
//!
//! **What.** A server [`accept`]s the first good offer of a client; a client writes its [`offer`]
//! and [`verify`]s the answer. Both end with the same [`Params`].
//!
//! **Why this way.** One struct is our wish, an offer, an answer and what holds: each is the other
//! with something added. Every window that the RFC knows can be used, so a server declines only
//! what is invalid. By default nobody takes context over: then all connections of a worker share
//! one compressor and one inflater, and an idle one costs nothing.
//!
//! **Costs.** One pass over the field; no allocation. What is agreed on is 6 bytes.
//!
//! **Read next.** `src/proto/ws/handshake/extension.rs`, `src/proto/ws/deflate/mod.rs`.

use crate::proto::ws::Role;
use crate::proto::ws::handshake::client::Mismatch;
use crate::proto::ws::handshake::extension::{self, Extension};
use std::mem::replace;

/// The name of the extension.
pub const NAME: &str = "permessage-deflate";

/// How far back a compressor may refer: 2 to this power, bytes. From 8 to 15 (7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 256 bytes.
    pub const MIN: WindowBits = WindowBits(8);
    /// 32 KiB, which holds where nothing is said.
    pub const MAX: WindowBits = WindowBits(15);

    /// From the number; `None` if it is not from 8 to 15.
    pub fn new(bits: u8) -> Option<WindowBits> {
        (8..=15).contains(&bits).then_some(WindowBits(bits))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }

    fn parse(text: &str) -> Option<WindowBits> {
        let at = TEXTS.iter().position(|it| *it == text)?;
        WindowBits::new(WindowBits::MIN.0 + at as u8)
    }

    fn text(self) -> &'static str {
        TEXTS[self.index()]
    }

    /// From 0 to 7.
    pub(super) fn index(self) -> usize {
        usize::from(self.0 - WindowBits::MIN.0)
    }
}

/// The only values of a window parameter: decimal, without a zero or a sign in front.
const TEXTS: [&str; 8] = ["8", "9", "10", "11", "12", "13", "14", "15"];

/// The parameters: of an offer, of an answer, or what we wish for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The server begins each message with an empty window (7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client does (7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server's largest window (7.1.2.1).
    pub server_max_window_bits: Option<WindowBits>,
    /// The client's (7.1.2.2). An offer may name it without a value, which is read as 15. A server
    /// can wish for it, but get it only from a client that offers it.
    pub client_max_window_bits: Option<WindowBits>,
}

impl Default for Params {
    /// What we wish for unless told otherwise: no context takeover, any window.
    fn default() -> Self {
        Params {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: None,
            client_max_window_bits: None,
        }
    }
}

/// What holds for all messages in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// A message may refer to those before it.
    pub takeover: bool,
    /// How far back.
    pub window_bits: WindowBits,
}

impl Params {
    /// Nothing said.
    const NONE: Params = Params {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: None,
        client_max_window_bits: None,
    };

    /// What holds for the messages that `sender` sends.
    pub fn flow(&self, sender: Role) -> Flow {
        let (no_takeover, bits) = match sender {
            Role::Server => (self.server_no_context_takeover, self.server_max_window_bits),
            Role::Client => (self.client_no_context_takeover, self.client_max_window_bits),
        };
        Flow { takeover: !no_takeover, window_bits: bits.unwrap_or(WindowBits::MAX) }
    }

    /// Appends the value of a server's `Sec-WebSocket-Extensions`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut put = |text: &str| out.extend_from_slice(text.as_bytes());
        put(NAME);
        if self.server_no_context_takeover {
            put("; server_no_context_takeover");
        }
        if self.client_no_context_takeover {
            put("; client_no_context_takeover");
        }
        if let Some(bits) = self.server_max_window_bits {
            put("; server_max_window_bits=");
            put(bits.text());
        }
        if let Some(bits) = self.client_max_window_bits {
            put("; client_max_window_bits=");
            put(bits.text());
        }
    }

    /// Reads what `sender` sent. `None` if a parameter is unknown, said twice, or has a value that
    /// it must not have (7.1).
    fn read(extension: &Extension<'_>, sender: Role) -> Option<Params> {
        let mut found = Params::NONE;
        for (name, value) in extension.params() {
            let is_repeated = match (name, value.as_deref()) {
                ("server_no_context_takeover", None) => {
                    replace(&mut found.server_no_context_takeover, true)
                }
                ("client_no_context_takeover", None) => {
                    replace(&mut found.client_no_context_takeover, true)
                }
                ("server_max_window_bits", Some(bits)) => {
                    found.server_max_window_bits.replace(WindowBits::parse(bits)?).is_some()
                }
                ("client_max_window_bits", Some(bits)) => {
                    found.client_max_window_bits.replace(WindowBits::parse(bits)?).is_some()
                }
                ("client_max_window_bits", None) if sender == Role::Client => {
                    found.client_max_window_bits.replace(WindowBits::MAX).is_some()
                }
                _ => return None,
            };
            if is_repeated {
                return None;
            }
        }
        Some(found)
    }
}

/// The first good offer in the values of `Sec-WebSocket-Extensions`, which a client lists as it
/// likes them best, and what we answer to it: no more than was offered, and of that what `ours`
/// asks for. `None`: the messages stay as they are.
pub fn accept<'h>(values: impl Iterator<Item = &'h [u8]>, ours: &Params) -> Option<Params> {
    let offers = values.flat_map(extension::parse).filter_map(Result::ok);
    let offer = offers
        .filter(|offer| offer.name == NAME)
        .find_map(|offer| Params::read(&offer, Role::Client))?;
    let (server_most, client_most) = (offer.server_max_window_bits, offer.client_max_window_bits);
    let client_bits = client_most.map(|most| ours.client_max_window_bits.unwrap_or(most).min(most));
    Some(Params {
        server_no_context_takeover: offer.server_no_context_takeover
            || ours.server_no_context_takeover,
        client_no_context_takeover: offer.client_no_context_takeover
            || ours.client_no_context_takeover,
        server_max_window_bits: least(server_most, ours.server_max_window_bits),
        // 15 goes without saying.
        client_max_window_bits: client_bits.filter(|bits| *bits < WindowBits::MAX),
    })
}

/// The smaller of what is said.
fn least(a: Option<WindowBits>, b: Option<WindowBits>) -> Option<WindowBits> {
    a.into_iter().chain(b).min()
}

/// Appends the value of a client's `Sec-WebSocket-Extensions`. It always says that we can limit our
/// window: then the server may tell us to.
pub fn offer(ours: &Params, out: &mut Vec<u8>) {
    ours.write(out);
    if ours.client_max_window_bits.is_none() {
        out.extend_from_slice(b"; client_max_window_bits");
    }
}

/// Judges the values of `Sec-WebSocket-Extensions` that answer the [`offer`] of `ours`; returns
/// what holds, or `None` if the server declined. Other extensions are not looked at.
///
/// # Errors
/// [`Mismatch::Extension`]: the answer is invalid, comes twice, or is not what was asked for. The
/// connection must fail (7.1).
pub fn verify<'h>(
    values: impl Iterator<Item = &'h [u8]>,
    ours: &Params,
) -> Result<Option<Params>, Mismatch> {
    let mut agreed = None;
    for answer in values.flat_map(extension::parse) {
        let answer = answer.map_err(|_| Mismatch::Extension)?;
        if answer.name != NAME {
            continue;
        }
        let judged = Params::read(&answer, Role::Server).and_then(|it| judge(&it, ours));
        if judged.is_none() || replace(&mut agreed, judged).is_some() {
            return Err(Mismatch::Extension);
        }
    }
    Ok(agreed)
}

/// What holds after `answer`; `None` if it gives less than `ours` asked for.
fn judge(answer: &Params, ours: &Params) -> Option<Params> {
    let asked = |most: Option<WindowBits>| most.unwrap_or(WindowBits::MAX);
    let server_window_is_good = match (answer.server_max_window_bits, ours.server_max_window_bits) {
        (Some(bits), most) => bits <= asked(most),
        (None, most) => most.is_none(),
    };
    let client_window_is_good =
        answer.client_max_window_bits.is_none_or(|bits| bits <= asked(ours.client_max_window_bits));
    let is_good = server_window_is_good
        && client_window_is_good
        && (answer.server_no_context_takeover || !ours.server_no_context_takeover);
    is_good.then_some(Params {
        // What we said of ourselves holds, whether the server repeats it or not.
        client_no_context_takeover: answer.client_no_context_takeover
            || ours.client_no_context_takeover,
        client_max_window_bits: least(answer.client_max_window_bits, ours.client_max_window_bits),
        ..*answer
    })
}

#[cfg(test)]
mod tests;
