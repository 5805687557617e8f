//! What stands for TLS in a build without it.
//!
//! **What.** The types of `src/net/tls/mod.rs`, none of which can be made.
//!
//! **Why this way.** An enum without variants has no value, so every call on one compiles to
//! nothing, and nobody else needs to ask whether the feature is there.
//!
//! **Costs.** Nothing.
//!
//! **Read next.** `src/net/tls/mod.rs`.

use super::link::{ReceiveError, Received, SendError};
use super::{Endpoint, Stream, TlsSetupError, Trust};
use crate::buf::Pool;

/// There is none.
#[derive(Debug)]
pub enum Tls {}

/// Nothing is on its way.
#[derive(Debug, Default)]
pub struct TlsScratch;

impl TlsScratch {
    pub(super) fn take_outgoing(&mut self) -> Vec<u8> {
        Vec::new()
    }

    pub(super) fn give_outgoing(&mut self, _: Vec<u8>) {}
}

impl Tls {
    /// Cannot be asked.
    pub fn is_handshaking(&self) -> bool {
        match *self {}
    }

    /// Cannot be asked.
    pub fn is_resumed(&self) -> bool {
        match *self {}
    }

    pub(super) fn fault_of_end(&self) -> Option<ReceiveError> {
        match *self {}
    }

    pub(super) fn receive(
        &mut self,
        _: &mut Stream,
        _: &mut [u8],
        _: &mut TlsScratch,
        _: &mut Pool,
    ) -> Result<Received, ReceiveError> {
        match *self {}
    }

    pub(super) fn seal(&mut self, _: &[u8], _: &mut TlsScratch) -> Result<(), SendError> {
        match *self {}
    }

    pub(super) fn seal_end(&mut self, _: &mut TlsScratch) {
        match *self {}
    }

    pub(super) fn start(&mut self, _: &mut TlsScratch) -> Result<(), ReceiveError> {
        match *self {}
    }

    pub(super) fn clear(&mut self, _: &mut Pool) {
        match *self {}
    }
}

/// There is none.
#[derive(Clone, Debug)]
pub enum TlsServer {}

impl TlsServer {
    /// Nothing, for nothing wants it: an endpoint with TLS is not parsed in this build.
    ///
    /// # Errors
    /// One that was made otherwise wants what there is not.
    pub fn load(
        endpoint: &Endpoint,
        _: Option<&SelfSigned>,
    ) -> Result<Option<TlsServer>, TlsSetupError> {
        match endpoint.tls {
            None => Ok(None),
            Some(_) => Err(TlsSetupError("built without the feature `tls`".into())),
        }
    }

    /// Cannot be asked.
    pub fn fingerprint(&self) -> &str {
        match *self {}
    }

    /// Cannot be asked.
    pub fn is_self_signed(&self) -> bool {
        match *self {}
    }

    /// Cannot be asked.
    ///
    /// # Errors
    /// None.
    pub fn reload(&mut self) -> Result<(), TlsSetupError> {
        match *self {}
    }

    /// Cannot be asked.
    pub fn refusal(&self) -> &'static [u8] {
        match *self {}
    }

    /// Cannot be asked.
    pub fn accept(&self) -> Option<Box<Tls>> {
        match *self {}
    }
}

/// There is none.
#[derive(Clone, Debug)]
pub enum SelfSigned {}

impl SelfSigned {
    /// Cannot be made.
    ///
    /// # Errors
    /// Always.
    pub fn new<'a>(
        _: &str,
        _: impl Iterator<Item = &'a Endpoint>,
        _: Option<SelfSigned>,
    ) -> Result<SelfSigned, TlsSetupError> {
        Err(TlsSetupError("built without the feature `tls`".into()))
    }

    /// Cannot be asked.
    pub fn to_bytes(&self) -> Vec<u8> {
        match *self {}
    }

    /// Never one.
    pub fn from_bytes(_: &[u8]) -> Option<SelfSigned> {
        None
    }
}

/// There is none.
#[derive(Clone, Debug)]
pub enum TlsClient {}

impl TlsClient {
    /// Cannot be made.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: &str, _: &Trust, _: &[&[u8]]) -> Result<TlsClient, TlsSetupError> {
        Err(TlsSetupError("built without the feature `tls`".into()))
    }

    /// Cannot be asked.
    pub fn connect(&self) -> Option<Box<Tls>> {
        match *self {}
    }
}
