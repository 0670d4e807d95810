//! Candles as rows of a partition, one partition per UTC month.

use assay_types::time::{format_utc, month_start_ms, utc_date};
use assay_types::{Candle, Price, Qty};
use bytes::Bytes;

use super::Record;
use super::parquet::{File, amounts, times, write};
use crate::LakeError;

impl Record for Candle {
    fn key(&self) -> i64 {
        self.open_time_ms
    }

    fn time_ms(&self) -> i64 {
        self.open_time_ms
    }

    fn key_text(&self) -> String {
        format_utc(self.open_time_ms)
    }

    fn describe(&self) -> String {
        crate::import::describe_candle(self)
    }

    fn partition(&self) -> String {
        let (year, month, _) = utc_date(self.open_time_ms).expect("stored candles lie in years 1 to 9998");
        format!("{year:04}-{month:02}")
    }

    fn partition_range(partition: &str) -> Option<(i64, i64)> {
        let (year, month) = partition.split_once('-')?;
        let (year, month): (i16, i8) = (year.parse().ok()?, month.parse().ok()?);
        let next = if month == 12 { (year.checked_add(1)?, 1) } else { (year, month.checked_add(1)?) };
        Some((month_start_ms(year, month)?, month_start_ms(next.0, next.1)?))
    }

    fn encode(rows: &[Self]) -> Bytes {
        let price = |field: fn(&Self) -> i128| amounts(rows.iter().map(field).collect());
        write(vec![
            ("open_time", times(rows.iter().map(|row| row.open_time_ms).collect())),
            ("open", price(|row| row.open.0)),
            ("high", price(|row| row.high.0)),
            ("low", price(|row| row.low.0)),
            ("close", price(|row| row.close.0)),
            ("volume", price(|row| row.volume.0)),
        ])
    }

    fn decode(object: &str, bytes: Bytes) -> Result<Vec<Self>, LakeError> {
        let file = File::read(object, bytes)?;
        let (open, high, low) = (file.amounts("open")?, file.amounts("high")?, file.amounts("low")?);
        let (close, volume) = (file.amounts("close")?, file.amounts("volume")?);
        let times = file.times("open_time")?.into_iter().enumerate();
        Ok(times
            .map(|(index, open_time_ms)| Self {
                open_time_ms,
                open: Price(open[index]),
                high: Price(high[index]),
                low: Price(low[index]),
                close: Price(close[index]),
                volume: Qty(volume[index]),
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candle() -> impl Strategy<Value = Candle> {
        let amount = 1..=assay_types::MAX_PRICE;
        (0_i64..200_000_000_000_000, [amount.clone(), amount.clone(), amount.clone(), amount.clone(), amount]).prop_map(
            |(open_time_ms, [open, high, low, close, volume])| Candle {
                open_time_ms,
                open: Price(open),
                high: Price(high),
                low: Price(low),
                close: Price(close),
                volume: Qty(volume),
            },
        )
    }

    proptest! {
        #[test]
        fn every_digit_comes_back(rows in proptest::collection::vec(candle(), 0..40)) {
            let bytes = Candle::encode(&rows);
            prop_assert_eq!(&bytes, &Candle::encode(&rows));
            prop_assert_eq!(Candle::decode("x", bytes).unwrap(), rows);
        }

        #[test]
        fn a_candle_lies_in_its_partition(row in candle()) {
            let (from, to) = Candle::partition_range(&row.partition()).unwrap();
            prop_assert!(from <= row.open_time_ms && row.open_time_ms < to);
        }

        #[test]
        fn damaged_bytes_are_an_error(flip in 0_usize..4000, value in any::<u8>(), keep in 0_usize..4000) {
            let rows = vec![Candle { open_time_ms: 0, open: Price(5), high: Price(5), low: Price(5), close: Price(5), volume: Qty(1) }; 30];
            let mut bytes = Candle::encode(&rows).to_vec();
            let at = flip % bytes.len();
            bytes[at] ^= value;
            let _ = Candle::decode("x", bytes.clone().into());
            bytes.truncate(keep % bytes.len());
            prop_assert!(Candle::decode("x", bytes.into()).is_err());
        }
    }
}
