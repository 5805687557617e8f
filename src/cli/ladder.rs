//! STUB of `oneloop ladder`; the integrator replaces this file.
//!
//! **What.** The name of the arguments.
//!
//! **Why this way.** Written at the same time as the rest of the command line.
//!
//! **Costs.** Nothing.
//!
//! **Read next.** `src/cli/mod.rs`.

use super::Failure;
use std::process::ExitCode;

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Ladder {}

impl Ladder {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        Err(Failure::Run("ladder: a stub".into()))
    }
}
