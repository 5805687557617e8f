//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1).
//!
//! **What.** [`parse`] goes through the extensions in a field's value; each has a name and
//! parameters, as offered by a client or agreed to by a server.
//!
//! **Why this way.** A quoted value may hold commas and semicolons, so the text is read from the
//! front, byte by byte, and never split. What the names mean is for who knows them: an unknown
//! extension is declined by not agreeing to it.
//!
//! **Costs.** Borrowed, but for a quoted value with a backslash in it, which nobody sends.
//!
//! **Read next.** `src/proto/ws/handshake/mod.rs`.

use super::fields::{is_token, is_token_byte, trim};
use std::borrow::Cow;

/// The value breaks the grammar. The connection must fail (9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// One extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// A token, such as `permessage-deflate`.
    pub name: &'a str,
    /// Its parameters, unread.
    params: &'a [u8],
}

/// A parameter's name, and its value if it has one.
pub type Param<'a> = (&'a str, Option<Cow<'a, str>>);

impl<'a> Extension<'a> {
    /// The parameters in order. [`parse`] has read them before, so all are good.
    pub fn params(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut rest = self.params;
        std::iter::from_fn(move || param(&mut rest).ok().flatten())
    }
}

/// The extensions that `value` lists. Behind an error there is nothing.
pub fn parse(value: &[u8]) -> impl Iterator<Item = Result<Extension<'_>, Malformed>> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let mut behind = skip_empty(rest.take()?);
        if behind.is_empty() {
            return None;
        }
        let found = extension(&mut behind);
        rest = found.is_ok().then_some(behind);
        Some(found)
    })
}

/// `value` behind white space and commas: a list may have empty elements (RFC 9110, 5.6.1.2).
fn skip_empty(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b',', rest @ ..] = value {
        value = rest;
    }
    value
}

/// Takes one extension and the comma behind it.
fn extension<'a>(rest: &mut &'a [u8]) -> Result<Extension<'a>, Malformed> {
    let name = token(rest)?;
    let params = *rest;
    while param(rest)?.is_some() {}
    let params = &params[..params.len() - rest.len()];
    match rest {
        [] => {}
        [b',', behind @ ..] => *rest = behind,
        _ => return Err(Malformed),
    }
    Ok(Extension { name, params })
}

/// Takes `; name`, `; name=token` or `; name="quoted"`; none if no semicolon is next.
fn param<'a>(rest: &mut &'a [u8]) -> Result<Option<Param<'a>>, Malformed> {
    let [b';', behind @ ..] = *rest else { return Ok(None) };
    *rest = behind;
    let name = token(rest)?;
    let [b'=', behind @ ..] = *rest else { return Ok(Some((name, None))) };
    *rest = trim(behind);
    let value = match *rest {
        [b'"', behind @ ..] => {
            *rest = behind;
            quoted(rest)?
        }
        _ => Cow::Borrowed(token(rest)?),
    };
    Ok(Some((name, Some(value))))
}

/// Takes a token and the white space around it.
fn token<'a>(rest: &mut &'a [u8]) -> Result<&'a str, Malformed> {
    let from = trim(rest);
    let len = from.iter().take_while(|byte| is_token_byte(**byte)).count();
    let (token, behind) = from.split_at(len);
    *rest = trim(behind);
    if token.is_empty() { Err(Malformed) } else { text(token) }
}

/// Takes a quoted string behind its first quote. What it says must be a token (9.1).
fn quoted<'a>(rest: &mut &'a [u8]) -> Result<Cow<'a, str>, Malformed> {
    let from = *rest;
    let mut unescaped = Vec::new();
    let mut at = 0;
    loop {
        match from[at..] {
            [b'"', ..] => break,
            [b'\\', byte, ..] => {
                unescaped.push(byte);
                at += 2;
            }
            [byte, ..] if byte != b'\\' => {
                unescaped.push(byte);
                at += 1;
            }
            _ => return Err(Malformed),
        }
    }
    *rest = trim(&from[at + 1..]);
    if !is_token(&unescaped) {
        return Err(Malformed);
    }
    if unescaped.len() == at {
        return Ok(Cow::Borrowed(text(&from[..at])?));
    }
    String::from_utf8(unescaped).map(Cow::Owned).map_err(|_| Malformed)
}

/// A token is ASCII, so this does not fail.
fn text(token: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(token).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests;
