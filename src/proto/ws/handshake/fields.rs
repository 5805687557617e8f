//! Header fields that are lists, as HTTP writes them (RFC 9110 section 5.6.1).
//!
//! **What.** Lists of tokens, the value of a field that may come only once.
//!
//! **Why this way.** Iterators over the borrowed value; a list may be spread over several fields of
//! one name, which is the same as one field with commas.
//!
//! **Costs.** No allocation.
//!
//! **Read next.** `src/proto/ws/handshake/extension.rs`.

/// The values of all fields called `name` (given in lower case).
pub(super) fn values<'h>(
    headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    name: &'static str,
) -> impl Iterator<Item = &'h [u8]> + Clone {
    headers.filter_map(move |(it, value)| it.eq_ignore_ascii_case(name).then_some(value))
}

/// The elements between the commas of `value`; empty ones do not count.
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    value.split(|byte| *byte == b',').map(trim).filter(|element| !element.is_empty())
}

/// Whether the list `value` has the element `token`, in any case.
pub(super) fn has_token(value: &[u8], token: &str) -> bool {
    list(value).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether `bytes` are a token (RFC 9110 section 5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// Whether a token may have `byte`.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Without the white space around it.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The value of a field that must not come twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum OnlyOne<'h> {
    #[default]
    None,
    One(&'h [u8]),
    Several,
}

impl<'h> OnlyOne<'h> {
    pub(super) fn add(&mut self, value: &'h [u8]) {
        *self = match self {
            OnlyOne::None => OnlyOne::One(value),
            OnlyOne::One(_) | OnlyOne::Several => OnlyOne::Several,
        };
    }

    /// The value, if there is exactly one.
    pub(super) fn get(self) -> Option<&'h [u8]> {
        match self {
            OnlyOne::One(value) => Some(value),
            OnlyOne::None | OnlyOne::Several => None,
        }
    }
}
