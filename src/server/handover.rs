//! Sockets that are open already: from systemd, or from the server before this one.
//!
//! **What.** [`Inherited`] takes what this process was started with and gives each endpoint its
//! sockets. [`Successor`] starts the next server with ours; when that is ready, we drain.
//!
//! **Why this way.** While a listening socket is open anywhere, its port refuses nobody and its
//! queue loses nobody. So it is handed on, never closed and opened again; with `SO_REUSEPORT` a
//! new socket beside the old would lose what waits at the old one (`docs/kernel-facts.md`). The
//! successor is an ordinary child, which says in one byte that it serves. One that ends without
//! that byte changes nothing. Rejected: sending the descriptors over a Unix socket (a path, and
//! rights to it, for what `exec` does by itself).
//!
//! **Costs.** `fork` and `exec`; two descriptors until the successor is ready.
//!
//! **Read next.** `src/sys/inherit.rs`, `src/server/drain.rs`.

use super::drain::SUCCESSOR;
use super::worker::Worker;
use crate::net::{Address, Endpoint, SelfSigned};
use crate::reactor::{Cx, Source};
use crate::service::Service;
use crate::sys;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use socket2::{Domain, Socket, Type};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::{env, fmt};

/// Who hands sockets over, and which: `PID READY FD,FD,… CERTIFICATE`. The process with that id is
/// our parent, or the variable is not for us. The last is missing if there is none.
const VARIABLE: &str = "ONELOOP_SUCCEEDS";

/// What is in the environment about sockets that are handed over. A child must not find it.
pub const VARIABLES: [&str; 4] = [VARIABLE, "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// More than a self-signed certificate and its key have.
const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;

/// What the successor says when it serves.
const READY: u8 = b'+';

/// Why what was handed over cannot be used: which descriptor, what it is, what would do.
#[derive(Debug)]
pub struct HandoverError(String);

impl fmt::Display for HandoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HandoverError {}

/// The sockets that this process was started with.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<Given>,
    /// Where our predecessor waits for a word.
    predecessor: Option<Socket>,
    /// The certificate that it had made.
    certificate: Option<SelfSigned>,
}

#[derive(Debug)]
struct Given {
    /// Its number when it came, and what systemd calls it: for people.
    name: String,
    socket: Socket,
    kind: Type,
}

impl Inherited {
    /// Takes the sockets that a predecessor or systemd (`sd_listen_fds(3)`) hands over; none if
    /// there are none. Once a process.
    ///
    /// # Errors
    /// One of them is no socket to listen on.
    pub fn take() -> Result<Inherited, HandoverError> {
        if let Ok(text) = env::var(VARIABLE)
            && let Some(inherited) = from_predecessor(&text)?
        {
            return Ok(inherited);
        }
        let number = |name: &str| env::var(name).ok()?.trim().parse::<u32>().ok();
        let for_us = number("LISTEN_PID") == Some(std::process::id());
        let Some(count) = number("LISTEN_FDS").filter(|_| for_us) else {
            return Ok(Inherited::default());
        };
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        let numbers = (sys::inherit::FIRST..).take(count as usize);
        let sockets = numbers.map(|fd| given(fd, names.next(), "LISTEN_FDS"));
        Ok(Inherited { sockets: sockets.collect::<Result<_, _>>()?, ..Inherited::default() })
    }

    /// The sockets of each endpoint, in their order: those with its address. An endpoint on port 0
    /// gets those on its host that no other one names. What nobody names is closed here.
    pub fn assign(&mut self, endpoints: &[&Endpoint]) -> Vec<Vec<OwnedFd>> {
        let mut left: Vec<Given> = self.sockets.drain(..).collect();
        let mut assigned: Vec<Vec<OwnedFd>> = endpoints.iter().map(|_| Vec::new()).collect();
        for exactly in [true, false] {
            for (endpoint, sockets) in endpoints.iter().zip(&mut assigned) {
                let mut port = None;
                let is_wanted = |given: &mut Given| is_at(given, endpoint, exactly, &mut port);
                let backlog = i32::try_from(endpoint.options.backlog).unwrap_or(i32::MAX);
                for Given { name, socket, kind } in left.extract_if(.., is_wanted) {
                    let listens =
                        kind != Type::STREAM || sys::inherit::is_listening(&socket).unwrap_or(true);
                    // A predecessor that is full may refuse; here is room.
                    if !listens && let Err(error) = socket.listen(backlog) {
                        tracing::warn!("{name}: cannot listen on it again: {error}");
                    }
                    sockets.push(socket.into());
                }
            }
        }
        for Given { name, .. } in left {
            tracing::warn!("{name} was handed over, and no listener has its address: closed");
        }
        assigned
    }

    /// A predecessor serves until we do.
    pub fn is_successor(&self) -> bool {
        self.predecessor.is_some()
    }

    /// Takes the self-signed certificate that the predecessor showed, if it showed one.
    pub fn certificate(&mut self) -> Option<SelfSigned> {
        self.certificate.take()
    }

    /// Tells the predecessor that we serve: it may go.
    pub fn ready(&mut self) {
        if let Some(predecessor) = self.predecessor.take() {
            // If it is gone, there is nobody to be told.
            let _ = predecessor.send(&[READY]);
        }
    }
}

fn from_predecessor(text: &str) -> Result<Option<Inherited>, HandoverError> {
    let mut words = text.split(' ');
    let pid = words.next().and_then(|word| word.parse().ok());
    if pid != Some(std::os::unix::process::parent_id()) {
        return Ok(None);
    }
    let numbers = |word: Option<&str>| -> Option<Vec<RawFd>> {
        word?.split(',').filter(|it| !it.is_empty()).map(|it| it.parse().ok()).collect()
    };
    let (Some(ready), Some(sockets)) = (numbers(words.next()), numbers(words.next())) else {
        return Err(HandoverError(format!("{VARIABLE}: `{text}` is not PID READY FD,FD,…")));
    };
    let take = |fd: &RawFd| sys::inherit::take(*fd).map_err(|error| broken(*fd, VARIABLE, &error));
    let predecessor = ready.first().map(take).transpose()?.map(Socket::from);
    let sockets = sockets.into_iter().map(|fd| given(fd, None, VARIABLE));
    let sockets = sockets.collect::<Result<_, _>>()?;
    let certificate = numbers(words.next()).and_then(|fds| certificate_in(*fds.first()?));
    Ok(Some(Inherited { sockets, predecessor, certificate }))
}

/// The certificate in the inherited descriptor `fd`.
pub fn certificate_in(fd: RawFd) -> Option<SelfSigned> {
    let bytes = sys::memory::bytes_of(sys::inherit::take(fd).ok()?, CERTIFICATE_BYTES_MAX).ok()?;
    SelfSigned::from_bytes(&bytes)
}

fn broken(fd: RawFd, origin: &str, reason: &dyn fmt::Display) -> HandoverError {
    HandoverError(format!(
        "{origin}: descriptor {fd} is no socket to listen on: {reason}; hand over sockets that are \
         bound, and listen if they are streams"
    ))
}

/// Looks at what was handed over under the number `fd`.
fn given(fd: RawFd, name: Option<&str>, origin: &str) -> Result<Given, HandoverError> {
    let error = |reason: &dyn fmt::Display| broken(fd, origin, reason);
    let socket = Socket::from(sys::inherit::take(fd).map_err(|e| error(&e))?);
    let kind = socket.r#type().map_err(|e| error(&e))?;
    let listens = sys::inherit::is_listening(&socket).map_err(|e| error(&e))?;
    match kind {
        Type::STREAM if listens || origin == VARIABLE => {}
        Type::STREAM => return Err(error(&"it does not listen")),
        Type::DGRAM => {}
        _ => return Err(error(&"neither a stream nor datagrams")),
    }
    let name = match name {
        Some(name) => format!("descriptor {fd} ({name})"),
        None => format!("descriptor {fd}"),
    };
    Ok(Given { name, socket, kind })
}

/// Whether a socket is at an endpoint's address; if not `exactly`, whether port 0 may stand for its
/// port. `port` is the port that this was decided for: the other sockets of a group have the same.
fn is_at(given: &Given, endpoint: &Endpoint, exactly: bool, port: &mut Option<u16>) -> bool {
    let Ok(local) = given.socket.local_addr() else { return false };
    let (address, kind) = match &endpoint.address {
        Address::Tcp(address) => (address, Type::STREAM),
        Address::Udp(address) => (address, Type::DGRAM),
        Address::Unix(path) => {
            let is_unix = local.domain() == Domain::UNIX && given.kind == Type::STREAM;
            return exactly && is_unix && local.as_pathname() == Some(path);
        }
    };
    let Some(local) = local.as_socket().filter(|_| given.kind == kind) else { return false };
    if exactly || address.port() != 0 {
        return exactly && local == *address;
    }
    let is_here = local.ip() == address.ip() && port.is_none_or(|port| port == local.port());
    if is_here {
        *port = Some(local.port());
    }
    is_here
}

/// A program and its arguments: what to start when this server is to be replaced.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its path. What is found there later may be a newer version: that is the point.
    pub path: PathBuf,
    /// Without its name.
    pub arguments: Vec<OsString>,
    /// The self-signed certificate that it is to show too, if there is one.
    pub certificate: Option<SelfSigned>,
}

/// The next server, which was started and is not ready yet.
pub(super) struct Successor {
    child: Child,
    /// On which it says that it is.
    socket: Socket,
}

impl Successor {
    /// Starts it with our sockets, and waits for it on the loop.
    ///
    /// # Errors
    /// `fork(2)`, `execve(2)`, or no descriptor is left.
    pub(super) fn start(
        program: &Program,
        sockets: &[RawFd],
        registry: &Registry,
    ) -> io::Result<Successor> {
        let (ours, theirs) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None)?;
        ours.set_nonblocking(true)?;
        let list: Vec<String> = sockets.iter().map(RawFd::to_string).collect();
        let pid = std::process::id();
        let mut variable = format!("{pid} {} {}", theirs.as_raw_fd(), list.join(","));
        let mut fds = sockets.to_vec();
        fds.push(theirs.as_raw_fd());
        let certificate =
            program.certificate.as_ref().map(|it| sys::memory::file_of(&it.to_bytes()));
        let certificate = certificate.transpose()?;
        if let Some(certificate) = &certificate {
            let _ = write!(variable, " {}", certificate.as_raw_fd());
            fds.push(certificate.as_raw_fd());
        }
        let mut command = Command::new(&program.path);
        command.args(&program.arguments);
        for name in VARIABLES {
            command.env_remove(name);
        }
        command.env(VARIABLE, variable);
        sys::child::hand_down(&mut command, fds);
        let child = command.spawn()?;
        let token = Source::Control(SUCCESSOR).token();
        registry.register(&mut SourceFd(&ours.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Successor { child, socket: ours })
    }

    /// Whether it is ready; `None` if it has not decided yet. One that ended is waited for.
    pub(super) fn outcome(&mut self) -> Option<bool> {
        let mut word = [0];
        match self.socket.read(&mut word) {
            Ok(1) => Some(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            _ => {
                let _ = self.child.kill();
                let _ = self.child.wait();
                Some(false)
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl<S: Service> Worker<S> {
    /// Starts the server that is to follow this one.
    pub(super) fn start_successor(&mut self, cx: &mut Cx) {
        let Some(program) = &self.control.program else { return };
        if self.control.successor.is_some() || self.draining.is_some() {
            return tracing::warn!("there is a successor already, or a drain under way");
        }
        let streams = self.listeners.iter().filter_map(|it| it.acceptor.as_ref());
        let datagrams = self.datagrams.iter().filter_map(|it| it.socket.as_ref());
        let streams = streams.map(AsRawFd::as_raw_fd);
        let sockets: Vec<RawFd> = streams.chain(datagrams.map(AsRawFd::as_raw_fd)).collect();
        match Successor::start(program, &sockets, cx.registry()) {
            Ok(successor) => {
                tracing::info!(pid = successor.pid(), "started a successor");
                self.control.successor = Some(successor);
                self.fixed_descriptors += 1;
            }
            Err(error) => tracing::error!("{}: {error}; serving on", program.path.display()),
        }
    }

    /// The successor is ready, or has ended.
    pub(super) fn on_successor(&mut self, cx: &mut Cx) {
        let Some(ready) = self.control.successor.as_mut().and_then(Successor::outcome) else {
            return;
        };
        let pid = self.control.successor.take().map(|successor| successor.pid());
        self.fixed_descriptors -= 1;
        match ready {
            true => {
                tracing::info!(pid, "the successor serves");
                self.leave(cx);
            }
            false => tracing::error!(pid, "the successor did not start; serving on"),
        }
    }
}
