//! Small inputs for the unit tests of this crate.

use assay_types::{Candle, Candles, Market, Qty, Timeframe};

use crate::rules::Rules;

/// Hourly candles from 1970 with these closes; each opens at its close.
pub(crate) fn hourly(closes: &[&str]) -> Candles {
    let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").unwrap(), Timeframe::H1);
    for (hour, close) in closes.iter().enumerate() {
        let price = close.parse().unwrap();
        let open_time_ms = hour as i64 * Timeframe::H1.ms();
        candles.push(Candle { open_time_ms, open: price, high: price, low: price, close: price, volume: Qty(1) });
    }
    candles
}

/// The default rules at a tick of 0.01.
pub(crate) fn rules() -> Rules {
    Rules::new("0.01".parse().unwrap())
}
