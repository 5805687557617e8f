//! **What.** When an edge-triggered socket reports room to write (facts 4 and 5).
//!
//! **Why this way.** Most connections never stall, so the write interest is added only at the
//! first stall. These tests show that this order loses no wake-up.
//!
//! **Costs.** `fill` moves a few megabytes over loopback.
//!
//! **Read next.** `listening.rs`.

use std::io::Write;

use mio::Interest;

use crate::support::*;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Fact 4. Registered for both directions, a new socket reports OUT at once, and OUT comes again
/// with every input. So at accept the server registers for reading alone: one event less per
/// connection, and no flag to ignore.
#[test]
fn write_interest_at_accept_is_noisy() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, BOTH);
    assert_eq!(watch.next(), OUT);
    watch.assert_silent();

    peer.write_all(b"hello").unwrap();
    assert_eq!(watch.next(), IN | OUT);
}

/// Fact 4. An acknowledgement alone makes no OUT event. So OUT means "the stall is over", not
/// "some bytes have left".
#[test]
fn acknowledgements_bring_no_write_event() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, BOTH);
    assert_eq!(watch.next(), OUT);

    for _ in 0..3 {
        ours.write_all(b"pong").unwrap();
        drain(&mut peer, 4);
        until("it is acknowledged", || unacknowledged(&ours) == 0);
    }
    watch.assert_silent();
}

/// Fact 5. Stall, then one `EPOLL_CTL_MOD` to both directions: silent while the peer does not
/// read, OUT when it does. So the interest is changed once, after the short write; there is no
/// need to write again for an EAGAIN first.
#[test]
fn write_edge_comes_when_the_peer_drains() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, Interest::READABLE);
    let taken = fill(&mut ours);
    watch.change(&mut ours, BOTH);
    watch.assert_silent();

    drain(&mut peer, taken);
    assert_eq!(watch.next(), OUT);
}

/// Fact 5, the race: the peer drains between the short write and the MOD. The MOD looks at the
/// socket and reports OUT at once, so the wake-up cannot be lost.
#[test]
fn write_edge_is_not_lost_if_the_peer_drains_before_the_change() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, Interest::READABLE);
    let taken = fill(&mut ours);
    drain(&mut peer, taken);
    await_flags(&ours, OUT);
    watch.assert_silent();

    watch.change(&mut ours, BOTH);
    assert_eq!(watch.next(), OUT);
}

/// Fact 5. Once the interest is there it may stay: the next stall needs no `epoll_ctl` at all.
#[test]
fn later_stalls_need_no_change_of_interest() {
    let (mut ours, mut peer) = tcp_pair();
    let watch = Watch::new(&mut ours, BOTH);
    assert_eq!(watch.next(), OUT);

    for stall in 1..=2 {
        let taken = fill(&mut ours);
        while watch.wait(0).is_some() {}
        watch.assert_silent();
        drain(&mut peer, taken);
        assert_eq!(watch.next(), OUT, "stall {stall}");
    }
}
