//! Balancer V2 pools. Shared: `balances` (the Vault's, in token units, the pool token's
//! among them), `tokens` with their `decimals`, and the swap fee as `fee` ("3/1000") or as
//! `swap_fee` (18 decimals).
//!
//! Weighted: `weights` (18 decimals) and `pow_version` ("v1": powers always by logarithm,
//! "v2": exponents 1, 2 and 4 by multiplication).
//!
//! Stable: `amp` (thousandths) or `amp_ramp` (`start`, `end`, `start_time`, `end_time`);
//! `invariant_version` (1: truncating, 2: rounding up); `resolved_scaling_factors` (decimals
//! times rates), or `resolved_rates` from which they follow; `rate_expires` (seconds per
//! token) where rates are cached. Composable: `bpt_idx`, and `pool_token` for swaps against
//! the pool token (`total_supply`, `last_join_exit_amp`, `last_join_exit_invariant`,
//! `protocol_swap_fee`, `protocol_yield_fee`, `old_rates`, `yield_fee_exempt`, the lists
//! with or without the pool token).

use ruint::aliases::U256;
use serde::Deserialize;

use super::{SnapshotError, Token, native};
use crate::integer::json;
use crate::kind::balancer::fixed_point::{ONE, PowVersion, mul_down};
use crate::kind::balancer::pool_token::{PoolTokenState, TokenRate};
use crate::kind::balancer::stable_math::InvariantVersion;
use crate::kind::balancer_stable::{Amplification, PoolToken};
use crate::kind::balancer_weighted::scaling_factor;
use crate::kind::{BalancerStable, BalancerWeighted};

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

pub(in crate::kind) fn decode_weighted(text: &str) -> Result<BalancerWeighted, SnapshotError> {
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

#[derive(Deserialize)]
struct Stable {
    #[serde(with = "json::list")]
    balances: Vec<U256>,
    #[serde(default)]
    tokens: Vec<Token>,
    fee: Option<String>,
    #[serde(with = "json::option", default)]
    swap_fee: Option<U256>,
    amp: Option<u64>,
    amp_ramp: Option<Ramp>,
    #[serde(default, alias = "scaling_factors")]
    resolved_scaling_factors: Option<Integers>,
    #[serde(default, alias = "rates")]
    resolved_rates: Option<Integers>,
    rate_expires: Option<Vec<u64>>,
    invariant_version: u8,
    bpt_idx: Option<usize>,
    pool_token: Option<PoolTokenFields>,
}

#[derive(Deserialize)]
struct Ramp {
    start: u64,
    end: u64,
    start_time: u64,
    end_time: u64,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Integers(#[serde(with = "json::list")] Vec<U256>);

#[derive(Deserialize)]
struct PoolTokenFields {
    factory_version: u8,
    #[serde(with = "json")]
    total_supply: U256,
    last_join_exit_amp: u64,
    #[serde(with = "json")]
    last_join_exit_invariant: U256,
    #[serde(with = "json")]
    protocol_swap_fee: U256,
    #[serde(with = "json")]
    protocol_yield_fee: U256,
    #[serde(with = "json::list")]
    old_rates: Vec<U256>,
    yield_fee_exempt: Vec<bool>,
}

/// A stable pool, composable where `bpt_idx` says so.
pub(in crate::kind) fn decode_stable(text: &str, composable: bool) -> Result<BalancerStable, SnapshotError> {
    let fields: Stable = serde_json::from_str(text)?;
    if composable != fields.bpt_idx.is_some() {
        return Err(SnapshotError::State("bpt_idx belongs to composable stable pools, and to those alone".into()));
    }
    let version = match fields.invariant_version {
        1 => InvariantVersion::Truncating,
        2 => InvariantVersion::RoundingUp,
        other => return Err(SnapshotError::State(format!("invariant_version {other} is neither 1 nor 2"))),
    };
    let amplification = match (fields.amp, &fields.amp_ramp) {
        (Some(amp), None) => Amplification::steady(amp),
        (None, Some(ramp)) => {
            Amplification { start: ramp.start, end: ramp.end, start_time: ramp.start_time, end_time: ramp.end_time }
        }
        _ => return Err(SnapshotError::State("say either amp or amp_ramp".into())),
    };
    let fee = swap_fee(fields.fee.as_deref(), fields.swap_fee)?;
    let rates = fields.resolved_rates.map(|rates| rates.0);
    let factors = match (fields.resolved_scaling_factors, &rates) {
        (Some(factors), Some(rates)) if fields.tokens.iter().all(|token| token.decimals.is_some()) => {
            let expected = resolve(&decimals(&fields.tokens)?, rates)?;
            if expected != factors.0 {
                let reason =
                    "resolved_scaling_factors are not the decimals times resolved_rates: leave one of them out";
                return Err(SnapshotError::State(reason.into()));
            }
            factors.0
        }
        (Some(factors), _) => factors.0,
        (None, Some(rates)) => resolve(&decimals(&fields.tokens)?, rates)?,
        (None, None) => return Err(SnapshotError::State("say resolved_scaling_factors or resolved_rates".into())),
    };
    let balances = balances(fields.balances)?;
    let pool = match fields.bpt_idx {
        None => BalancerStable::new(balances, factors, amplification, fee, version)?,
        Some(index) => {
            let count = balances.len();
            let state = fields.pool_token.map(|own| own.state(rates.as_deref(), index, count)).transpose()?;
            let own = PoolToken { index, state };
            BalancerStable::composable(balances, factors, amplification, fee, version, own)?
        }
    };
    Ok(match fields.rate_expires {
        Some(expires) => pool.with_rate_expiry(expires)?,
        None => pool,
    })
}

impl PoolTokenFields {
    fn state(self, rates: Option<&[U256]>, index: usize, count: usize) -> Result<PoolTokenState, SnapshotError> {
        if self.factory_version < 2 {
            let reason = "pool_token: factory_version 1 mints the protocol's fees by a formula that is not supported";
            return Err(SnapshotError::State(reason.into()));
        }
        let rates = rates.ok_or_else(|| SnapshotError::State("pool_token needs resolved_rates".into()))?;
        let current = without(rates, index, count, "resolved_rates")?;
        let old = without(&self.old_rates, index, count, "old_rates")?;
        let exempt = without(&self.yield_fee_exempt, index, count, "yield_fee_exempt")?;
        let rates = current.into_iter().zip(old).zip(exempt);
        Ok(PoolTokenState {
            total_supply: self.total_supply,
            last_amplification: self.last_join_exit_amp,
            last_invariant: self.last_join_exit_invariant,
            protocol_swap_fee: self.protocol_swap_fee,
            protocol_yield_fee: self.protocol_yield_fee,
            rates: rates.map(|((current, old), exempt)| TokenRate { current, old, exempt }).collect(),
        })
    }
}

/// A list for the tokens besides the pool token, whether or not it names that one too.
fn without<T: Copy>(list: &[T], index: usize, count: usize, field: &str) -> Result<Vec<T>, SnapshotError> {
    match list.len() {
        length if length == count => {
            Ok(list.iter().enumerate().filter(|(own, _)| *own != index).map(|(_, value)| *value).collect())
        }
        length if length + 1 == count => Ok(list.to_vec()),
        length => Err(SnapshotError::State(format!("{length} {field} for {count} tokens"))),
    }
}

fn resolve(decimals: &[u8], rates: &[U256]) -> Result<Vec<U256>, SnapshotError> {
    if decimals.len() != rates.len() {
        let (decimals, rates) = (decimals.len(), rates.len());
        return Err(SnapshotError::State(format!("{decimals} tokens with decimals and {rates} resolved_rates")));
    }
    let factor = |(decimals, rate): (&u8, &U256)| mul_down(scaling_factor(*decimals)?, *rate);
    Ok(decimals.iter().zip(rates).map(factor).collect::<Result<_, _>>()?)
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
