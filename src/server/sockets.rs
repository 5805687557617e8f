//! Opening a worker's sockets, or taking over those that are open.
//!
//! **What.** Each endpoint becomes a listener with the channels behind it, or a datagram socket. A
//! socket that was handed over is used as it is; where there is none, one is bound.
//!
//! **Why this way.** A worker of several gets all sockets of all of them, and watches its own
//! (`src/server/crew.rs`). The sockets of one endpoint lead to the same channels.
//!
//! **Costs.** Once, at start.
//!
//! **Read next.** `src/server/gate.rs`.

use super::channel::{Channel, Doors};
use super::crew::Owner;
use super::datagrams::DatagramSocket;
use super::start::StartError;
use super::worker::Listener;
use super::{Services, gate};
use crate::net::{self, Acceptor, Address, Endpoint, Protocol, SelfSigned, TlsServer};
use crate::reactor::{Reactor, Source};
use crate::service::Service;
use crate::sys;
use mio::Interest;
use mio::event::Source as _;
use mio::net::UdpSocket;
use std::io;
use std::os::fd::OwnedFd;

/// What was opened, and the services behind it.
pub(super) struct Sockets<S> {
    pub(super) listeners: Vec<Listener>,
    pub(super) channels: Vec<Channel<S>>,
    pub(super) datagrams: Vec<DatagramSocket<S>>,
}

/// What a worker is given to open its sockets with.
pub(super) struct Given<'a> {
    /// By endpoint: the sockets that are open already.
    pub(super) sockets: Vec<Vec<OwnedFd>>,
    /// Its number and how many workers there are, if there are several.
    pub(super) berth: Option<(usize, usize)>,
    pub(super) tls_self_signed: Option<&'a SelfSigned>,
}

impl Given<'_> {
    /// Whose the `nth` of so many sockets is.
    fn owner(&self, nth: usize, sockets: usize) -> Owner {
        self.berth.map_or(Owner::Alone, |(_, workers)| Owner::of(nth, sockets, workers))
    }
}

pub(super) fn open<S: Service>(
    reactor: &mut Reactor,
    listen: Vec<(Endpoint, Services<S>)>,
    mut given: Given<'_>,
) -> Result<Sockets<S>, StartError> {
    if listen.iter().all(|(_, services)| services.is_empty()) {
        return Err(StartError::NoListener);
    }
    let mut sockets =
        Sockets { listeners: Vec::new(), channels: Vec::new(), datagrams: Vec::new() };
    given.sockets.resize_with(listen.len(), Vec::new);
    let inherited = std::mem::take(&mut given.sockets);
    for ((endpoint, services), inherited) in listen.into_iter().zip(inherited) {
        let at = endpoint.clone();
        let tls = TlsServer::load(&endpoint, given.tls_self_signed)
            .map_err(|error| StartError::Tls(Box::new(at.clone()), error))?;
        let opened = match at.address {
            Address::Udp(_) => {
                open_datagrams(reactor, endpoint, services, inherited, &given, &mut sockets)
            }
            Address::Tcp(_) | Address::Unix(_) => {
                open_stream(reactor, endpoint, tls, services, inherited, &given, &mut sockets)
            }
        };
        opened.map_err(|error| StartError::Listen(Box::new(at), error))?;
    }
    Ok(sockets)
}

fn open_stream<S: Service>(
    reactor: &mut Reactor,
    endpoint: Endpoint,
    tls: Option<TlsServer>,
    services: Services<S>,
    inherited: Vec<OwnedFd>,
    given: &Given<'_>,
    sockets: &mut Sockets<S>,
) -> io::Result<()> {
    warn_of_backlog(&endpoint);
    let first = sockets.channels.len() as u16;
    let doors = match endpoint.protocol {
        Protocol::Stream => Doors::Open(first),
        Protocol::Http => {
            let paths = services.iter().zip(first..);
            Doors::Paths(paths.map(|((path, _), channel)| (path.clone(), channel)).collect())
        }
    };
    sockets.channels.extend(services.into_iter().map(|(_, service)| Channel::new(service)));
    if let Some(tls) = &tls {
        let what = if tls.is_self_signed() { "self-signed certificate" } else { "certificate" };
        tracing::info!("{endpoint}: {what}, SHA-256 {}", tls.fingerprint());
    }
    let eldest = sockets.listeners.len() as u16;
    if inherited.is_empty() {
        let mut listener = Listener::new(endpoint, doors, tls);
        gate::listen(reactor.cx(), eldest, &mut listener)?;
        sockets.listeners.push(listener);
        return Ok(());
    }
    let count = inherited.len();
    for (nth, socket) in inherited.into_iter().enumerate() {
        let mut listener = Listener::new(endpoint.clone(), doors.clone(), tls.clone());
        listener.owner = given.owner(nth, count);
        listener.twin_of = (nth > 0).then_some(eldest);
        let is_alone = listener.owner == Owner::Alone;
        let mut acceptor = Acceptor::inherit(&endpoint, socket, is_alone)?;
        if is_alone {
            let token = Source::Listener(sockets.listeners.len() as u16).token();
            acceptor.register(reactor.cx().registry(), token, Interest::READABLE)?;
        }
        listener.endpoint = acceptor.endpoint().clone();
        // If it is closed to refuse, it is opened again beside its twins.
        listener.endpoint.options.reuse_port |= count > 1;
        listener.acceptor = Some(acceptor);
        sockets.listeners.push(listener);
    }
    Ok(())
}

fn open_datagrams<S>(
    reactor: &mut Reactor,
    mut endpoint: Endpoint,
    services: Services<S>,
    inherited: Vec<OwnedFd>,
    given: &Given<'_>,
    sockets: &mut Sockets<S>,
) -> io::Result<()> {
    let Some((_, service)) = services.into_iter().next() else { return Ok(()) };
    let count = inherited.len();
    let is_ours = |nth: usize| match given.owner(nth, count) {
        Owner::Worker(number) => given.berth.is_some_and(|(own, _)| own == number),
        Owner::Alone | Owner::All => true,
    };
    let mut ours = inherited.into_iter().enumerate().filter(|(nth, _)| is_ours(*nth));
    let registry = reactor.cx().registry();
    let token = Source::Datagram(sockets.datagrams.len() as u16).token();
    let socket = match ours.next() {
        None => {
            let mut socket = net::bind_datagram(&mut endpoint)?;
            registry.register(&mut socket, token, Interest::READABLE)?;
            socket
        }
        // Perhaps it is everybody's: who is woken without need finds nothing.
        Some((_, socket)) => {
            let socket = UdpSocket::from_std(std::net::UdpSocket::from(socket));
            if let Address::Udp(address) = &mut endpoint.address {
                *address = socket.local_addr()?;
            }
            sys::epoll::watch_shared(registry, &socket, token.0)?;
            socket
        }
    };
    let socket = Some(socket);
    sockets.datagrams.push(DatagramSocket { endpoint, socket, service, queued: false });
    Ok(())
}

/// `listen(2)` shortens a backlog above somaxconn without a word.
fn warn_of_backlog(endpoint: &Endpoint) {
    let somaxconn = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    let Some(max) = somaxconn.ok().and_then(|text| text.trim().parse().ok()) else { return };
    let backlog = endpoint.options.backlog;
    if backlog > max {
        tracing::warn!(
            "{endpoint}: backlog {backlog} is above net.core.somaxconn and counts as {max}; \
             raise it with: sysctl -w net.core.somaxconn={backlog}"
        );
    }
}
