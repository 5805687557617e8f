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
use super::{Failure, print};
use crate::config::{self, Config, ConfigError, Loaded, one_line};
use crate::net::{Endpoint, OPTIONS};
use crate::server::{Exit, Server};
use crate::service::Builtin;
use std::io::{self, IsTerminal, Write};
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
        serve(loaded.config)
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

fn start_log(filter: &str) {
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

fn serve(config: Config) -> Result<ExitCode, Failure> {
    let mut builder = Server::builder()
        .limits(config.limits)
        .tls_self_signed(config.tls_self_signed)
        .handle_signals();
    for (endpoint, services) in config.listen {
        let path = |service: Builtin| (format!("/{}", service.name()), service);
        builder = builder.site(endpoint, services.into_iter().map(path).collect());
    }
    if let Some(path) = config.metrics_file {
        builder = builder.metrics_file(path);
    }
    let server = builder.bind().map_err(|error| match error.is_usage() {
        true => Failure::Usage(error.to_string()),
        false => Failure::Run(error.to_string()),
    })?;
    tracing::info!("{}", server.start_line());
    if let Err(error) = announce(&mut io::stdout().lock(), server.endpoints()) {
        tracing::warn!("nobody reads stdout ({error}); serving all the same");
    }
    match server.run() {
        Ok((Exit::Drained, _)) => Ok(ExitCode::SUCCESS),
        // As a shell tells it of a process that the signal killed.
        Ok((Exit::Signalled(number), _)) => {
            Ok(ExitCode::from(u8::try_from(128 + number).unwrap_or(u8::MAX)))
        }
        Err(error) => Err(Failure::Run(format!("the loop failed: {error}"))),
    }
}

/// Says where the server listens, and that it does.
fn announce<'a>(
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
        SIGHUP reads tls_cert and tls_key again; open connections go on with what they have.\n\n\
        Exit status: 0 after a drain, 1 if it could not serve, 2 if it was asked for something\n\
        impossible, 128 + N if a second signal N cut the drain short."
}

#[cfg(test)]
mod tests;
