//! Plain counters.
//!
//! **What.** [`Metrics`] counts what one worker did; [`CloseReason`] and [`RefuseReason`] say why a
//! connection ended or never began, [`TlsFault`] what was wrong with its TLS.
//!
//! **Why this way.** One thread owns them, so a counter is a `u64` and counting is an addition.
//! Atomics and label maps were rejected: they cost at each event what a reader needs once a second.
//! The books must balance: see [`Metrics::open`].
//!
//! **Costs.** An addition an event; a few hundred bytes a worker.
//!
//! **Read next.** `src/server/mod.rs`, which counts.

/// Makes an enum whose variants have a number and a name, for counters by reason.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The name that logs and metrics use.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}

reasons! {
    /// Why a connection ended.
    CloseReason {
        /// The peer ended its side and everything owed to it was sent.
        PeerClosed = "peer_closed",
        /// The service asked for it, or the protocol: a closing handshake, `Connection: close`.
        ServiceClosed = "service_closed",
        /// The peer reset the connection, or the network did.
        Reset = "reset",
        /// No byte moved for `idle_timeout_ms`.
        IdleTimeout = "idle_timeout",
        /// More unsent output than `backlog_bytes_max`: the peer reads too slowly.
        SlowConsumer = "slow_consumer",
        /// A line longer than `line_bytes_max`.
        LineTooLong = "line_too_long",
        /// A request was malformed (400).
        BadRequest = "bad_request",
        /// A request wants what nothing here can do: a method, version, coding or expectation (501,
        /// 505, 417).
        UnsupportedRequest = "unsupported_request",
        /// A request's head is longer than `head_bytes_max` (431; 414 if its first line is).
        HeadTooLarge = "head_too_large",
        /// A request has more header lines than `headers_max` (431).
        TooManyHeaders = "too_many_headers",
        /// A request's body is longer than `body_bytes_max` (413). One in chunks may turn out so
        /// when the response has begun: then that is cut off.
        BodyTooLarge = "body_too_large",
        /// A page of an origin that may not open WebSockets here wanted one (403).
        OriginForbidden = "origin_forbidden",
        /// A request was not whole in time.
        RequestLate = "request_late",
        /// A TLS handshake was not done in time.
        TlsHandshakeLate = "tls_handshake_late",
        /// TLS could not go on; see [`TlsFault`] for why.
        TlsFailed = "tls_failed",
        /// TLS ended without a `close_notify`: what came last may not be all there was.
        TlsTruncated = "tls_truncated",
        /// The peer spoke TLS on a port that does not.
        TlsOnPlain = "tls_on_plain",
        /// The peer did not speak TLS on a port that does.
        PlainOnTls = "plain_on_tls",
        /// WebSocket frames broke the protocol (1002).
        BadFrame = "bad_frame",
        /// A WebSocket message was not what it is said to be: UTF-8, or compressed data (1007).
        BadMessage = "bad_message",
        /// A WebSocket frame is longer than `frame_bytes_max` (1009).
        FrameTooLong = "frame_too_long",
        /// A WebSocket message is longer than `message_bytes_max`, as it came or inflated (1009).
        MessageTooLong = "message_too_long",
        /// A WebSocket message has more frames than `fragments_max` (1008).
        TooManyFragments = "too_many_fragments",
        /// More WebSocket control frames in a second than `control_frames_per_s_max` (1008).
        ControlFlood = "control_flood",
        /// The peer did not answer a ping.
        PongMissing = "pong_missing",
        /// `buffers_bytes_max` is used up by stuck connections.
        BuffersExhausted = "buffers_exhausted",
        /// Made room for a new connection (`evict-idle`).
        Evicted = "evicted",
        /// The server is draining.
        Drained = "drained",
        /// The server stopped before the connection was done.
        DrainTimeout = "drain_timeout",
        /// The kernel would not watch the socket (`epoll_ctl(2)` failed).
        Unwatchable = "unwatchable",
    }
}

reasons! {
    /// Why a connection was accepted only to be told no.
    RefuseReason {
        /// The cap is reached.
        Full = "full",
        /// No descriptor is left, although the cap is not reached.
        NoDescriptor = "no_descriptor",
        /// The address already has `per_ip_max` connections.
        PerIp = "per_ip",
        /// The address connects more often than `accept_rate` a second.
        Rate = "rate",
        /// The kernel would not watch the socket (`epoll_ctl(2)` failed).
        Unwatchable = "unwatchable",
    }
}

/// What WebSocket compression did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deflated {
    /// Messages that came in compressed.
    pub inflated: u64,
    /// Messages that were compressed; of what many get, once for all of them.
    pub compressed: u64,
    /// Bytes by which they became shorter.
    pub bytes_saved: u64,
    /// Connections that take no context over because `deflate_takeover_max` others do.
    pub takeovers_full: u64,
}

reasons! {
    /// Why TLS could not go on.
    TlsFault {
        /// The peer said so by an alert: it does not trust the certificate, as a rule.
        Alert = "alert",
        /// No version, cipher or protocol in common.
        Incompatible = "incompatible",
        /// What came is no TLS, or over its limits.
        Malformed = "malformed",
        /// Well-formed, but not at this point.
        Misbehaved = "misbehaved",
        /// A record was tampered with, or the keys differ.
        Undecipherable = "undecipherable",
        /// The peer's certificate is not to be trusted (client side).
        Certificate = "certificate",
        /// The peer's certificate is for another host (client side).
        CertificateName = "certificate_name",
        /// The peer ended in the middle of the handshake.
        Unfinished = "unfinished",
        /// Anything else, the system's random numbers for one.
        Other = "other",
    }
}

/// What one worker counted since it started.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Connections taken in.
    pub accepted: u64,
    /// Connections told no, by [`RefuseReason`].
    pub refused: [u64; RefuseReason::ALL.len()],
    /// Connections ended, by [`CloseReason`].
    pub closed: [u64; CloseReason::ALL.len()],
    /// `accept4(2)` failed for want of descriptors or memory.
    pub accept_failures: u64,
    /// `accept4(2)` failed for the connection itself (gone already, forbidden by a firewall).
    pub accept_aborted: u64,
    /// Events for connections that were gone.
    pub stale_events: u64,
    /// Bytes read from streams; with TLS, what was in them.
    pub bytes_in: u64,
    /// Bytes written to streams. With TLS, what went into them; what had to wait in a backlog
    /// counts as it was sent, encrypted.
    pub bytes_out: u64,
    /// Messages given to a service (for a byte stream: reads).
    pub messages_in: u64,
    /// What WebSocket compression did.
    pub deflated: Deflated,
    /// Times that a connection's output did not fit the socket.
    pub stalls: u64,
    /// Messages a service sent to a whole channel.
    pub broadcasts: u64,
    /// Copies of them that were due: one for each receiver. Equals delivered + dropped + queued.
    pub deliveries: u64,
    /// Copies handed to a receiver's socket or backlog.
    pub delivered: u64,
    /// Copies whose receiver was gone, or was closed as too slow.
    pub deliveries_dropped: u64,
    /// Messages to all that went to another worker, counted for each.
    pub relayed_out: u64,
    /// Messages to all that came from other workers.
    pub relayed_in: u64,
    /// Messages to all that another worker did not get: it reads too slowly, or is dead.
    pub relay_dropped_full: u64,
    /// Datagrams received.
    pub datagrams_in: u64,
    /// Datagrams sent.
    pub datagrams_out: u64,
    /// Datagrams that the service left unanswered on purpose.
    pub datagrams_unanswered: u64,
    /// Answers cut off because they were longer than the question.
    pub datagrams_cut: u64,
    /// Answers that the socket did not take.
    pub datagrams_dropped: u64,
    /// TLS handshakes that were completed.
    pub tls_handshakes: u64,
    /// Those of them that resumed an earlier session.
    pub tls_resumed: u64,
    /// Connections that TLS failed on, by [`TlsFault`].
    pub tls_failed: [u64; TlsFault::ALL.len()],
    /// Certificates that were read again and taken into use.
    pub tls_reloads: u64,
    /// Certificates that were read again and were no good.
    pub tls_reload_failures: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Looks before a sleep (`spin_us`) that found something, be it at once.
    pub spins_found: u64,
    /// Looks before a sleep that found nothing.
    pub spins_in_vain: u64,
}

impl Metrics {
    /// Connections that should be open now: accepted less closed.
    pub fn open(&self) -> u64 {
        self.accepted - self.closed.iter().sum::<u64>()
    }

    /// Counts an ended connection.
    pub fn count_close(&mut self, reason: CloseReason) {
        self.closed[reason as usize] += 1;
    }

    /// Counts a connection that was told no.
    pub fn count_refusal(&mut self, reason: RefuseReason) {
        self.refused[reason as usize] += 1;
    }

    /// Connections told no, for all reasons.
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// Every counter with its name; the reasons have theirs appended (`closed_reset`).
    pub fn each(&self) -> impl Iterator<Item = (String, u64)> {
        fn reason(kind: &'static str, name: &str) -> String {
            format!("{kind}_{name}")
        }
        let plain = self.plain().into_iter().map(|(name, _)| name.to_owned());
        let names = plain
            .chain(RefuseReason::ALL.iter().map(|it| reason("refused", it.name())))
            .chain(CloseReason::ALL.iter().map(|it| reason("closed", it.name())))
            .chain(TlsFault::ALL.iter().map(|it| reason("tls_failed", it.name())));
        names.zip(self.values())
    }

    /// Every counter, in the same order.
    pub fn values(&self) -> impl Iterator<Item = u64> {
        let plain = self.plain().into_iter().map(|(_, value)| value);
        plain.chain(self.refused).chain(self.closed).chain(self.tls_failed)
    }

    /// The counters that are not counted by reason.
    #[inline]
    fn plain(&self) -> [(&'static str, u64); 31] {
        [
            ("accepted", self.accepted),
            ("accept_failures", self.accept_failures),
            ("accept_aborted", self.accept_aborted),
            ("stale_events", self.stale_events),
            ("bytes_in", self.bytes_in),
            ("bytes_out", self.bytes_out),
            ("messages_in", self.messages_in),
            ("messages_inflated", self.deflated.inflated),
            ("messages_compressed", self.deflated.compressed),
            ("deflate_bytes_saved", self.deflated.bytes_saved),
            ("deflate_takeovers_full", self.deflated.takeovers_full),
            ("stalls", self.stalls),
            ("broadcasts", self.broadcasts),
            ("deliveries", self.deliveries),
            ("delivered", self.delivered),
            ("deliveries_dropped", self.deliveries_dropped),
            ("relayed_out", self.relayed_out),
            ("relayed_in", self.relayed_in),
            ("relay_dropped_full", self.relay_dropped_full),
            ("datagrams_in", self.datagrams_in),
            ("datagrams_out", self.datagrams_out),
            ("datagrams_unanswered", self.datagrams_unanswered),
            ("datagrams_cut", self.datagrams_cut),
            ("datagrams_dropped", self.datagrams_dropped),
            ("tls_handshakes", self.tls_handshakes),
            ("tls_resumed", self.tls_resumed),
            ("tls_reloads", self.tls_reloads),
            ("tls_reload_failures", self.tls_reload_failures),
            ("turns", self.turns),
            ("spins_found", self.spins_found),
            ("spins_in_vain", self.spins_in_vain),
        ]
    }
}
