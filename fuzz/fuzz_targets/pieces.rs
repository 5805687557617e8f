//! An input, and the pieces in which it arrives: the fuzzer chooses both.
//!
//! **What.** [`split`] takes the lengths of the pieces off the front of what the fuzzer made.
//!
//! **Why this way.** They are bytes of the input themselves, so the fuzzer learns which splits lead
//! to new code as it learns everything else.
//!
//! **Costs.** A byte, and one a length.
//!
//! **Read next.** `fuzz/fuzz_targets/session.rs`.

/// The lengths of pieces, and what is to arrive in them.
pub struct Split<'a> {
    lengths: &'a [u8],
    /// All of it.
    pub input: &'a [u8],
}

/// The first byte says how many lengths follow, the rest is the input.
pub fn split(data: &[u8]) -> Option<Split<'_>> {
    let (count, rest) = data.split_first()?;
    let (lengths, input) = rest.split_at_checked(usize::from(count % 16))?;
    Some(Split { lengths, input })
}

impl<'a> Split<'a> {
    /// The pieces: of these lengths, over and over again. Without any, and for a 0, of one byte.
    pub fn pieces(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (mut rest, mut lengths) = (self.input, self.lengths.iter().cycle());
        std::iter::from_fn(move || {
            let length = lengths.next().map_or(1, |length| usize::from(*length).max(1));
            let piece = rest.split_off(..length.min(rest.len()))?;
            (!piece.is_empty()).then_some(piece)
        })
    }
}
