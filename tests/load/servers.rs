//! Servers of a few lines, a thread for each connection. They end when their client does.

use oneloop::net::Address;
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// No test waits longer than this for bytes that do not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that hands connection `n` (from 0, in the order of accepting) to `serve`.
pub(crate) fn tcp(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("is bound");
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { return };
            stream.set_read_timeout(Some(PATIENCE)).expect("settable");
            stream.set_nodelay(true).expect("settable");
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(n, stream));
        }
    });
    Address::Tcp(address)
}

/// Sends everything back.
pub(crate) fn echo(stream: TcpStream) {
    echo_changed(stream, |_, _| {});
}

/// Sends everything back after `change` saw it, with its position in the stream.
pub(crate) fn echo_changed(mut stream: impl Read + Write, mut change: impl FnMut(u64, &mut [u8])) {
    let mut bytes = vec![0; 16 * 1024];
    let mut position = 0;
    while let Ok(n @ 1..) = stream.read(&mut bytes) {
        change(position, &mut bytes[..n]);
        position += n as u64;
        if stream.write_all(&bytes[..n]).is_err() {
            return;
        }
    }
}

/// A server that takes its time: what is injected, not how a test waits.
pub(crate) fn dawdle(time: Duration) {
    let (_kept, nobody_sends) = mpsc::channel::<()>();
    let _ = nobody_sends.recv_timeout(time);
}

/// Reads one message of `bytes` bytes away.
pub(crate) fn read_message(stream: &mut TcpStream, bytes: usize) {
    // A client that is gone already is no failure of the server.
    let _ = stream.read_exact(&mut vec![0; bytes]);
}

/// Closes with RST in place of FIN.
pub(crate) fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("settable");
}

/// Reads on until the client has closed.
pub(crate) fn read_to_end(mut stream: TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// An address on which nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.local_addr().expect("is bound")
}

/// A number that the servers' threads count up.
#[derive(Clone, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(crate) fn add(&self, n: usize) -> usize {
        self.0.fetch_add(n, Ordering::SeqCst)
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst) as u64
    }
}
