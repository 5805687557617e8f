//! Lines that go to everybody.
//!
//! **What.** [`Lines`] cuts what comes in into lines, and hands each to the connection's [`Ear`].
//!
//! **Why this way.** A broadcast over a byte stream is one of lines, because only whole messages of
//! several senders can be told apart. A line that lies whole in the read is compared where it lies.
//!
//! **Costs.** A copy of a line that two reads share.
//!
//! **Read next.** `src/load/shape/fan.rs`.

use super::{Desk, Ending};
use crate::buf::{BLOCK_BYTES, Carry};
use crate::load::client::{Life, Shared};
use crate::load::fates::Fate;
use crate::load::shape::{Announcement, Ear};
use crate::proto::line;
use std::ops::ControlFlow::{Break, Continue};

/// One member of a channel of lines.
#[derive(Default)]
pub(in crate::load) struct Lines {
    pub(super) ear: Ear,
    /// The beginning of a line.
    carry: Carry,
}

impl Lines {
    /// Takes bytes that came in.
    pub(super) fn receive(&mut self, fresh: &[u8], desk: &mut Desk<'_>) -> Life {
        let mut rest = fresh;
        while let Some((line, behind)) = line::split(rest) {
            rest = behind;
            if self.carry.is_empty() {
                self.take(line, desk)?;
                continue;
            }
            self.carry(line, desk)?;
            let whole = std::mem::take(&mut self.carry);
            let outcome = self.take(whole.bytes(), desk);
            self.carry = whole;
            self.carry.clear(&mut desk.shared.pool);
            outcome?;
        }
        self.carry(rest, desk)
    }

    fn take(&mut self, line: &[u8], desk: &mut Desk<'_>) -> Life {
        match Fate::told(line) {
            Some(refusal) => Break(refusal),
            None => self.ear.take(line::trim(line), desk.hearing()),
        }
    }

    fn carry(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> Life {
        if self.carry.bytes().len() + bytes.len() > BLOCK_BYTES {
            return Break(Fate::Failed("fan: a line came that has no end".to_owned()));
        }
        match self.carry.append(bytes, &mut desk.shared.pool) {
            Ok(()) => Continue(()),
            Err(_) => Break(Fate::out_of_buffers()),
        }
    }

    /// Appends an announcement.
    pub(super) fn announce(&self, what: Announcement, shared: &mut Shared) {
        let Shared { fan: Some(fan), words, out, .. } = shared else { return };
        fan.write(what, words);
        line::encode(&fan.draft, out);
    }

    /// A refusal may come without its line's ending.
    pub(super) fn end(&self) -> Ending {
        Fate::told(self.carry.bytes()).map_or(Ending::Silent, Ending::Known)
    }

    pub(super) fn clear(&mut self, shared: &mut Shared) {
        self.carry.clear(&mut shared.pool);
    }
}
