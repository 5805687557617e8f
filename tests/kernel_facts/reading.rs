//! **What.** When an edge-triggered socket reports input, and when it stays silent (facts 1-3, 6,
//! 7).
//!
//! **Why this way.** The life of a readable event in the server is exactly these facts: one `read`,
//! no probe for EAGAIN, and an again-queue for what the kernel will not mention twice.
//!
//! **Costs.** One loopback pair and one or two waits of `QUIET_MS` per test.
//!
//! **Read next.** `writing.rs`.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use crate::support::*;

/// Fact 1. Data and FIN are both there: one event says so, and after a short read nothing more
/// comes. So a short read with RDHUP is the end of the stream: who waits for another event here
/// waits for ever, and who knows this saves the `read` that returns 0.
#[test]
fn short_read_with_rdhup_is_end_of_stream() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, Interest::READABLE);
    send_with_fin(&mut peer, b"bye");
    await_flags(&ours, IN | RDHUP);

    assert_eq!(watch.next(), IN | RDHUP);
    assert_eq!(read_once(&mut ours, 64).unwrap(), b"bye");
    watch.assert_silent();
    assert_eq!(read_once(&mut ours, 64).unwrap(), b"", "the end was there all the time");
}

/// Fact 1, as mio tells it: RDHUP is `is_read_closed`, and plain input does not set it.
#[test]
fn mio_reports_rdhup_as_read_closed() {
    let (mut ours, mut peer) = tcp_pair();
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(4));
    poll.registry().register(&mut ours, Token(5), Interest::READABLE).unwrap();
    let mut read_closed = || {
        poll.poll(&mut events, Some(Duration::from_millis(PATIENCE_MS as u64))).unwrap();
        events.iter().map(|event| (event.token(), event.is_read_closed())).collect::<Vec<_>>()
    };

    peer.write_all(b"more").unwrap();
    await_flags(&ours, IN);
    assert_eq!(read_closed(), [(Token(5), false)]);
    send_with_fin(&mut peer, b"bye");
    await_flags(&ours, RDHUP);
    assert_eq!(read_closed(), [(Token(5), true)]);
}

/// Fact 2. The FIN arrives between `epoll_wait` and our short read: it makes an event of its own.
/// So after a short read without RDHUP the turn may end, without a second `read` for EAGAIN.
#[test]
fn fin_before_the_short_read_is_a_new_event() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, Interest::READABLE);
    peer.write_all(b"bye").unwrap();
    assert_eq!(watch.next(), IN);

    peer.shutdown(std::net::Shutdown::Write).unwrap();
    await_flags(&ours, RDHUP);
    assert_eq!(read_once(&mut ours, 64).unwrap(), b"bye");
    assert_eq!(watch.next(), IN | RDHUP);
}

/// Fact 2. The FIN arrives after our short read: the same.
#[test]
fn fin_after_the_short_read_is_a_new_event() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, Interest::READABLE);
    peer.write_all(b"bye").unwrap();
    assert_eq!(watch.next(), IN);
    assert_eq!(read_once(&mut ours, 64).unwrap(), b"bye");

    peer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(watch.next(), IN | RDHUP);
}

/// Fact 2, for data. Bytes that arrive between `epoll_wait` and a read that takes them too leave
/// no event behind: the kernel looks again when it hands events out. So a read larger than what
/// the event announced costs no empty wake-up later.
#[test]
fn data_taken_by_an_earlier_read_brings_no_event() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, Interest::READABLE);
    peer.write_all(b"one").unwrap();
    assert_eq!(watch.next(), IN);
    peer.write_all(b"two").unwrap();
    until("both writes arrived", || unread(&ours) == 6);

    assert_eq!(read_once(&mut ours, 64).unwrap(), b"onetwo");
    watch.assert_silent();
    assert_eq!(read_once(&mut ours, 64), None);
}

/// Fact 3. A read that fills the buffer leaves the rest behind in silence. So a full read puts the
/// connection on the again-queue: no event will bring it back.
#[test]
fn full_read_leaves_the_rest_in_silence() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, Interest::READABLE);
    peer.write_all(b"abcdefgh").unwrap();
    until("all of it arrived", || unread(&ours) == 8);

    assert_eq!(watch.next(), IN);
    assert_eq!(read_once(&mut ours, 4).unwrap(), b"abcd");
    watch.assert_silent();
    assert_eq!(read_once(&mut ours, 4).unwrap(), b"efgh");
}

/// Fact 6. A paused connection is simply not read. It costs one ignored wake-up per arriving
/// segment, and nothing at all once the window is full. So to pause is to set a flag, with no
/// `epoll_ctl`.
#[test]
fn not_reading_costs_one_event_per_segment_until_the_window_fills() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, Interest::READABLE);
    for segment in 1..=3 {
        peer.write_all(b"x").unwrap();
        until("the segment arrived", || unread(&ours) == segment);
        assert_eq!(watch.next(), IN, "segment {segment}");
        assert_eq!(watch.wait(0), None, "one event for segment {segment}, not two");
    }

    peer.set_nonblocking(true).unwrap();
    fill(&mut peer);
    while watch.wait(0).is_some() {}
    watch.assert_silent();
}

/// Fact 6, the other half: nothing tells a paused connection that input waits. So to resume is to
/// push it on the again-queue.
#[test]
fn resuming_after_a_pause_brings_no_event() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, Interest::READABLE);
    peer.write_all(b"waiting").unwrap();
    assert_eq!(watch.next(), IN);

    watch.assert_silent();
    assert_eq!(read_once(&mut ours, 64).unwrap(), b"waiting");
}

/// Fact 7. A reset after data raises every flag at once, and the data is still there. So read
/// before trusting ERR or HUP.
#[test]
fn data_before_a_reset_can_still_be_read() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, Interest::READABLE);
    peer.write_all(b"last words").unwrap();
    until("the data arrived", || unread(&ours) == 10);
    // A close with a linger time of zero sends RST in place of FIN (socket(7)).
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    await_flags(&ours, ERR | HUP);

    assert_eq!(watch.next(), IN | RDHUP | ERR | HUP);
    assert_eq!(read_once(&mut ours, 64).unwrap(), b"last words");
    let error = ours.read(&mut [0; 64]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}
