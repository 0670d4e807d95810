//! Synthetic hourly candles.
//!
//! The market switches between three regimes (rising, falling, sideways) and returns
//! carry a little momentum, so that a policy can learn something and yet cannot get
//! rich. Everything made from it is labelled synthetic: the exchange is `synthetic`.

use assay_types::{Candle, Candles, Market, Price, Qty, Timeframe};

use super::Generator;

/// Candles in the sample: two years of training and two of testing at the preset
/// `medium` are 2 × 8,766 hours.
pub const SAMPLE_CANDLES: usize = 2 * 8_766;
/// Open time of the first candle: 2022-01-01T00:00:00Z.
const FIRST_OPEN_MS: i64 = 1_640_995_200_000;
/// Hours left out once, as exchanges do during an outage.
const OUTAGE: std::ops::Range<usize> = 5_000..5_006;
/// Price moves inside each candle, from which its high and low come.
const MOVES_PER_CANDLE: usize = 8;
const MEAN_REGIME_HOURS: f64 = 240.0;
/// Drift per hour of the rising, falling and sideways regimes.
const DRIFTS: [f64; 3] = [0.000_75, -0.000_75, 0.0];
const HOURLY_VOLATILITY: f64 = 0.006;
/// Share of the last hour's surprise that carries over into the next hour.
const MOMENTUM: f64 = 0.05;
const FIRST_PRICE: f64 = 20_000.0;

/// The sample of `seed`: [`SAMPLE_CANDLES`] hourly candles of `synthetic/BTC-USD` with
/// one outage in the first half.
#[must_use]
pub fn sample_candles(seed: u64) -> Candles {
    let mut generator = Generator(seed);
    let market = Market::new("synthetic", "BTC-USD").expect("the sample's market has a valid name");
    let mut candles = Candles::new(market, Timeframe::H1);
    let (mut price, mut regime, mut surprise) = (FIRST_PRICE, 2, 0.0);
    let mut hour = 0;
    while candles.len() < SAMPLE_CANDLES {
        if generator.uniform() < 1.0 / MEAN_REGIME_HOURS {
            regime = (generator.next() % 3) as usize;
        }
        let drift = DRIFTS[regime] + MOMENTUM * surprise;
        let candle = one_candle(&mut generator, hour, price, drift);
        let close = candle.close.to_f64();
        surprise = close / price - 1.0 - drift;
        price = close;
        if !OUTAGE.contains(&hour) {
            candles.push(candle);
        }
        hour += 1;
    }
    candles
}

/// One hour from `open` with the given drift, prices rounded to cents.
fn one_candle(generator: &mut Generator, hour: usize, open: f64, drift: f64) -> Candle {
    let moves = MOVES_PER_CANDLE as f64;
    let volatility = HOURLY_VOLATILITY / moves.sqrt();
    let (mut price, mut high, mut low) = (open, open, open);
    for _ in 0..MOVES_PER_CANDLE {
        price *= 1.0 + drift / moves + volatility * generator.normal();
        high = high.max(price);
        low = low.min(price);
    }
    let range = (high - low) / open / HOURLY_VOLATILITY;
    let volume = 40.0 * (0.5 + generator.uniform()) * (0.5 + range);
    let cents = |value: f64| Price((value * 100.0).round().max(1.0) as i128 * 10_i128.pow(Price::SCALE - 2));
    Candle {
        open_time_ms: FIRST_OPEN_MS + hour as i64 * Timeframe::H1.ms(),
        open: cents(open),
        high: cents(high),
        low: cents(low),
        close: cents(price),
        volume: Qty((volume * 1000.0).round() as i128 * 10_i128.pow(Qty::SCALE - 3)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_valid_repeatable_and_has_one_gap() {
        let candles = sample_candles(1);
        assert_eq!(candles.len(), SAMPLE_CANDLES);
        for candle in candles.iter() {
            candle.check(Timeframe::H1).unwrap();
        }
        let gaps = candles.gaps();
        assert_eq!((gaps.len(), gaps[0].missing), (1, OUTAGE.len() as u64));
        assert_eq!(candles.data_hash(), sample_candles(1).data_hash());
        assert_ne!(candles.data_hash(), sample_candles(2).data_hash());
    }
}
