//! What was found, as a picture.
//!
//! **What.** [`svg`] draws two panels: the caps, predicted and measured, over the limit; and for
//! each rung what the clients beyond the cap saw.
//!
//! **Why this way.** plotters draws circles, lines and text into SVG; the axes are ours, because a
//! ladder's ticks are its rungs and its numbers stand beside the points. The colours are those of
//! Okabe and Ito, which colour-blind readers tell apart; every bar also says in words what it is.
//!
//! **Costs.** Some 20 KB of SVG.
//!
//! **Read next.** `src/ladder/render.rs`, which says the same in words.

mod bars;
mod caps;

use super::Rung;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const WIDTH: i32 = 1_000;
const HEIGHT: i32 = 640;
/// Where the panels begin, below their headings.
const TOP: i32 = 120;
/// Where they end.
const BOTTOM: i32 = HEIGHT - 58;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const PALE: RGBColor = RGBColor(0x66, 0x66, 0x66);
const GRID: RGBColor = RGBColor(0xE4, 0xE4, 0xE4);

/// Draws the ladder.
///
/// # Errors
/// None that a string has; what plotters says otherwise.
pub fn svg(rungs: &[Rung]) -> Result<String, String> {
    let mut text = String::new();
    let backend = SVGBackend::with_string(&mut text, (WIDTH as u32, HEIGHT as u32));
    let canvas = Canvas { area: backend.into_drawing_area() };
    canvas.rectangle((0, 0), (WIDTH, HEIGHT), WHITE)?;
    let title = "How many connections one process holds, and what the next client sees";
    canvas.text(title, (24, 32), Font { size: 25, bold: true, ..Font::LEFT })?;
    let right = rungs.iter().filter(|rung| rung.measured == rung.predicted).count();
    let note = format!("oneloop ladder: {right} of {} caps as predicted", rungs.len());
    canvas.text(&note, (24, 58), Font { colour: PALE, ..Font::LEFT })?;
    caps::draw(&canvas, rungs)?;
    bars::draw(&canvas, rungs)?;
    canvas.area.present().map_err(|error| error.to_string())?;
    drop(canvas);
    Ok(text)
}

/// How a text is set (plotters makes `size` 24 % smaller). Its place is the middle of its height.
#[derive(Clone, Copy)]
struct Font {
    size: i32,
    bold: bool,
    colour: RGBColor,
    side: HPos,
}

impl Font {
    const LEFT: Font = Font { size: 16, bold: false, colour: INK, side: HPos::Left };
    const RIGHT: Font = Font { side: HPos::Right, ..Font::LEFT };
    const CENTRE: Font = Font { side: HPos::Center, ..Font::LEFT };
}

/// A point in pixels, right and down.
type Point = (i32, i32);

/// A surface to draw on, in pixels.
struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

impl Canvas<'_> {
    fn text(&self, text: &str, at: Point, font: Font) -> Result<(), String> {
        let weight = if font.bold { FontStyle::Bold } else { FontStyle::Normal };
        let style = ("sans-serif", font.size, weight)
            .into_text_style(&self.area)
            .color(&font.colour)
            .pos(Pos::new(font.side, VPos::Center));
        self.area.draw(&Text::new(text.to_owned(), at, style)).map_err(|error| error.to_string())
    }

    fn line(&self, from: Point, to: Point, colour: RGBColor, width: u32) -> Result<(), String> {
        let path = PathElement::new([from, to], colour.stroke_width(width));
        self.area.draw(&path).map_err(|error| error.to_string())
    }

    fn rectangle(&self, from: Point, to: Point, colour: RGBColor) -> Result<(), String> {
        let rectangle = Rectangle::new([from, to], colour.filled());
        self.area.draw(&rectangle).map_err(|error| error.to_string())
    }

    fn dot(&self, at: Point, radius: i32, colour: RGBColor) -> Result<(), String> {
        let dot = Circle::new(at, radius, colour.filled());
        self.area.draw(&dot).map_err(|error| error.to_string())
    }

    fn ring(&self, at: Point, radius: i32, colour: RGBColor) -> Result<(), String> {
        self.dot(at, radius, WHITE)?;
        let ring = Circle::new(at, radius, colour.stroke_width(2));
        self.area.draw(&ring).map_err(|error| error.to_string())
    }
}
