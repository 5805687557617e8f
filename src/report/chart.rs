//! Lines over axes, as SVG that takes its colours from the page.
//!
//! **What.** A [`Chart`] becomes an `<svg>` element: a grid with its figures, and lines.
//!
//! **Why this way.** The page is read in light, in dark and on paper, so nothing here is a colour:
//! the elements have classes, and the page's style gives them one. That is why it is not plotters,
//! which draws the ladder: it writes colours into every element.
//!
//! **Costs.** 15 bytes a point.
//!
//! **Read next.** `src/report/page.rs`.

use super::page::escaped;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
/// Where the figures of the vertical axis end.
const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = HEIGHT - 40.0;
/// Lines of different colour; then they begin again.
pub(super) const COLOURS: usize = 6;

/// How values are laid out along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Equal steps, from 0.
    Linear,
    /// Equal ratios.
    Log,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Says in a tooltip what it is.
    pub(super) label: String,
    /// Which colour; wraps around.
    pub(super) colour: usize,
    /// Dashed, to tell two lines of one colour apart.
    pub(super) dashed: bool,
    /// Finite numbers, from left to right.
    pub(super) points: Vec<(f64, f64)>,
}

/// Lines, and what their axes say.
pub(super) struct Chart<'a> {
    /// What is to be seen, for who cannot see it.
    pub(super) title: &'a str,
    /// What the horizontal axis counts.
    pub(super) x_label: &'a str,
    /// Where the horizontal axis has a figure: value and text. `None`: where it is round.
    pub(super) x_ticks: Option<Vec<(f64, String)>>,
    /// The vertical axis.
    pub(super) y_scale: Scale,
    /// How its figures are written.
    pub(super) y_text: fn(f64) -> String,
    /// It shows at least so much.
    pub(super) y_at_least: f64,
    pub(super) lines: Vec<Line>,
}

/// Values to a place between two pixels.
struct Axis {
    scale: Scale,
    values: (f64, f64),
    pixels: (f64, f64),
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let place = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(f64::MIN_POSITIVE).log10(),
        };
        let (low, high) = (place(self.values.0), place(self.values.1));
        let share = (place(value) - low) / (high - low);
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    /// Round values, from the lowest to the highest.
    fn ticks(&self) -> Vec<f64> {
        let (low, high) = self.values;
        match self.scale {
            Scale::Linear => {
                let step = round_up(high / 5.0);
                (0..)
                    .map(|n| f64::from(n) * step)
                    .take_while(|tick| *tick <= high * 1.001)
                    .collect()
            }
            Scale::Log => {
                let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
                let within: &[f64] = if last - first > 3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let decades = (first..=last).map(|power| 10_f64.powi(power));
                let ticks = decades.flat_map(|decade| within.iter().map(move |n| n * decade));
                ticks.filter(|tick| (low * 0.999..=high * 1.001).contains(tick)).collect()
            }
        }
    }
}

impl Chart<'_> {
    /// The element; without a point to draw, a sentence.
    pub(super) fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| line.points.iter().copied());
        if points().next().is_none() {
            return "<p class=\"none\">Nothing was measured.</p>\n".to_owned();
        }
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
        };
        let (_, right) = range(&mut points().map(|point| point.0));
        let (low, high) = range(&mut points().map(|point| point.1));
        let y_values = match self.y_scale {
            Scale::Linear => {
                let step = round_up(high.max(self.y_at_least) / 5.0);
                (0.0, (high.max(self.y_at_least) / step).ceil() * step)
            }
            Scale::Log => (floor_of(low.max(1e-3)), ceiling_of(high.max(low * 1.01).max(1e-2))),
        };
        let x_values = (0.0, right.max(1e-3));
        let x = Axis { scale: Scale::Linear, values: x_values, pixels: (LEFT, RIGHT) };
        let y = Axis { scale: self.y_scale, values: y_values, pixels: (BOTTOM, TOP) };
        let title = escaped(self.title);
        let mut svg =
            format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n");
        for value in y.ticks() {
            let (at, text) = (y.at(value), (self.y_text)(value));
            svg += &format!(
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" class=\"end\">{text}</text>\n",
                LEFT - 8.0,
                at + 4.0
            );
        }
        let round = || x.ticks().into_iter().map(|value| (value, value.to_string())).collect();
        for (value, text) in self.x_ticks.clone().unwrap_or_else(round) {
            if value <= x_values.1 * 1.001 {
                let (at, below) = (x.at(value), BOTTOM + 16.0);
                svg += &format!(
                    "<path class=\"tick\" d=\"M{at:.1} {BOTTOM}v4\"/>\
                     <text x=\"{at:.1}\" y=\"{below}\" class=\"mid\">{text}</text>\n"
                );
            }
        }
        svg += &format!(
            "<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>\
             <text x=\"{RIGHT}\" y=\"{:.1}\" class=\"end\">{}</text>\n",
            HEIGHT - 6.0,
            escaped(self.x_label)
        );
        svg.extend(self.lines.iter().map(|line| line.svg(&x, &y)));
        svg + "</svg>\n"
    }
}

impl Line {
    fn svg(&self, x: &Axis, y: &Axis) -> String {
        let place = |(px, py): &(f64, f64)| (x.at(*px), y.at(*py));
        let title = escaped(&self.label);
        let (colour, dashed) = (self.colour % COLOURS, if self.dashed { " dashed" } else { "" });
        match &self.points[..] {
            [] => String::new(),
            [only] => {
                let (px, py) = place(only);
                format!(
                    "<circle class=\"dot s{colour}\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"4\">\
                     <title>{title}</title></circle>\n"
                )
            }
            points => {
                let places = points.iter().map(|point| {
                    let (px, py) = place(point);
                    format!("{px:.1} {py:.1}")
                });
                let path = places.collect::<Vec<_>>().join("L");
                format!(
                    "<path class=\"line s{colour}{dashed}\" d=\"M{path}\">\
                     <title>{title}</title></path>\n"
                )
            }
        }
    }
}

/// The next number of 1, 2 or 5 times a power of ten.
pub(super) fn round_up(value: f64) -> f64 {
    let decade = 10_f64.powf(value.max(1e-9).log10().floor());
    let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|digit| digit * decade >= value * 0.999);
    digit.unwrap_or(10.0) * decade
}

/// The same on a logarithmic axis, at or above.
fn ceiling_of(value: f64) -> f64 {
    round_up(value)
}

/// At or below.
fn floor_of(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let digits = [5.0, 2.0, 1.0].into_iter();
    digits.map(|digit| digit * decade).find(|round| *round <= value * 1.001).unwrap_or(decade)
}

#[cfg(test)]
mod tests;
