//! Ranges on the price: the recorded path with a miner's positions as bands.

use std::fmt::Write as _;

use assay_lp::price_float;
use assay_lp::record::{MinerRecord, Outcome, RoundRecord};

use super::amount::Tokens;
use super::chart::nice_ticks;
use super::html::escape;

const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// A band widens the view to at most this many spans of the price on either side.
const WIDEST: f64 = 1.5;
/// Bands that a chart draws; a round has far fewer.
pub(super) const MAX_BANDS: usize = 4_000;
/// Points that a chart draws.
const MAX_POINTS: usize = 2_000;

/// A position over time, prices in token 1 per token 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Band {
    pub from: f64,
    pub to: f64,
    pub low: f64,
    pub high: f64,
}

/// Ranges over a price.
pub(super) struct RangeChart<'a> {
    /// Read out by screen readers.
    pub title: &'a str,
    /// Width and height of the drawing.
    pub size: (f64, f64),
    /// Room for the labels of the price.
    pub left: f64,
    /// The price's paths, each of times and prices; between them nothing is drawn.
    pub paths: &'a [Vec<(f64, f64)>],
    /// The positions.
    pub bands: &'a [Band],
    /// Labelled moments, ascending.
    pub moments: &'a [(f64, String)],
    /// Moments without label, drawn as lines.
    pub marks: &'a [f64],
}

impl RangeChart<'_> {
    /// The chart as an `<svg>` element, or a sentence when there is nothing to draw.
    pub fn svg(&self) -> String {
        let points = || self.paths.iter().flatten().copied().filter(|(_, price)| price.is_finite());
        let (first, last) = points().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), (x, _)| (l.min(x), h.max(x)));
        if first >= last {
            return "<p class=\"note\">Fewer than two points: nothing to draw.</p>".to_owned();
        }
        let (low, high) = self.view();
        let ticks = nice_ticks(low, high, if self.size.1 < 240.0 { 3 } else { 5 });
        let (low, high) = (low.min(ticks[0]), high.max(ticks[ticks.len() - 1]));
        let (width, height) = self.size;
        let right = width - 12.0;
        let x = |at: f64| self.left + (at - first) / (last - first) * (right - self.left);
        let y = |price: f64| TOP + (high - price) / (high - low) * (height - TOP - BOTTOM);
        let mut svg =
            format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">", escape(self.title));
        let step = if ticks.len() > 1 { ticks[1] - ticks[0] } else { 1.0 };
        for tick in &ticks {
            let at = y(*tick);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                self.left,
                self.left - 6.0,
                at + 4.0,
                price_label(*tick, step)
            );
        }
        for mark in self.marks.iter().filter(|mark| (first..=last).contains(*mark)) {
            let at = x(*mark);
            let _ = write!(
                svg,
                "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{}\"/>",
                height - BOTTOM
            );
        }
        for (at, label) in self.moments.iter().filter(|(at, _)| (first..=last).contains(at)) {
            let place = x(*at);
            let anchor = if place > right - 20.0 { "end" } else { "middle" };
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{place:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                height - 6.0,
                escape(label)
            );
        }
        for band in self.bands.iter().take(MAX_BANDS) {
            let (from, to) = (x(band.from.clamp(first, last)), x(band.to.clamp(first, last)));
            let (top, bottom) = (y(band.high.clamp(low, high)), y(band.low.clamp(low, high)));
            if to <= from {
                continue;
            }
            let _ = write!(
                svg,
                "<rect class=\"band\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{} … {}</title></rect>",
                (to - from).max(0.5),
                (bottom - top).max(0.5),
                price_label(band.low, step / 100.0),
                price_label(band.high, step / 100.0)
            );
        }
        for path in self.paths {
            let _ = write!(svg, "<polyline class=\"line price\" points=\"{}\"/>", steps(path, x, y));
        }
        svg.push_str("</svg>");
        svg
    }

    /// Whether some band reaches beyond what is drawn.
    pub fn is_clipped(&self) -> bool {
        let (low, high) = self.view();
        self.bands.iter().any(|band| band.low < low || band.high > high)
    }

    /// The prices that are drawn: all of the path, and of the bands what does not flatten it.
    fn view(&self) -> (f64, f64) {
        let prices = || self.paths.iter().flatten().map(|(_, price)| *price).filter(|price| price.is_finite());
        let (low, high) = prices().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let span = if high > low { high - low } else { high.abs().max(f64::MIN_POSITIVE) * 0.01 };
        let bound = |edge: f64| edge.is_finite();
        let lowest = self.bands.iter().map(|band| band.low).filter(|edge| bound(*edge)).fold(low, f64::min);
        let highest = self.bands.iter().map(|band| band.high).filter(|edge| bound(*edge)).fold(high, f64::max);
        let margin = span * 0.05;
        ((lowest - margin).max(low - WIDEST * span), (highest + margin).min(high + WIDEST * span))
    }
}

/// The path as steps: a price holds until the next one.
fn steps(path: &[(f64, f64)], x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let stride = path.len().div_ceil(MAX_POINTS).max(1);
    let mut text = String::new();
    let mut before: Option<f64> = None;
    for (index, (at, price)) in path.iter().enumerate() {
        if index % stride != 0 && index + 1 != path.len() {
            continue;
        }
        let (at, price) = (x(*at), y(*price));
        if let Some(before) = before {
            let _ = write!(text, "{at:.1},{before:.1} ");
        }
        let _ = write!(text, "{at:.1},{price:.1} ");
        before = Some(price);
    }
    text.trim_end().to_owned()
}

/// A price with as many digits as its neighbours on the axis need.
fn price_label(price: f64, step: f64) -> String {
    let (mut digits, mut rest) = (0_usize, step.abs());
    while rest < 0.999_999 && digits < 20 {
        rest *= 10.0;
        digits += 1;
    }
    let size = price.abs();
    if digits > 8 || size >= 1e12 {
        return if price == 0.0 { "0".to_owned() } else { format!("{price:.4e}").replace('-', "−") };
    }
    let text = format!("{size:.digits$}");
    let (whole, rest) = text.find('.').map_or((text.as_str(), ""), |at| text.split_at(at));
    let groups: Vec<&str> = whole.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    let sign = if price < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { "−" } else { "" };
    format!("{sign}{}{rest}", groups.join(","))
}

/// The price at a tick, for charts.
pub(super) fn price_at_tick(tick: i32, tokens: &Tokens) -> f64 {
    assay_amm::concentrated::sqrt_price_at_tick(tick).map_or(f64::NAN, price_float) * tokens.price_factor()
}

/// The price's path over the blocks of a round, up to its end.
pub(super) fn path_of(record: &RoundRecord, tokens: &Tokens, at: impl Fn(u64) -> f64) -> Vec<(f64, f64)> {
    let factor = tokens.price_factor();
    let mut path: Vec<(f64, f64)> =
        record.path.iter().map(|point| (at(point.block), price_float(point.sqrt_price_x96) * factor)).collect();
    path.push((at(record.end.number), price_float(record.end_sqrt_price_x96) * factor));
    path
}

/// A miner's positions, each from the block it takes effect until the next change.
pub(super) fn bands_of(
    record: &RoundRecord,
    miner: &MinerRecord,
    tokens: &Tokens,
    at: impl Fn(u64) -> f64,
) -> Vec<Band> {
    let changes: Vec<_> = miner
        .answers
        .iter()
        .filter(|answer| answer.outcome == Outcome::Rebalanced)
        .filter_map(|answer| Some((answer.effective_block?, &answer.positions)))
        .collect();
    let mut bands = Vec::new();
    for (index, (from, positions)) in changes.iter().enumerate() {
        let to = changes.get(index + 1).map_or(record.end.number, |(block, _)| *block);
        for position in positions.iter() {
            bands.push(Band {
                from: at(*from),
                to: at(to),
                low: price_at_tick(position.tick_lower, tokens),
                high: price_at_tick(position.tick_upper, tokens),
            });
        }
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_the_digits_of_their_step() {
        assert_eq!(price_label(1_713.5, 0.5), "1,713.5");
        assert_eq!(price_label(0.000_58, 0.000_02), "0.00058");
        assert_eq!(price_label(2_000_000.0, 1_000.0), "2,000,000");
        assert_eq!(price_label(3.2e-12, 1e-13), "3.2000e−12");
    }

    #[test]
    fn a_wide_range_does_not_flatten_the_price() {
        let paths = [vec![(0.0, 100.0), (5.0, 101.0), (10.0, 100.5)]];
        let bands = [Band { from: 2.0, to: 10.0, low: 0.001, high: 1e9 }];
        let chart = RangeChart {
            title: "t",
            size: (960.0, 300.0),
            left: 64.0,
            paths: &paths,
            bands: &bands,
            moments: &[],
            marks: &[],
        };
        assert!(chart.is_clipped());
        let (low, high) = chart.view();
        assert!(low >= 98.0 && high <= 103.0, "{low} {high}");
        assert!(chart.svg().contains("class=\"band\""));
    }

    #[test]
    fn a_price_that_stands_still_is_drawn() {
        let paths = [vec![(0.0, 2.0), (10.0, 2.0)]];
        let chart = RangeChart {
            title: "t",
            size: (960.0, 300.0),
            left: 64.0,
            paths: &paths,
            bands: &[],
            moments: &[],
            marks: &[],
        };
        let svg = chart.svg();
        assert!(svg.contains("polyline") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
