//! UTF-8 that comes in pieces.
//!
//! **What.** [`valid_up_to`] says how far bytes are whole characters, and fails at the first byte
//! that no continuation could make valid.
//!
//! **Why this way.** RFC 6455 (section 8.1) lets a server fail at once, and a peer that sends 1 MiB
//! of garbage should hear it at the first byte, not at the last. The caller keeps the pieces side
//! by side, so a character cut in two needs no state here: the check is asked again from where it
//! stopped, at most three bytes back. Rejected: a byte-wise automaton, which is 10 times slower.
//!
//! **Costs.** Each byte is looked at once, and up to three once more a piece.
//!
//! **Read next.** `src/proto/ws/message.rs`.

use super::WsError;

/// ASCII shorter than this is found out faster without a call.
const SHORT_BYTES: usize = 128;

/// Whether `bytes` are UTF-8 and end with a whole character.
#[inline(never)]
pub(super) fn is_valid(bytes: &[u8]) -> bool {
    (bytes.len() <= SHORT_BYTES && is_short_ascii(bytes))
        || simdutf8::basic::from_utf8(bytes).is_ok()
}

/// Without a branch at each byte, which pays as long as there are few of them.
#[inline]
fn is_short_ascii(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let all = words.iter().fold(0, |all, word| all | u64::from_ne_bytes(*word));
    let all_rest = match bytes.last_chunk::<8>() {
        Some(word) => u64::from_ne_bytes(*word),
        None => rest.iter().fold(0, |all, byte| all | u64::from(*byte)),
    };
    (all | all_rest) & 0x8080_8080_8080_8080 == 0
}

/// `bytes` as text.
///
/// # Errors
/// [`WsError::InvalidUtf8`], also if the last character is not whole.
pub(super) fn to_str(bytes: &[u8]) -> Result<&str, WsError> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| WsError::InvalidUtf8)
}

/// How many bytes at the front of `bytes` are whole characters: all, or all but the first one to
/// three bytes of the last character.
///
/// # Errors
/// [`WsError::InvalidUtf8`]: whatever may follow, this does not become UTF-8.
pub(super) fn valid_up_to(bytes: &[u8]) -> Result<usize, WsError> {
    match simdutf8::compat::from_utf8(bytes) {
        Ok(_) => Ok(bytes.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(WsError::InvalidUtf8),
    }
}

#[cfg(test)]
mod tests;
