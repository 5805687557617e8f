use super::write_announcement;
use crate::net::Endpoint;
use std::io;

#[test]
fn a_line_a_listener_then_ready() {
    let endpoints = ["tcp://127.0.0.1:7000/echo?backlog=9", "unix:///run/a.sock?service=discard"];
    let endpoints = endpoints.map(|url| Endpoint::parse(url).expect("a URL"));
    let mut out = Vec::new();
    write_announcement(&mut out, endpoints.iter()).expect("a Vec takes all");
    let text = String::from_utf8(out).expect("text");
    assert_eq!(
        text,
        "listening tcp://127.0.0.1:7000/echo\nlistening unix:///run/a.sock?service=discard\nready\n"
    );
}

#[test]
fn a_reader_that_left_is_an_error_and_no_panic() {
    let (reader, mut writer) = io::pipe().expect("two descriptors");
    drop(reader);
    let error = write_announcement(&mut writer, [].into_iter()).expect_err("nobody reads");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
