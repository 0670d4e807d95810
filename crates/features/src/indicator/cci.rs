//! Commodity channel index: the typical price's distance from its mean, in mean
//! absolute deviations.

use std::ops::Range;

use super::{Indicator, is_noise, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};
use crate::window::Window;

/// Candles whose deviations are summed side by side.
const LANES: usize = 8;

/// Lambert's index with his constant 0.015; warm-up n − 1. Flat prices, and a price
/// within rounding noise of the mean, give 0.
#[derive(Debug, Clone)]
pub struct Cci {
    prices: Window,
    price_block: Vec<f64>,
    mean_block: Vec<f64>,
}

impl Cci {
    /// The index over `length` candles.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { prices: Window::new(length), price_block: Vec::new(), mean_block: Vec::new() }
    }
}

fn index(price: f64, mean: f64, deviation: f64, length: f64) -> f64 {
    let distance = price - mean;
    let index = distance / (deviation * (0.015 / length));
    let still = is_noise(distance, price) | is_noise(deviation, price * length);
    if still { 0.0 } else { index }
}

impl Indicator for Cci {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        let price = bar.typical_price();
        self.prices.push(price);
        row[0] = f64::NAN;
        if !self.prices.is_full() {
            return;
        }
        let length = self.prices.slots().len() as f64;
        // Summed by slot, not by age: the order that TA-Lib adds in.
        let mean = self.prices.slots().iter().fold(0.0, |sum, other| sum + other) / length;
        let deviation = self.prices.iter().fold(0.0, |sum, other| sum + (other - mean).abs());
        row[0] = index(price, mean, deviation, length);
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let length = self.prices.slots().len();
        let start = range.start;
        let rest = warm_up(self, bars, range, length - 1, columns);
        if rest.is_empty() {
            return;
        }
        let from = rest.start + 1 - length;
        self.price_block.clear();
        self.price_block.extend((from..rest.end).map(|index| bars.typical_price(index)));
        means_by_slot(&self.price_block, from, length, &mut self.mean_block);
        let out = &mut columns[0][rest.start - start..];
        deviations(&self.price_block, &self.mean_block, length, out);
        let newest = self.price_block[length - 1..].iter().zip(&self.mean_block);
        for (out, (price, mean)) in out.iter_mut().zip(newest) {
            *out = index(*price, *mean, *out, length as f64);
        }
        self.prices.catch_up(rest.end, &self.price_block);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.prices.archive(archive);
    }
}

/// Means of each `length` neighbours, added in the order of their slots: first those
/// from the last index that is a multiple of the length, then the older ones.
fn means_by_slot(prices: &[f64], from: usize, length: usize, means: &mut Vec<f64>) {
    let count = prices.len() + 1 - length;
    means.clear();
    while means.len() < count {
        let oldest = means.len();
        let newest = oldest + length - 1;
        let slot = (from + newest) % length;
        if slot == 0 && newest >= length && oldest + length <= count {
            turn_of_means(&prices[newest - length..newest], &prices[newest..newest + length], means);
            continue;
        }
        let (older, newer) = prices[oldest..=newest].split_at(length - 1 - slot);
        let sum = newer.iter().chain(older).fold(0.0, |sum, price| sum + price);
        means.push(sum / length as f64);
    }
}

/// The means that end with each price of a whole turn of slots, `now`, after the turn
/// `before`. Each sum takes its older prices in order; many sums take one together.
fn turn_of_means(before: &[f64], now: &[f64], means: &mut Vec<f64>) {
    let length = now.len();
    let first = means.len();
    let mut sum = 0.0;
    means.extend(now.iter().map(|price| {
        sum += price;
        sum
    }));
    let sums = &mut means[first..];
    for older in 1..length {
        for (sum, price) in sums.iter_mut().zip(&before[older..]) {
            *sum += price;
        }
    }
    sums.iter_mut().for_each(|sum| *sum /= length as f64);
}

/// For each mean, the sum of distances of its window's prices, the oldest first.
fn deviations(prices: &[f64], means: &[f64], length: usize, out: &mut [f64]) {
    let (chunks, rest) = out.as_chunks_mut::<LANES>();
    let (mean_chunks, mean_rest) = means.as_chunks::<LANES>();
    for (at, (sums, means)) in chunks.iter_mut().zip(mean_chunks).enumerate() {
        let mut totals = [0.0; LANES];
        let prices = &prices[at * LANES..][..LANES + length - 1];
        for prices in prices.windows(LANES) {
            for ((total, price), mean) in totals.iter_mut().zip(prices).zip(means) {
                *total += (price - mean).abs();
            }
        }
        *sums = totals;
    }
    let done = means.len() - mean_rest.len();
    for (at, (sum, mean)) in rest.iter_mut().zip(mean_rest).enumerate() {
        let window = &prices[done + at..][..length];
        *sum = window.iter().fold(0.0, |sum, price| sum + (price - mean).abs());
    }
}
