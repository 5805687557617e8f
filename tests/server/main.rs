//! The server as a black box: what clients see over real sockets, and that the books balance.
//!
//! **What.** Each test starts a server, is its clients, stops it, and looks at its books: every
//! connection and every delivery accounted for, not one block of memory still held. What a test
//! says about memory, descriptors or signals belongs to a whole process, so there the server runs
//! in a child.
//!
//! **Why this way.** The rules of protocols are tested without sockets beside their modules; here
//! is what only sockets show: resets, half-closes, stalls, full queues, exhausted descriptors. A
//! test waits for conditions and never sleeps to let something happen; where it asserts that
//! something takes no longer than a bound, the bound is far above the figure that is aimed at.
//!
//! **Costs.** Half a minute on two cores, most of it waiting for slow readers and timeouts.
//!
//! **Read next.** `support.rs`, then `echo.rs`.

mod addresses;
mod backpressure;
mod broadcast;
#[cfg(feature = "tls")]
mod certs;
mod child;
mod churn;
mod datagrams;
#[cfg(feature = "deflate")]
mod deflate;
mod descriptors;
mod drain;
mod echo;
mod http;
mod limits;
mod long_messages;
mod peers;
mod policies;
mod reuse;
mod services;
mod signals;
mod support;
mod timeouts;
#[cfg(feature = "tls")]
mod tls;
mod websocket;
mod ws;
