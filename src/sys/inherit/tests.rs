use super::*;

#[test]
fn what_this_process_opened_is_not_inherited() {
    let file = std::fs::File::open("/dev/null").unwrap();
    assert_eq!(take(file.as_raw_fd()).unwrap_err().raw_os_error(), Some(libc::EBADF));
}

#[test]
fn what_lacks_close_on_exec_is_taken_once() {
    let file = std::fs::File::open("/dev/null").unwrap();
    // SAFETY: plain numbers; the copy has no owner yet, and no close-on-exec.
    let copy = unsafe { libc::dup(file.as_raw_fd()) };
    let taken = take(copy).unwrap();
    assert!(take(copy).is_err());
    drop(taken);
    assert!(take(libc::STDERR_FILENO).is_err());
}

#[test]
fn listening_is_told_from_bound() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    assert!(!is_listening(&socket).unwrap());
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(1).unwrap();
    assert!(is_listening(&socket).unwrap());
    assert!(is_listening(&std::fs::File::open("/dev/null").unwrap()).is_err());
}
