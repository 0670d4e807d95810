//! Stochastic oscillator: where the close lies in the range of the last n candles.

use std::ops::Range;

use super::{Indicator, is_noise, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};
use crate::window::{Extremes, Window, highest, lowest};

/// Slow %K and slow %D, 0 to 100; warm-up n + k + d − 3. A range of rounding noise
/// gives 0.
#[derive(Debug, Clone)]
pub struct Stochastic {
    high: Window,
    low: Window,
    fast: Window,
    slow: Window,
    extremes: Extremes,
    fast_block: Vec<f64>,
    slow_block: Vec<f64>,
}

impl Stochastic {
    /// The oscillator over `length` candles, smoothed by simple means of `k` and `d`.
    #[must_use]
    pub fn new(length: usize, k: usize, d: usize) -> Self {
        Self {
            high: Window::new(length),
            low: Window::new(length),
            fast: Window::new(k),
            slow: Window::new(d),
            extremes: Extremes::default(),
            fast_block: Vec::new(),
            slow_block: Vec::new(),
        }
    }
}

/// The close's place in a range, 0 to 100; 0 when the range is rounding noise.
fn place(highest: f64, lowest: f64, close: f64) -> f64 {
    let range = highest - lowest;
    let place = (close - lowest) / range * 100.0;
    if is_noise(range, highest + lowest) { 0.0 } else { place }
}

/// The mean of a full window, added from the oldest to the newest.
fn mean(window: &Window) -> f64 {
    window.iter().reduce(|sum, value| sum + value).unwrap_or(f64::NAN) / window.slots().len() as f64
}

/// Means of each `length` neighbours of `values`, added from the oldest to the newest;
/// as many as `out` holds.
fn means(values: &[f64], length: usize, out: &mut [f64]) {
    let divisor = length as f64;
    let count = out.len();
    if length == 3 {
        let (oldest, middle, newest) = (&values[..count], &values[1..][..count], &values[2..][..count]);
        for at in 0..count {
            out[at] = (oldest[at] + middle[at] + newest[at]) / divisor;
        }
        return;
    }
    for (out, window) in out.iter_mut().zip(values.windows(length)) {
        *out = window[1..].iter().fold(window[0], |sum, value| sum + value) / divisor;
    }
}

impl Indicator for Stochastic {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row.fill(f64::NAN);
        self.high.push(bar.high);
        self.low.push(bar.low);
        if !self.high.is_full() {
            return;
        }
        self.fast.push(place(highest(self.high.slots()), lowest(self.low.slots()), bar.close));
        if !self.fast.is_full() {
            return;
        }
        let slow = mean(&self.fast);
        self.slow.push(slow);
        if self.slow.is_full() {
            row.copy_from_slice(&[slow, mean(&self.slow)]);
        }
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let [length, k, d] = [&self.high, &self.fast, &self.slow].map(|window| window.slots().len());
        let start = range.start;
        let rest = warm_up(self, bars, range, length + k + d - 3, columns);
        if rest.is_empty() {
            return;
        }
        let from = rest.start - (k - 1) - (d - 1);
        let (high, low) = self.extremes.of(bars, from..rest.end, length);
        self.fast_block.resize(rest.end - from, 0.0);
        let prices = high.iter().zip(low).zip(&bars.close[from..rest.end]);
        for (out, ((high, low), close)) in self.fast_block.iter_mut().zip(prices) {
            *out = place(*high, *low, *close);
        }
        // The slow values before the block are needed for the first means.
        self.slow_block.resize(rest.len() + d - 1, 0.0);
        let slow = &mut self.slow_block;
        means(&self.fast_block, k, slow);
        means(slow, d, &mut columns[1][rest.start - start..]);
        columns[0][rest.start - start..].copy_from_slice(&slow[d - 1..]);
        self.high.catch_up(rest.end, &bars.high[..rest.end]);
        self.low.catch_up(rest.end, &bars.low[..rest.end]);
        self.fast.catch_up(rest.end + 1 - length, &self.fast_block);
        self.slow.catch_up(rest.end + 2 - length - k, slow);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        for window in [&mut self.high, &mut self.low, &mut self.fast, &mut self.slow] {
            window.archive(archive);
        }
    }
}
