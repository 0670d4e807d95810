//! Moving average convergence/divergence: fast EMA − slow EMA, its EMA, and their
//! difference.

use std::ops::Range;

use super::ema::Ema;
use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};

/// Line, signal and histogram of closes; warm-up slow + signal − 2.
///
/// The fast average is seeded with the values that end where the slow one's seed
/// ends, and the line is not given out before the signal exists, as in TA-Lib.
#[derive(Debug, Clone)]
pub struct Macd {
    /// Index from which every average is past its warm-up.
    steady: usize,
    skip: u64,
    seen: u64,
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

impl Macd {
    /// The indicator over `fast`, `slow` and `signal` candles; `fast` is not above
    /// `slow`.
    #[must_use]
    pub fn new(fast: u64, slow: u64, signal: u64) -> Self {
        Self {
            steady: (slow + signal) as usize,
            skip: slow - fast,
            seen: 0,
            fast: Ema::new(fast),
            slow: Ema::new(slow),
            signal: Ema::new(signal),
        }
    }
}

impl Indicator for Macd {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row.fill(f64::NAN);
        let slow = self.slow.next(bar.close);
        if self.seen < self.skip {
            self.seen += 1;
            return;
        }
        let line = self.fast.next(bar.close) - slow;
        if slow.is_nan() {
            return;
        }
        let signal = self.signal.next(line);
        if !signal.is_nan() {
            row.copy_from_slice(&[line, signal, line - signal]);
        }
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, self.steady, columns);
        let Self { mut fast, mut slow, mut signal, .. } = self.clone();
        let [lines, signals, histograms] = columns else { unreachable!("the list says three columns") };
        let at = rest.start - start;
        let outs = lines[at..].iter_mut().zip(&mut signals[at..]).zip(&mut histograms[at..]);
        for (((line, smooth), histogram), close) in outs.zip(&bars.close[rest]) {
            *line = fast.step(*close) - slow.step(*close);
            *smooth = signal.step(*line);
            *histogram = *line - *smooth;
        }
        (self.fast, self.slow, self.signal) = (fast, slow, signal);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.count(&mut self.seen);
        self.fast.walk(archive);
        self.slow.walk(archive);
        self.signal.walk(archive);
    }
}
