//! The left panel: caps over limits.
//!
//! **What.** A ring for each predicted cap, joined by a line, and a dot for each measured one: a
//! dot within its ring is a prediction that holds. One that does not has another colour.
//!
//! **Why this way.** Both axes are logarithmic because rungs multiply. The dashed line is the limit
//! itself: what lies between it and the rings is what the server keeps for itself, which hurts at
//! the bottom of the ladder and does not matter at its top.
//!
//! **Costs.** A few lines of SVG a rung.
//!
//! **Read next.** `src/ladder/plot/bars.rs`.

use super::{BOTTOM, Canvas, Font, GRID, INK, PALE, TOP};
use crate::ladder::Rung;
use crate::limits::words::grouped;
use plotters::style::RGBColor;

const LEFT: i32 = 78;
const RIGHT: i32 = 490;

const PREDICTED: RGBColor = RGBColor(0x56, 0xB4, 0xE9);
const MEASURED: RGBColor = RGBColor(0x00, 0x52, 0x82);
const WRONG: RGBColor = RGBColor(0xD5, 0x5E, 0x00);

/// Maps logarithms to pixels.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// From a power of ten to a power of ten, with all of `values` between them.
    fn around(values: impl Iterator<Item = u64>) -> Scale {
        let (low, high) = values
            .map(|value| (value.max(1) as f64).log10())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        // A little air on both sides; one rung alone stands in the middle.
        Scale { low: low - 0.2, high: high.max(low + 0.1) + 0.2 }
    }

    /// How far along the axis, from 0 to 1.
    fn at(&self, value: u64) -> f64 {
        ((value.max(1) as f64).log10() - self.low) / (self.high - self.low)
    }

    /// Powers of ten on the axis.
    fn tens(&self) -> impl Iterator<Item = u64> {
        (self.low.max(0.0).ceil() as u32..=self.high.floor() as u32).map(|power| 10_u64.pow(power))
    }
}

pub(super) fn draw(canvas: &Canvas<'_>, rungs: &[Rung]) -> Result<(), String> {
    let mut limits: Vec<u64> = rungs.iter().map(|rung| rung.nofile).collect();
    limits.sort_unstable();
    limits.dedup();
    let across = Scale::around(limits.iter().copied());
    let up =
        Scale::around(rungs.iter().flat_map(|rung| [rung.nofile, rung.predicted, rung.measured]));
    let x = |value| LEFT + (across.at(value) * f64::from(RIGHT - LEFT)) as i32;
    let y = |value| BOTTOM - (up.at(value) * f64::from(BOTTOM - TOP)) as i32;

    for ten in up.tens() {
        canvas.line((LEFT, y(ten)), (RIGHT, y(ten)), GRID, 1)?;
        canvas.text(&grouped(ten), (LEFT - 8, y(ten)), Font { colour: PALE, ..Font::RIGHT })?;
    }
    for &limit in &limits {
        canvas.line((x(limit), TOP), (x(limit), BOTTOM), GRID, 1)?;
        canvas.text(
            &grouped(limit),
            (x(limit), BOTTOM + 17),
            Font { colour: PALE, ..Font::CENTRE },
        )?;
    }
    canvas.line((LEFT, BOTTOM), (RIGHT, BOTTOM), PALE, 1)?;
    canvas.text("ulimit -n", ((LEFT + RIGHT) / 2, BOTTOM + 40), Font::CENTRE)?;
    canvas.text("connections held at once", (24, TOP - 24), Font { bold: true, ..Font::LEFT })?;

    if let (Some(&low), Some(&high)) = (limits.first(), limits.last()) {
        dashed(canvas, (x(low), y(low)), (x(high), y(high)))?;
    }
    let mut caps: Vec<(u64, u64)> =
        rungs.iter().map(|rung| (rung.nofile, rung.predicted)).collect();
    caps.sort_unstable();
    caps.dedup();
    for pair in caps.windows(2) {
        let [from, to] = [pair[0], pair[1]].map(|(limit, cap)| (x(limit), y(cap)));
        canvas.line(from, to, PREDICTED, 2)?;
    }
    for &(limit, cap) in &caps {
        canvas.ring((x(limit), y(cap)), 8, PREDICTED)?;
        canvas.text(
            &grouped(cap),
            (x(limit) + 13, y(cap) + 14),
            Font { bold: true, ..Font::LEFT },
        )?;
    }
    for rung in rungs {
        let colour = if rung.measured == rung.predicted { MEASURED } else { WRONG };
        canvas.dot((x(rung.nofile), y(rung.measured)), 4, colour)?;
    }
    legend(canvas)
}

fn legend(canvas: &Canvas<'_>) -> Result<(), String> {
    let (x, mut y) = (LEFT + 20, TOP + 14);
    dashed(canvas, (x - 12, y), (x + 12, y))?;
    canvas.text("the limit itself", (x + 22, y), Font::LEFT)?;
    y += 24;
    canvas.line((x - 16, y), (x + 16, y), PREDICTED, 2)?;
    canvas.ring((x, y), 8, PREDICTED)?;
    canvas.text("cap as predicted before the first client", (x + 22, y), Font::LEFT)?;
    y += 24;
    canvas.dot((x, y), 4, MEASURED)?;
    canvas.text("clients served at once", (x + 22, y), Font { colour: INK, ..Font::LEFT })
}

fn dashed(canvas: &Canvas<'_>, from: (i32, i32), to: (i32, i32)) -> Result<(), String> {
    let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
    let dashes = (dx.hypot(dy) / 7.0).max(1.0);
    let along = |share: f64| (from.0 + (dx * share) as i32, from.1 + (dy * share) as i32);
    for nth in (0..dashes as u32).step_by(2).map(f64::from) {
        canvas.line(along(nth / dashes), along((nth + 1.0) / dashes), PALE, 1)?;
    }
    Ok(())
}
