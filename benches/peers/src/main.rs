//! What others do with the same work: `peers NAME PORT` is one of them, on 127.0.0.1, with one
//! thread and TCP_NODELAY, written as its own example writes it. `peers --names` says who can what.
//!
//! | name | language | path |
//! |---|---|---|
//! | `tokio` | TCP echo | |
//! | `hyper` | HTTP/1.1, keep-alive | any |
//! | `tungstenite` | WebSocket echo (tokio-tungstenite) | any |
//! | `tungstenite-broadcast` | WebSocket, each message to everybody | any |
//! | `fastwebsockets` | WebSocket echo, upgraded by hyper | any |
//! | `uwebsockets` | WebSocket echo, with the feature of that name | `/echo` |

#[cfg(feature = "uwebsockets")]
mod uwebsockets;

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;

use fastwebsockets::{FragmentCollector, OpCode, upgrade};
use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use http_body_util::{Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

/// Whatever ends a connection; nobody asks which.
type Ended = Result<(), Box<dyn Error + Send + Sync>>;

/// Messages that a receiver of a broadcast may be behind.
const BEHIND_MAX: usize = 1024;

/// Who there is, and for which cases of `scripts/bench/cases.py`.
const NAMES: &[(&str, &str)] = &[
    ("fastwebsockets", "ws"),
    ("tungstenite", "ws"),
    #[cfg(feature = "uwebsockets")]
    ("uwebsockets", "ws"),
    ("tungstenite-broadcast", "broadcast"),
    ("tokio", "tcp"),
    ("hyper", "http"),
];

fn main() -> std::io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--names"] => NAMES.iter().for_each(|(name, kind)| println!("{name} {kind}")),
        [name, port] => match port.parse() {
            Ok(port) => run(name, port)?,
            Err(_) => usage(),
        },
        _ => usage(),
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn run(name: &str, port: u16) -> std::io::Result<()> {
    match name {
        "tokio" => serve(port, echo).await,
        "hyper" => serve(port, hyper_ok).await,
        "tungstenite" => serve(port, tungstenite_echo).await,
        "tungstenite-broadcast" => {
            let all = broadcast::Sender::new(BEHIND_MAX);
            serve(port, move |stream| tungstenite_broadcast(stream, all.clone())).await
        }
        "fastwebsockets" => serve(port, fastwebsockets_upgrade).await,
        #[cfg(feature = "uwebsockets")]
        "uwebsockets" => uwebsockets::serve(port),
        _ => usage(),
    }
}

fn usage() -> ! {
    eprintln!("usage: peers NAME PORT, or peers --names");
    std::process::exit(2)
}

/// A task for each connection.
async fn serve<F>(port: u16, connection: impl Fn(TcpStream) -> F) -> std::io::Result<()>
where
    F: Future<Output = Ended> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening 127.0.0.1:{port}");
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream));
    }
}

async fn echo(mut stream: TcpStream) -> Ended {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}

async fn hyper_ok(stream: TcpStream) -> Ended {
    let ok = |_: Request<Incoming>| {
        future::ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok\n")))))
    };
    let server = http1::Builder::new().pipeline_flush(true).clone();
    Ok(server.serve_connection(TokioIo::new(stream), service_fn(ok)).await?)
}

/// `forward` flushes when nothing more is to be read: 16 messages of one read are one write.
async fn tungstenite_echo(stream: TcpStream) -> Ended {
    let (sink, stream) = accept_async(stream).await?.split();
    let messages = stream.try_filter(|message| future::ready(!message.is_close()));
    Ok(messages.forward(sink).await?)
}

async fn tungstenite_broadcast(stream: TcpStream, all: broadcast::Sender<Message>) -> Ended {
    let mut mail = all.subscribe();
    let mut stream = accept_async(stream).await?;
    loop {
        tokio::select! {
            message = stream.next() => match message {
                Some(Ok(message)) if message.is_text() || message.is_binary() => {
                    all.send(message)?;
                }
                Some(Ok(_)) => {}
                _ => return Ok(()),
            },
            message = mail.recv() => stream.send(message?).await?,
        }
    }
}

async fn fastwebsockets_upgrade(stream: TcpStream) -> Ended {
    let upgrade = |mut request: Request<Incoming>| async move {
        let (response, socket): (Response<Empty<Bytes>>, _) = upgrade::upgrade(&mut request)?;
        tokio::spawn(fastwebsockets_echo(socket));
        Ok::<_, fastwebsockets::WebSocketError>(response)
    };
    let server = http1::Builder::new();
    Ok(server.serve_connection(TokioIo::new(stream), service_fn(upgrade)).with_upgrades().await?)
}

async fn fastwebsockets_echo(socket: upgrade::UpgradeFut) -> Ended {
    let mut socket = FragmentCollector::new(socket.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}
