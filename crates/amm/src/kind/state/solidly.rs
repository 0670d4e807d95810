//! Solidly family: `reserves_token0`, `reserves_token1`, `stable`, the fee as `fee_raw`
//! (1/10,000), and for stable pools the tokens' `decimals` and the `solver` ("solidly" or
//! "velodrome-v2"); files that name an Aerodrome or Velodrome V2 pool as their `dex` need no
//! `solver`.

use ruint::aliases::U256;
use serde::Deserialize;

use super::{SnapshotError, Token};
use crate::integer::json;
use crate::kind::Solidly;
use crate::kind::solidly::Solver;

#[derive(Deserialize)]
struct Fields {
    #[serde(with = "json")]
    reserves_token0: U256,
    #[serde(with = "json")]
    reserves_token1: U256,
    stable: Option<bool>,
    fee_raw: u32,
    solver: Option<String>,
    dex: Option<String>,
    #[serde(default)]
    tokens: Vec<Token>,
    token0: Option<Token>,
    token1: Option<Token>,
}

pub(in crate::kind) fn decode(text: &str, stable: bool) -> Result<Solidly, SnapshotError> {
    let fields: Fields = serde_json::from_str(text)?;
    if fields.stable.is_some_and(|own| own != stable) {
        return Err(SnapshotError::State("stable contradicts kind".into()));
    }
    let reserves = [fields.reserves_token0, fields.reserves_token1];
    if !stable {
        return Ok(Solidly::volatile(reserves, fields.fee_raw)?);
    }
    let solver = fields.solver()?;
    Ok(Solidly::stable(reserves, fields.fee_raw, fields.decimals()?, solver)?)
}

impl Fields {
    fn solver(&self) -> Result<Solver, SnapshotError> {
        match (self.solver.as_deref(), self.dex.as_deref()) {
            (Some("solidly"), _) => Ok(Solver::Solidly),
            (Some("velodrome-v2"), _) => Ok(Solver::VelodromeV2),
            (Some(other), _) => {
                Err(SnapshotError::State(format!("solver {other} is neither solidly nor velodrome-v2")))
            }
            (None, Some(dex)) if dex.starts_with("aerodrome-v2") || dex.starts_with("velodrome-v2") => {
                Ok(Solver::VelodromeV2)
            }
            (None, _) => Err(SnapshotError::State("a stable pool needs solver: solidly or velodrome-v2".into())),
        }
    }

    fn decimals(&self) -> Result<[u8; 2], SnapshotError> {
        let tokens = match (&self.tokens[..], &self.token0, &self.token1) {
            ([token0, token1], _, _) | ([], Some(token0), Some(token1)) => [token0, token1],
            _ => return Err(SnapshotError::State("a stable pool needs its two tokens".into())),
        };
        match tokens.map(|token| token.decimals) {
            [Some(decimals0), Some(decimals1)] => Ok([decimals0, decimals1]),
            _ => Err(SnapshotError::State("a stable pool needs the decimals of its tokens".into())),
        }
    }
}
