//! uWebSockets by its C interface, which runs its loop on libuv: `/echo` and `/broadcast`.

use uwebsockets_rs::app::App;
use uwebsockets_rs::http_response::HttpResponseStruct;
use uwebsockets_rs::listen_socket::ListenSocket;
use uwebsockets_rs::us_socket_context_options::UsSocketContextOptions;
use uwebsockets_rs::websocket_behavior::{CompressOptions, WebSocketBehavior};

/// Large enough that no case of the bench meets it.
const BACKLOG_BYTES_MAX: u32 = 64 << 20;

/// Serves for ever.
pub fn serve(port: u16) -> ! {
    let echo = WebSocketBehavior {
        compression: CompressOptions::Disabled.into(),
        max_payload_length: 16 << 20,
        idle_timeout: 120,
        max_backpressure: BACKLOG_BYTES_MAX,
        close_on_backpressure_limit: false,
        reset_idle_timeout_on_send: true,
        send_pings_automatically: true,
        max_lifetime: 0,
        upgrade: Some(Box::new(HttpResponseStruct::<false>::default_upgrade)),
        open: None,
        message: Some(Box::new(|socket, message, opcode| {
            socket.send_with_options(message, opcode, false, true);
        })),
        ping: None,
        pong: None,
        close: None,
        drain: None,
        subscription: None,
    };
    let no_tls = UsSocketContextOptions {
        key_file_name: None,
        cert_file_name: None,
        passphrase: None,
        dh_params_file_name: None,
        ca_file_name: None,
        ssl_ciphers: None,
        ssl_prefer_low_memory_usage: None,
    };
    App::new(no_tls).ws("/echo", echo).listen(port.into(), None::<fn(ListenSocket)>).run();
    std::process::exit(1)
}
