//! One service on three transports: it shouts back whatever it hears.
//!
//! `cargo run --example one_service --no-default-features`, then
//! - lines: `nc 127.0.0.1 7002`
//! - datagrams: `nc -u 127.0.0.1 7002`
//! - WebSocket: `websocat ws://127.0.0.1:7082/shout`, or in a browser's console:
//!   `s = new WebSocket("ws://127.0.0.1:7082/shout"); s.onmessage = m => console.log(m.data)`;
//!   with the subprotocol `whisper` (`websocat --protocol whisper …`) it whispers.

use oneloop::net::{Endpoint, EndpointError};
use oneloop::server::Server;
use oneloop::service::{Outbound, Service};
use std::error::Error;

/// Knows nothing of sockets, frames or lines.
struct Shout;

/// What one connection remembers.
#[derive(Default)]
struct Tone {
    whispers: bool,
}

impl Service for Shout {
    type State = Tone;

    fn subprotocols(&self) -> &[&'static str] {
        &["shout", "whisper"]
    }

    fn agreed(&mut self, tone: &mut Tone, subprotocol: &'static str) {
        tone.whispers = subprotocol == "whisper";
    }

    fn message(&mut self, tone: &mut Tone, message: &[u8], out: &mut Outbound<'_>) {
        match std::str::from_utf8(message) {
            Ok(text) if tone.whispers => out.send(text.to_lowercase().as_bytes()),
            Ok(text) => out.send(text.to_uppercase().as_bytes()),
            Err(_) => out.send(message),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let urls = ["tcp://127.0.0.1:7002", "udp://127.0.0.1:7002", "http://127.0.0.1:7082/shout"];
    let endpoints: Result<Vec<Endpoint>, EndpointError> =
        urls.map(Endpoint::parse).into_iter().collect();
    let builder = endpoints?
        .into_iter()
        .fold(Server::builder(), |builder, endpoint| builder.listen(endpoint, Shout));
    let server = builder.handle_signals().bind()?;
    for endpoint in server.endpoints() {
        println!("listening {endpoint}");
    }
    server.run()?;
    Ok(())
}
