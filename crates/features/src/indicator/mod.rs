//! Technical indicators, one file each, with TA-Lib's definitions, values and warm-up.
//!
//! Every indicator is a state that takes one candle at a time; a batch runs the same
//! arithmetic in the same order, so that both give the same bits. Before its warm-up
//! is over an indicator writes NaN.

use std::ops::Range;

use crate::archive::Archive;
use crate::bars::{Bar, Bars};

pub mod adx;
pub mod atr;
pub mod bollinger;
pub mod cci;
pub mod clock;
pub mod ema;
pub mod gap;
pub mod macd;
pub mod mfi;
pub mod momentum;
pub mod obv;
pub mod roc;
pub mod rsi;
pub mod sma;
pub mod standard_deviation;
pub mod stochastic;
pub mod true_range;
pub mod volatility;
pub mod volume;
pub mod vwap;
pub mod williams;

/// The most columns that one indicator makes.
pub const MAX_COLUMNS: usize = 3;

/// A state that turns candles into one value per column.
pub trait Indicator: BoxedClone + Send + Sync {
    /// Takes the next candle and writes one value per column, NaN during warm-up.
    fn update(&mut self, bar: &Bar, row: &mut [f64]);

    /// Takes the candles of `range`, having taken all of `bars` before it, and writes
    /// one value per candle to each column: the same bits as [`Indicator::update`].
    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let end = range.end;
        warm_up(self, bars, range, end, columns);
    }

    /// Writes or reads the state.
    fn archive(&mut self, archive: &mut Archive<'_>);
}

/// Takes the candles of `range` below index `steady` one at a time; the rest of the
/// range, for which every window is full.
fn warm_up(
    indicator: &mut (impl Indicator + ?Sized),
    bars: &Bars,
    range: Range<usize>,
    steady: usize,
    columns: &mut [&mut [f64]],
) -> Range<usize> {
    let rest = range.start.max(steady).min(range.end)..range.end;
    let mut row = [f64::NAN; MAX_COLUMNS];
    let row = &mut row[..columns.len()];
    for index in range.start..rest.start {
        indicator.update(&bars.get(index), row);
        for (column, value) in columns.iter_mut().zip(&*row) {
            column[index - range.start] = *value;
        }
    }
    rest
}

/// Cloning behind a box.
pub trait BoxedClone {
    /// A copy with the same state.
    fn boxed_clone(&self) -> Box<dyn Indicator>;
}

impl<T: Indicator + Clone + 'static> BoxedClone for T {
    fn boxed_clone(&self) -> Box<dyn Indicator> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Indicator> {
    fn clone(&self) -> Self {
        (**self).boxed_clone()
    }
}

/// Whether a difference of numbers that add up to `scale` is rounding noise: within
/// 1e-14 of the scale, TA-Lib's dead zone.
fn is_noise(difference: f64, scale: f64) -> bool {
    difference.abs() <= 1e-14 * scale
}
