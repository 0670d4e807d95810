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
pub struct Cci<const LENGTH: usize> {
    prices: Window,
    price_block: Vec<f64>,
    mean_block: Vec<f64>,
}

impl<const LENGTH: usize> Default for Cci<LENGTH> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const LENGTH: usize> Cci<LENGTH> {
    /// The index over `LENGTH` candles.
    #[must_use]
    pub fn new() -> Self {
        Self { prices: Window::new(LENGTH), price_block: Vec::new(), mean_block: Vec::new() }
    }
}

fn index(price: f64, mean: f64, deviation: f64, length: f64) -> f64 {
    let distance = price - mean;
    let index = distance / (deviation * (0.015 / length));
    let still = is_noise(distance, price) | is_noise(deviation, price * length);
    if still { 0.0 } else { index }
}

impl<const LENGTH: usize> Indicator for Cci<LENGTH> {
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
        let start = range.start;
        let rest = warm_up(self, bars, range, LENGTH - 1, columns);
        if rest.is_empty() {
            return;
        }
        let from = rest.start + 1 - LENGTH;
        bars.typical_prices(from..rest.end, &mut self.price_block);
        means_by_slot::<LENGTH>(&self.price_block, from, &mut self.mean_block);
        let out = &mut columns[0][rest.start - start..];
        deviations::<LENGTH>(&self.price_block, &self.mean_block, out);
        let newest = self.price_block[LENGTH - 1..].iter().zip(&self.mean_block);
        for (out, (price, mean)) in out.iter_mut().zip(newest) {
            *out = index(*price, *mean, *out, LENGTH as f64);
        }
        self.prices.catch_up(rest.end, &self.price_block);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.prices.archive(archive);
    }
}

/// Means of each `N` neighbours, added in the order of their slots: first those from
/// the last index that is a multiple of N, then the older ones.
fn means_by_slot<const N: usize>(prices: &[f64], from: usize, means: &mut Vec<f64>) {
    let count = prices.len() + 1 - N;
    means.clear();
    while means.len() < count {
        let oldest = means.len();
        let newest = oldest + N - 1;
        let slot = (from + newest) % N;
        if let Some((before, rest)) = prices.get(newest.wrapping_sub(N)..).and_then(<[f64]>::split_first_chunk::<N>)
            && let Some(now) = rest.first_chunk::<N>()
            && slot == 0
        {
            means.extend_from_slice(&turn_of_means(before, now));
            continue;
        }
        let (older, newer) = prices[oldest..=newest].split_at(N - 1 - slot);
        let sum = newer.iter().chain(older).fold(0.0, |sum, price| sum + price);
        means.push(sum / N as f64);
    }
}

/// The means that end with each price of a whole turn of slots, `now`, after the turn
/// `before`. Each sum takes its older prices in order; many sums take one together.
fn turn_of_means<const N: usize>(before: &[f64; N], now: &[f64; N]) -> [f64; N] {
    let mut sum = 0.0;
    let mut sums = now.map(|price| {
        sum += price;
        sum
    });
    for older in 1..N {
        for newer in 0..N - older {
            sums[newer] += before[older + newer];
        }
    }
    sums.map(|sum| sum / N as f64)
}

/// For each mean, the sum of distances of its window's `N` prices, the oldest first.
fn deviations<const N: usize>(prices: &[f64], means: &[f64], out: &mut [f64]) {
    let (chunks, rest) = out.as_chunks_mut::<LANES>();
    let (mean_chunks, mean_rest) = means.as_chunks::<LANES>();
    for (at, (sums, means)) in chunks.iter_mut().zip(mean_chunks).enumerate() {
        let mut totals = [0.0; LANES];
        let prices = &prices[at * LANES..][..LANES + N - 1];
        for offset in 0..N {
            for lane in 0..LANES {
                totals[lane] += (prices[offset + lane] - means[lane]).abs();
            }
        }
        *sums = totals;
    }
    let done = means.len() - mean_rest.len();
    for (at, (sum, mean)) in rest.iter_mut().zip(mean_rest).enumerate() {
        let window = &prices[done + at..][..N];
        *sum = window.iter().fold(0.0, |sum, price| sum + (price - mean).abs());
    }
}
