//! Trades into candles, and candles into longer ones.
//!
//! A bucket starts at a multiple of its length since 1970 UTC. It is emitted when it
//! holds at least one row and the data reach its end: the caller says up to when the
//! data are complete, and a bucket that ends later is left out, because its close is
//! not known yet. The first bucket may begin before the data do; it is emitted from
//! what there is, as other tools do. Empty buckets are not invented.

use assay_types::{Candle, Candles, Market, Qty, Timeframe, Trade, time::format_utc};

use crate::LakeError;

/// Candles of `timeframe` from shorter ones: first open, highest high, lowest low,
/// last close, sum of volumes. A last bucket that the candles do not fill to its end is
/// left out.
///
/// # Errors
/// [`LakeError::Resample`] when the timeframe is not a multiple of the candles' own,
/// or a volume leaves the representable range.
pub fn resample_candles(candles: &Candles, timeframe: Timeframe) -> Result<Candles, LakeError> {
    let own = candles.timeframe;
    if timeframe.ms() % own.ms() != 0 {
        return Err(LakeError::Resample(format!("{timeframe} is not a multiple of {own}; choose a longer timeframe")));
    }
    let complete_to_ms = candles.len().checked_sub(1).map_or(i64::MIN, |last| candles.close_time_ms(last));
    gather(candles.market.clone(), timeframe, complete_to_ms, candles.iter())
}

/// Candles from trades in ascending time. The trades are taken to be complete up to
/// `complete_to_ms` (excluded); the end of the range that was fetched is the right
/// value, the time of the last trade the careful one.
///
/// # Errors
/// [`LakeError::Resample`] when the trades are not in order, or a volume leaves the
/// representable range.
pub fn resample_trades(
    market: &Market,
    trades: &[Trade],
    timeframe: Timeframe,
    complete_to_ms: i64,
) -> Result<Candles, LakeError> {
    let step = timeframe.ms();
    if let Some(pair) = trades.windows(2).find(|pair| pair[1].time_ms < pair[0].time_ms) {
        let (id, at) = (pair[1].id, format_utc(pair[1].time_ms));
        return Err(LakeError::Resample(format!("trade {id} at {at} is older than the one before it")));
    }
    let single = trades.iter().map(|trade| Candle {
        open_time_ms: trade.time_ms.div_euclid(step) * step,
        open: trade.price,
        high: trade.price,
        low: trade.price,
        close: trade.price,
        volume: trade.quantity,
    });
    gather(market.clone(), timeframe, complete_to_ms, single)
}

fn gather(
    market: Market,
    timeframe: Timeframe,
    complete_to_ms: i64,
    rows: impl Iterator<Item = Candle>,
) -> Result<Candles, LakeError> {
    let step = timeframe.ms();
    let mut candles = Candles::new(market, timeframe);
    let mut bucket: Option<Candle> = None;
    for row in rows {
        let open_time_ms = row.open_time_ms.div_euclid(step) * step;
        match &mut bucket {
            Some(open) if open.open_time_ms == open_time_ms => {
                open.high = open.high.max(row.high);
                open.low = open.low.min(row.low);
                open.close = row.close;
                open.volume = add(open, row.volume)?;
            }
            _ => {
                bucket.into_iter().for_each(|done| candles.push(done));
                bucket = Some(Candle { open_time_ms, ..row });
            }
        }
    }
    bucket.into_iter().filter(|last| last.open_time_ms + step <= complete_to_ms).for_each(|last| candles.push(last));
    Ok(candles)
}

fn add(bucket: &Candle, volume: Qty) -> Result<Qty, LakeError> {
    let sum = bucket.volume.0.checked_add(volume.0).filter(|sum| *sum <= assay_types::MAX_PRICE);
    sum.map(Qty)
        .ok_or_else(|| LakeError::Resample(format!("the volume of {} is above 1e15", format_utc(bucket.open_time_ms))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_types::{Price, TakerSide};
    use proptest::prelude::*;

    fn market() -> Market {
        Market::new("binance", "BTC-USDT").unwrap()
    }

    fn minutes(values: &[(i64, i128)]) -> Candles {
        let mut candles = Candles::new(market(), Timeframe::M1);
        for (minute, value) in values {
            let (value, open_time_ms) = (*value, minute * 60_000);
            candles.push(Candle {
                open_time_ms,
                open: Price(value),
                high: Price(value + 2),
                low: Price(value - 1),
                close: Price(value + 1),
                volume: Qty(value),
            });
        }
        candles
    }

    #[test]
    fn buckets_gather_and_the_unfinished_one_waits() {
        let candles = minutes(&[(3, 10), (4, 20), (5, 30), (9, 5), (10, 7), (13, 9)]);
        let longer = resample_candles(&candles, Timeframe::M5).unwrap();
        assert_eq!(longer.open_time_ms, [0, 300_000]);
        let first = longer.get(0);
        assert_eq!((first.open, first.high, first.low, first.close), (Price(10), Price(22), Price(9), Price(21)));
        assert_eq!(longer.volume, [Qty(30), Qty(35)]);
        let full = minutes(&[(0, 10), (4, 20)]);
        assert_eq!(resample_candles(&full, Timeframe::M5).unwrap().len(), 1);
        assert!(resample_candles(&longer, Timeframe::M1).is_err());
        assert!(resample_candles(&Candles::new(market(), Timeframe::M1), Timeframe::H1).unwrap().is_empty());
    }

    #[test]
    fn trades_make_candles_up_to_where_they_are_complete() {
        let trade =
            |id, time_ms, price| Trade { id, time_ms, price: Price(price), quantity: Qty(2), taker: TakerSide::Buy };
        let trades = [trade(1, 1_000, 50), trade(2, 59_999, 40), trade(3, 60_000, 45), trade(4, 185_000, 60)];
        let candles = resample_trades(&market(), &trades, Timeframe::M1, 200_000).unwrap();
        assert_eq!(candles.open_time_ms, [0, 60_000]);
        assert_eq!(candles.get(0).low, Price(40));
        assert_eq!(candles.volume, [Qty(4), Qty(2)]);
        assert_eq!(resample_trades(&market(), &trades, Timeframe::M1, 240_000).unwrap().len(), 3);
        assert!(resample_trades(&market(), &[trades[3], trades[0]], Timeframe::M1, 0).is_err());
    }

    proptest! {
        #[test]
        fn going_through_a_middle_length_changes_nothing(
            minutes_in in proptest::collection::btree_map(0_i64..400, 10_i128..90, 1..200)
        ) {
            let mut rows: Vec<(i64, i128)> = minutes_in.into_iter().collect();
            rows.push((479, 50));
            let candles = minutes(&rows);
            let direct = resample_candles(&candles, Timeframe::H1).unwrap();
            let middle = resample_candles(&candles, Timeframe::M15).unwrap();
            prop_assert_eq!(resample_candles(&middle, Timeframe::H1).unwrap(), direct);
        }
    }
}
