//! StableSwap: plain, lending, meta and NG pools.

use ruint::aliases::U256;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{needed, powers, wrong};
use crate::context::Context;
use crate::integer::json;
use crate::kind::Pool;
use crate::kind::PoolKind;
use crate::kind::curve_meta::BasePrice;
use crate::kind::curve_stable::{Amplification, Generation};
use crate::kind::state::{SnapshotError, Token};
use crate::kind::{CurveMeta, CurveStable};

/// A pool or a meta pool's base.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Fields {
    pub kind: Option<String>,
    #[serde(default)]
    pub tokens: Vec<Token>,
    #[serde(with = "json::list")]
    pub balances: Vec<U256>,
    #[serde(with = "json::list", default)]
    pub rates: Vec<U256>,
    /// Read by [`Fields::read`]: these integers are read digit by digit, which a flattened
    /// struct cannot do.
    #[serde(skip)]
    pub amplification: AmplificationFields,
    pub fee: u64,
    pub admin_fee: u64,
    #[serde(default)]
    pub offpeg_fee_multiplier: u64,
    #[serde(default)]
    pub use_lending: Vec<bool>,
    pub generation: Option<String>,
    pub strategies: Option<Strategies>,
    #[serde(with = "json::option", default)]
    pub lp_token_total_supply: Option<U256>,
    #[serde(alias = "block_timestamp")]
    pub timestamp: Option<u64>,
    #[serde(rename = "base_pool")]
    pub base_text: Option<Box<RawValue>>,
    #[serde(skip)]
    pub base_pool: Option<Box<Fields>>,
    pub base_price: Option<String>,
    #[serde(with = "json::option", default)]
    pub base_virtual_price: Option<U256>,
    pub base_cache_updated: Option<u64>,
    #[serde(with = "json::option", default)]
    pub redemption_price: Option<U256>,
}

#[derive(Clone, Default, Deserialize)]
pub(crate) struct AmplificationFields {
    #[serde(with = "json")]
    pub a_coefficient: U256,
    pub a_ramps: Option<bool>,
    #[serde(with = "json::option", default)]
    pub initial_a: Option<U256>,
    #[serde(with = "json::option", default)]
    pub future_a: Option<U256>,
    pub initial_a_time: Option<u64>,
    pub future_a_time: Option<u64>,
}

/// What a public test suite calls its variants of the contracts.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Strategies {
    d_variant: u8,
    y_variant: u8,
    pub swap_style: u8,
    lending_rate_style: u8,
    metapool_rate_style: u8,
}

impl Strategies {
    fn generation(self) -> Result<Generation, SnapshotError> {
        match (self.d_variant, self.y_variant, self.swap_style, self.lending_rate_style) {
            (2, 3, 2, 1) => Ok(Generation::ThreePool),
            (2, 3, 2, 3) => Ok(Generation::Pax),
            (3, 2, 11, _) => Ok(Generation::Compound),
            (4, 1, 6 | 7, _) => Ok(Generation::Aave),
            (4, 1, 1 | 3, 1) => Ok(Generation::StakedEther),
            (1, 1, 9, _) => Ok(Generation::StakedRate),
            (1, 1, 1 | 3 | 5, 1) | (1, 1, 10, _) => Ok(Generation::Template),
            (5 | 6, 1, 1 | 3 | 5, 1) => Ok(Generation::FactoryPair),
            (d, y, swap, lending) => Err(wrong(format!(
                "the strategies d_variant {d}, y_variant {y}, swap_style {swap} and lending_rate_style {lending} \
                 are no known generation: name one as \"generation\""
            ))),
        }
    }
}

impl Fields {
    /// Reads a pool and, of a meta pool, its base.
    pub(crate) fn read(text: &str) -> Result<Self, SnapshotError> {
        let mut fields = Self::read_one(text)?;
        if let Some(base) = fields.base_text.take() {
            let base = Self::read_one(base.get())?;
            if base.base_text.is_some() {
                return Err(wrong("the base_pool has a base_pool"));
            }
            fields.base_pool = Some(Box::new(base));
        }
        Ok(fields)
    }

    fn read_one(text: &str) -> Result<Self, SnapshotError> {
        let amplification = serde_json::from_str(text)?;
        Ok(Self { amplification, ..serde_json::from_str(text)? })
    }

    pub(crate) fn pool(self, kind: PoolKind) -> Result<Pool, SnapshotError> {
        if kind == PoolKind::CurveMeta {
            return Ok(Pool::CurveMeta(self.meta()?));
        }
        let named = self.kind.is_some();
        let generation = self.generation(kind)?;
        let stable = self.stable(generation)?;
        let kind = if named { kind } else { kind_of(generation, &self.use_lending) };
        match kind {
            PoolKind::CurveNg if generation == Generation::NextGeneration => Ok(Pool::CurveNg(stable)),
            PoolKind::CurveLending if generation != Generation::NextGeneration => Ok(Pool::CurveLending(stable)),
            PoolKind::CurvePlain if kind_of(generation, &self.use_lending) == PoolKind::CurvePlain => {
                Ok(Pool::CurvePlain(stable))
            }
            _ => Err(wrong(format!("a pool of generation {} is no {kind}", generation.name()))),
        }
    }

    fn generation(&self, kind: PoolKind) -> Result<Generation, SnapshotError> {
        match (&self.generation, self.strategies) {
            (Some(name), _) => {
                Generation::ALL.into_iter().find(|generation| generation.name() == name).ok_or_else(|| {
                    let names = Generation::ALL.map(Generation::name).join(", ");
                    wrong(format!("{name} is no generation; they are {names}"))
                })
            }
            (None, Some(strategies)) => strategies.generation(),
            (None, None) if kind == PoolKind::CurveNg => Ok(Generation::NextGeneration),
            (None, None) if kind == PoolKind::CurveMeta => Ok(Generation::Template),
            (None, None) => Err(wrong("generation is missing: which contract's rounding the pool follows")),
        }
    }

    fn stable(&self, generation: Generation) -> Result<CurveStable, SnapshotError> {
        if self.base_pool.is_some() {
            return Err(wrong("only a meta pool has a base_pool"));
        }
        let rates = self.rates(generation)?;
        let amplification = self.amplification.decode(generation, self.timestamp)?;
        let stable = CurveStable {
            balances: self.balances.clone(),
            rates,
            amplification,
            fee: self.fee,
            admin_fee: self.admin_fee,
            offpeg_fee_multiplier: self.offpeg_fee_multiplier,
            generation,
            total_supply: self.lp_token_total_supply,
        };
        Ok(stable.checked()?)
    }

    /// The rates as listed, or by the decimals where every token is worth itself.
    fn rates(&self, generation: Generation) -> Result<Vec<U256>, SnapshotError> {
        if !self.rates.is_empty() {
            return Ok(self.rates.clone());
        }
        let own_rate = self.use_lending.contains(&true)
            || generation == Generation::NextGeneration
            || matches!(generation, Generation::StakedRate | Generation::Yearn)
            || self.strategies.is_some_and(|strategies| strategies.lending_rate_style > 1);
        if own_rate || self.tokens.len() != self.balances.len() {
            return Err(wrong("rates are missing: what the pool's stored_rates said at the block"));
        }
        powers(&self.tokens, 36)
    }

    fn meta(mut self) -> Result<CurveMeta, SnapshotError> {
        let base = needed(self.base_pool.take(), "base_pool")?;
        if self.tokens.len() != 2 && self.rates.is_empty() && self.redemption_price.is_none() {
            return Err(wrong("a meta pool needs its two tokens with decimals, or rates"));
        }
        let redemption = self.strategies.is_some_and(|strategies| strategies.metapool_rate_style == 3);
        let first = match self.redemption_price {
            Some(price) => price,
            None if redemption => return Err(wrong("redemption_price is missing")),
            None => *needed(self.rates(Generation::Template)?.first(), "the first token's rate")?,
        };
        // The second is a place holder: the pool asks the base.
        self.rates = vec![first, U256::from(10).pow(U256::from(18))];
        let base_price = self.base_price()?;
        let pool = self.stable(self.generation(PoolKind::CurveMeta)?)?;
        let generation = base.generation(PoolKind::CurvePlain)?;
        Ok(CurveMeta::new(pool, base.stable(generation)?, base_price)?)
    }

    fn base_price(&self) -> Result<BasePrice, SnapshotError> {
        match (self.base_price.as_deref(), self.base_virtual_price, self.base_cache_updated) {
            (Some("live"), _, _) => Ok(BasePrice::Live),
            (None | Some("cached"), Some(price), Some(updated)) => Ok(BasePrice::Cached { price, updated }),
            (None | Some("cached"), _, _) => Err(wrong(
                "base_virtual_price and base_cache_updated are missing; a pool without a cache says base_price: \"live\"",
            )),
            (Some(other), _, _) => Err(wrong(format!("base_price {other} is neither live nor cached"))),
        }
    }
}

/// What a pool of a generation is where the file does not say it.
fn kind_of(generation: Generation, use_lending: &[bool]) -> PoolKind {
    match generation {
        Generation::NextGeneration => PoolKind::CurveNg,
        Generation::ThreePool | Generation::Template | Generation::FactoryPair | Generation::StakedEther
            if !use_lending.contains(&true) =>
        {
            PoolKind::CurvePlain
        }
        _ => PoolKind::CurveLending,
    }
}

impl AmplificationFields {
    fn decode(&self, generation: Generation, timestamp: Option<u64>) -> Result<Amplification, SnapshotError> {
        let unit = U256::from(generation.a_unit());
        let fields = (self.initial_a, self.future_a, self.initial_a_time, self.future_a_time);
        let amplification = match fields {
            (Some(initial), Some(future), Some(initial_time), Some(future_time)) => {
                Amplification { initial, future, initial_time, future_time }
            }
            (None, None, None, None) if self.a_ramps == Some(false) => {
                Amplification::fixed(self.a_coefficient.checked_mul(unit).ok_or_else(|| wrong("A overflows"))?)
            }
            _ => {
                return Err(wrong(
                    "initial_a, future_a, initial_a_time and future_a_time belong together; a pool whose A cannot \
                     move says a_ramps: false",
                ));
            }
        };
        if let Some(timestamp) = timestamp.filter(|timestamp| *timestamp > 0) {
            let a = amplification.at(&Context::at(timestamp))? / unit;
            if a != self.a_coefficient {
                return Err(wrong(format!(
                    "a_coefficient is {}, its ramp gives {a} at {timestamp} in units of {}",
                    self.a_coefficient,
                    generation.name()
                )));
            }
        }
        Ok(amplification)
    }
}
