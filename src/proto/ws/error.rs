//! What a peer can do wrong, and what it hears for it.
//!
//! **What.** [`WsError`]: each has the close code that RFC 6455 gives it and a few words for the
//! close frame.
//!
//! **Why this way.** One flat enum of one byte: it is counted by kind and told to the peer, and
//! nobody needs more. Nothing here is the peer's text, so nothing of the peer's is repeated.
//!
//! **Costs.** None until it happens, and then a connection ends.
//!
//! **Read next.** `src/proto/ws/close.rs`.

use super::CloseCode;
use crate::buf::Exhausted;
use std::fmt;

/// Why a WebSocket connection cannot go on. All but the last are the peer's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WsError {
    /// A reserved bit is set that no extension gave a meaning (5.2).
    ReservedBit,
    /// An opcode that RFC 6455 reserves (5.2).
    ReservedOpCode,
    /// A control frame in fragments (5.5).
    ControlFragmented,
    /// A control frame with more than 125 bytes of payload (5.5).
    ControlTooLong,
    /// A continuation where no message is under way (5.4).
    NothingToContinue,
    /// A new message where one is still under way (5.4).
    MessageNotFinished,
    /// A client's frame without a mask (5.1).
    NotMasked,
    /// A server's frame with a mask (5.1).
    Masked,
    /// A length that has a shorter form (5.2).
    LengthNotMinimal,
    /// A length of 2^63 or more (5.2).
    LengthTooLarge,
    /// A frame longer than [`Limits::frame_bytes_max`](super::Limits::frame_bytes_max).
    FrameTooLong,
    /// A message longer than [`Limits::message_bytes_max`](super::Limits::message_bytes_max).
    MessageTooLong,
    /// A message in more frames than [`Limits::fragments_max`](super::Limits::fragments_max).
    TooManyFragments,
    /// More control frames in a second than the session allows.
    TooManyControlFrames,
    /// A text or a close reason that is not UTF-8 (8.1).
    InvalidUtf8,
    /// A compressed message that is not compressed data (RFC 7692 section 7.2.2).
    Deflate,
    /// A close frame with one byte, half a code (5.5.1).
    CloseTooShort,
    /// A close code that may not be sent (7.4).
    CloseCodeInvalid,
    /// No memory is left to gather the message in. It is the server's doing.
    Exhausted,
}

impl WsError {
    /// The code of the close frame that says so.
    pub fn close_code(self) -> CloseCode {
        match self {
            WsError::FrameTooLong | WsError::MessageTooLong => CloseCode::TOO_LARGE,
            WsError::TooManyFragments | WsError::TooManyControlFrames => CloseCode::POLICY,
            WsError::InvalidUtf8 | WsError::Deflate => CloseCode::INVALID_DATA,
            WsError::Exhausted => CloseCode::TRY_AGAIN_LATER,
            _ => CloseCode::PROTOCOL,
        }
    }

    /// The same in words: the reason of the close frame.
    pub fn reason(self) -> &'static str {
        match self {
            WsError::ReservedBit => "a reserved bit is set",
            WsError::ReservedOpCode => "the opcode is reserved",
            WsError::ControlFragmented => "a control frame must not be fragmented",
            WsError::ControlTooLong => "a control frame has at most 125 bytes",
            WsError::NothingToContinue => "a continuation without a beginning",
            WsError::MessageNotFinished => "a new message before the last one ended",
            WsError::NotMasked => "a client's frames must be masked",
            WsError::Masked => "a server's frames must not be masked",
            WsError::LengthNotMinimal => "the length has a shorter form",
            WsError::LengthTooLarge => "the length is 2^63 or more",
            WsError::FrameTooLong => "the frame is too long",
            WsError::MessageTooLong => "the message is too long",
            WsError::TooManyFragments => "the message has too many fragments",
            WsError::TooManyControlFrames => "too many control frames in a second",
            WsError::InvalidUtf8 => "the text is not UTF-8",
            WsError::Deflate => "the message is not compressed data",
            WsError::CloseTooShort => "a close frame of one byte",
            WsError::CloseCodeInvalid => "the close code must not be sent",
            WsError::Exhausted => "out of buffers",
        }
    }
}

impl fmt::Display for WsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for WsError {}

impl From<Exhausted> for WsError {
    fn from(_: Exhausted) -> Self {
        WsError::Exhausted
    }
}
