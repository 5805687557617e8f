use super::*;
use crate::service::Builtin;
use socket2::{Domain, Type};

fn pair() -> (Socket, Socket) {
    let (a, b) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (a, b)
}

#[test]
fn a_batch_longer_than_a_packet_goes_in_several_and_only_the_last_ends_it() {
    let mut channel = Channel::new(Builtin::Broadcast);
    channel.mail.bytes = (0..3 * PACKET_BYTES).map(|i| i as u8).collect();
    channel.mail.messages = 5;
    let (packets, messages) = channel.take_fresh(2, 7);
    assert_eq!((packets.len(), messages), (4, 5));
    let mut bytes = Vec::new();
    for (nth, packet) in packets.iter().enumerate() {
        let (header, chunk) = Header::parse(packet).unwrap();
        assert_eq!((header.from, header.channel), (2, 7));
        assert_eq!((header.is_first, header.messages), (nth == 0, if nth == 3 { 5 } else { 0 }));
        bytes.extend_from_slice(chunk);
    }
    assert_eq!(bytes, channel.mail.bytes);
    // What is relayed is not relayed again, and what comes behind it alone.
    channel.mail.bytes.extend_from_slice(b"more");
    channel.mail.messages += 1;
    let (packets, messages) = channel.take_fresh(2, 7);
    assert_eq!((&packets[0][HEADER_BYTES..], messages), (&b"more"[..], 1));
}

#[test]
fn a_sibling_that_does_not_read_costs_memory_up_to_a_limit() {
    let (ours, theirs) = pair();
    let mut outbox = Outbox::new(ours);
    let packet = vec![vec![1; PACKET_BYTES / 2]];
    let mut posted = 0;
    while outbox.post(&packet) {
        posted += 1;
        assert!(posted < 1000, "there is a limit");
    }
    assert!(outbox.queue_bytes >= OUTBOX_BYTES_MAX);
    assert!(outbox.queue_bytes < OUTBOX_BYTES_MAX + PACKET_BYTES);
    // It reads after all: everything that was taken arrives.
    let mut inbox = Inbox::new(theirs, 1);
    let mut arrived = 0;
    while inbox.next().is_some() {
        arrived += 1;
        outbox.flush();
    }
    assert_eq!((arrived, outbox.queue_bytes), (posted, 0));
}
