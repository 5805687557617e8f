use super::*;

fn parsed(url: &str) -> (String, String, String) {
    let target = Target::parse(url).expect(url);
    let Address::Tcp(address) = target.address else { panic!("{url}: not TCP") };
    (address.to_string(), target.host, target.path)
}

#[test]
fn ports_paths_and_names_are_what_the_url_says() {
    let cases = [
        ("ws://127.0.0.1:7080/echo", "127.0.0.1:7080", "127.0.0.1:7080", "/echo"),
        ("http://127.0.0.1", "127.0.0.1:80", "127.0.0.1", "/"),
        ("http://127.0.0.1/", "127.0.0.1:80", "127.0.0.1", "/"),
        ("ws://127.0.0.1:80/a/b?c=/d&e", "127.0.0.1:80", "127.0.0.1", "/a/b?c=/d&e"),
        ("http://127.0.0.1:8080?q=1", "127.0.0.1:8080", "127.0.0.1:8080", "/?q=1"),
        ("ws://[::1]/", "[::1]:80", "[::1]", "/"),
        ("ws://[::1]:443/", "[::1]:443", "[::1]:443", "/"),
        ("http://127.0.0.1:8/%20", "127.0.0.1:8", "127.0.0.1:8", "/%20"),
        ("https://127.0.0.1", "127.0.0.1:443", "127.0.0.1", "/"),
        ("wss://[::1]:80/a", "[::1]:80", "[::1]:80", "/a"),
        ("tls://127.0.0.1:443", "127.0.0.1:443", "127.0.0.1:443", "/"),
    ];
    for (url, address, host, path) in cases {
        assert_eq!(parsed(url), (address.into(), host.into(), path.into()), "{url}");
    }
    let (address, host, _) = parsed("ws://localhost:7080/");
    assert!(address.ends_with(":7080") && host == "localhost:7080", "{address} {host}");
}

#[test]
fn a_url_survives_being_shown() {
    for url in [
        "tcp://127.0.0.1:7000",
        "unix:///run/x.sock",
        "ws://127.0.0.1:7080/echo?a=b",
        "http://[::1]:8080/",
        "https://127.0.0.1/",
        "wss://127.0.0.1:80/a",
        "tls://[::1]:443",
    ] {
        assert_eq!(Target::parse(url).expect(url).to_string(), url);
    }
}

#[test]
fn what_cannot_be_is_said_with_the_fix() {
    let cases = [
        ("127.0.0.1:7080", "ws://HOST:PORT/PATH"),
        ("wz://127.0.0.1/", "did you mean `ws`"),
        ("htp://127.0.0.1/", "did you mean `http`"),
        ("ws:///echo", "no host"),
        ("http://:80/", "no host"),
        ("http://127.0.0.1/a#b", "#"),
        ("http://127.0.0.1/a b", "%XX"),
        ("http://me@127.0.0.1/", "user"),
        ("ws://127.0.0.1:99999/", "not HOST:PORT"),
        ("ws://::1/", "[::1]"),
        ("tcp://127.0.0.1", "has no port"),
        ("tls://127.0.0.1", "has no port"),
        ("tls://127.0.0.1:443/echo", "leave it out"),
        ("wsss://127.0.0.1/", "did you mean `wss`"),
    ];
    for (url, word) in cases {
        let error = Target::parse(url).expect_err(url).to_string();
        assert!(error.contains(word) && error.starts_with(&format!("`{url}`: ")), "{error}");
    }
}

#[test]
fn a_certificate_is_for_the_host_without_its_port() {
    let cases = [
        ("wss://127.0.0.1:7443/", "127.0.0.1"),
        ("https://[::1]:7443/", "::1"),
        ("https://[::1]/", "::1"),
        ("tls://localhost:1", "localhost"),
    ];
    for (url, name) in cases {
        let target = Target::parse(url).expect(url);
        assert!(target.is_secure, "{url}");
        assert_eq!(target.host_name(), name, "{url}");
    }
}
