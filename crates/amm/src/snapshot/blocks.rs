//! One meta pool at several blocks: `immutable` fields, and `states` by block number.

use std::collections::BTreeMap;

use ruint::aliases::U256;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Snapshot, SnapshotError, Token};
use crate::integer::json;
use crate::kind::PoolKind;
use crate::kind::state::curve::stable::{AmplificationFields, Fields, Strategies};
use crate::kind::state::curve::wrong;

#[derive(Deserialize)]
struct Blocks {
    immutable: Fixed,
    states: BTreeMap<String, Box<RawValue>>,
}

#[derive(Deserialize)]
struct Fixed {
    tokens: Vec<Token>,
    #[serde(default)]
    tokens_underlying: Vec<Token>,
    fee: u64,
    admin_fee: u64,
    #[serde(default)]
    use_lending: Vec<bool>,
    generation: Option<String>,
    strategies: Option<Strategies>,
    base_price: Option<String>,
    base_pool: Option<Box<Fixed>>,
}

#[derive(Deserialize)]
struct State {
    #[serde(with = "json::list")]
    balances: Vec<U256>,
    #[serde(skip)]
    amplification: AmplificationFields,
    #[serde(alias = "block_timestamp")]
    timestamp: u64,
    #[serde(with = "json::option", default)]
    lp_token_total_supply: Option<U256>,
    #[serde(with = "json::option", default)]
    base_virtual_price: Option<U256>,
    base_cache_updated: Option<u64>,
    #[serde(with = "json::option", default)]
    redemption_price: Option<U256>,
    #[serde(with = "json::list")]
    base_balances: Vec<U256>,
    #[serde(with = "json")]
    base_a: U256,
    #[serde(with = "json::option", default)]
    base_initial_a: Option<U256>,
    #[serde(with = "json::option", default)]
    base_future_a: Option<U256>,
    base_initial_a_time: Option<u64>,
    base_future_a_time: Option<u64>,
    #[serde(with = "json::option", default)]
    base_lp_token_total_supply: Option<U256>,
}

/// Reads a file of one Curve meta pool at several blocks, in the order of the blocks.
///
/// # Errors
/// Text of another shape, or a state that is none, with its block.
pub fn decode_blocks(text: &str) -> Result<Vec<Snapshot>, SnapshotError> {
    let blocks: Blocks = serde_json::from_str(text)?;
    let mut snapshots = Vec::with_capacity(blocks.states.len());
    for (number, text) in blocks.states {
        let block: u64 = number.parse().map_err(|_| wrong(format!("{number} is no block number")))?;
        let snapshot = State::read(text.get()).and_then(|state| state.snapshot(block, &blocks.immutable));
        snapshots.push(snapshot.map_err(|error| wrong(format!("block {block}: {error}")))?);
    }
    snapshots.sort_by_key(|snapshot| snapshot.block);
    Ok(snapshots)
}

impl State {
    fn read(text: &str) -> Result<Self, SnapshotError> {
        let amplification = serde_json::from_str(text)?;
        Ok(Self { amplification, ..serde_json::from_str(text)? })
    }

    fn snapshot(self, block: u64, fixed: &Fixed) -> Result<Snapshot, SnapshotError> {
        let Some(base) = &fixed.base_pool else {
            return Err(wrong("only files of meta pools have several blocks: base_pool is missing"));
        };
        let timestamp = self.timestamp;
        let mut base_fields = base.fields(
            self.base_balances,
            AmplificationFields {
                a_coefficient: self.base_a,
                a_ramps: None,
                initial_a: self.base_initial_a,
                future_a: self.base_future_a,
                initial_a_time: self.base_initial_a_time,
                future_a_time: self.base_future_a_time,
            },
            timestamp,
        );
        base_fields.lp_token_total_supply = self.base_lp_token_total_supply;
        let mut fields = fixed.fields(self.balances, self.amplification, timestamp);
        fields.base_pool = Some(Box::new(base_fields));
        fields.lp_token_total_supply = self.lp_token_total_supply;
        fields.base_virtual_price = self.base_virtual_price;
        fields.base_cache_updated = self.base_cache_updated;
        fields.redemption_price = self.redemption_price;
        Ok(Snapshot {
            pool: fields.pool(PoolKind::CurveMeta)?,
            tokens: fixed.tokens.clone(),
            underlying: fixed.tokens_underlying.clone(),
            block: Some(block),
            timestamp: Some(timestamp),
        })
    }
}

impl Fixed {
    fn fields(&self, balances: Vec<U256>, amplification: AmplificationFields, timestamp: u64) -> Fields {
        Fields {
            tokens: self.tokens.clone(),
            balances,
            amplification,
            fee: self.fee,
            admin_fee: self.admin_fee,
            use_lending: self.use_lending.clone(),
            generation: self.generation.clone(),
            strategies: self.strategies,
            timestamp: Some(timestamp),
            base_price: self.base_price.clone(),
            ..Fields::default()
        }
    }
}
