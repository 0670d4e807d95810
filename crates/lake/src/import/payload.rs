//! The JSON array of trades that ccxt writes. Where the exchange's own payload is
//! beside the converted fields, its decimal text is taken: the converted numbers
//! went through binary floats.

use assay_types::{Price, Qty, TakerSide, Trade};
use serde::Deserialize;

use super::trades::taker_of_side;
use crate::LakeError;

#[derive(Deserialize)]
struct Element<'a> {
    #[serde(borrow)]
    info: Option<Payload<'a>>,
    timestamp: Option<i64>,
    symbol: Option<&'a str>,
    id: Option<&'a str>,
    side: Option<&'a str>,
    price: Option<Price>,
    amount: Option<Qty>,
}

/// An aggregate trade as Binance sends it.
#[derive(Deserialize)]
pub(crate) struct Payload<'a> {
    /// Aggregate id.
    a: Option<u64>,
    /// Price.
    p: Option<&'a str>,
    /// Quantity.
    q: Option<&'a str>,
    /// Time in milliseconds.
    #[serde(rename = "T")]
    time_ms: Option<i64>,
    /// Whether the buyer is the maker.
    m: Option<bool>,
}

impl Payload<'_> {
    /// The trade, or the name of what it lacks.
    pub(crate) fn trade(&self) -> Result<Trade, String> {
        let Self { a: Some(id), p: Some(price), q: Some(quantity), time_ms: Some(time_ms), m: Some(maker) } = *self
        else {
            return Err("an aggregate trade needs a, p, q, T and m".to_owned());
        };
        Ok(Trade {
            id,
            time_ms,
            price: price.parse().map_err(|error| format!("price {error}"))?,
            quantity: quantity.parse().map_err(|error| format!("quantity {error}"))?,
            taker: if maker { TakerSide::Sell } else { TakerSide::Buy },
        })
    }
}

/// Takes the place, the symbol and the trade of each element.
type TakeTrade<'a> = &'a mut dyn FnMut(u64, Option<&str>, Result<Trade, String>) -> Result<(), LakeError>;

/// Reads every element of the array.
pub(super) fn read_payload(file: &str, bytes: &[u8], take: TakeTrade<'_>) -> Result<(), LakeError> {
    let elements: Vec<&serde_json::value::RawValue> =
        serde_json::from_slice(bytes).map_err(|error| LakeError::Format {
            file: file.to_owned(),
            detail: format!("the JSON array is damaged or cut off ({error}); copy the file again"),
        })?;
    for (index, text) in elements.into_iter().enumerate() {
        let line = index as u64 + 1;
        match serde_json::from_str::<Element<'_>>(text.get()) {
            Ok(element) => take(line, element.symbol, element.trade())?,
            Err(error) => take(line, None, Err(error.to_string()))?,
        }
    }
    Ok(())
}

impl Element<'_> {
    fn trade(&self) -> Result<Trade, String> {
        if let Some(payload) = &self.info
            && payload.a.is_some()
        {
            return payload.trade();
        }
        let missing = |name: &str| format!("{name} is missing");
        Ok(Trade {
            id: self.id.ok_or_else(|| missing("id"))?.parse().map_err(|_| "id is not a whole number".to_owned())?,
            time_ms: self.timestamp.ok_or_else(|| missing("timestamp"))?,
            price: self.price.ok_or_else(|| missing("price"))?,
            quantity: self.amount.ok_or_else(|| missing("amount"))?,
            taker: taker_of_side(self.side.unwrap_or_default())?,
        })
    }
}
