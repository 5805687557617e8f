//! Which bytes may stand where in a head.
//!
//! **What.** The classes of bytes that the grammar names, and how far they reach ([`span`]).
//!
//! **Why this way.** They overlap, so one table answers for all of them with one load.
//!
//! **Costs.** 256 bytes. About five instructions a byte of a word.
//!
//! **Read next.** `src/proto/http1/target.rs`.

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

#[cfg(test)]
mod tests;
