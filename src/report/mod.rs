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
mod knee;
mod merge;
mod page;
mod results;
mod run;
mod side;
mod table;
mod versus;

pub use compare::{Figure, Ratio, compare};
pub use environment::Environment;
pub use knee::{Ending, From, Kept, Knee, Probe, Verdict};
pub use merge::merge;
pub use page::{page, page_of_knees};
pub use results::{Kind, Results, same_steps};
pub use run::{Generator, Own, Run};
pub use side::Side;
pub use table::table;
pub use versus::{Knees, knee_table, versus};
