//! What the C++ core of uWebSockets is linked with, if it is asked for.

fn main() {
    if std::env::var_os("CARGO_FEATURE_UWEBSOCKETS").is_some() {
        for library in ["z", "uv", "ssl", "crypto", "stdc++"] {
            println!("cargo:rustc-link-lib={library}");
        }
    }
}
