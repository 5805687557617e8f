//! **What.** What is said to all reaches everybody at every worker, once, and in the order of each
//! who spoke.
//!
//! **Why this way.** Speakers are more than workers, so that each worker has some; all speak at
//! once. Long lines make batches of more than a packet.
//!
//! **Costs.** Twelve clients a way.
//!
//! **Read next.** `src/server/relay.rs`.

use crate::support::*;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;

const CLIENTS: usize = 12;
const LINES: usize = 30;

fn everybody_hears_everything(way: &[&str], filler: usize) {
    let args = ["--workers", "3", "--listen", "tcp://127.0.0.1:0/broadcast"];
    let server = Served::start(&[&args[..], way].concat());
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| connect(server.at("tcp"))).collect();
    until("all are there", || number(&server.books(), "connections") == CLIENTS as u64);
    let filler = "x".repeat(filler);
    thread::scope(|scope| {
        for (speaker, client) in clients.iter().enumerate() {
            let (mut writer, filler) = (client.try_clone().unwrap(), &filler);
            scope.spawn(move || {
                for line in 0..LINES {
                    writer.write_all(format!("{speaker} {line} {filler}\n").as_bytes()).unwrap();
                }
            });
        }
        for (hearer, client) in clients.iter().enumerate() {
            let (reader, filler) = (BufReader::new(client), &filler);
            scope.spawn(move || {
                let mut heard: HashMap<usize, usize> = HashMap::new();
                for line in reader.lines().take(CLIENTS * LINES) {
                    let line = line.unwrap();
                    let mut words = line.splitn(3, ' ');
                    let mut next = || words.next().unwrap().parse::<usize>().unwrap();
                    let (speaker, nth) = (next(), next());
                    assert_eq!(words.next(), Some(&filler[..]), "the line is whole");
                    let before = heard.insert(speaker, nth);
                    assert_eq!(before.map_or(0, |n| n + 1), nth, "{hearer} heard {speaker}");
                }
                assert_eq!(heard.len(), CLIENTS);
            });
        }
    });
    clients.iter_mut().for_each(|client| client.shutdown(std::net::Shutdown::Both).unwrap());
    drop(clients);
    let books = server.finish();
    let all = (CLIENTS * LINES) as u64;
    assert_eq!(number(&books, "relayed_out"), 2 * all, "{books}");
    assert_eq!(number(&books, "relayed_in"), 2 * all, "{books}");
    assert_eq!(number(&books, "broadcasts"), 3 * all, "{books}");
}

#[test]
fn short_lines() {
    WAYS.iter().for_each(|way| everybody_hears_everything(way, 10));
}

#[test]
fn lines_of_which_a_few_fill_a_packet() {
    everybody_hears_everything(&WAYS[0], 10_000);
    everybody_hears_everything(&WAYS[2], 10_000);
}
