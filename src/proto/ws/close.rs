//! The closing handshake's words: a code and a reason (RFC 6455 sections 5.5.1 and 7.4).
//!
//! **What.** [`CloseCode`] is a code that may stand in a close frame; [`parse`] reads the payload
//! of one, [`CloseCode::echo`] is the answer to it.
//!
//! **Why this way.** A newtype that only [`CloseCode::new`] makes: a code that must not be sent
//! (1005, 1006, 1015 and all unassigned ones) cannot be, and the private ranges need no variant.
//!
//! **Costs.** 2 bytes.
//!
//! **Read next.** `src/proto/ws/encode.rs`.

use super::{Role, WsError, utf8};

/// The longest reason, bytes: what two bytes of code leave of a control frame.
pub const REASON_BYTES_MAX: usize = 123;

/// A status code that may stand in a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose is fulfilled.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// The server shuts down, or the page is left.
    pub const GOING_AWAY: CloseCode = CloseCode(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL: CloseCode = CloseCode(1002);
    /// A kind of message that cannot be accepted.
    pub const UNSUPPORTED: CloseCode = CloseCode(1003);
    /// A message whose data do not fit its kind, such as text that is not UTF-8.
    pub const INVALID_DATA: CloseCode = CloseCode(1007);
    /// A message that breaks a rule of this server.
    pub const POLICY: CloseCode = CloseCode(1008);
    /// A message that is too large.
    pub const TOO_LARGE: CloseCode = CloseCode(1009);
    /// The server did not agree to an extension that the client needs. Only a client says so.
    pub const EXTENSION_MISSING: CloseCode = CloseCode(1010);
    /// The server failed.
    pub const INTERNAL: CloseCode = CloseCode(1011);
    /// The server restarts (IANA registry).
    pub const SERVICE_RESTART: CloseCode = CloseCode(1012);
    /// The server is overloaded (IANA registry).
    pub const TRY_AGAIN_LATER: CloseCode = CloseCode(1013);
    /// The server behind a gateway failed (IANA registry).
    pub const BAD_GATEWAY: CloseCode = CloseCode(1014);

    /// The code, if it may stand in a close frame: registered for that (1000-1003 and 1007-1014), a
    /// library's (3000-3999) or an application's (4000-4999).
    pub fn new(code: u16) -> Option<CloseCode> {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999).then_some(CloseCode(code))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }

    /// Whether this side may say it: all but 1010, which is for clients only (7.4.1).
    pub fn may_be_sent_by(self, role: Role) -> bool {
        role == Role::Client || self != CloseCode::EXTENSION_MISSING
    }

    /// What `role` answers to a close frame with `received`: the same code (5.5.1), as far as it
    /// may be sent; none to none.
    pub fn echo(received: Option<CloseCode>, role: Role) -> Option<CloseCode> {
        let same = |code: CloseCode| code.may_be_sent_by(role);
        received.map(|code| if same(code) { code } else { CloseCode::NORMAL })
    }
}

/// Reads the payload of a close frame: code and reason, both of which may be missing.
///
/// # Errors
/// [`WsError::CloseTooShort`], [`WsError::CloseCodeInvalid`], [`WsError::InvalidUtf8`].
pub(super) fn parse(payload: &[u8]) -> Result<(Option<CloseCode>, &str), WsError> {
    match payload {
        [] => Ok((None, "")),
        [_] => Err(WsError::CloseTooShort),
        [high, low, reason @ ..] => {
            let code = CloseCode::new(u16::from_be_bytes([*high, *low]));
            let code = code.ok_or(WsError::CloseCodeInvalid)?;
            Ok((Some(code), utf8::to_str(reason)?))
        }
    }
}

#[cfg(test)]
mod tests;
