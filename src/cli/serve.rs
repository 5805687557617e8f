//! `oneloop serve`.
//!
//! **What.** Loads the configuration, starts the log, binds, says where it listens, serves.
//!
//! **Why this way.** stdout is for programs: one line a listener, then `ready`, and nothing more,
//! so that a script can wait for it and learn the port. What people read goes to the log on stderr.
//!
//! **Costs.** Once, at start. A log line is written by the loop itself: one blocking `write`.
//!
//! **Read next.** `src/config/mod.rs`, then `src/server/mod.rs`.

use super::given::GivenArgs;
use super::pid_file::PidFile;
use super::{Failure, print, workers};
use crate::config::{self, Config, ConfigError, Loaded, one_line};
use crate::net::{Endpoint, OPTIONS, SelfSigned};
use crate::server::{Builder, Exit, Inherited, Program, Server, StartError};
use crate::service::Builtin;
use std::io::{self, IsTerminal, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Serve (what happens without a command, too)
#[derive(Debug, clap::Args)]
#[command(after_help = "More about services, URLs and examples: --help", after_long_help = more())]
pub(super) struct Serve {
    #[command(flatten)]
    args: GivenArgs,
    /// Check everything, print the effective configuration as a file for --config, and exit
    #[arg(long)]
    check: bool,
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let loaded = load(self.args).map_err(|error| Failure::Usage(error.to_string()))?;
        let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
        let warnings = config::unknown_variables(names);
        if self.check {
            for warning in warnings {
                let _ = writeln!(io::stderr(), "warning: {}", one_line(&warning));
            }
            print(loaded.to_toml().as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        start_log(&loaded.config.log);
        for warning in warnings {
            tracing::warn!("{}", one_line(&warning));
        }
        match loaded.config.workers() {
            1 => serve(loaded.config),
            workers => workers::supervise(loaded, workers),
        }
    }
}

fn load(args: GivenArgs) -> Result<Loaded, ConfigError> {
    let mut given = args.given;
    if let Some((path, origin)) = args.file {
        given.extend(config::read(&path, &origin)?);
    }
    let loaded = config::merge(&given)?;
    loaded.check()?;
    Ok(loaded)
}

pub(super) fn start_log(filter: &str) {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .compact()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && !no_color)
        // It would report a broken stderr on stderr, and panic because that fails too.
        .log_internal_errors(false)
        .init();
}

fn serve(mut config: Config) -> Result<ExitCode, Failure> {
    let mut inherited = Inherited::take().map_err(|error| Failure::Usage(error.to_string()))?;
    let pid_file = PidFile::claim(config.pid_file.take())?;
    let endpoints: Vec<&Endpoint> = config.listen.iter().map(|(endpoint, _)| endpoint).collect();
    let sockets = inherited.assign(&endpoints);
    let metrics_file = config.metrics_file.take();
    let certificate = certificate(&config, &mut inherited)?;
    let mut builder = builder(config, certificate.clone()).sockets(sockets).handle_signals();
    if let Some(path) = metrics_file {
        builder = builder.metrics_file(path);
    }
    if let Some(program) = own_program(certificate) {
        builder = builder.successor(program);
    }
    let server = builder.bind().map_err(refusal)?;
    pid_file.write()?;
    tracing::info!("{}", server.start_line());
    announce(server.endpoints());
    inherited.ready();
    ended(server.run().map(|(exit, _)| exit))
}

/// The certificate for listeners that name none.
pub(super) fn certificate(
    config: &Config,
    inherited: &mut Inherited,
) -> Result<Option<SelfSigned>, Failure> {
    let certificate = config.certificate(inherited.certificate());
    certificate.map_err(|error| Failure::Usage(format!("tls_self_signed: {error}")))
}

/// A server of the configured listeners and limits.
pub(super) fn builder(config: Config, certificate: Option<SelfSigned>) -> Builder<Builtin> {
    let builder = Server::builder().limits(config.limits).tls_self_signed(certificate);
    config.listen.into_iter().fold(builder, |builder, (mut endpoint, services)| {
        endpoint.options.reuse_port |= config.join;
        let path = |service: Builtin| (format!("/{}", service.name()), service);
        builder.site(endpoint, services.into_iter().map(path).collect())
    })
}

/// What to start on SIGUSR2: what we were started as.
pub(super) fn own_program(certificate: Option<SelfSigned>) -> Option<Program> {
    // Asked for now: later another version may lie there, which is what is wanted then.
    let path = std::env::current_exe().ok()?;
    Some(Program { path, arguments: std::env::args_os().skip(1).collect(), certificate })
}

pub(super) fn refusal(error: StartError) -> Failure {
    match error.is_usage() {
        true => Failure::Usage(error.to_string()),
        false => Failure::Run(error.to_string()),
    }
}

/// The exit status of a server.
pub(super) fn ended(how: io::Result<Exit>) -> Result<ExitCode, Failure> {
    match how {
        Ok(Exit::Drained) => Ok(ExitCode::SUCCESS),
        // As a shell tells it of a process that the signal killed.
        Ok(Exit::Signalled(number)) => {
            Ok(ExitCode::from(u8::try_from(128 + number).unwrap_or(u8::MAX)))
        }
        Err(error) => Err(Failure::Run(format!("the loop failed: {error}"))),
    }
}

/// Tells whoever started the server where it listens, and that it does.
pub(super) fn announce<'a>(endpoints: impl Iterator<Item = &'a Endpoint>) {
    if let Err(error) = write_announcement(&mut io::stdout().lock(), endpoints) {
        tracing::warn!("nobody reads stdout ({error}); serving all the same");
    }
    if let Err(error) = notify_systemd() {
        tracing::warn!("NOTIFY_SOCKET: {error}; serving all the same");
    }
}

/// Tells systemd that this process serves, if it wants to know (`sd_notify(3)`).
fn notify_systemd() -> io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(&path)?,
    };
    let text = format!("READY=1\nMAINPID={}\n", std::process::id());
    UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address).map(drop)
}

fn write_announcement<'a>(
    out: &mut impl Write,
    endpoints: impl Iterator<Item = &'a Endpoint>,
) -> io::Result<()> {
    for endpoint in endpoints {
        writeln!(out, "listening {endpoint}")?;
    }
    writeln!(out, "ready")?;
    out.flush()
}

/// What `--help` says below the options.
fn more() -> String {
    let mut text = String::from(
        "A flag beats the environment, which beats the file, which beats the default.\n\
         Durations are written 500ms, 10s, 5m; sizes 4096, 64KiB, 1MiB.\n\n\
         Services:\n  \
           echo       sends back what it gets (the default)\n  \
           discard    reads and forgets\n  \
           broadcast  sends each line or WebSocket message to everybody there (not for udp)\n  \
         An http or https listener without a path has all of them, by WebSocket: /echo, …\n\n\
         Options of a listener, behind its URL as ?NAME=VALUE&NAME=VALUE:\n",
    );
    for option in OPTIONS {
        text.extend(["  ", option.name, "=", option.values, "\n      ", option.doc, "\n"]);
    }
    text + "\n\
        Examples:\n  \
          oneloop serve --listen tcp://127.0.0.1:0/echo --nofile 256 --at-limit refuse\n  \
          oneloop serve --listen 'tcp://[::]:7000/broadcast?backlog=1024' --idle-timeout 5m\n  \
          ONELOOP_LOG=debug oneloop serve --listen 'unix:///tmp/a.sock?service=discard'\n  \
          oneloop serve --per-ip-max 100 --check > oneloop.toml\n  \
          oneloop serve --listen https://127.0.0.1:7443 --tls-self-signed\n  \
          oneloop serve --listen 'https://[::]:443?tls_cert=chain.pem&tls_key=key.pem'\n  \
          oneloop serve --config oneloop.toml\n\n\
        SIGHUP reads tls_cert and tls_key again; open connections go on with what they have.\n\
        SIGUSR2 starts the binary that is there now, hands it all sockets, and drains this one.\n\n\
        Exit status: 0 after a drain, 1 if it could not serve, 2 if it was asked for something\n\
        impossible, 128 + N if a second signal N cut the drain short."
}

#[cfg(test)]
mod tests;
