//! How much longer than one timeframe passed since the candle before: candles are
//! never invented, so a hole in the data shows here.

use assay_types::Timeframe;

use super::Indicator;
use crate::archive::Archive;
use crate::bars::Bar;

/// 1 − timeframe / elapsed: 0 without a gap, 0.5 after one missing candle, towards 1
/// after a long outage. 0 for the first candle; no warm-up.
#[derive(Debug, Clone)]
pub struct GapFlag {
    step_ms: f64,
    seen: u64,
    last_ms: u64,
}

impl GapFlag {
    /// The flag for candles of `timeframe`.
    #[must_use]
    pub fn new(timeframe: Timeframe) -> Self {
        Self { step_ms: timeframe.ms() as f64, seen: 0, last_ms: 0 }
    }
}

impl Indicator for GapFlag {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        let elapsed_ms = bar.open_time_ms.wrapping_sub(self.last_ms.cast_signed()) as f64;
        row[0] = if self.seen == 0 { 0.0 } else { 1.0 - self.step_ms / elapsed_ms };
        self.seen = 1;
        self.last_ms = bar.open_time_ms.cast_unsigned();
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.count(&mut self.seen);
        archive.count(&mut self.last_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_grows_with_the_hole() {
        let mut flag = GapFlag::new(Timeframe::H1);
        let mut row = [0.0];
        let hours = [-1, 0, 1, 3, 4, 8];
        let flags = hours.map(|hour| {
            let open_time_ms = hour * Timeframe::H1.ms();
            flag.update(&Bar { open_time_ms, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 0.0 }, &mut row);
            row[0]
        });
        assert_eq!(flags, [0.0, 0.0, 0.0, 0.5, 0.0, 0.75]);
    }
}
