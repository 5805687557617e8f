//! What stands in for `deflate` where that is not built in.
//!
//! **What.** The same names, as far as the rest of the house uses them. Nobody agrees to compress.
//!
//! **Why this way.** What two ends would agree on is a type without values, so the compiler knows
//! that there is never a codec and leaves out all that would follow. The alternative, asking for
//! the feature wherever a codec is used, would show two programs in each of those places.
//!
//! **Costs.** None: not a byte in a connection.
//!
//! **Read next.** `src/proto/ws/deflate/mod.rs`.

use super::encode::Key;
use super::handshake::client::Mismatch;
use super::{Kind, Role, WsError};
use crate::metrics::Deflated;

/// Whether this build can compress.
pub const IS_BUILT_IN: bool = false;
/// See the module that this stands in for.
pub const BYTES_MIN: usize = 256;

/// See the module that this stands in for.
pub const TAKEOVER_BYTES: u64 = 0;

/// What two ends agree on: never anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Params {}

impl Params {
    /// Would append the answer to a client's offer.
    pub fn write(&self, _out: &mut Vec<u8>) {
        match *self {}
    }
}

/// The size of a window that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowBits {}

/// What a worker would compress with.
#[derive(Debug)]
pub struct Compressing;

/// What a worker would inflate with.
#[derive(Debug)]
pub struct Inflating;

/// Both, of a worker that does neither.
#[derive(Debug)]
pub struct Shared {
    /// For what would come in.
    pub inflating: Inflating,
    /// For what would go out.
    pub compressing: Compressing,
}

impl Shared {
    /// Whatever is wanted.
    pub fn serving(_is_on: bool, _takeovers_max: usize, _bytes_min: usize) -> Shared {
        Shared { inflating: Inflating, compressing: Compressing }
    }

    /// Nobody ever does.
    pub fn takeovers(&self) -> usize {
        0
    }

    /// Declines.
    pub fn accept<'h>(&mut self, _values: impl Iterator<Item = &'h [u8]>) -> Option<Params> {
        None
    }

    /// Whatever is wanted.
    pub fn offering(_is_on: bool) -> Shared {
        Shared { inflating: Inflating, compressing: Compressing }
    }

    /// Asks for nothing.
    pub fn offer(&self, _out: &mut Vec<u8>) {}

    /// Nothing was asked for.
    ///
    /// # Errors
    /// None.
    pub fn verify<'h>(
        &self,
        _values: impl Iterator<Item = &'h [u8]>,
    ) -> Result<Option<Params>, Mismatch> {
        Ok(None)
    }

    /// Nothing ever is.
    pub fn is_grown(&self) -> bool {
        false
    }

    /// There is nothing to give back.
    pub fn trim(&mut self) {}

    /// Nothing.
    pub fn counts(&self) -> Deflated {
        Deflated::default()
    }
}

/// What no connection has.
#[derive(Debug)]
pub enum Codec {}

impl Codec {
    /// Never called: there are no such parameters.
    pub fn new(agreed: Params, _role: Role, _shared: &mut Shared) -> Codec {
        match agreed {}
    }

    /// Never called.
    pub fn clear(self, _shared: &mut Shared) {
        match self {}
    }

    /// Never called.
    pub fn edition(&self) -> Option<WindowBits> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn decode<'s>(
        &mut self,
        _kind: Kind,
        _payload: &[u8],
        _message_bytes_max: usize,
        _inflating: &'s mut Inflating,
    ) -> Result<&'s [u8], WsError> {
        match *self {}
    }

    /// Never called.
    pub fn encode(
        &mut self,
        _kind: Kind,
        _payload: &[u8],
        _key: Key,
        _compressing: &mut Compressing,
        _out: &mut Vec<u8>,
    ) {
        match *self {}
    }
}

/// None of a mailing.
#[derive(Debug, Default)]
pub struct Editions;

impl Editions {
    /// Never called.
    pub fn of(
        &mut self,
        window_bits: WindowBits,
        _plain: &[u8],
        _compressing: &mut Compressing,
    ) -> &[u8] {
        match window_bits {}
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// There are none.
    pub fn clear(&mut self, _spare_bytes_max: usize) {}
}
