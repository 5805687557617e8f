//! The server: sockets and meaning joined, on one loop.
//!
//! **What.** [`Server::builder`] takes listeners, each with a [`Service`], and [`Limits`];
//! [`Server::run`] serves until it is told to stop.
//!
//! **Why this way.** Below this floor sockets know no protocol and protocols know no socket. Here
//! they meet, in a [`Handler`](crate::reactor::Handler) of the reactor that fits on a page
//! (`src/server/worker.rs`), with one file for each step of the turn.
//!
//! **Costs.** Steady echo: 1 `recv` + 1 `send` a ready connection, no allocation. An accept:
//! `accept4` + `epoll_ctl`. An idle connection: under 200 bytes of user memory.
//!
//! **Read next.** `src/server/worker.rs`, `src/server/pump.rs`.

mod admission;
mod books;
mod channel;
mod conn;
mod crew;
mod datagrams;
mod drain;
mod ending;
mod gate;
mod handover;
mod limits;
mod mail;
mod mailing;
mod page;
mod peers;
mod pump;
mod relay;
mod secure;
mod sockets;
mod start;
mod supervisor;
mod worker;

pub use admission::{BYTES_PER_CONNECTION, CapBy, Descriptors, Price, SPARE_DESCRIPTORS, reserve};
pub use books::Books;
pub use crew::{Berth, WORKERS_MAX};
pub use handover::{HandoverError, Inherited, Program, VARIABLES, certificate_in};
pub use limits::*;
pub use page::{Account, jain, words_of};
pub use start::StartError;
pub use supervisor::{Hand, Plan, Recruit, Supervisor, Told};

use crate::clock::Time;
use crate::net::{Endpoint, SelfSigned};
use crate::proto::http1::Date;
use crate::reactor::{Reactor, Source};
use crate::service::Service;
use crate::sys;
use crate::sys::datagram::Batch;
use crate::sys::signals::{Signal, SignalFd};
use admission::Admission;
use crew::Crew;
use mio::{Interest, Waker};
use sockets::{Given, Sockets};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use worker::Worker;

/// How a server came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was told to stop, and every connection was closed or cut off in time.
    Drained,
    /// A second signal (its number) cut the drain short.
    Signalled(i32),
}

/// Stops a running server from another thread.
#[derive(Clone)]
pub struct Stopper {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl Stopper {
    /// Begins the drain.
    ///
    /// # Errors
    /// The server's loop cannot be woken (`write(2)` to its eventfd).
    pub fn stop(&self) -> io::Result<()> {
        self.stop.store(true, Ordering::Release);
        self.waker.wake()
    }
}

/// The services of an endpoint, by path; the path is empty where there are none.
type Services<S> = Vec<(String, S)>;

/// Collects what a server needs before it starts.
pub struct Builder<S> {
    listen: Vec<(Endpoint, Services<S>)>,
    /// By endpoint: sockets that are open already. What has none is bound.
    sockets: Vec<Vec<OwnedFd>>,
    berth: Option<Berth>,
    successor: Option<Program>,
    limits: Limits,
    tls_self_signed: Option<SelfSigned>,
    handle_signals: bool,
    metrics_file: Option<PathBuf>,
}

impl<S: Service> Builder<S> {
    /// Adds a listener and the service behind it. With an HTTP endpoint the service is reached by
    /// WebSocket on the path of the URL.
    pub fn listen(self, endpoint: Endpoint, service: S) -> Self {
        let path = format!("/{}", endpoint.service);
        self.site(endpoint, vec![(path, service)])
    }

    /// Adds an HTTP listener with a service on each path (`/echo`).
    pub fn site(mut self, endpoint: Endpoint, services: Vec<(String, S)>) -> Self {
        self.listen.push((endpoint, services));
        self
    }

    /// Sets the limits; [`Limits::default`] holds otherwise.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Listeners with TLS that name no certificate have this one, which nobody trusts. Without it
    /// they are an error.
    pub fn tls_self_signed(mut self, certificate: Option<SelfSigned>) -> Self {
        self.tls_self_signed = certificate;
        self
    }

    /// Drains on SIGTERM and SIGINT, writes the metrics on SIGUSR1, and on SIGHUP reads
    /// certificates again (which it leaves alone where there is no TLS). The signals are blocked in
    /// the calling thread and in those that it starts later.
    pub fn handle_signals(mut self) -> Self {
        self.handle_signals = true;
        self
    }

    /// Appends the [`Books`] to this file, one JSON object a line, on SIGUSR1 and at the end.
    pub fn metrics_file(mut self, path: PathBuf) -> Self {
        self.metrics_file = Some(path);
        self
    }

    /// Uses sockets that are open already, by endpoint in the order in which they were added; see
    /// [`Inherited::assign`].
    pub fn sockets(mut self, sockets: Vec<Vec<OwnedFd>>) -> Self {
        self.sockets = sockets;
        self
    }

    /// Makes it one of several workers, which gets its sockets and what to do from a
    /// [`Supervisor`].
    pub fn berth(mut self, berth: Berth) -> Self {
        self.berth = Some(berth);
        self
    }

    /// On SIGUSR2 starts this program, hands it all sockets, and drains once it is ready. It is to
    /// begin with [`Inherited::take`].
    pub fn successor(mut self, program: Program) -> Self {
        self.successor = Some(program);
        self
    }

    /// Takes everything the server needs: the limit of open files, signals, sockets.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn bind(self) -> Result<Server<S>, StartError> {
        self.limits.check().map_err(StartError::Limit)?;
        let mut descriptors = admission::apply(self.limits.nofile)?;
        let listeners = self.listen.len();
        self.open(descriptors).map_err(|error| {
            if !error.is_out_of_descriptors() {
                return error;
            }
            descriptors.open = admission::open_at_start(listeners);
            StartError::NoRoom(descriptors)
        })
    }

    fn open(self, descriptors: Descriptors) -> Result<Server<S>, StartError> {
        let has_tls = self.listen.iter().any(|(endpoint, _)| endpoint.tls.is_some());
        let price = Price::of(&self.limits, has_tls);
        let workers = self.berth.as_ref().map_or(1, |berth| berth.workers);
        let mut admission = Admission::new(descriptors, &self.limits, price, workers);
        let system = |what| move |error| StartError::System(what, error);

        let mut reactor = Reactor::new(admission.cap()).map_err(system("epoll"))?;
        reactor.spin_before_sleep(self.limits.spin_us);
        let clock = reactor.clock();
        let registry = reactor.cx().registry();
        let waker = Waker::new(registry, Source::Control(drain::WAKER).token());
        let stopper = Stopper {
            stop: Arc::new(AtomicBool::new(false)),
            waker: Arc::new(waker.map_err(system("eventfd"))?),
        };
        let hears = (has_tls, self.successor.is_some());
        let signals = self.handle_signals.then(|| watch_signals(registry, hears));
        let signals = signals.transpose().map_err(system("signalfd"))?;
        let spare = Some(gate::open_spare().map_err(system("/dev/null"))?);
        let given = Given {
            sockets: self.sockets,
            berth: self.berth.as_ref().map(|berth| (berth.number, berth.workers)),
            tls_self_signed: self.tls_self_signed.as_ref(),
        };
        let Sockets { listeners, channels, datagrams } =
            sockets::open(&mut reactor, self.listen, given)?;

        let open = match self.berth.as_ref().and_then(|berth| berth.shared_descriptors) {
            Some(open) => admission.share(workers, open),
            None => sys::process::open_descriptors().map_err(system("/proc/self/fd"))?,
        };
        admission.opened(open);
        if admission.cap() == 0 {
            return Err(StartError::NoRoom(admission.descriptors()));
        }
        let mail_waits = self.berth.is_some();
        let crew = self.berth.map(|berth| Crew::board(berth, reactor.cx().registry()));
        let worker = Worker {
            crew: crew.transpose().map_err(system("epoll_ctl"))?.map(Box::new),
            conns: conn::Conns::with_capacity(admission.cap()),
            read: Box::new([0; READ_BYTES]),
            desk: self.limits.desk(Date::at(clock.unix_s(Time::ZERO))),
            tls: Default::default(),
            batch: (!datagrams.is_empty()).then(Batch::new),
            metrics: Default::default(),
            clock,
            control: drain::Control {
                signals,
                stop: stopper.stop.clone(),
                metrics_file: self.metrics_file,
                exit: None,
                program: self.successor,
                successor: None,
            },
            draining: None,
            fixed_descriptors: open.saturating_sub(listeners.len() + datagrams.len() + 1),
            kernel_drops_before: 0,
            spare,
            is_starved: false,
            evict_hand: 0,
            limits: self.limits,
            admission,
            listeners,
            channels,
            mail_waits,
            datagrams,
        };
        Ok(Server { reactor, worker, stopper })
    }
}

/// A server that is ready to run.
pub struct Server<S: Service> {
    reactor: Reactor,
    worker: Worker<S>,
    stopper: Stopper,
}

impl<S: Service> Server<S> {
    /// Begins to describe a server.
    pub fn builder() -> Builder<S> {
        Builder {
            listen: Vec::new(),
            sockets: Vec::new(),
            berth: None,
            successor: None,
            limits: Limits::default(),
            tls_self_signed: None,
            handle_signals: false,
            metrics_file: None,
        }
    }

    /// Where it listens, with the ports that the system chose.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let streams = self.worker.listeners.iter().filter(|listener| listener.twin_of.is_none());
        let streams = streams.map(|listener| &listener.endpoint);
        streams.chain(self.worker.datagrams.iter().map(|datagrams| &datagrams.endpoint))
    }

    /// One line: what was raised, what is reserved, the cap and what sets it.
    pub fn start_line(&self) -> String {
        self.worker.admission.describe()
    }

    /// Connections that may be open at once, and which limit says so.
    pub fn cap(&self) -> (usize, CapBy) {
        (self.worker.admission.cap(), self.worker.admission.cap_by())
    }

    /// A handle that stops the server from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Serves until a signal or a [`Stopper`] ends it. Returns how it ended, and the books.
    ///
    /// # Errors
    /// `epoll_wait(2)` failed.
    pub fn run(mut self) -> io::Result<(Exit, Books)> {
        self.worker.report_ready(self.reactor.cx());
        self.reactor.run(&mut self.worker)?;
        let now = self.reactor.clock().now();
        if self.worker.control.metrics_file.is_some() {
            self.worker.write_metrics(now);
        }
        let exit = self.worker.control.exit.unwrap_or(Exit::Drained);
        let books = self.worker.books(now);
        self.worker.publish_last(&books);
        Ok((exit, books))
    }
}

/// Where there are certificates SIGHUP is heard, and where there is a successor SIGUSR2.
fn watch_signals(
    registry: &mio::Registry,
    (has_tls, has_successor): (bool, bool),
) -> io::Result<SignalFd> {
    let mut signals = vec![Signal::Terminate, Signal::Interrupt, Signal::User1];
    // Where there is nothing to be read again, it means what it always does: the terminal is gone.
    signals.extend(has_tls.then_some(Signal::Hangup));
    signals.extend(has_successor.then_some(Signal::User2));
    let signals = SignalFd::block(&signals)?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&signals);
    let token = Source::Control(drain::SIGNALS).token();
    registry.register(&mut mio::unix::SourceFd(&fd), token, Interest::READABLE)?;
    Ok(signals)
}
