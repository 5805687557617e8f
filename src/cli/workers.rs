//! Several workers behind one `oneloop serve`.
//!
//! **What.** [`supervise`] opens the sockets, and starts and watches over the workers: threads, or
//! processes of our own binary, `oneloop worker`.
//!
//! **Why this way.** A worker gets the configuration as its supervisor read it, on its standard
//! input: a file that was changed since would make a worker that was started again another server
//! than its siblings. What it was given stands in its arguments, for `ps` to show. Rejected: `fork`
//! without `exec` (an allocator and a log in whatever state they were in).
//!
//! **Costs.** A process: `fork` and `exec`, 2 ms.
//!
//! **Read next.** `src/server/supervisor/mod.rs`.

mod room;

use super::Failure;
use super::pid_file::PidFile;
use super::serve::{announce, builder, certificate, ended, own_program, refusal, start_log};
use crate::config::{self, Accept, Config, Loaded, WorkerKind};
use crate::net::{self, Endpoint, SelfSigned};
use crate::server::{
    Berth, Exit, Hand, Inherited, Plan, Program, Recruit, StartError, Supervisor, VARIABLES,
    certificate_in, words_of,
};
use crate::sys;
use crate::sys::memory::Shared;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

/// Serves with several workers.
pub(super) fn supervise(loaded: Loaded, workers: usize) -> Result<ExitCode, Failure> {
    let mut inherited = Inherited::take().map_err(|error| Failure::Usage(error.to_string()))?;
    let toml = loaded.to_toml();
    let mut config = loaded.config;
    let pid_file = PidFile::claim(config.pid_file.take())?;
    room::check(&config, workers, inherited.is_successor())?;
    let mut endpoints: Vec<Endpoint> =
        config.listen.iter().map(|(endpoint, _)| endpoint.clone()).collect();
    let mut sockets = inherited.assign(&endpoints.iter().collect::<Vec<_>>());
    for (endpoint, sockets) in endpoints.iter_mut().zip(&mut sockets) {
        open(endpoint, sockets, &config, workers)?;
    }
    let certificate = certificate(&config, &mut inherited)?;
    let plan = Plan {
        workers,
        endpoints,
        sockets,
        drain_ms: config.limits.drain_ms,
        metrics_file: config.metrics_file.clone(),
        successor: own_program(certificate.clone()),
    };
    let how = match config.worker_kind {
        WorkerKind::Process => {
            let path = plan.successor.as_ref().map(|Program { path, .. }| path.clone());
            let path = path.ok_or_else(|| Failure::Run("/proc/self/exe cannot be read".into()))?;
            run(plan, Processes { path, toml, certificate }, &mut inherited, &pid_file)
        }
        WorkerKind::Thread => run(plan, Threads { config, certificate }, &mut inherited, &pid_file),
    };
    ended(how?)
}

fn run(
    plan: Plan,
    recruit: impl Recruit,
    inherited: &mut Inherited,
    pid_file: &PidFile,
) -> Result<io::Result<Exit>, Failure> {
    let workers = plan.workers;
    let supervisor = Supervisor::start(plan, recruit).map_err(refusal)?;
    pid_file.write()?;
    tracing::info!("{workers} workers serve");
    announce(supervisor.endpoints());
    inherited.ready();
    Ok(supervisor.run().map(|(exit, _)| exit))
}

/// Opens the sockets of an endpoint that was not handed any.
fn open(
    endpoint: &mut Endpoint,
    sockets: &mut Vec<OwnedFd>,
    config: &Config,
    workers: usize,
) -> Result<(), Failure> {
    if let Some(socket) = sockets.first() {
        return endpoint
            .note_address_of(socket)
            .map_err(|error| Failure::Run(format!("{endpoint}: {error}")));
    }
    endpoint.options.reuse_port |= config.join;
    let count = if config.accept == Accept::Shared { 1 } else { workers };
    *sockets = net::bind_group(endpoint, count)
        .map_err(|error| refusal(StartError::Listen(Box::new(endpoint.clone()), error)))?;
    Ok(())
}

/// Starts threads.
struct Threads {
    config: Config,
    certificate: Option<SelfSigned>,
}

impl Recruit for Threads {
    fn start(&mut self, berth: Berth, sockets: Vec<Vec<OwnedFd>>) -> io::Result<Hand> {
        let (config, certificate) = (self.config.clone(), self.certificate.clone());
        let number = berth.number + 1;
        let thread = std::thread::Builder::new().name(format!("worker-{number}"));
        let serve = move || {
            let _span = tracing::info_span!("worker", number).entered();
            let done = work(config, certificate, berth, sockets, false);
            if let Err(Failure::Usage(reason) | Failure::Run(reason)) = done {
                tracing::error!("{reason}");
            }
        };
        thread.spawn(serve).map(Hand::Thread)
    }

    fn is_in_process(&self) -> bool {
        true
    }
}

/// Starts processes of our own binary.
struct Processes {
    path: std::path::PathBuf,
    toml: String,
    certificate: Option<SelfSigned>,
}

impl Recruit for Processes {
    fn start(&mut self, berth: Berth, sockets: Vec<Vec<OwnedFd>>) -> io::Result<Hand> {
        let mut fds: Vec<RawFd> = [&berth.control, &berth.inbox].map(AsRawFd::as_raw_fd).to_vec();
        fds.push(berth.pages.as_raw_fd());
        let outboxes: Vec<RawFd> = berth.outboxes.iter().map(AsRawFd::as_raw_fd).collect();
        let groups = sockets.iter().enumerate();
        let sockets: Vec<(usize, RawFd)> = groups
            .flat_map(|(nth, group)| group.iter().map(move |fd| (nth, fd.as_raw_fd())))
            .collect();
        let text = |fds: &[RawFd]| fds.iter().map(RawFd::to_string).collect::<Vec<_>>().join(",");
        let listeners: Vec<String> =
            sockets.iter().map(|(nth, fd)| format!("{nth}:{fd}")).collect();
        let mut command = Command::new(&self.path);
        command.arg("worker").args(["--number", &(berth.number + 1).to_string()]);
        command.args(["--of", &berth.workers.to_string(), "--office", &text(&fds)]);
        if !outboxes.is_empty() {
            command.args(["--siblings", &text(&outboxes)]);
        }
        command.args(["--sockets", &listeners.join(",")]);
        // Its own each: a new descriptor for a worker that is started again, and none to keep.
        let certificate = self.certificate.as_ref().map(|it| sys::memory::file_of(&it.to_bytes()));
        let certificate = certificate.transpose()?;
        if let Some(certificate) = &certificate {
            command.args(["--certificate", &certificate.as_raw_fd().to_string()]);
            fds.push(certificate.as_raw_fd());
        }
        for name in VARIABLES.iter().copied().chain(["NOTIFY_SOCKET"]) {
            command.env_remove(name);
        }
        fds.extend(outboxes);
        fds.extend(sockets.iter().map(|(_, fd)| fd));
        sys::child::hand_down(&mut command, fds);
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // If it has ended already, its end tells.
            let _ = stdin.write_all(self.toml.as_bytes());
        }
        Ok(Hand::Process(child))
    }

    fn is_in_process(&self) -> bool {
        false
    }
}

/// Serve as one of several workers; started by `oneloop serve --workers`
#[derive(Debug, clap::Args)]
pub(super) struct Worker {
    /// Which of them, from 1
    #[arg(long)]
    number: usize,
    /// How many there are
    #[arg(long)]
    of: usize,
    /// Descriptors: to the supervisor, the inbox, the counters
    #[arg(long, value_delimiter = ',', num_args = 1)]
    office: Vec<RawFd>,
    /// Descriptors: the siblings' inboxes
    #[arg(long, value_delimiter = ',', num_args = 1)]
    siblings: Vec<RawFd>,
    /// Listeners and the descriptors of their sockets
    #[arg(long, value_delimiter = ',', value_name = "LISTENER:FD")]
    sockets: Vec<String>,
    /// Descriptor: the self-signed certificate of all
    #[arg(long)]
    certificate: Option<RawFd>,
}

impl Worker {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
        let (berth, sockets) = self.berth().map_err(|error| {
            usage(&format!("worker: {error}: it is started by `oneloop serve --workers N`"))
        })?;
        let given = config::read(Path::new("/dev/stdin"), "supervisor").map_err(|e| usage(&e))?;
        let mut config = config::merge(&given).map_err(|e| usage(&e))?.config;
        config.metrics_file = None;
        start_log(&config.log);
        let number = self.number;
        let _span = tracing::info_span!("worker", number).entered();
        let certificate = self.certificate.and_then(certificate_in);
        ended(work(config, certificate, berth, sockets, true)?)
    }

    /// Takes what was handed down.
    fn berth(&self) -> io::Result<(Berth, Vec<Vec<OwnedFd>>)> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let take = |fd: &RawFd| sys::inherit::take(*fd);
        let [control, inbox, pages] = &self.office[..] else { return Err(invalid()) };
        let is_number = self.number >= 1 && self.number <= self.of;
        if !is_number || self.siblings.len() + 1 != self.of {
            return Err(invalid());
        }
        let mut sockets: Vec<Vec<OwnedFd>> = Vec::new();
        for text in &self.sockets {
            let (listener, fd) = text.split_once(':').ok_or_else(invalid)?;
            let (Ok(listener), Ok(fd)) = (listener.parse::<u16>(), fd.parse()) else {
                return Err(invalid());
            };
            let listener = usize::from(listener);
            sockets.resize_with(sockets.len().max(listener + 1), Vec::new);
            sockets[listener].push(take(&fd)?);
        }
        let berth = Berth {
            number: self.number - 1,
            workers: self.of,
            control: take(control)?,
            inbox: take(inbox)?,
            outboxes: self.siblings.iter().map(take).collect::<io::Result<_>>()?,
            pages: Arc::new(Shared::open(take(pages)?, words_of(self.of))?),
            shared_descriptors: None,
        };
        Ok((berth, sockets))
    }
}

/// Serves as a worker.
fn work(
    config: Config,
    certificate: Option<SelfSigned>,
    berth: Berth,
    sockets: Vec<Vec<OwnedFd>>,
    handle_signals: bool,
) -> Result<io::Result<Exit>, Failure> {
    let builder = builder(config, certificate).berth(berth).sockets(sockets);
    let builder = if handle_signals { builder.handle_signals() } else { builder };
    let server = builder.bind().map_err(refusal)?;
    tracing::info!("{}", server.start_line());
    Ok(server.run().map(|(exit, _)| exit))
}
