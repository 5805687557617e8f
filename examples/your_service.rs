//! A server of your own: it counts.
//!
//! `cargo run --example your_service --no-default-features`, then `nc 127.0.0.1 7001` and type
//! lines: each is answered with its number and its length; `quit` ends the connection.

use oneloop::metrics::CloseReason;
use oneloop::net::Endpoint;
use oneloop::server::Server;
use oneloop::service::{Outbound, Service};
use std::error::Error;

/// What all connections share.
#[derive(Default)]
struct Counter {
    lines_total: u64,
}

/// What one connection remembers.
#[derive(Default)]
struct Lines {
    count: u64,
}

impl Service for Counter {
    type State = Lines;

    fn connected(&mut self, _lines: &mut Lines, out: &mut Outbound<'_>) {
        out.send(b"hello; `quit` ends");
    }

    fn message(&mut self, lines: &mut Lines, message: &[u8], out: &mut Outbound<'_>) {
        if message == b"quit" {
            out.send(
                format!("{} of {} lines were yours", lines.count, self.lines_total).as_bytes(),
            );
            return out.close();
        }
        lines.count += 1;
        self.lines_total += 1;
        out.send(format!("line {}: {} bytes", lines.count, message.len()).as_bytes());
    }

    fn closed(&mut self, lines: Lines, reason: CloseReason) {
        eprintln!("gone after {} lines: {}", lines.count, reason.name());
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = Endpoint::parse("tcp://127.0.0.1:7001/")?;
    let server = Server::builder().listen(endpoint, Counter::default()).handle_signals().bind()?;
    for endpoint in server.endpoints() {
        println!("listening {endpoint}");
    }
    server.run()?;
    Ok(())
}
