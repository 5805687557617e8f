//! How many instructions each part takes that does no I/O.
//!
//! **What.** One case is one call of a part, or as many of a small one as its name says, counted
//! once by callgrind. What comes before (input, warm buffers) and after is not in it.
//!
//! **Why this way.** `scripts/instructions.sh` counts the whole server, and these beside it: they
//! say which part a change has made dearer, and reach what no echo does. What each is to cost
//! stands with the server's own figures in one file. Rejected: gungraun's own limits, which
//! compare with the last run on the same machine, or stand in the code where no script can set
//! them anew.
//!
//! **Costs.** Nothing to the house: a package of its own.
//!
//! **Read next.** `benches/parts/src/websocket.rs`, `scripts/instructions/count.py`.

mod buffers;
mod deflate;
mod http;
mod sessions;
mod timers;
mod websocket;

use buffers::buf;
use deflate::permessage_deflate;
use gungraun::{LibraryBenchmarkConfig, main};
use http::http1;
use sessions::session;
use timers::timer;
use websocket::ws;

/// What malloc maps by itself, bytes. It is the default, but one that is given never moves.
const MAPPED_BYTES_MIN: usize = 128 * 1024;

fn config() -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.env("MALLOC_MMAP_THRESHOLD_", MAPPED_BYTES_MIN.to_string());
    config
}

main!(
    config = config(),
    library_benchmark_groups = [ws, permessage_deflate, http1, session, timer, buf]
);

/// A buffer of one alignment: malloc maps one that large by itself (see `config`). Copies and
/// searches go by the alignment, and elsewhere it hangs on what was allocated before.
fn buffer(bytes: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(2 * MAPPED_BYTES_MIN);
    buffer.extend_from_slice(bytes);
    buffer
}

/// So many bytes, none of which is like the next.
fn payload(bytes: usize) -> Vec<u8> {
    buffer(&(0..bytes).map(|index| (index * 31 % 251) as u8).collect::<Vec<u8>>())
}

/// So many bytes of words: ASCII, or characters of one to four bytes.
fn text(is_ascii: bool, bytes: usize) -> Vec<u8> {
    let words = if is_ascii { "an echo comes back " } else { "Écho ηχώ 回声 🔊 " };
    let mut text = words.repeat(bytes / words.len());
    text.extend(std::iter::repeat_n('.', bytes - text.len()));
    buffer(text.as_bytes())
}
