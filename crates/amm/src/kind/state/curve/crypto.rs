//! CryptoSwap: two or three coins.

use ruint::aliases::U256;
use serde::Deserialize;

use super::stable::{AmplificationFields, Strategies};
use super::{powers, wrong};
use crate::integer::json;
use crate::kind::CurveCrypto;
use crate::kind::Pool;
use crate::kind::PoolKind;
use crate::kind::curve_crypto::{CryptoFee, CryptoGeneration, Shape};
use crate::kind::state::{SnapshotError, Token};

/// How a public test suite numbers the first tricrypto, the only such pool it has.
const RECORDED_STYLE: u8 = 4;

#[derive(Deserialize)]
struct Fields {
    kind: Option<String>,
    generation: Option<String>,
    strategies: Option<Strategies>,
    #[serde(default)]
    tokens: Vec<Token>,
    #[serde(with = "json::list", default)]
    precisions: Vec<U256>,
    #[serde(with = "json::list")]
    balances: Vec<U256>,
    #[serde(skip)]
    amplification: AmplificationFields,
    #[serde(with = "json")]
    gamma: U256,
    #[serde(with = "json::option", default)]
    initial_gamma: Option<U256>,
    #[serde(with = "json::option", default)]
    future_gamma: Option<U256>,
    #[serde(with = "json")]
    d: U256,
    #[serde(with = "json::list")]
    price_scale: Vec<U256>,
    mid_fee: u64,
    out_fee: u64,
    #[serde(with = "json")]
    fee_gamma: U256,
}

pub(in crate::kind) fn decode(text: &str, kind: PoolKind) -> Result<Pool, SnapshotError> {
    let mut fields: Fields = serde_json::from_str(text)?;
    fields.amplification = serde_json::from_str(text)?;
    let generation = fields.generation()?;
    let precisions = if fields.precisions.is_empty() { powers(&fields.tokens, 18)? } else { fields.precisions.clone() };
    let shape = fields.shape(generation)?;
    let pool = CurveCrypto {
        generation,
        balances: fields.balances,
        precisions,
        price_scale: fields.price_scale,
        d: fields.d,
        shape,
        fee: CryptoFee { mid: fields.mid_fee, out: fields.out_fee, gamma: fields.fee_gamma },
    }
    .checked()?;
    match (kind, generation.token_count()) {
        (PoolKind::CurveCryptoTwo, 2) => Ok(Pool::CurveCryptoTwo(pool)),
        (PoolKind::CurveCryptoThree, 3) => Ok(Pool::CurveCryptoThree(pool)),
        (kind, count) => Err(wrong(format!("a {} of {count} tokens is no {kind}", generation.name()))),
    }
}

impl Fields {
    fn generation(&self) -> Result<CryptoGeneration, SnapshotError> {
        match (&self.generation, self.strategies) {
            (Some(name), _) => {
                CryptoGeneration::ALL.into_iter().find(|generation| generation.name() == name).ok_or_else(|| {
                    let names = CryptoGeneration::ALL.map(CryptoGeneration::name).join(", ");
                    wrong(format!("{name} is no generation; they are {names}"))
                })
            }
            (None, Some(strategies)) if strategies.swap_style == RECORDED_STYLE => Ok(CryptoGeneration::FirstTricrypto),
            _ => Err(wrong("generation is missing: which contract's rounding the pool follows")),
        }
    }

    fn shape(&self, generation: CryptoGeneration) -> Result<Shape, SnapshotError> {
        let amplification = &self.amplification;
        // Of the first tricrypto the file gives A without its decimals; the others keep none.
        let unit = U256::from(if generation == CryptoGeneration::FirstTricrypto { 100_u64 } else { 1 });
        let fixed = amplification.a_ramps == Some(false) || (self.kind.is_none() && self.strategies.is_some());
        match (
            amplification.initial_a,
            amplification.future_a,
            self.initial_gamma,
            self.future_gamma,
            amplification.initial_a_time,
            amplification.future_a_time,
        ) {
            (Some(a0), Some(a1), Some(gamma0), Some(gamma1), Some(start), Some(end)) => {
                Ok(Shape { a: [a0, a1], gamma: [gamma0, gamma1], times: [start, end] })
            }
            (None, None, None, None, None, None) if fixed => {
                let a = amplification.a_coefficient.checked_mul(unit).ok_or_else(|| wrong("A overflows"))?;
                Ok(Shape { a: [a; 2], gamma: [self.gamma; 2], times: [0; 2] })
            }
            _ => Err(wrong(
                "initial_a, future_a, initial_gamma, future_gamma, initial_a_time and future_a_time belong together; \
                 a pool whose A and gamma never moved says a_ramps: false",
            )),
        }
    }
}
