//! oneloop

#[cfg(feature = "cli")]
pub mod limits;
pub mod sys;
