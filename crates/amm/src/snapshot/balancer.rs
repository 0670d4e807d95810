//! Balancer V2 pools. Shared: `balances` (the Vault's, in token units, the pool token's
//! among them), `tokens` with their `decimals`, and the swap fee as `fee` ("3/1000") or as
//! `swap_fee` (18 decimals).
//!
//! Weighted: `weights` (18 decimals) and `pow_version` ("v1": powers always by logarithm,
//! "v2": exponents 1, 2 and 4 by multiplication).

use ruint::aliases::U256;
use serde::Deserialize;

use super::{SnapshotError, Token, native};
use crate::integer::json;
use crate::kind::BalancerWeighted;
use crate::kind::balancer::fixed_point::{ONE, PowVersion};

#[derive(Deserialize)]
struct Weighted {
    #[serde(with = "json::list")]
    balances: Vec<U256>,
    #[serde(with = "json::list")]
    weights: Vec<U256>,
    tokens: Vec<Token>,
    fee: Option<String>,
    #[serde(with = "json::option", default)]
    swap_fee: Option<U256>,
    pow_version: String,
}

pub(super) fn decode_weighted(text: &str) -> Result<BalancerWeighted, SnapshotError> {
    let fields: Weighted = serde_json::from_str(text)?;
    let pow_version = match fields.pow_version.as_str() {
        "v1" => PowVersion::LogExp,
        "v2" => PowVersion::Shortcuts,
        other => return Err(SnapshotError::State(format!("pow_version {other} is neither v1 nor v2"))),
    };
    let decimals = decimals(&fields.tokens)?;
    let fee = swap_fee(fields.fee.as_deref(), fields.swap_fee)?;
    Ok(BalancerWeighted::new(balances(fields.balances)?, fields.weights, &decimals, fee, pow_version)?)
}

fn balances(values: Vec<U256>) -> Result<Vec<u128>, SnapshotError> {
    values.into_iter().map(|value| native(value, "a balance")).collect()
}

fn decimals(tokens: &[Token]) -> Result<Vec<u8>, SnapshotError> {
    let missing = |token: &Token| SnapshotError::State(format!("token {} needs its decimals", token.address));
    tokens.iter().map(|token| token.decimals.ok_or_else(|| missing(token))).collect()
}

/// The fee in 18 decimals, where it can be written so.
fn swap_fee(ratio: Option<&str>, fixed: Option<U256>) -> Result<U256, SnapshotError> {
    let text = match (ratio, fixed) {
        (None, Some(fixed)) => return Ok(fixed),
        (Some(text), None) => text,
        _ => return Err(SnapshotError::State("say either fee (as \"3/1000\") or swap_fee (18 decimals)".into())),
    };
    let (above, below) = super::ratio(text)?;
    let scaled = U256::from(above) * ONE;
    let below = U256::from(below);
    if below.is_zero() || !(scaled % below).is_zero() {
        return Err(SnapshotError::State(format!("a fee of {text} has no 18 decimals")));
    }
    Ok(scaled / below)
}
