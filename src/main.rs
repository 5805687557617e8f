//! stub
use oneloop::net::Endpoint;
use oneloop::server::*;
use oneloop::service::Builtin;
fn main() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut b = Server::builder();
    for url in std::env::args().skip(1) {
        let e = Endpoint::parse(&url).unwrap();
        let s = Builtin::from_name(&e.service).unwrap();
        b = b.listen(e, s);
    }
    let s = b
        .handle_signals()
        .limits(Limits {
            max_connections: std::env::var("MC").ok().and_then(|v| v.parse().ok()).unwrap_or(0),
            ..Default::default()
        })
        .bind()
        .unwrap();
    println!("{}", s.start_line());
    for e in s.endpoints() {
        println!("listening {e}");
    }
    println!("ready");
    println!("{:?}", s.run());
}
