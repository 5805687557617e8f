//! Lines: messages that end with `\n`.
//!
//! **What.** [`split`] cuts the first line off a slice. A `\r` before the `\n` belongs to the
//! ending. [`encode`] appends a message and its ending.
//!
//! **Why this way.** The least framing there is, so that the parts around it (carry, session,
//! mail) can be seen at work before HTTP and WebSocket use them. A message that contains `\n`
//! cannot be told from two messages: that is the price of a delimiter, and why WebSocket counts
//! bytes instead.
//!
//! **Costs.** One `memchr` over each byte.
//!
//! **Read next.** `src/session/stream.rs`, which carries half lines from one read to the next.

/// The first line of `input`, its ending included, and what is behind it; `None` if `input` holds
/// no line ending.
pub fn split(input: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr::memchr(b'\n', input).map(|end| input.split_at(end + 1))
}

/// A line without its ending.
pub fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Appends `message` as a line.
pub fn encode(message: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(message);
    out.push(b'\n');
}

#[cfg(test)]
mod tests;
