//! STUB of the doctor's interface; the integrator replaces this file.
//!
//! **What.** The signature of [`run`].
//!
//! **Why this way.** Written at the same time as the command line.
//!
//! **Costs.** Nothing.
//!
//! **Read next.** `src/cli/mod.rs`, which calls it.

use std::io::{self, Write};

/// Writes the report; whether `for_n` connections fit.
///
/// # Errors
/// Those of `out`.
pub fn run(_for_n: Option<u64>, _json: bool, out: &mut dyn Write) -> io::Result<bool> {
    writeln!(out, "a stub")?;
    Ok(false)
}
