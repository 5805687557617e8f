use super::*;
use crate::load::fates::{Fate, Phase};
use std::io;

#[test]
fn what_stopped_connections_has_a_name_a_side_and_a_remedy() {
    let mut connections = Connections { backlog_full: 1, ..Connections::default() };
    assert_eq!(connections.limits(), [(Limit::Backlog, 1)], "also who got in at last");
    let errno = |errno| Fate::of(&io::Error::from_raw_os_error(errno));
    for fate in [
        Fate::ToldWhy("404 Not Found: not found".to_owned()),
        Fate::ToldWhy("full: 45 connections; try again later".to_owned()),
        Fate::ToldWhy("503 Service Unavailable: full: no descriptor left".to_owned()),
        Fate::ToldWhy("close 1013: too many connections from your address: at most 3".to_owned()),
        Fate::ToldWhy("too many new connections from your address: at most 9 a second".to_owned()),
        Fate::backlog_full(),
        Fate::backlog_full(),
        errno(libc::ECONNREFUSED),
        errno(libc::ETIMEDOUT),
        errno(libc::EADDRNOTAVAIL),
        errno(libc::EMFILE),
        errno(libc::ENOENT),
        errno(libc::EHOSTUNREACH),
        errno(libc::ENFILE),
        errno(libc::ENOMEM),
        Fate::Reset,
        Fate::Hung,
    ] {
        connections.count(fate, Phase::Connect);
    }
    connections.server_out_of_files = 1;
    let limits = connections.limits();
    assert_eq!(
        limits,
        [
            (Limit::Ports, 1),
            (Limit::Descriptors, 1),
            (Limit::AllDescriptors, 1),
            (Limit::Memory, 1),
            (Limit::Backlog, 2),
            (Limit::Unanswered, 1),
            (Limit::Nobody, 2),
            (Limit::Unreachable, 1),
            (Limit::ServerFiles, 1),
            (Limit::ServerFull, 2),
            (Limit::PerAddress, 1),
            (Limit::AcceptRate, 1),
            (Limit::Server, 1),
        ]
    );
    for (limit, _) in limits {
        assert!(limit.what().contains("side: ") || limit.what().contains("this machine: "));
        assert!(limit.what().len() <= 67 && limit.lifted_by().len() <= 67, "{limit:?}");
    }
    let mut silent = Connections::default();
    silent.count(Fate::TimedOut, Phase::Tls);
    assert!(silent.limits().is_empty(), "it was connected");
}
