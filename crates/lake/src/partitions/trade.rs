//! Trades as rows of a partition, one partition per UTC day: a busy market prints
//! more trades in a day than candles in a year.

use std::sync::Arc;

use arrow_array::Int64Array;
use assay_types::time::{DAY_MS, format_utc, parse_utc};
use assay_types::{Price, Qty, TakerSide, Trade};
use bytes::Bytes;

use super::Record;
use super::parquet::{File, amounts, times, write};
use crate::LakeError;

impl Record for Trade {
    fn key(&self) -> i64 {
        // Ids above 2^63 are refused when trades are read.
        self.id as i64
    }

    fn time_ms(&self) -> i64 {
        self.time_ms
    }

    fn key_text(&self) -> String {
        format!("trade {}", self.id)
    }

    fn describe(&self) -> String {
        crate::import::describe_trade(self)
    }

    fn partition(&self) -> String {
        format_utc(self.time_ms).chars().take(10).collect()
    }

    fn partition_range(partition: &str) -> Option<(i64, i64)> {
        let from = parse_utc(partition).ok().filter(|_| partition.len() == 10)?;
        Some((from, from + DAY_MS))
    }

    fn encode(rows: &[Self]) -> Bytes {
        let taker = rows.iter().map(|row| i64::from(row.taker == TakerSide::Buy)).collect::<Vec<_>>();
        write(vec![
            ("id", Arc::new(Int64Array::from(rows.iter().map(Record::key).collect::<Vec<_>>()))),
            ("time", times(rows.iter().map(|row| row.time_ms).collect())),
            ("price", amounts(rows.iter().map(|row| row.price.0).collect())),
            ("quantity", amounts(rows.iter().map(|row| row.quantity.0).collect())),
            ("taker_bought", Arc::new(Int64Array::from(taker))),
        ])
    }

    fn decode(object: &str, bytes: Bytes) -> Result<Vec<Self>, LakeError> {
        let file = File::read(object, bytes)?;
        let (ids, prices, quantities) = (file.whole("id")?, file.amounts("price")?, file.amounts("quantity")?);
        let bought = file.whole("taker_bought")?;
        let rows = file.times("time")?.into_iter().enumerate();
        rows.map(|(index, time_ms)| {
            let id = u64::try_from(ids[index]);
            let id = id.map_err(|_| LakeError::CorruptPartition {
                object: object.to_owned(),
                detail: format!("trade id {} is negative", ids[index]),
            })?;
            let taker = if bought[index] == 0 { TakerSide::Sell } else { TakerSide::Buy };
            Ok(Self { id, time_ms, price: Price(prices[index]), quantity: Qty(quantities[index]), taker })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_come_back() {
        let trade = |id, taker| Trade { id, time_ms: 1_570_752_011_620, price: Price(3), quantity: Qty(7), taker };
        let rows = [trade(5, TakerSide::Buy), trade(6, TakerSide::Sell)];
        assert_eq!(Trade::decode("x", Trade::encode(&rows)).unwrap(), rows);
        assert_eq!(rows[0].partition(), "2019-10-11");
        let (from, to) = Trade::partition_range("2019-10-11").unwrap();
        assert!((from..to).contains(&rows[0].time_ms));
        assert_eq!(Trade::partition_range("2019-10"), None);
    }
}
