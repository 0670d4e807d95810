//! Candles in the canonical encoding (R1), in pieces.

use assay_types::{Candle, Candles, Price, Qty};

/// Bytes of one candle.
pub const ROW: usize = 8 + 5 * 16;
/// Candles of one piece, which stays under the 4 MiB of a message.
pub const PIECE: usize = 16_384;

/// The candles at `range`.
pub fn encode(candles: &Candles, range: std::ops::Range<usize>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(range.len() * ROW);
    for candle in range.map(|index| candles.get(index)) {
        bytes.extend_from_slice(&candle.open_time_ms.to_le_bytes());
        for value in [candle.open.0, candle.high.0, candle.low.0, candle.close.0, candle.volume.0] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

/// Appends the candles of a piece; `None` when it is torn.
pub fn decode(bytes: &[u8], candles: &mut Candles) -> Option<()> {
    let (rows, rest) = bytes.as_chunks::<ROW>();
    if !rest.is_empty() {
        return None;
    }
    for row in rows {
        let (time, values) = row.split_first_chunk::<8>()?;
        let mut values = values.as_chunks::<16>().0.iter().map(|value| i128::from_le_bytes(*value));
        candles.push(Candle {
            open_time_ms: i64::from_le_bytes(*time),
            open: Price(values.next()?),
            high: Price(values.next()?),
            low: Price(values.next()?),
            close: Price(values.next()?),
            volume: Qty(values.next()?),
        });
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_testkit::generate_candles;
    use assay_types::{Market, Timeframe};

    #[test]
    fn pieces_come_together_to_the_same_hash() {
        let market = Market::new("binance", "BTC-USDT").unwrap();
        let mut candles = Candles::new(market.clone(), Timeframe::H1);
        generate_candles(1, 0, Timeframe::H1, 1_000).into_iter().for_each(|candle| candles.push(candle));
        let mut read = Candles::new(market, Timeframe::H1);
        for range in [0..400, 400..1_000] {
            decode(&encode(&candles, range), &mut read).unwrap();
        }
        assert_eq!(read.data_hash(), candles.data_hash());
        assert_eq!(decode(&encode(&candles, 0..2)[..ROW + 1], &mut read), None);
    }
}
