//! Bollinger bands: the mean of the last n closes and k deviations around it.

use std::ops::Range;

use super::standard_deviation::Moments;
use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};

/// Upper, middle and lower band; warm-up n − 1.
#[derive(Debug, Clone)]
pub struct BollingerBands {
    deviations: f64,
    moments: Moments,
}

impl BollingerBands {
    /// Bands over `length` closes, `deviations` population deviations wide each side.
    #[must_use]
    pub fn new(length: usize, deviations: f64) -> Self {
        Self { deviations, moments: Moments::new(length) }
    }
}

impl Indicator for BollingerBands {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        let (middle, deviation) = self.moments.next(bar.close);
        let reach = deviation * self.deviations;
        row.copy_from_slice(&[middle + reach, middle, middle - reach]);
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, self.moments.length() - 1, columns);
        let [uppers, middles, lowers] = columns else { unreachable!("the list says three columns") };
        let at = rest.start - start;
        let (uppers, middles, lowers) = (&mut uppers[at..], &mut middles[at..], &mut lowers[at..]);
        self.moments.fill(&bars.close[rest], middles, uppers);
        for ((upper, middle), lower) in uppers.iter_mut().zip(&*middles).zip(lowers) {
            let reach = *upper * self.deviations;
            (*upper, *lower) = (middle + reach, middle - reach);
        }
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.moments.walk(archive);
    }
}

/// Where the close lies between the bands (0 lower, 1 upper; 0.5 when they meet) and
/// their distance relative to the middle; warm-up n − 1.
#[derive(Debug, Clone)]
pub struct BollingerPosition {
    deviations: f64,
    moments: Moments,
}

impl BollingerPosition {
    /// Position and width of bands over `length` closes, `deviations` wide each side.
    #[must_use]
    pub fn new(length: usize, deviations: f64) -> Self {
        Self { deviations, moments: Moments::new(length) }
    }
}

/// Position and relative width of bands that reach `reach` from `middle` each way.
fn place(close: f64, middle: f64, reach: f64) -> (f64, f64) {
    let (upper, lower) = (middle + reach, middle - reach);
    let width = upper - lower;
    let position = (close - lower) / width;
    (if width == 0.0 { 0.5 } else { position }, width / middle)
}

impl Indicator for BollingerPosition {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        let (middle, deviation) = self.moments.next(bar.close);
        (row[0], row[1]) = place(bar.close, middle, deviation * self.deviations);
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, self.moments.length() - 1, columns);
        let [positions, widths] = columns else { unreachable!("the list says two columns") };
        let at = rest.start - start;
        let (positions, widths) = (&mut positions[at..], &mut widths[at..]);
        self.moments.fill(&bars.close[rest.clone()], positions, widths);
        for ((position, width), close) in positions.iter_mut().zip(widths).zip(&bars.close[rest]) {
            (*position, *width) = place(*close, *position, *width * self.deviations);
        }
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.moments.walk(archive);
    }
}
