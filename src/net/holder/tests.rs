use super::*;
use std::net::TcpListener;

#[test]
fn who_listens_is_found_and_nobody_is_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("is bound");
    assert_eq!(tcp_listeners(address), [std::process::id()]);
    assert_eq!(tcp_listener(address).map(|(pid, _)| pid), Some(std::process::id()));
    drop(listener);
    assert!(tcp_listeners(address).is_empty());
}
