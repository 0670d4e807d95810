//! Volume in standard deviations from its own recent mean.

use std::ops::Range;

use super::standard_deviation::Moments;
use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};

/// (volume − mean) / population deviation over the last n candles, this one among
/// them; warm-up n − 1. Constant volume gives 0.
#[derive(Debug, Clone)]
pub struct VolumeZScore {
    volume: Moments,
    means: Vec<f64>,
}

impl VolumeZScore {
    /// The score over `length` candles.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { volume: Moments::new(length), means: Vec::new() }
    }
}

fn score(volume: f64, mean: f64, deviation: f64) -> f64 {
    let score = (volume - mean) / deviation;
    if deviation == 0.0 { 0.0 } else { score }
}

impl Indicator for VolumeZScore {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        let (mean, deviation) = self.volume.next(bar.volume);
        row[0] = score(bar.volume, mean, deviation);
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, self.volume.length() - 1, columns);
        self.means.resize(rest.len(), 0.0);
        let out = &mut columns[0][rest.start - start..];
        self.volume.fill(&bars.volume[rest.clone()], &mut self.means, out);
        for ((out, mean), volume) in out.iter_mut().zip(&self.means).zip(&bars.volume[rest]) {
            *out = score(*volume, *mean, *out);
        }
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.volume.walk(archive);
    }
}
