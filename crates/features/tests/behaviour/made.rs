//! Candles for the tests, made from a seed.

use assay_types::{Candle, Candles, Market, Price, Qty, Timeframe};
use proptest::prelude::*;

/// What one candle does.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Change of the close in cents.
    pub change: i64,
    /// Reach of high and low beyond open and close, in cents.
    pub reach: (u32, u32),
    /// Volume in thousandths.
    pub volume: u32,
    /// Missing candles before it.
    pub missing: u8,
}

/// Steps with flat prices, candles without volume and gaps among them.
pub fn steps(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    let step = (
        prop_oneof![1 => Just(0), 3 => -500_i64..500],
        prop_oneof![1 => Just((0, 0)), 3 => (0_u32..300, 0_u32..300)],
        prop_oneof![1 => Just(0), 3 => 0_u32..1_000_000],
        prop_oneof![9 => Just(0_u8), 1 => 1_u8..9],
    );
    let step = step.prop_map(|(change, reach, volume, missing)| Step { change, reach, volume, missing });
    // Stretches of one step repeated, so that windows are flat or without volume.
    let stretch = (step, prop_oneof![3 => Just(1_usize), 1 => 1_usize..40]);
    proptest::collection::vec(stretch, count)
        .prop_map(|stretches| stretches.into_iter().flat_map(|(step, times)| vec![step; times]).collect())
}

/// The same steps each time, without flat stretches or gaps.
pub fn wavy(count: usize) -> Vec<Step> {
    let step = |index: usize| Step {
        change: (index * 7_919 % 997) as i64 - 480,
        reach: ((index * 31 % 90) as u32, (index * 17 % 90) as u32),
        volume: (index * 101 % 5_003) as u32,
        missing: 0,
    };
    (0..count).map(step).collect()
}

/// The candles of `steps`, hourly from 2024-01-01.
pub fn candles(steps: &[Step]) -> Candles {
    const CENT: i128 = 10_i128.pow(Price::SCALE - 2);
    let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").unwrap(), Timeframe::H1);
    let mut open_time_ms = 1_704_067_200_000;
    let mut close = 100_000_i64;
    for step in steps {
        let open = close;
        close = (open + step.change).max(1_000);
        let price = |cents: i64| Price(i128::from(cents) * CENT);
        open_time_ms += Timeframe::H1.ms() * (1 + i64::from(step.missing));
        candles.push(Candle {
            open_time_ms,
            open: price(open),
            high: price(open.max(close) + i64::from(step.reach.0)),
            low: price(open.min(close) - i64::from(step.reach.1)),
            close: price(close),
            volume: Qty(i128::from(step.volume) * 10_i128.pow(Qty::SCALE - 3)),
        });
    }
    candles
}
