//! Population standard deviation of the last n closes, from running sums.

use super::Indicator;
use crate::archive::Archive;
use crate::bars::Bar;
use crate::window::Window;

/// Mean and population standard deviation of the last n values.
///
/// The sums of values and squares run on as in TA-Lib, so that the rounding noise of
/// nearly flat prices is the same too; a variance up to 1e-14 counts as zero.
#[derive(Debug, Clone)]
pub struct Moments {
    length: f64,
    window: Window,
    sum: f64,
    squares: f64,
}

impl Moments {
    /// Moments of `length` values.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { length: length as f64, window: Window::new(length), sum: 0.0, squares: 0.0 }
    }

    /// Takes the next value; mean and deviation, or NaN during warm-up.
    pub fn next(&mut self, value: f64) -> (f64, f64) {
        self.window.push(value);
        if !self.window.is_full() {
            self.sum += value;
            self.squares += value * value;
            return (f64::NAN, f64::NAN);
        }
        self.step(value, self.window.oldest())
    }

    /// The step after warm-up: `leaving` is the oldest of the last n values.
    pub fn step(&mut self, value: f64, leaving: f64) -> (f64, f64) {
        let sum = self.sum + value;
        let squares = self.squares + value * value;
        self.sum = sum - leaving;
        self.squares = squares - leaving * leaving;
        let mean = sum / self.length;
        let variance = squares / self.length - mean * mean;
        (mean, if variance < super::EPSILON { 0.0 } else { variance.sqrt() })
    }

    /// Writes or reads the state.
    pub fn walk(&mut self, archive: &mut Archive<'_>) {
        self.window.archive(archive);
        archive.number(&mut self.sum);
        archive.number(&mut self.squares);
    }
}

/// Population standard deviation of closes; warm-up n − 1.
#[derive(Debug, Clone)]
pub struct StandardDeviation(Moments);

impl StandardDeviation {
    /// The deviation over `length` closes.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self(Moments::new(length))
    }
}

impl Indicator for StandardDeviation {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = self.0.next(bar.close).1;
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.0.walk(archive);
    }
}
