//! `reserves_token0`, `reserves_token1`, and the fee as `fee` ("3/1000"), as `fee_token0` and
//! `fee_token1`, or as `fee_numer` and `fee_denom`.

use ruint::aliases::U256;
use serde::Deserialize;

use super::{SnapshotError, native, ratio};
use crate::integer::json;
use crate::kind::UniswapV2;

#[derive(Deserialize)]
struct Fields {
    #[serde(with = "json")]
    reserves_token0: U256,
    #[serde(with = "json")]
    reserves_token1: U256,
    fee: Option<String>,
    fee_token0: Option<String>,
    fee_token1: Option<String>,
    fee_numer: Option<u32>,
    fee_denom: Option<u32>,
}

pub(in crate::kind) fn decode(text: &str) -> Result<UniswapV2, SnapshotError> {
    let fields: Fields = serde_json::from_str(text)?;
    let reserves =
        [native(fields.reserves_token0, "reserves_token0")?, native(fields.reserves_token1, "reserves_token1")?];
    let one = match (&fields.fee, fields.fee_numer, fields.fee_denom) {
        (Some(fee), None, None) => Some(ratio(fee)?),
        (None, Some(above), Some(below)) => Some((above, below)),
        (None, None, None) => None,
        _ => return Err(unclear()),
    };
    let (fee0, fee1) = match (one, &fields.fee_token0, &fields.fee_token1) {
        (Some(fee), None, None) => (fee, fee),
        (None, Some(fee0), Some(fee1)) => (ratio(fee0)?, ratio(fee1)?),
        _ => return Err(unclear()),
    };
    if fee0.1 != fee1.1 {
        return Err(SnapshotError::State("fee_token0 and fee_token1 need one denominator".into()));
    }
    Ok(UniswapV2::with_fees(reserves, [fee0.0, fee1.0], fee0.1)?)
}

fn unclear() -> SnapshotError {
    SnapshotError::State("say one of fee (\"3/1000\"), fee_token0 and fee_token1, fee_numer and fee_denom".into())
}
