//! A constant rate, against servers that are slow or stall in a known way: the waiting must be in
//! the response times, and only what the server took in the service times. All bounds are on what
//! the schedule makes certain; how fast the machine is decides nothing.

use crate::servers::{self, Count};
use crate::ws::{site, target};
use crate::{address, run, scenario};
use oneloop::load::{Report, Scenario};
use oneloop::net::{Address, Dialect, Target};
use oneloop::proto::http1::Method;
use oneloop::server::Limits;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const STALL: Duration = Duration::from_millis(500);
const MS: f64 = 1_000.0;

/// An echo server that answers nobody for half a second, once: at this message of all.
fn stalls_at(message: u64) -> Address {
    let (answered, gate) = (Count::default(), Arc::new(Mutex::new(())));
    servers::tcp(move |_, stream| {
        servers::echo_changed(stream, |_, _| {
            let held = gate.lock().expect("nobody panics");
            if answered.add(1) as u64 == message {
                servers::dawdle(STALL);
            }
            drop(held);
        });
    })
}

/// Everything that was due was sent, once, and answered.
fn assert_complete(report: &Report, scenario: &Scenario) {
    let rate = scenario.rate_per_s.expect("paced");
    let due = rate * scenario.duration_ms / 1_000;
    let firsts = u64::from(scenario.connections);
    let (messages, url) = (report.messages, &report.url);
    assert_eq!(report.connections.connected, firsts, "{url}: {:?}", report.connections);
    assert_eq!(messages.sent, firsts + due, "{url}: {messages:?}");
    assert_eq!(messages.received, messages.sent, "{url}: {messages:?}");
    let paced = report.paced.as_ref().expect("paced");
    assert_eq!((paced.rate_per_s, paced.unsent), (rate, 0), "{url}");
    assert!(report.measured >= Duration::from_millis(scenario.duration_ms));
    assert!(report.latency_max_us() >= report.service_us(0.5), "{url}");
}

#[test]
fn a_stall_shows_in_the_response_times_of_all_that_were_due() {
    let stalled =
        Scenario { rate_per_s: Some(1_000), duration_ms: 1_500, ..scenario(stalls_at(300), 10) };
    let report = run(&stalled);
    assert_complete(&report, &stalled);
    // Of 1,500 messages 400 were due in the first 400 ms of the stall, and waited for the rest of
    // it: at least 300 of them, or the best 0.8, must show that.
    let response = report.latency_us(0.8).expect("answers");
    assert!(response > 100.0 * MS, "p80 of the response time is {response} us");
    // Ten were on their way when it began: nobody else was served slowly.
    let service = report.service_us(0.8).expect("answers");
    assert!(service < response / 2.0, "p80: service {service} us, response {response} us");
    let longest = report.latency_max_us().expect("answers");
    assert!(longest > STALL.as_micros() as f64 * 0.99, "the stall was there: {longest}");
    // Nor is it the generator's fault that nobody was free: the last of 100 waited that long.
    let late = report.lateness_p99_us().expect("answers");
    assert!(late < longest / 2.0, "p99 of the lateness is {late} us");
}

#[test]
fn a_closed_loop_hides_the_same_stall() {
    let report = run(&Scenario { duration_ms: 1_500, ..scenario(stalls_at(300), 10) });
    let longest = report.latency_max_us().expect("answers");
    assert!(longest > STALL.as_micros() as f64 * 0.99, "the stall was there: {longest}");
    // Only the ten that were on their way met it.
    assert!(report.messages.received > 1_000, "{:?}", report.messages);
    let hidden = report.latency_us(0.8).expect("answers");
    assert!(hidden < 100.0 * MS, "p80 of the latency is {hidden} us");
    assert!(report.paced.is_none() && report.service_us(0.5).is_none());
}

#[test]
fn a_known_delay_is_the_service_time() {
    let delay = Duration::from_millis(20);
    let server = servers::tcp(move |_, stream| {
        servers::echo_changed(stream, |_, _| servers::dawdle(delay));
    });
    let delayed =
        Scenario { rate_per_s: Some(500), duration_ms: 1_000, ..scenario(server.clone(), 50) };
    let report = run(&delayed);
    assert_complete(&report, &delayed);
    let shortest = report.service_us(0.01).expect("answers");
    assert!(shortest > delay.as_micros() as f64 * 0.99, "{shortest}");

    // Two connections answer 100 a second at most, so the line grows, and does not end in time.
    let overloaded = Scenario { connections: 2, answer_timeout_ms: 1_500, ..delayed };
    let report = run(&overloaded);
    let (messages, paced) = (report.messages, report.paced.as_ref().expect("paced"));
    assert_eq!(messages.sent + paced.unsent, 2 + 500, "{messages:?}");
    assert!(messages.sent < 300 && messages.lost == 0, "{messages:?}");
    assert!(report.doubts().iter().any(|doubt| doubt.contains("never sent")));
    let (response, service) = (report.latency_us(0.5), report.service_us(0.5));
    assert!(response.expect("answers") > 2.0 * service.expect("answers"), "it waited in line");
}

#[test]
fn every_protocol_keeps_the_count() {
    let (ours, stop) = site(Limits::default());
    let http = |path| target(&ours, Dialect::Http, path);
    let tcp = servers::tcp(|_, stream| servers::echo(stream));
    let path = std::env::temp_dir().join(format!("oneloop-paced-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("binds");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(|| servers::echo_changed(stream, |_, _| {}));
        }
    });
    let targets: [(Target, Method); 5] = [
        (tcp.into(), Method::Get),
        (address(&format!("unix://{}", path.display())).into(), Method::Get),
        (target(&ours, Dialect::WebSocket, "/echo"), Method::Get),
        (http("/healthz"), Method::Get),
        (http("/echo"), Method::Post),
    ];
    for (target, method) in targets {
        for (connections, depth, rate) in [(8, 1, 2_000), (1, 16, 6_000), (40, 1, 50)] {
            let mut paced = scenario(target.address.clone(), connections);
            (paced.target, paced.method) = (target.clone(), method);
            (paced.depth, paced.rate_per_s, paced.duration_ms) = (depth, Some(rate), 300);
            assert_complete(&run(&paced), &paced);
        }
    }
    stop();
    std::fs::remove_file(&path).expect("it was there");
}

#[test]
fn datagrams_keep_the_count() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("binds");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("settable");
    let server = Address::Udp(socket.local_addr().expect("is bound"));
    thread::spawn(move || {
        let mut bytes = [0; 2_048];
        while let Ok((n, from)) = socket.recv_from(&mut bytes) {
            let _ = socket.send_to(&bytes[..n], from);
        }
    });
    for (connections, depth) in [(8, 1), (1, 16)] {
        let mut paced = scenario(server.clone(), connections);
        (paced.depth, paced.rate_per_s, paced.duration_ms) = (depth, Some(1_000), 300);
        assert_complete(&run(&paced), &paced);
    }
}

#[test]
fn connections_that_go_leave_the_rate_to_the_others() {
    let server = servers::tcp(|n, mut stream| {
        if n == 0 {
            let mut messages = [0; 2 * 64];
            let _ = stream.read_exact(&mut messages[..64]);
            let _ = stream.write_all(&messages[..64]);
            let _ = stream.read_exact(&mut messages[64..]);
            return;
        }
        servers::echo(stream);
    });
    let paced = Scenario { rate_per_s: Some(1_000), ..scenario(server, 4) };
    let report = run(&paced);
    assert_eq!(report.connections.connected, 3, "{:?}", report.connections);
    let (messages, paced) = (report.messages, report.paced.expect("paced"));
    assert_eq!((messages.sent, paced.unsent), (4 + 200, 0), "{messages:?}");
    assert_eq!(messages.lost, 1, "the one it read and did not answer: {messages:?}");
}

#[test]
fn connections_come_at_their_own_rate() {
    let server = servers::tcp(|_, stream| servers::echo(stream));
    let ramp = Scenario { connect_rate_per_s: Some(100), ..scenario(server, 30) };
    let report = run(&ramp);
    assert_eq!(report.connections.connected, 30, "{:?}", report.connections);
    assert!(report.settle >= Duration::from_millis(290), "the last was due then");
}

/// A server that ends every connection after its answer, and says so: the requests wait for the
/// next one, and the last of them too.
#[test]
fn reopened_connections_go_on_at_the_rate() {
    let server = servers::tcp(|_, mut stream| {
        let mut lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines();
        if lines.any(|line| line.is_ok_and(|line| line.is_empty())) {
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
            let _ = stream.write_all(head.as_bytes());
        }
    });
    let target = target(&server, Dialect::Http, "/");
    let paced = Scenario { target, rate_per_s: Some(200), ..scenario(server, 2) };
    let report = run(&paced);
    assert_complete(&report, &paced);
    assert!(report.connections.reopened > 10, "{:?}", report.connections);
}
