//! What a mio token means.
//!
//! **What.** A [`Source`] says which thing became ready; it packs into mio's `Token`, which the
//! kernel keeps for us in `epoll_data` and hands back with each event.
//!
//! **Why this way.** The obvious token is the slab index alone. But a slot is reused at once: an
//! event for a closed connection, still in the batch that `epoll_wait` returned, would then hit its
//! successor. So the token carries a generation beside the slot and a stale event finds nobody.
//! Generation 0 is never given to a connection; it marks the few fixed sources.
//!
//! **Costs.** Nothing: two shifts an event, four bytes a connection for its generation.
//!
//! **Read next.** `src/reactor/mod.rs`.

use mio::Token;

/// A connection's name: its slab slot and the generation that lives there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId {
    /// Index into the slab.
    pub slot: u32,
    /// Never 0; differs from that of every earlier tenant of the slot (until 2^32 have passed).
    pub generation: u32,
}

impl ConnId {
    /// The token to register this connection's socket with.
    pub fn token(self) -> Token {
        Source::Conn(self).token()
    }
}

/// Everything that can become ready. The numbers index the handler's own lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A connection.
    Conn(ConnId),
    /// Signals, wakers and other fixed sources.
    Control(u16),
    /// A datagram socket.
    Datagram(u16),
    /// A listening socket: served after the connections.
    Listener(u16),
}

const CONTROL: usize = 1 << 16;
const DATAGRAM: usize = 2 << 16;
const LISTENER: usize = 3 << 16;

impl Source {
    /// Packs the source: generation in the upper half, slot (or kind and number) in the lower.
    pub fn token(self) -> Token {
        Token(match self {
            Source::Conn(id) => (id.generation as usize) << 32 | id.slot as usize,
            Source::Control(index) => CONTROL | index as usize,
            Source::Datagram(index) => DATAGRAM | index as usize,
            Source::Listener(index) => LISTENER | index as usize,
        })
    }

    /// Unpacks what [`token`](Source::token) packed.
    pub fn of(token: Token) -> Source {
        let generation = (token.0 >> 32) as u32;
        let low = token.0 as u32;
        if generation != 0 {
            return Source::Conn(ConnId { slot: low, generation });
        }
        match token.0 & !0xffff {
            CONTROL => Source::Control(low as u16),
            DATAGRAM => Source::Datagram(low as u16),
            _ => Source::Listener(low as u16),
        }
    }
}

const _: () = assert!(size_of::<usize>() == 8, "a token packs two 32-bit halves");

#[cfg(test)]
mod tests;
