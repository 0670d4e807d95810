//! The last n values of a series, in a ring whose slot is the index modulo n.

use crate::archive::Archive;

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

    /// Brings the window to where pushing all of `series` would have brought it;
    /// `series` holds everything that was ever pushed.
    pub fn catch_up(&mut self, series: &[f64]) {
        let length = self.values.len();
        let from = series.len().saturating_sub(length);
        for (index, value) in series.iter().enumerate().skip(from) {
            self.values[index % length] = *value;
        }
        self.pushed = series.len() as u64;
        self.slot = series.len() % length;
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
    values.iter().copied().fold(f64::NEG_INFINITY, |a, b| if a > b { a } else { b })
}

/// The smallest of `values`; they are never NaN.
pub fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, |a, b| if a < b { a } else { b })
}
