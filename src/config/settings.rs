//! The settings, one by one.
//!
//! **What.** [`SETTINGS`]: the name of each, what may be written, what it does, and how it gets
//! into a [`Config`] and out of it.
//!
//! **Why this way.** See `src/config/mod.rs`. A new setting is one entry here and one field there.
//!
//! **Costs.** Nothing.
//!
//! **Read next.** `src/config/value.rs`; `src/cli/given.rs`, which makes flags of them.

use super::{Config, value};
use toml::Value as Toml;

/// One thing that can be set: `idle_timeout` in a file, `--idle-timeout` as a flag,
/// `ONELOOP_IDLE_TIMEOUT` in the environment.
pub struct Setting {
    /// The key in a file, from which the others are made.
    pub name: &'static str,
    /// What may be written, capitals standing for something else: `N|max|keep`.
    pub values: &'static str,
    /// What it does, for the help.
    pub doc: &'static str,
    /// Reads a value. A list grows by it.
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
    /// The value as a file has it.
    pub(super) get: fn(&Config) -> Toml,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Setting {
    /// The setting called `name`.
    pub fn find(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// The flag, without its two dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The environment variable. A list is separated by commas there.
    pub fn variable(&self) -> String {
        format!("ONELOOP_{}", self.name.to_uppercase())
    }

    /// The words among the values: what a shell can complete.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.values.split('|').filter(|value| value.starts_with(char::is_lowercase))
    }

    /// Whether it may be given more than once.
    pub fn is_list(&self) -> bool {
        (self.get)(&Config::default()).is_array()
    }

    /// Whether its flag alone, without a value, means `on`.
    pub fn is_switch(&self) -> bool {
        self.values.starts_with("on|off")
    }

    /// What holds if nobody says anything; several for a list.
    pub fn default(&self) -> Vec<String> {
        let text = |value: &Toml| match value {
            Toml::String(text) => text.clone(),
            other => other.to_string(),
        };
        match (self.get)(&Config::default()) {
            Toml::Array(values) => values.iter().map(text).collect(),
            value => vec![text(&value)],
        }
    }
}

/// Every setting of `oneloop serve`.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "listen",
        values: "URL",
        doc: "Where to listen, and what for: tcp://HOST:PORT/SERVICE, udp://HOST:PORT/SERVICE, \
              unix:///PATH?service=SERVICE, http://HOST:PORT; with TLS tls:// and https://. May \
              be repeated (in the environment: separated by commas). Port 0 lets the system choose",
        set: |config, text| value::listener(text).map(|listener| config.listen.push(listener)),
        get: |config| value::show_listeners(&config.listen),
    },
    Setting {
        name: "workers",
        values: "N|auto",
        doc: "Loops that serve, or as many as there are CPUs to use. Of several each has all \
              limits for itself, and a supervisor starts one that ends again",
        set: |config, text| value::workers(text).map(|n| config.workers = n),
        get: |config| value::show_workers(config.workers),
    },
    Setting {
        name: "worker_kind",
        values: "process|thread",
        doc: "What each of several workers is: processes have a limit of open files each, threads \
              one together",
        set: |config, text| value::worker_kind(text).map(|kind| config.worker_kind = kind),
        get: |config| value::show_worker_kind(config.worker_kind),
    },
    Setting {
        name: "accept",
        values: "reuseport|shared",
        doc: "How several workers share a port: a socket for each, over which the kernel spreads \
              connections, or one for all",
        set: |config, text| value::accept(text).map(|accept| config.accept = accept),
        get: |config| value::show_accept(config.accept),
    },
    Setting {
        name: "join",
        values: "on|off",
        doc: "Share the ports with other servers that share them (SO_REUSEPORT): those with this \
              or with a socket for each worker. Without it a second server is refused",
        set: |config, text| value::switch(text).map(|on| config.join = on),
        get: |config| value::show_switch(config.join),
    },
    Setting {
        name: "nofile",
        values: "N|max|keep",
        doc: "Open files this process may have (ulimit -n): a number, the most that is allowed, or \
              as the shell set it. Connections are capped below it",
        set: |config, text| value::nofile(text).map(|n| config.limits.nofile = n),
        get: |config| value::show_nofile(config.limits.nofile),
    },
    Setting {
        name: "max_connections",
        values: "N|off",
        doc: "Connections at once, if fewer than open files and memory allow",
        set: |config, text| value::count(text).map(|n| config.limits.max_connections = n),
        get: |config| value::show_count(config.limits.max_connections as u64),
    },
    Setting {
        name: "at_limit",
        values: "shed|pause|evict-idle|refuse",
        doc: "What one connection too many meets: it is told why and closed (shed), waits in the \
              kernel's queue (pause), takes the place of the one idle longest (evict-idle), or is \
              reset by the kernel (refuse)",
        set: |config, text| value::at_limit(text).map(|policy| config.limits.at_limit = policy),
        get: |config| config.limits.at_limit.name().into(),
    },
    Setting {
        name: "evict_idle_after",
        values: "DURATION",
        doc: "evict-idle spares connections that were active within this time",
        set: |config, text| {
            value::duration_ms(text, 0).map(|ms| config.limits.evict_idle_after_ms = ms)
        },
        get: |config| value::show_duration(config.limits.evict_idle_after_ms),
    },
    Setting {
        name: "per_ip_max",
        values: "N|off",
        doc: "Connections at once from one IPv4 address or IPv6 /64 network",
        set: |config, text| value::count(text).map(|n| config.limits.per_ip_max = n),
        get: |config| value::show_count(config.limits.per_ip_max.into()),
    },
    Setting {
        name: "accept_rate",
        values: "N|off",
        doc: "New connections a second from one IPv4 address or IPv6 /64 network; as many may come \
              at once",
        set: |config, text| value::count(text).map(|n| config.limits.accept_rate = n),
        get: |config| value::show_count(config.limits.accept_rate.into()),
    },
    Setting {
        name: "idle_timeout",
        values: "DURATION|off",
        doc: "Close a connection on which no byte moved for so long",
        set: |config, text| {
            value::duration_or_off_ms(text).map(|ms| config.limits.idle_timeout_ms = ms)
        },
        get: |config| value::show_duration_or_off(config.limits.idle_timeout_ms),
    },
    Setting {
        name: "linger",
        values: "DURATION",
        doc: "How long the closing of a connection waits for the peer to end its side",
        set: |config, text| value::duration_ms(text, 1).map(|ms| config.limits.linger_ms = ms),
        get: |config| value::show_duration(config.limits.linger_ms),
    },
    Setting {
        name: "backlog_bytes_max",
        values: "BYTES",
        doc: "Unsent output of one connection; one with more is closed, for it reads too slowly",
        set: |config, text| value::bytes(text).map(|n| config.limits.backlog_bytes_max = n),
        get: |config| value::show_bytes(config.limits.backlog_bytes_max as u64),
    },
    Setting {
        name: "buffers_bytes_max",
        values: "BYTES",
        doc: "Memory of all connections together that are stuck: unsent output, half messages",
        set: |config, text| value::bytes(text).map(|n| config.limits.buffers_bytes_max = n),
        get: |config| value::show_bytes(config.limits.buffers_bytes_max),
    },
    Setting {
        name: "tls_handshake_timeout",
        values: "DURATION|off",
        doc: "TLS: how long after it was accepted a connection's handshake must be done; bytes do \
              not reset it",
        set: |config, text| {
            value::duration_or_off_ms(text).map(|ms| config.limits.tls_handshake_timeout_ms = ms)
        },
        get: |config| value::show_duration_or_off(config.limits.tls_handshake_timeout_ms),
    },
    Setting {
        name: "tls_self_signed",
        values: "on|off|HOST",
        doc: "TLS: a listener without tls_cert gets a certificate made at the start, for localhost \
              and HOST, which nobody trusts; its fingerprint is logged",
        set: |config, text| value::self_signed(text).map(|host| config.tls_self_signed = host),
        get: |config| value::show_self_signed(config.tls_self_signed.as_deref()),
    },
    Setting {
        name: "line_bytes_max",
        values: "BYTES",
        doc: "The longest line of a broadcast, its ending included; at most 16KiB",
        set: |config, text| value::bytes(text).map(|n| config.limits.line_bytes_max = n),
        get: |config| value::show_bytes(config.limits.line_bytes_max as u64),
    },
    Setting {
        name: "head_bytes_max",
        values: "BYTES",
        doc: "HTTP: bytes of a request's head; at most 16KiB",
        set: |config, text| value::bytes(text).map(|n| config.limits.head_bytes_max = n),
        get: |config| value::show_bytes(config.limits.head_bytes_max as u64),
    },
    Setting {
        name: "headers_max",
        values: "N",
        doc: "HTTP: header lines of a request; at most 256",
        set: |config, text| value::number(text).map(|n| config.limits.headers_max = n),
        get: |config| value::show_count(config.limits.headers_max as u64),
    },
    Setting {
        name: "body_bytes_max",
        values: "BYTES",
        doc: "HTTP: bytes of a request's body",
        set: |config, text| value::bytes(text).map(|n| config.limits.body_bytes_max = n),
        get: |config| value::show_bytes(config.limits.body_bytes_max),
    },
    Setting {
        name: "head_timeout",
        values: "DURATION|off",
        doc: "HTTP: how long after its first byte a request's head must be whole; bytes do not \
              reset it. A body may pause for so long",
        set: |config, text| {
            value::duration_or_off_ms(text).map(|ms| config.limits.head_timeout_ms = ms)
        },
        get: |config| value::show_duration_or_off(config.limits.head_timeout_ms),
    },
    Setting {
        name: "body_bytes_per_s_min",
        values: "BYTES|off",
        doc: "HTTP: bytes a second that a request's body must bring, behind a first head-timeout",
        set: |config, text| {
            value::bytes_or_off(text).map(|n| config.limits.body_bytes_per_s_min = n)
        },
        get: |config| value::show_bytes_or_off(config.limits.body_bytes_per_s_min),
    },
    Setting {
        name: "keep_alive",
        values: "DURATION|off",
        doc: "HTTP: close a connection that waits for its next request for so long",
        set: |config, text| {
            value::duration_or_off_ms(text).map(|ms| config.limits.keep_alive_ms = ms)
        },
        get: |config| value::show_duration_or_off(config.limits.keep_alive_ms),
    },
    Setting {
        name: "frame_bytes_max",
        values: "BYTES",
        doc: "WebSocket: bytes of a frame",
        set: |config, text| value::bytes(text).map(|n| config.limits.frame_bytes_max = n),
        get: |config| value::show_bytes(config.limits.frame_bytes_max as u64),
    },
    Setting {
        name: "message_bytes_max",
        values: "BYTES",
        doc: "WebSocket: bytes of a message; of a compressed one also once it is inflated",
        set: |config, text| value::bytes(text).map(|n| config.limits.message_bytes_max = n),
        get: |config| value::show_bytes(config.limits.message_bytes_max as u64),
    },
    Setting {
        name: "fragments_max",
        values: "N",
        doc: "WebSocket: frames of a message",
        set: |config, text| value::number(text).map(|n| config.limits.fragments_max = n),
        get: |config| value::show_count(config.limits.fragments_max.into()),
    },
    Setting {
        name: "control_frames_per_s_max",
        values: "N|off",
        doc: "WebSocket: pings and pongs that a client may send in a second",
        set: |config, text| value::count(text).map(|n| config.limits.control_frames_per_s_max = n),
        get: |config| value::show_count(config.limits.control_frames_per_s_max.into()),
    },
    Setting {
        name: "deflate",
        values: "on|off",
        doc: "WebSocket: compress messages if the client can (permessage-deflate)",
        set: |config, text| value::switch(text).map(|on| config.limits.deflate = on),
        get: |config| value::show_switch(config.limits.deflate),
    },
    Setting {
        name: "deflate_takeover_max",
        values: "N|off",
        doc: "WebSocket: connections at once whose compressed messages may refer to earlier ones, \
              which makes them smaller and takes up to 314 KB each, with which the cap counts",
        set: |config, text| value::count(text).map(|n| config.limits.deflate_takeover_max = n),
        get: |config| value::show_count(config.limits.deflate_takeover_max as u64),
    },
    Setting {
        name: "deflate_bytes_min",
        values: "BYTES",
        doc: "WebSocket: do not compress a shorter message; if it may refer to earlier ones, an \
              eighth of it is enough",
        set: |config, text| value::bytes(text).map(|n| config.limits.deflate_bytes_min = n),
        get: |config| value::show_bytes(config.limits.deflate_bytes_min as u64),
    },
    Setting {
        name: "ping_interval",
        values: "DURATION|off",
        doc: "WebSocket: ping a connection on which nothing moved for so long",
        set: |config, text| {
            value::duration_or_off_ms(text).map(|ms| config.limits.ping_interval_ms = ms)
        },
        get: |config| value::show_duration_or_off(config.limits.ping_interval_ms),
    },
    Setting {
        name: "pong_timeout",
        values: "DURATION|off",
        doc: "WebSocket: something must come so long after a ping",
        set: |config, text| {
            value::duration_or_off_ms(text).map(|ms| config.limits.pong_timeout_ms = ms)
        },
        get: |config| value::show_duration_or_off(config.limits.pong_timeout_ms),
    },
    Setting {
        name: "allow_origin",
        values: "ORIGIN|*",
        doc: "WebSocket: pages of this origin (https://example.org) may connect too, beside those \
              of the server's own host; * allows all. May be repeated",
        set: |config, text| value::origin(text).map(|it| config.limits.allow_origin.push(it)),
        get: |config| config.limits.allow_origin.clone().into(),
    },
    Setting {
        name: "drain",
        values: "DURATION",
        doc: "How long SIGTERM or SIGINT lets connections finish, told to go one after the other, \
              before it cuts them off; a second signal cuts at once",
        set: |config, text| value::duration_ms(text, 1).map(|ms| config.limits.drain_ms = ms),
        get: |config| value::show_duration(config.limits.drain_ms),
    },
    Setting {
        name: "spin_us",
        values: "N|off",
        doc: "Before it sleeps, look for up to N microseconds (at most 10000) whether something \
              comes, as long as that pays: a lone message is answered sooner, for the time of a \
              core that is not needed otherwise",
        set: |config, text| value::count(text).map(|n| config.limits.spin_us = n),
        get: |config| value::show_count(config.limits.spin_us.into()),
    },
    Setting {
        name: "metrics_file",
        values: "FILE|off",
        doc: "Append the counters to this file, one JSON object a line, on SIGUSR1 and at the end",
        set: |config, text| value::file(text).map(|file| config.metrics_file = file),
        get: |config| value::show_file(config.metrics_file.as_deref()),
    },
    Setting {
        name: "pid_file",
        values: "FILE|off",
        doc: "Write the number of this process to this file while it serves; `oneloop upgrade` \
              reads it there",
        set: |config, text| value::file(text).map(|file| config.pid_file = file),
        get: |config| value::show_file(config.pid_file.as_deref()),
    },
    Setting {
        name: "log",
        values: "off|error|warn|info|debug|trace|FILTER",
        doc: "What to log on stderr: a level, or levels by module (warn,oneloop::server=debug)",
        set: |config, text| value::log(text).map(|filter| config.log = filter),
        get: |config| config.log.as_str().into(),
    },
];
