//! The last n values of a series, in a ring whose slot is the index modulo n.

use std::ops::Range;

use crate::archive::Archive;
use crate::bars::Bars;

/// A ring of the last `n` values.
#[derive(Debug, Clone)]
pub struct Window {
    values: Vec<f64>,
    pushed: u64,
    slot: usize,
}

impl Window {
    /// An empty window over `length` values.
    ///
    /// # Panics
    /// When `length` is zero.
    #[must_use]
    pub fn new(length: usize) -> Self {
        assert!(length > 0, "a window holds at least one value");
        Self { values: vec![0.0; length], pushed: 0, slot: 0 }
    }

    /// Replaces the oldest value by `value`.
    pub fn push(&mut self, value: f64) {
        self.values[self.slot] = value;
        self.slot += 1;
        if self.slot == self.values.len() {
            self.slot = 0;
        }
        self.pushed += 1;
    }

    /// Whether as many values were pushed as the window holds.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pushed >= self.values.len() as u64
    }

    /// The value pushed first of those in a full window.
    #[must_use]
    pub fn oldest(&self) -> f64 {
        self.values[self.slot]
    }

    /// The values from the oldest to the newest of a full window.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        let (newer, older) = self.values.split_at(self.slot);
        older.iter().chain(newer).copied()
    }

    /// The values in the order of their slots: the value of index i is at i modulo n.
    #[must_use]
    pub fn slots(&self) -> &[f64] {
        &self.values
    }

    /// Brings the window to where pushing `pushed` values would have brought it, the
    /// last of which are `tail`.
    pub fn catch_up(&mut self, pushed: usize, tail: &[f64]) {
        let length = self.values.len();
        let tail = &tail[tail.len().saturating_sub(length)..];
        for (value, index) in tail.iter().rev().zip((0..pushed).rev()) {
            self.values[index % length] = *value;
        }
        self.pushed = pushed as u64;
        self.slot = pushed % length;
    }

    /// Writes or reads the window.
    pub fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.count(&mut self.pushed);
        archive.numbers(&mut self.values);
        self.slot = (self.pushed % self.values.len() as u64) as usize;
    }
}

/// The largest of `values`; they are never NaN.
pub fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, higher)
}

/// The smallest of `values`; they are never NaN.
pub fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, lower)
}

/// Highest highs and lowest lows of many windows at once; keeps only its memory.
#[derive(Debug, Clone, Default)]
pub struct Extremes {
    high: Vec<f64>,
    low: Vec<f64>,
    spare: Vec<f64>,
}

impl Extremes {
    /// For each candle of `range`, the highest high and the lowest low of the `length`
    /// candles that end with it; the first of them is not before the first of `bars`.
    pub fn of(&mut self, bars: &Bars, range: Range<usize>, length: usize) -> (&[f64], &[f64]) {
        let from = range.start + 1 - length;
        fold_windows(&bars.high[from..range.end], length, &mut self.high, &mut self.spare, higher);
        fold_windows(&bars.low[from..range.end], length, &mut self.low, &mut self.spare, lower);
        (&self.high, &self.low)
    }
}

/// Folds every `length` neighbours of `values` into `out` by `pick`, which chooses one
/// of two. Each pass lengthens the windows, at most twofold.
fn fold_windows(
    values: &[f64],
    length: usize,
    out: &mut Vec<f64>,
    spare: &mut Vec<f64>,
    pick: impl Fn(f64, f64) -> f64,
) {
    out.clear();
    out.extend_from_slice(values);
    let mut reach = 1;
    while reach < length {
        let step = reach.min(length - reach);
        spare.resize(out.len() - step, 0.0);
        for ((next, first), second) in spare.iter_mut().zip(&*out).zip(&out[step..]) {
            *next = pick(*first, *second);
        }
        std::mem::swap(out, spare);
        reach += step;
    }
}

/// The larger of two numbers.
fn higher(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// The smaller of two numbers.
fn lower(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}
