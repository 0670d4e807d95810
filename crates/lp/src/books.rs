//! The books of a pool copy: what went in, what came out, who may claim what is left; and
//! the running loss against a rebalancing portfolio.

use assay_amm::replay::ReplayPool;
use assay_amm::{U256, integer};

use crate::error::LpError;
use crate::value::token0_value;

/// Tokens in and out of a pool since the round's start.
#[derive(Debug, Clone)]
pub(crate) struct Flows {
    claims_at_start: [U256; 2],
    positions_at_start: u64,
    paid_in: [U256; 2],
    paid_out: [U256; 2],
    roundings: u64,
}

impl Flows {
    pub(crate) fn start(pool: &ReplayPool) -> Result<Self, LpError> {
        Ok(Self {
            claims_at_start: claims(pool)?,
            positions_at_start: pool.core().positions.len() as u64,
            paid_in: [U256::ZERO; 2],
            paid_out: [U256::ZERO; 2],
            roundings: 0,
        })
    }

    pub(crate) fn paid_in(&mut self, amounts: [U256; 2]) {
        for token in 0..2 {
            self.paid_in[token] = self.paid_in[token].saturating_add(amounts[token]);
        }
    }

    pub(crate) fn paid_out(&mut self, amounts: [U256; 2]) {
        for token in 0..2 {
            self.paid_out[token] = self.paid_out[token].saturating_add(amounts[token]);
        }
    }

    /// Notes how many amounts were rounded to a whole unit.
    pub(crate) fn rounded(&mut self, count: u64) {
        self.roundings += count;
    }

    /// Tokens in − tokens out − claims, per token; true means left in the pool.
    pub(crate) fn dust(&self, pool: &ReplayPool, miner: &str) -> Result<[(bool, U256); 2], LpError> {
        let at_end = claims(pool)?;
        // A claim rounds principal and fees down.
        let bound = 2 * (self.positions_at_start + pool.core().positions.len() as u64) + self.roundings + 2;
        let mut dust = [(true, U256::ZERO); 2];
        for token in 0..2 {
            let came = self.claims_at_start[token].saturating_add(self.paid_in[token]);
            let left = at_end[token].saturating_add(self.paid_out[token]);
            dust[token] = (came >= left, came.abs_diff(left));
            if dust[token].1 > U256::from(bound) {
                let reason = format!("{came} came in and {left} are paid or claimed: more than {bound} roundings");
                return Err(LpError::Unbalanced { miner: miner.to_owned(), token, reason });
            }
        }
        Ok(dust)
    }
}

/// What positions, protocol and gauge may claim of a pool, rounded down.
fn claims(pool: &ReplayPool) -> Result<[U256; 2], LpError> {
    let engine = |source| LpError::Engine { what: "the claims on a pool", source };
    let core = pool.core();
    let mut claims = match pool {
        ReplayPool::V3(pool) => pool.protocol_owed.map(U256::from),
        ReplayPool::Slipstream(pool) => pool.gauge_fees.map(U256::from),
    };
    for (key, position) in &core.positions {
        let liquidity = i128::try_from(position.liquidity).map_err(|_| LpError::Overflow { what: "liquidity" })?;
        let principal = core.amounts(key.tick_lower, key.tick_upper, -liquidity).map_err(engine)?;
        let inside = core.fee_growth_inside(key.tick_lower, key.tick_upper);
        for token in 0..2 {
            let growth = inside[token].wrapping_sub(position.fee_growth_inside_x128[token]);
            let fees = integer::mul_div(growth, U256::from(position.liquidity), U256::ONE << 128).unwrap_or_default();
            let claim = principal[token].saturating_add(fees).saturating_add(U256::from(position.owed[token]));
            claims[token] = claims[token].saturating_add(claim);
        }
    }
    Ok(claims)
}

/// Σ x · ΔP over all price moves, minus what the positions themselves gained.
///
/// Source: Milionis, Moallemi, Roughgarden and Zhang, "Automated Market Making and
/// Loss-Versus-Rebalancing" (2022), over the discrete path of the pool's own prices.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LossVersusRebalancing {
    up: U256,
    down: U256,
}

impl LossVersusRebalancing {
    /// The price moved while the positions held `token0`.
    #[must_use]
    pub(crate) fn price_moved(&mut self, token0: U256, before: U256, after: U256) -> Option<()> {
        let (old, new) = (token0_value(token0, before)?, token0_value(token0, after)?);
        if new >= old {
            self.up = self.up.checked_add(new - old)?;
        } else {
            self.down = self.down.checked_add(old - new)?;
        }
        Some(())
    }

    /// Capital of a value went into positions.
    #[must_use]
    pub(crate) fn deployed(&mut self, value: U256) -> Option<()> {
        self.up = self.up.checked_add(value)?;
        Some(())
    }

    /// Principal of a value came out.
    #[must_use]
    pub(crate) fn withdrawn(&mut self, value: U256) -> Option<()> {
        self.down = self.down.checked_add(value)?;
        Some(())
    }

    /// The loss while principal of this value still stands; true means a loss.
    pub(crate) fn result(self, principal_value: U256) -> Option<(bool, U256)> {
        let down = self.down.checked_add(principal_value)?;
        Some((self.up >= down, self.up.abs_diff(down)))
    }
}
