//! Money flow index: the share of rising money flow in all flow, 0 to 100.

use std::ops::Range;

use super::{Indicator, is_noise, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};
use crate::sliding::SlidingSums;

/// Typical price × volume, counted up or down with the typical price; warm-up n. A
/// change within rounding noise counts neither way; no flow at all gives 0.
#[derive(Debug, Clone)]
pub struct Mfi {
    last: f64,
    flows: SlidingSums<2>,
    price_block: Vec<f64>,
    flow_block: Vec<[f64; 2]>,
    sum_block: Vec<[f64; 2]>,
}

impl Mfi {
    /// The index over `length` moves.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self {
            last: f64::NAN,
            flows: SlidingSums::new(length),
            price_block: Vec::new(),
            flow_block: Vec::new(),
            sum_block: Vec::new(),
        }
    }
}

/// Money flow up and down of a candle.
fn flows(price: f64, last: f64, volume: f64) -> [f64; 2] {
    let change = price - last;
    let flow = if is_noise(change, price + last) { 0.0 } else { price * volume };
    [if change > 0.0 { flow } else { 0.0 }, if change < 0.0 { flow } else { 0.0 }]
}

/// The share of `up` in percent; 0 when nothing flowed.
fn index([up, down]: [f64; 2]) -> f64 {
    let both = up + down;
    let index = 100.0 * (up / both);
    if both == 0.0 { 0.0 } else { index }
}

impl Indicator for Mfi {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = f64::NAN;
        let price = bar.typical_price();
        let last = std::mem::replace(&mut self.last, price);
        if last.is_nan() {
            return;
        }
        if let Some(sums) = self.flows.next(flows(price, last, bar.volume)) {
            row[0] = index(sums);
        }
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, self.flows.length() as usize, columns);
        if rest.is_empty() {
            return;
        }
        bars.typical_prices(rest.start - 1..rest.end, &mut self.price_block);
        let prices = self.price_block[1..].iter().zip(&self.price_block).zip(&bars.volume[rest.clone()]);
        self.flow_block.resize(rest.len(), [0.0; 2]);
        for (out, ((price, last), volume)) in self.flow_block.iter_mut().zip(prices) {
            *out = flows(*price, *last, *volume);
        }
        self.flows.fill(&self.flow_block, &mut self.sum_block);
        for (out, sums) in columns[0][rest.start - start..].iter_mut().zip(&self.sum_block) {
            *out = index(*sums);
        }
        self.last = self.price_block[rest.len()];
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.number(&mut self.last);
        self.flows.archive(archive);
    }
}
