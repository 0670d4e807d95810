//! Curve pools. `docs/book/pools-curve.md` lists the fields.
//!
//! The recorded files of public test suites have the same fields without `kind` and
//! `generation`; their `strategies` numbers say the generation.

mod crypto;
pub(crate) mod stable;

use ruint::aliases::U256;

use super::{SnapshotError, Token};
use crate::kind::Pool;
use crate::kind::PoolKind;

pub(in crate::kind) fn decode(text: &str, kind: PoolKind) -> Result<Pool, SnapshotError> {
    match kind {
        PoolKind::CurveCryptoTwo | PoolKind::CurveCryptoThree => crypto::decode(text, kind),
        _ => stable::Fields::read(text)?.pool(kind),
    }
}

/// `10^(digits − decimals)` of every token.
fn powers(tokens: &[Token], digits: u8) -> Result<Vec<U256>, SnapshotError> {
    let power = |token: &Token| {
        let decimals = token.decimals.ok_or_else(|| wrong(format!("token {} has no decimals", token.address)))?;
        let exponent = digits
            .checked_sub(decimals)
            .ok_or_else(|| wrong(format!("token {} has {decimals} decimals, at most {digits} fit", token.address)))?;
        Ok(U256::from(10).pow(U256::from(exponent)))
    };
    tokens.iter().map(power).collect()
}

pub(crate) fn wrong(reason: impl Into<String>) -> SnapshotError {
    SnapshotError::State(reason.into())
}

/// A field the kind cannot do without.
fn needed<T>(value: Option<T>, field: &str) -> Result<T, SnapshotError> {
    value.ok_or_else(|| wrong(format!("{field} is missing")))
}
