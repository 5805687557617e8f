//! Which bytes may stand where in a head.
//!
//! **What.** The classes of bytes that the grammar names, and how far they reach: [`span`] for
//! words, [`text_span`] for field values.
//!
//! **Why this way.** Every byte of every request is asked for here, so the answer is one load from
//! a table, or, where values are long and nearly everything is allowed, a few operations on eight
//! bytes at once. Plain integers do that in safe Rust and on every machine; longer vectors would
//! win nothing on values of a few dozen bytes.
//!
//! **Costs.** 256 bytes. About five instructions a byte of a word, two a byte of a value.
//!
//! **Read next.** `src/proto/http1/head.rs`.

/// A set of classes, one bit each.
pub(super) type Class = u8;

/// A method, a field name (`tchar`, RFC 9110 5.6.2).
pub(super) const TOKEN: Class = 1;
/// A path of a target: visible ASCII without `?`, and without `#`, for a fragment never leaves the
/// client.
pub(super) const PATH: Class = 2;
/// A target: the same, and `?`.
pub(super) const TARGET: Class = 4;
/// A name of a host (RFC 3986 3.2.2: unreserved and sub-delims; `%` needs a closer look).
pub(super) const HOST: Class = 8;
/// A field value (RFC 9110 5.5): no control character but the tab.
pub(super) const TEXT: Class = 16;

const CLASSES: [Class; 256] = {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < classes.len() {
        classes[at] = classes_of(at as u8);
        at += 1;
    }
    classes
};

const fn classes_of(byte: u8) -> Class {
    let mut classes = 0;
    if byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-')
        || matches!(byte, b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
    {
        classes |= TOKEN;
    }
    if byte.is_ascii_graphic() && byte != b'#' {
        classes |= if byte == b'?' { TARGET } else { TARGET | PATH };
    }
    if byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$')
        || matches!(byte, b'&'..=b',' | b';' | b'=')
    {
        classes |= HOST;
    }
    if byte == b'\t' || (byte >= b' ' && byte != 0x7f) {
        classes |= TEXT;
    }
    classes
}

/// Whether `byte` is of one of these classes.
pub(super) fn is(byte: u8, class: Class) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// How many bytes at the front of `bytes` are of one of these classes.
pub(super) fn span(bytes: &[u8], class: Class) -> usize {
    bytes.iter().position(|byte| !is(*byte, class)).unwrap_or(bytes.len())
}

/// The same as `span(bytes, TEXT)`, for many bytes.
pub(super) fn text_span(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(eight) = bytes[at..].first_chunk() {
        let controls = controls(u64::from_le_bytes(*eight));
        at += controls.trailing_zeros() as usize / 8;
        if controls != 0 {
            if bytes[at] != b'\t' {
                return at;
            }
            at += 1;
        }
    }
    at + span(&bytes[at..], TEXT)
}

/// The lowest bit that is set is that of the first control character among the eight bytes of
/// `word`, and none is set if there is none. (A borrow makes bits above it mean nothing.)
fn controls(word: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let below = |word: u64, least: u64| word.wrapping_sub(EACH * least) & !word;
    (below(word, 0x20) | below(word ^ (EACH * 0x7f), 1)) & (EACH << 7)
}

#[cfg(test)]
mod tests;
