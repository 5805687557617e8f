//! Messages of several sizes: the flags, and their rows of the table.
//!
//! **What.** [`Mix`] has `--mix` and `--seed`; [`text`] says what each size found.
//!
//! **Why this way.** Whether a mix can be sent is the generator's to say; here is only what cannot
//! be read.
//!
//! **Costs.** A line a size.
//!
//! **Read next.** `src/load/sizes.rs`.

use super::shape::times;
use crate::limits::words::grouped;
use crate::load::Report;
use crate::net::parse_bytes;

/// Sizes and their order.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Mix {
    /// Messages of several sizes, each with its weight: of 100 messages 90 of 64 bytes, 9 of 1 KiB
    /// and one of 64 KiB are 64:90,1k:9,64k:1. The table has a row for each size
    #[arg(long, value_name = "SIZE:WEIGHT,...", value_parser = class, value_delimiter = ',',
        conflicts_with = "size", env = "ONELOOP_LOAD_MIX", hide_env_values = true)]
    mix: Vec<(usize, u64)>,

    /// With --mix: a number that the order of the sizes is made from; the same number, the same
    /// order
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        env = "ONELOOP_LOAD_SEED",
        hide_env_values = true
    )]
    pub(super) seed: u64,
}

impl Mix {
    pub(super) fn sizes(&self) -> Vec<(usize, u64)> {
        self.mix.clone()
    }
}

fn class(text: &str) -> Result<(usize, u64), String> {
    let parts = text.split_once(':').and_then(|(size, weight)| {
        let size = usize::try_from(parse_bytes(size)?).ok()?;
        Some((size, weight.parse().ok()?))
    });
    parts.ok_or_else(|| "write sizes with their weights: 64:90,1k:9,64k:1".to_owned())
}

/// A row for each size, if there are several.
pub(super) fn text(report: &Report) -> Option<String> {
    let name = |bytes: u64| format!("{} B", grouped(bytes));
    let names: Vec<(String, String)> = report
        .sizes
        .iter()
        .map(|it| (name(it.size_bytes), format!("{} answers", grouped(it.latency_us.count()))))
        .collect();
    let rows = report.sizes.iter().zip(&names);
    let rows: Vec<_> =
        rows.map(|(it, (name, count))| (&name[..], &it.latency_us, &count[..])).collect();
    (!rows.is_empty()).then(|| times("SIZE", &rows))
}
