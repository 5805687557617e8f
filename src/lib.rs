//! oneloop
