//! Every limit of a server, in one place.
//!
//! **What.** [`Limits`] is all that bounds a server; [`Limits::check`] holds the numbers against
//! each other before anything starts.
//!
//! **Why this way.** Whatever is not limited is limited by the machine, at the worst moment and
//! without a word. Each limit has a default, a name (the flag is the same with dashes) and a
//! reason.
//!
//! **Costs.** Nothing.
//!
//! **Read next.** `src/server/admission.rs`, which enforces the first of them.

use crate::buf::{BLOCK_BYTES, Pool};
use crate::proto::http1::Date;
use crate::proto::ws::deflate;
use crate::proto::{http1, ws};
use crate::session::{Desk, SessionLimits};
use std::fmt;
use std::time::Duration;

/// Bytes one read may bring. It is also the fairness budget of a connection in one turn: whoever
/// sends more waits for the next turn. 64 KiB is where fewer, larger reads stop paying; the rest is
/// room for a header, so that a message of 64 KiB lies whole in a read and need not be gathered.
pub const READ_BYTES: usize = 64 * 1024 + 64;

/// The same for a connection that has agreed to compress. A byte may say a thousand: a read of the
/// usual size up to 64 MiB, which take 64 ms to inflate, and more to answer, while all others wait.
pub const READ_DEFLATED_BYTES: usize = 8 * 1024;

/// A connection whose backlog is larger is not read from any more (the high watermark): it takes
/// more than it can be answered. With the answers to one read more that is at most 128 KiB.
pub const BACKLOG_HIGH_BYTES: usize = 128 * 1024 - READ_BYTES;

/// A backlog must shrink to this before the connection is read from again (the low watermark).
pub const BACKLOG_LOW_BYTES: usize = BACKLOG_HIGH_BYTES / 4;

/// Connections a listener accepts in one turn. More than a handful, because each turn costs an
/// `epoll_wait`; not all, because those who are connected come first.
pub const ACCEPTS_PER_TURN: usize = 64;

/// Copies of broadcasts that a listener delivers in one turn, at least; a larger audience takes
/// several. Each listener has its own, so that a busy one cannot starve another. So many copies
/// take a quarter of a millisecond, and what is said meanwhile waits; a turn takes 1 us.
pub const DELIVERIES_PER_TURN: usize = 64;

/// The same in a turn in which much else was done.
pub const DELIVERIES_PER_TURN_MAX: usize = 1024;

/// What a copy takes, about: the kernel's part of a small write.
const DELIVERY_NS: usize = 4_000;

/// Copies of broadcasts that a listener delivers in a turn that has taken so long until then: for
/// as long again, or those who hear would wait for all who speak.
pub(super) fn deliveries_in_turn(before: Duration) -> usize {
    let alike = before.as_nanos() as usize / DELIVERY_NS;
    alike.clamp(DELIVERIES_PER_TURN, DELIVERIES_PER_TURN_MAX)
}

/// Broadcasts that wait for delivery; a listener that has more is not read from until they are out.
pub const MAIL_HIGH_BYTES: usize = 256 * 1024;

/// How often a listener that found no descriptor tries again, beside trying at each close.
pub const ACCEPT_RETRY_MS: u64 = 50;

/// How often a listener that waits for room under the cap looks again: closes tell it at once, and
/// only a cap raised from outside (`prlimit`) does not.
pub const CAP_RETRY_MS: u64 = 1_000;

/// The longest look before a sleep. Whoever waits longer than that is in no hurry.
pub const SPIN_US_MAX: u32 = 10_000;

/// What a supervisor gives its workers beyond the time they were told, before it kills them.
pub const QUIT_MS: u64 = 1_000;

/// How long after a burst the allocator is told to give memory to the kernel: it walks the heap, so
/// not again and again.
pub const TRIM_AFTER_MS: u64 = 1_000;

/// Connections that `evict-idle` looks at to find an idle one.
pub const EVICT_SAMPLES: usize = 64;

/// What to do with a connection that arrives when the cap is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtLimit {
    /// Accept it, say why not, close it. The client knows at once.
    #[default]
    Shed,
    /// Leave it in the kernel's queue until there is room. The client waits, unknowing.
    Pause,
    /// Close the connection that was idle longest and take the new one.
    EvictIdle,
    /// Close the listener, so that the kernel refuses for us.
    Refuse,
}

impl AtLimit {
    /// All policies with their names on the command line.
    pub const NAMES: [(&str, AtLimit); 4] = [
        ("shed", AtLimit::Shed),
        ("pause", AtLimit::Pause),
        ("evict-idle", AtLimit::EvictIdle),
        ("refuse", AtLimit::Refuse),
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        AtLimit::NAMES.iter().find(|(_, policy)| *policy == self).map_or("", |(name, _)| name)
    }
}

/// The soft limit of open files that the server asks for (`RLIMIT_NOFILE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nofile {
    /// Raise it to the hard limit.
    #[default]
    Max,
    /// Leave it as the shell set it.
    Keep,
    /// Set it to this, lower or higher.
    Set(u64),
}

/// Every limit of a server. Zero means "none" where the text says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open files this process may have.
    pub nofile: Nofile,
    /// Connections, if fewer than descriptors and memory allow; 0 leaves it to those.
    pub max_connections: usize,
    /// What to do with one more.
    pub at_limit: AtLimit,
    /// `evict-idle` spares connections that were active within this time.
    pub evict_idle_after_ms: u64,
    /// Connections from one address (IPv4) or /64 network (IPv6); 0 is no limit.
    pub per_ip_max: u32,
    /// New connections a second from one address or /64 network; 0 is no limit. As many may come
    /// at once.
    pub accept_rate: u32,
    /// A connection on which no byte moved for so long is closed; 0 is never.
    pub idle_timeout_ms: u64,
    /// How long a closing waits for the peer: to take what it is still owed, while no byte moves,
    /// and then to end its side.
    pub linger_ms: u64,
    /// Unsent output of one connection; one that has more is closed as a slow consumer. A WebSocket
    /// may have one message more, of `message_bytes_max`: an echo is due all at once.
    pub backlog_bytes_max: usize,
    /// Memory of all stuck connections together (backlogs and half messages).
    pub buffers_bytes_max: u64,
    /// A TLS handshake must be done so long after the connection was taken in; 0 is no limit.
    pub tls_handshake_timeout_ms: u64,
    /// Bytes of a line, its ending included, at most one block (16 KiB).
    pub line_bytes_max: usize,
    /// Bytes of a request's head, at most one block (16 KiB).
    pub head_bytes_max: usize,
    /// Header lines of a request, at most 256.
    pub headers_max: usize,
    /// Bytes of a request's body.
    pub body_bytes_max: u64,
    /// A request's head must be whole so long after its first byte. A body may pause for so long.
    pub head_timeout_ms: u64,
    /// A body must bring so many bytes a second, behind a first `head_timeout_ms`; 0 is no limit.
    pub body_bytes_per_s_min: u64,
    /// An HTTP connection that waits for the next request is closed after so long.
    pub keep_alive_ms: u64,
    /// Bytes of a WebSocket frame.
    pub frame_bytes_max: usize,
    /// Bytes of a WebSocket message; no more than `buffers_bytes_max`, in which it is gathered.
    pub message_bytes_max: usize,
    /// Frames of a WebSocket message.
    pub fragments_max: u32,
    /// Control frames that a WebSocket may send in one second of the server's clock; 0 is no limit.
    pub control_frames_per_s_max: u16,
    /// WebSocket messages are compressed if the client can (permessage-deflate).
    pub deflate: bool,
    /// Connections whose compressed messages may refer to earlier ones (context takeover): smaller
    /// messages for up to 314 KB of memory each, which the cap by memory counts with.
    pub deflate_takeover_max: usize,
    /// Shorter messages are sent as they are; with context takeover an eighth of it is enough.
    pub deflate_bytes_min: usize,
    /// A WebSocket on which nothing moved for so long is pinged; 0 is never.
    pub ping_interval_ms: u64,
    /// Something must come so long after a ping.
    pub pong_timeout_ms: u64,
    /// Origins of pages that may open WebSockets beside the server's own; `*` stands for all.
    pub allow_origin: Vec<String>,
    /// How long a drain may take before what is left is cut off.
    pub drain_ms: u64,
    /// Before it sleeps the loop looks for up to so many microseconds whether something comes, as
    /// long as that pays; 0 is never, and [`SPIN_US_MAX`] the most.
    pub spin_us: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            nofile: Nofile::Max,
            max_connections: 0,
            at_limit: AtLimit::Shed,
            evict_idle_after_ms: 1_000,
            per_ip_max: 0,
            accept_rate: 0,
            idle_timeout_ms: 0,
            linger_ms: 1_000,
            backlog_bytes_max: 1024 * 1024,
            buffers_bytes_max: 256 * 1024 * 1024,
            tls_handshake_timeout_ms: 10_000,
            line_bytes_max: BLOCK_BYTES,
            head_bytes_max: BLOCK_BYTES,
            headers_max: 64,
            body_bytes_max: 1024 * 1024,
            head_timeout_ms: 10_000,
            body_bytes_per_s_min: 1024,
            keep_alive_ms: 75_000,
            frame_bytes_max: 1024 * 1024,
            message_bytes_max: 1024 * 1024,
            fragments_max: 65_536,
            control_frames_per_s_max: 100,
            deflate: deflate::IS_BUILT_IN,
            deflate_takeover_max: 0,
            deflate_bytes_min: deflate::BYTES_MIN,
            ping_interval_ms: 30_000,
            pong_timeout_ms: 10_000,
            allow_origin: Vec::new(),
            drain_ms: 10_000,
            spin_us: 0,
        }
    }
}

impl Limits {
    /// What sessions work with under these limits.
    pub(super) fn desk(&self, date: Date) -> Desk {
        let Limits { deflate: on, deflate_takeover_max, deflate_bytes_min, .. } = *self;
        let deflate = deflate::Shared::serving(on, deflate_takeover_max, deflate_bytes_min);
        Desk::new(self.of_sessions(), Pool::new(self.buffers_bytes_max), deflate, date)
    }

    /// The part that sessions look after.
    fn of_sessions(&self) -> SessionLimits {
        SessionLimits {
            line_bytes_max: self.line_bytes_max,
            http: http1::Limits {
                head_bytes_max: self.head_bytes_max,
                headers_max: self.headers_max,
                body_bytes_max: self.body_bytes_max,
                ..http1::Limits::default()
            },
            ws: ws::Limits {
                frame_bytes_max: self.frame_bytes_max,
                // A message is gathered in blocks: one that cannot be had is too large from the
                // start.
                message_bytes_max: self
                    .message_bytes_max
                    .min(usize::try_from(self.buffers_bytes_max).unwrap_or(usize::MAX)),
                fragments_max: self.fragments_max,
            },
            handshake_timeout_ms: self.tls_handshake_timeout_ms,
            idle_timeout_ms: self.idle_timeout_ms,
            head_timeout_ms: self.head_timeout_ms,
            body_bytes_per_s_min: self.body_bytes_per_s_min,
            keep_alive_ms: self.keep_alive_ms,
            control_frames_per_s_max: self.control_frames_per_s_max,
            ping_interval_ms: self.ping_interval_ms,
            pong_timeout_ms: self.pong_timeout_ms,
            allow_origin: self.allow_origin.clone(),
        }
    }
}

/// A limit that cannot hold: its name, its value, and what is possible instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitError {
    /// The field of [`Limits`].
    pub name: &'static str,
    /// Why it cannot hold, and what can.
    pub reason: String,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

impl std::error::Error for LimitError {}

impl Limits {
    /// Holds the limits against each other.
    ///
    /// # Errors
    /// The first [`LimitError`] found.
    pub fn check(&self) -> Result<(), LimitError> {
        let least = BACKLOG_HIGH_BYTES + READ_BYTES;
        let backlog = self.backlog_bytes_max;
        let range = |name, value: u64, min: u64, max: u64| {
            let reason = match value {
                _ if value < min => format!("{value} is too small, at least {min} is needed"),
                _ if value > max => format!("{value} is too large, at most {max} is possible"),
                _ => return Ok(()),
            };
            Err(LimitError { name, reason })
        };
        range("line_bytes_max", self.line_bytes_max as u64, 2, BLOCK_BYTES as u64)?;
        // Reading stops at the high watermark, and one more read may be answered by then.
        range("backlog_bytes_max", backlog as u64, least as u64, u64::MAX)?;
        range("buffers_bytes_max", self.buffers_bytes_max, backlog as u64, u64::MAX)?;
        range("head_bytes_max", self.head_bytes_max as u64, 64, BLOCK_BYTES as u64)?;
        range("headers_max", self.headers_max as u64, 1, http1::HEADERS_MAX as u64)?;
        range("frame_bytes_max", self.frame_bytes_max as u64, 125, u64::from(u32::MAX))?;
        // A message is gathered in blocks. The default gives way to fewer of them without a word.
        let gathered = self.buffers_bytes_max.max(Limits::default().message_bytes_max as u64);
        range("message_bytes_max", self.message_bytes_max as u64, 125, gathered)?;
        range("fragments_max", self.fragments_max.into(), 1, u32::MAX.into())?;
        if self.deflate && !deflate::IS_BUILT_IN {
            let reason = "it is not built in: build with the feature of that name, or set it off";
            return Err(LimitError { name: "deflate", reason: reason.into() });
        }
        range("spin_us", self.spin_us.into(), 0, SPIN_US_MAX.into())?;
        range("linger_ms", self.linger_ms, 1, u64::MAX)?;
        range("drain_ms", self.drain_ms, 1, u64::MAX)
    }
}

const _: () = assert!(BACKLOG_LOW_BYTES < BACKLOG_HIGH_BYTES);

#[cfg(test)]
mod tests;
