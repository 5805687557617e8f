//! Byte streams and lines.
//!
//! **What.** The parts of [`Session`] that cut a stream into messages: whatever a read brought, or
//! lines.
//!
//! **Why this way.** A line that lies whole in the fresh bytes is handed out where it lies. Only
//! the tail is carried, and only what completes it is appended, so a line that comes byte by byte
//! costs linear work.
//!
//! **Costs.** One `memchr` over each byte of lines; nothing for byte streams.
//!
//! **Read next.** `src/proto/line.rs`, `src/session/http.rs`.

use super::{Desk, End, OUT_OF_BUFFERS, Session, Speech};
use crate::proto::line;
use crate::service::{Encoding, Mail, Outbound, Service};

impl<T: Default> Session<T> {
    #[inline(always)]
    pub(super) fn receive_bytes<S: Service<State = T>>(
        &mut self,
        fresh: &[u8],
        service: &mut S,
        mail: &mut Mail,
        desk: &mut Desk,
    ) -> Result<(), End> {
        let mut out = Outbound::new(Encoding::Bytes, &mut desk.write, mail).in_place_of(fresh);
        service.message(&mut self.state, fresh, &mut out);
        desk.messages += 1;
        let (outcome, is_in_place) = (goes_on(&out), out.is_in_place());
        if is_in_place {
            desk.in_place = 0..fresh.len();
        }
        outcome
    }

    #[inline(never)]
    pub(super) fn receive_lines<S: Service<State = T>>(
        &mut self,
        fresh: &[u8],
        service: &mut S,
        mail: &mut Mail,
        desk: &mut Desk,
    ) -> Result<(), End> {
        let outcome = self.cut_lines(fresh, service, mail, desk);
        let notice = match outcome {
            Err(End::Exhausted) => format!("-ERR {OUT_OF_BUFFERS}\n"),
            Err(End::LineTooLong) => {
                format!("-ERR line longer than {} bytes\n", desk.limits.line_bytes_max)
            }
            _ => return outcome,
        };
        desk.write.extend_from_slice(notice.as_bytes());
        outcome
    }

    fn cut_lines<S: Service<State = T>>(
        &mut self,
        fresh: &[u8],
        service: &mut S,
        mail: &mut Mail,
        desk: &mut Desk,
    ) -> Result<(), End> {
        let Speech::Lines(carry) = &mut self.speech else { return Err(End::Closes) };
        let mut out = Outbound::new(Encoding::Lines, &mut desk.write, mail);
        let max = desk.limits.line_bytes_max;
        let mut rest = fresh;
        while !out.is_closed() {
            let Some((line, behind)) = line::split(rest) else {
                // The ending is still to come, so at the limit itself the line is already too long.
                if carry.bytes().len() + rest.len() >= max {
                    return Err(End::LineTooLong);
                }
                carry.append(rest, &mut desk.pool)?;
                break;
            };
            if carry.bytes().len() + line.len() > max {
                return Err(End::LineTooLong);
            }
            if carry.is_empty() {
                service.message(&mut self.state, line::trim(line), &mut out);
            } else {
                carry.append(line, &mut desk.pool)?;
                service.message(&mut self.state, line::trim(carry.bytes()), &mut out);
                carry.clear(&mut desk.pool);
            }
            desk.messages += 1;
            rest = behind;
        }
        goes_on(&out)
    }

    pub(super) fn receive_last_line<S: Service<State = T>>(
        &mut self,
        service: &mut S,
        mail: &mut Mail,
        desk: &mut Desk,
    ) {
        let Speech::Lines(carry) = &mut self.speech else { return };
        let mut out = Outbound::new(Encoding::Lines, &mut desk.write, mail);
        service.message(&mut self.state, line::trim(carry.bytes()), &mut out);
        desk.messages += 1;
        carry.clear(&mut desk.pool);
    }
}

/// Whether the service wants to go on.
pub(super) fn goes_on(out: &Outbound<'_>) -> Result<(), End> {
    if out.is_closed() { Err(End::Closes) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
