//! Generated series: the same seed gives the same rows on every machine.

use assay_types::{Candle, Price, Qty, TakerSide, Timeframe, Trade};

/// 1e-2 at the scale of prices.
const CENT: i128 = 10_i128.pow(Price::SCALE - 2);
/// 1e-5 at the scale of quantities.
const LOT: i128 = 10_i128.pow(Qty::SCALE - 5);

/// Steele and others' split-mix generator: one multiplication chain, no state but a counter.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> i128 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i128::from((mixed ^ (mixed >> 31)) % limit)
    }
}

/// `count` candles from `first_ms` on, a random walk in cents with wicks, volumes in
/// steps of 0.00001 and an empty bar now and then.
#[must_use]
pub fn generate_candles(seed: u64, first_ms: i64, timeframe: Timeframe, count: usize) -> Vec<Candle> {
    let mut random = Random(seed);
    let mut close = 4_000_000_i128;
    let rows = (0..count as i64).map(|index| {
        let open = close;
        close = (open + random.below(20_001) - 10_000).max(1000);
        let high = open.max(close) + random.below(500);
        let low = open.min(close) - random.below(500);
        let volume = if random.below(50) == 0 { 0 } else { random.below(90_000_000) };
        Candle {
            open_time_ms: first_ms + index * timeframe.ms(),
            open: Price(open * CENT),
            high: Price(high * CENT),
            low: Price(low * CENT),
            close: Price(close * CENT),
            volume: Qty(volume * LOT),
        }
    });
    rows.collect()
}

/// `count` trades with contiguous ids from `first_id` on, 0 to `2 · mean_ms` apart.
#[must_use]
pub fn generate_trades(seed: u64, first_id: u64, first_ms: i64, mean_ms: u64, count: usize) -> Vec<Trade> {
    let mut random = Random(seed);
    let mut price = 4_000_000_i128;
    let mut time_ms = first_ms;
    let rows = (0..count as u64).map(|index| {
        price = (price + random.below(401) - 200).max(1000);
        let trade = Trade {
            id: first_id + index,
            time_ms,
            price: Price(price * CENT),
            quantity: Qty((1 + random.below(1_000_000)) * LOT),
            taker: if random.below(2) == 0 { TakerSide::Buy } else { TakerSide::Sell },
        };
        time_ms += random.below(2 * mean_ms + 1) as i64;
        trade
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_rows_are_possible_and_repeatable() {
        let rows = generate_candles(3, 0, Timeframe::M5, 5_000);
        assert!(rows.iter().all(|row| row.check(Timeframe::M5).is_ok()));
        assert!(rows.iter().any(|row| row.volume == Qty::ZERO));
        assert_eq!(rows, generate_candles(3, 0, Timeframe::M5, 5_000));
        assert_ne!(rows, generate_candles(4, 0, Timeframe::M5, 5_000));
        let trades = generate_trades(1, 7, 0, 100, 1_000);
        assert!(trades.windows(2).all(|pair| pair[1].id == pair[0].id + 1 && pair[1].time_ms >= pair[0].time_ms));
    }
}
