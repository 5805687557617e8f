//! The right panel: what the clients beyond the cap saw.
//!
//! **What.** A bar for each rung, grouped by policy, divided by fate.
//!
//! **Why this way.** Every bar is as long as the others: what counts is the share that was told,
//! refused or left waiting, and the number stands in it.
//!
//! **Costs.** A few lines of SVG a rung.
//!
//! **Read next.** `src/load/fates.rs`, which says what each fate is.

use super::{BOTTOM, Canvas, Font, INK, PALE, TOP};
use crate::ladder::Rung;
use crate::ladder::render::named;
use crate::limits::words::grouped;
use crate::server::AtLimit;
use plotters::style::{RGBColor, WHITE};

const LEFT: i32 = 604;
const RIGHT: i32 = 976;
/// Height of a policy's heading.
const HEADING: i32 = 26;
/// Where a policy's promise stands, behind its name.
const PROMISE: i32 = 92;
/// Height of a bar and the air below it, at most.
const BAR_MAX: i32 = 34;
/// Width of a character, about.
const CHARACTER: i32 = 8;

pub(super) fn draw(canvas: &Canvas<'_>, rungs: &[Rung]) -> Result<(), String> {
    let mut policies: Vec<&str> = Vec::new();
    for rung in rungs {
        if !policies.contains(&rung.at_limit) {
            policies.push(rung.at_limit);
        }
    }
    let heading = "what each client beyond the cap saw";
    canvas.text(heading, (LEFT, TOP - 24), Font { bold: true, ..Font::LEFT })?;
    let headings = HEADING * policies.len() as i32;
    let height = ((BOTTOM - TOP - headings) / rungs.len().max(1) as i32).min(BAR_MAX);
    let mut y = TOP + 4;
    for policy in policies {
        canvas.text(policy, (LEFT, y + 8), Font { bold: true, ..Font::LEFT })?;
        let beside = (LEFT + PROMISE, y + 8);
        canvas.text(promise(policy), beside, Font { colour: PALE, ..Font::LEFT })?;
        y += HEADING - 6;
        for rung in rungs.iter().filter(|rung| rung.at_limit == policy) {
            bar(canvas, rung, y, height - 2)?;
            y += height;
        }
        y += 6;
    }
    Ok(())
}

/// One rung's bar, `height` pixels high.
fn bar(canvas: &Canvas<'_>, rung: &Rung, y: i32, height: i32) -> Result<(), String> {
    let middle = y + height / 2;
    let size = height.clamp(10, 16);
    let label = Font { colour: PALE, size, ..Font::RIGHT };
    canvas.text(&grouped(rung.nofile), (LEFT - 8, middle), label)?;
    let total = rung.extra.attempted.max(1) as f64;
    let mut before = 0;
    for (fate, count) in rung.extra.by_fate() {
        let x = |clients: u64| LEFT + (clients as f64 / total * f64::from(RIGHT - LEFT)) as i32;
        let (from, to) = (x(before), x(before + count));
        before += count;
        let (colour, ink) = colour(fate);
        if count > 0 {
            canvas.rectangle((from, y), (to, y + height), colour)?;
        }
        let words = format!("{} {}", grouped(count), named(fate, rung.at_limit));
        if to - from > CHARACTER * words.len() as i32 {
            let font = Font { colour: ink, size, ..Font::CENTRE };
            canvas.text(&words, ((from + to) / 2, middle), font)?;
        }
    }
    Ok(())
}

/// What a policy does with a client beyond the cap.
fn promise(policy: &str) -> &'static str {
    match AtLimit::NAMES.iter().find(|(name, _)| *name == policy).map(|(_, policy)| policy) {
        Some(AtLimit::Shed) => "says why, and closes",
        Some(AtLimit::Pause) => "leaves it in the kernel's queue",
        Some(AtLimit::EvictIdle) => "gives it the place of an idle one",
        Some(AtLimit::Refuse) => "lets the kernel refuse it",
        None => "",
    }
}

/// The colour of a fate, and one that is readable on it.
fn colour(fate: &str) -> (RGBColor, RGBColor) {
    match fate {
        "connected" => (RGBColor(0x00, 0x9E, 0x73), WHITE),
        "told why" => (RGBColor(0x00, 0x72, 0xB2), WHITE),
        "refused" => (RGBColor(0xCC, 0x79, 0xA7), INK),
        "reset" => (RGBColor(0xD5, 0x5E, 0x00), WHITE),
        "hung" => (RGBColor(0xE6, 0x9F, 0x00), INK),
        "timed out" => (RGBColor(0xF0, 0xE4, 0x42), INK),
        _ => (RGBColor(0x99, 0x99, 0x99), INK),
    }
}
