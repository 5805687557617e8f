//! oneloop: a non-blocking socket server on one epoll loop.

#[cfg(not(target_os = "linux"))]
compile_error!("oneloop shows what Linux does (epoll, accept4, signalfd): build it on Linux");

pub mod buf;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod clock;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod config;
#[cfg(feature = "cli")]
pub mod ladder;
#[cfg(feature = "cli")]
pub mod limits;
#[cfg(feature = "cli")]
pub mod load;
pub mod metrics;
pub mod net;
pub mod proto;
pub mod reactor;
#[cfg(feature = "cli")]
pub mod report;
pub mod server;
pub mod service;
pub mod session;
pub mod sys;
