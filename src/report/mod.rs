//! The results of loads: kept, added up, compared, drawn.
//!
//! **What.** A [`Run`] is a load's report with where it came from, as it stands in a JSON file.
//! [`merge()`] adds up several that ran at the same time; [`table()`] and [`page()`] put several
//! beside each other, and say what of their difference is noise.
//!
//! **Why this way.** All of it works on values made from texts: no sockets, no files, no clock, so
//! tests write the texts themselves. Beyond one machine the spreading is left to what people have
//! already (ssh, a scheduler); what they bring back are files.
//!
//! **Costs.** Milliseconds, after the run.
//!
//! **Read next.** `src/report/run.rs`.

mod chart;
mod compare;
mod environment;
mod merge;
mod page;
mod results;
mod run;
mod side;
mod table;

pub use compare::{Figure, Ratio, compare};
pub use environment::Environment;
pub use merge::{Merged, merge};
pub use page::page;
pub use results::{Results, same_steps};
pub use run::{Generator, Own, Run};
pub use side::Side;
pub use table::table;
