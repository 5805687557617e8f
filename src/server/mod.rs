//! stub
mod limits;
pub use limits::{AtLimit, LimitError, Limits, Nofile};
