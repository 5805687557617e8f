//! **What.** How a listener reports connections, and what accepted sockets get from it (facts 8,
//! 12, 14, 15, 16).
//!
//! **Why this way.** Accepting within a budget, without `setsockopt` per connection, and from one
//! listener shared by several workers are three promises of the design; here is their ground.
//!
//! **Costs.** The herd tests start four threads each.
//!
//! **Read next.** `emfile.rs`.

use std::fs;
use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, SockRef, Socket, Type};

use crate::support::*;

/// Fact 8. Three connections wait, one is accepted: the edge does not come again for the other
/// two. So a listener that used up its accept budget goes on the again-queue.
#[test]
fn accepting_one_of_three_brings_no_new_event() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut source = mio::net::TcpListener::from_std(listener.try_clone().unwrap());
    let watch = Watch::new(&mut source, Interest::READABLE);
    let _clients = connect_many(&listener, 3);
    await_waiting(&listener, 3);

    assert_eq!(watch.next(), IN);
    let _one = listener.accept().unwrap();
    watch.assert_silent();
    let _two = listener.accept().unwrap();
    let _three = listener.accept().unwrap();
}

/// Fact 12. TCP_NODELAY and SO_KEEPALIVE pass from the listener to what it accepts. So accepting
/// is `accept4` and `epoll_ctl`, with no `setsockopt` per connection.
#[test]
fn accepted_sockets_inherit_nodelay_and_keepalive() {
    for wanted in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        SockRef::from(&listener).set_tcp_nodelay(wanted).unwrap();
        SockRef::from(&listener).set_keepalive(wanted).unwrap();
        let _client = connect_many(&listener, 1);
        let (accepted, _) = listener.accept().unwrap();
        assert_eq!(SockRef::from(&accepted).tcp_nodelay().unwrap(), wanted);
        assert_eq!(SockRef::from(&accepted).keepalive().unwrap(), wanted);
    }
}

/// Fact 12, the exception: O_NONBLOCK belongs to the open file, not to the socket, and is not
/// inherited. So it must be `accept4` with SOCK_NONBLOCK, and not `accept`.
#[test]
fn accepted_sockets_do_not_inherit_nonblocking() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _client = connect_many(&listener, 1);
    await_waiting(&listener, 1);
    listener.set_nonblocking(true).unwrap();

    let none = std::ptr::null_mut();
    // SAFETY: null for both address arguments is allowed (accept(2)).
    let fd = unsafe { libc::accept(listener.as_raw_fd(), none, std::ptr::null_mut()) };
    assert!(fd >= 0, "accept: {}", std::io::Error::last_os_error());
    // SAFETY: `fd` was just returned by accept and has no other owner.
    let accepted = unsafe { TcpStream::from_raw_fd(fd) };
    assert!(SockRef::from(&listener).nonblocking().unwrap());
    assert!(!SockRef::from(&accepted).nonblocking().unwrap());
}

/// Fact 14. mio has no EPOLLEXCLUSIVE, but a raw `epoll_ctl` on mio's own epoll descriptor can
/// ask for it, and mio hands the event out with its token. One connection then wakes one of four
/// sleeping workers. So workers can share a listener without a thundering herd.
#[test]
fn epollexclusive_through_mio_wakes_one_worker() {
    assert_eq!(workers_woken_by_one_connect(4, IN | EXCLUSIVE), 1);
}

/// Fact 14, the contrast: without EPOLLEXCLUSIVE one connection wakes all four.
#[test]
fn shared_listener_without_epollexclusive_wakes_every_worker() {
    assert_eq!(workers_woken_by_one_connect(4, IN), 4);
}

/// Fact 15. The wake-up goes to one, and with it the knowledge: if that one stops watching and does
/// not accept, the other sleeps on, and the connection waits until another comes. So who leaves a
/// shared listener accepts until it is empty, or sees to it that the others look.
#[test]
fn who_leaves_a_shared_listener_takes_its_wake_up_along() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (tell_tid, tids) = mpsc::channel();
    let (tell_woken, woken) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..2 {
            let (tell_tid, tell_woken, listener) =
                (tell_tid.clone(), tell_woken.clone(), &listener);
            scope.spawn(move || {
                let mut poll = Poll::new().unwrap();
                oneloop::sys::epoll::watch_shared(poll.registry(), listener, LISTENER.0).unwrap();
                let mut events = Events::with_capacity(8);
                // SAFETY: gettid takes nothing and cannot fail.
                tell_tid.send(unsafe { libc::gettid() }).unwrap();
                let patience = Duration::from_millis(PATIENCE_MS as u64);
                poll.poll(&mut events, Some(patience)).unwrap();
                oneloop::sys::epoll::unwatch(poll.registry(), listener).unwrap();
                tell_woken.send(events.is_empty()).unwrap();
            });
        }
        for tid in tids.iter().take(2) {
            until("it sleeps", || is_asleep(tid));
        }
        let _one = connect_many(&listener, 1);
        assert_eq!(woken.recv(), Ok(false), "one is told, and turns away");
        let quiet = Duration::from_millis(QUIET_MS as u64);
        assert!(woken.recv_timeout(quiet).is_err(), "the other hears nothing");
        assert_eq!(waiting(&listener), 1);
        let _two = connect_many(&listener, 1);
        assert_eq!(woken.recv(), Ok(false), "until the next comes");
    });
}

/// Fact 16. A TCP socket that is connected to no family stops listening on all its descriptors,
/// resets who waits, and keeps a port that was asked for; `listen` makes it what it was. A port of
/// the kernel's choice is lost by it. So workers refuse together without handing sockets about.
#[test]
fn a_listener_can_stop_and_listen_again_on_a_port_that_was_asked_for() {
    for was_asked_for in [true, false] {
        let chosen = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        chosen.set_reuse_address(true).unwrap();
        chosen.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = chosen.local_addr().unwrap();
        let asked_for = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        asked_for.set_reuse_address(true).unwrap();
        asked_for.bind(&address).unwrap();
        let listener = if was_asked_for { asked_for } else { chosen };
        listener.listen(16).unwrap();

        let address = address.as_socket().unwrap();
        let mut waiting = TcpStream::connect(address).unwrap();
        oneloop::sys::socket::stop_listening(&listener.try_clone().unwrap()).unwrap();
        let error = waiting.read(&mut [0]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
        let error = listener.accept().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "nobody listens");
        let error = TcpStream::connect(address).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
        listener.listen(16).unwrap();
        assert_eq!(TcpStream::connect(address).is_ok(), was_asked_for);
    }
}

/// Fact 16, the exception: a Unix socket cannot. Shut down, it listens and refuses for ever.
#[test]
fn a_unix_listener_that_stops_never_listens_again() {
    let path = std::env::temp_dir().join(format!("oneloop-fact-16-{}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let error = oneloop::sys::socket::stop_listening(&listener).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    let _first = UnixStream::connect(&path).unwrap();
    SockRef::from(&listener).shutdown(Shutdown::Read).unwrap();
    SockRef::from(&listener).listen(16).unwrap();
    let error = UnixStream::connect(&path).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    fs::remove_file(&path).unwrap();
}

const LISTENER: Token = Token(7);
const END: Token = Token(8);

/// Puts `workers` threads to sleep in mio's `poll`, each with an epoll instance of its own on one
/// shared listener; makes one connection; says how many threads saw it.
fn workers_woken_by_one_connect(workers: usize, flags: Ready) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let polls: Vec<Poll> = (0..workers).map(|_| Poll::new().unwrap()).collect();
    polls.iter().for_each(|poll| epoll_add(poll, &listener, flags, LISTENER.0));
    let wakers: Vec<Waker> =
        polls.iter().map(|poll| Waker::new(poll.registry(), END).unwrap()).collect();
    let woken = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (tell_tid, tids) = mpsc::channel();
        for poll in polls {
            let (tell_tid, woken) = (tell_tid.clone(), &woken);
            scope.spawn(move || sleep_in_poll(poll, &tell_tid, woken));
        }
        for tid in tids.iter().take(workers) {
            until("the worker sleeps", || is_asleep(tid));
        }
        let _client = connect_many(&listener, 1);
        until("a worker wakes", || woken.load(Ordering::SeqCst) > 0);
        wakers.iter().for_each(|waker| waker.wake().unwrap());
    });
    woken.into_inner()
}

fn sleep_in_poll(mut poll: Poll, tell_tid: &mpsc::Sender<i32>, woken: &AtomicUsize) {
    let mut events = Events::with_capacity(8);
    // SAFETY: gettid takes nothing and cannot fail.
    tell_tid.send(unsafe { libc::gettid() }).unwrap();
    poll.poll(&mut events, Some(Duration::from_millis(PATIENCE_MS as u64))).unwrap();
    if events.iter().any(|event| event.token() == LISTENER) {
        woken.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether the thread is in state S of proc_pid_stat(5), the letter after the command name.
fn is_asleep(tid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('S'))
}
