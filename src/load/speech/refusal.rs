//! A response that says why not.
//!
//! **What.** [`Refusal`] keeps the status line and the beginning of the body's first line:
//! `503 Service Unavailable: full: 100 connections`.
//!
//! **Why this way.** The status is for programs; why it was given stands in the body, if anywhere.
//! Both are the server's own words, so they are cut short and made printable.
//!
//! **Costs.** Two short strings, for connections that end.
//!
//! **Read next.** `src/load/fates.rs`.

use crate::load::fates::{Fate, REASON_BYTES_MAX};
use crate::proto::http1::Reply;

/// What a refused client was told.
pub(super) struct Refusal {
    status: String,
    /// The beginning of the body.
    body: Vec<u8>,
}

impl Refusal {
    pub(super) fn of(reply: &Reply<'_>) -> Refusal {
        let reason = reply.reason.get(..REASON_BYTES_MAX).unwrap_or(reply.reason);
        let status = format!("{} {reason}", reply.status);
        Refusal { status: status.trim_end().to_owned(), body: Vec::new() }
    }

    /// The body goes on.
    pub(super) fn add(&mut self, data: &[u8]) {
        let room = REASON_BYTES_MAX.saturating_sub(self.body.len());
        self.body.extend_from_slice(&data[..data.len().min(room)]);
    }

    pub(super) fn fate(&self) -> Fate {
        let line = self.body.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let text = match line.trim() {
            "" => self.status.clone(),
            line => format!("{}: {line}", self.status),
        };
        Fate::ToldWhy(text.escape_debug().to_string())
    }
}
