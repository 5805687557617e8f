//! stub
mod limits;
mod stub;
pub use limits::{AtLimit, LimitError, Limits, Nofile};
pub use stub::{Builder, Exit, Server, StartError};
