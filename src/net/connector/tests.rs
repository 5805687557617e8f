use super::*;
use std::net::TcpListener;

fn tcp(socket: Socket) -> Stream {
    Stream::Tcp(TcpStream::from_std(socket.into()))
}

#[test]
fn a_socket_that_met_itself_is_refused() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&any.into()).expect("binds");
    let own = socket.local_addr().expect("is bound");
    socket.connect(&own).expect("TCP allows it");
    let error = connected(&tcp(socket)).expect_err("nobody else is there");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_listener_is_met_and_a_socket_without_a_peer_is_under_way() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let to = listener.local_addr().expect("is bound");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.connect(&to.into()).expect("connects");
    assert!(connected(&tcp(socket)).expect("no error"));
    let idle = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    assert!(!connected(&tcp(idle)).expect("no error"));
}
