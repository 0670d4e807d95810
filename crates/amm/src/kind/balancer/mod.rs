//! What the Balancer V2 pools share: 18-decimal fixed point, its logarithms and powers,
//! the swap fee, the scaling of amounts and the Vault's balances.
//!
//! Source: the contracts of the Balancer V2 repository (`FixedPoint`, `LogExpMath`,
//! `StableMath`, `BasePool`, `Vault`).

pub mod fixed_point;
pub mod log_exp;
pub mod pool_token;
pub mod stable_math;

use ruint::aliases::U256;

use crate::context::{Quote, check_pair};
use crate::error::AmmError;
use crate::kind::checked::sub;
use fixed_point::{ONE, complement, div_up, mul_up};

/// The largest balance the Vault stores (112 bits).
pub const MAX_BALANCE: u128 = (1 << 112) - 1;

/// The amount left of `amount` after the swap fee, which is rounded up.
pub(crate) fn subtract_fee(amount: U256, fee: U256) -> Result<U256, AmmError> {
    let charged = mul_up(amount, fee)?;
    Ok(sub(amount, charged)?)
}

/// The amount that leaves `amount` after the swap fee, rounded up.
pub(crate) fn add_fee(amount: U256, fee: U256) -> Result<U256, AmmError> {
    div_up(amount, complement(fee))
}

/// Checks the fee of a pool: a part of one in 18 decimals.
pub(crate) fn check_fee(fee: U256) -> Result<(), AmmError> {
    if fee >= ONE {
        return Err(AmmError::Limit { what: "the swap fee (18 decimals)", value: fee, limit: ONE - U256::ONE });
    }
    Ok(())
}

/// Checks that the Vault could hold the balances.
pub(crate) fn check_balances(balances: &[u128]) -> Result<(), AmmError> {
    match balances.iter().position(|balance| *balance > MAX_BALANCE) {
        Some(token) => {
            Err(AmmError::ReserveOverflow { token, value: U256::from(balances[token]), limit: U256::from(MAX_BALANCE) })
        }
        None => Ok(()),
    }
}

/// The checks that every swap starts with: a pair of the pool and an amount above zero.
pub(crate) fn check_swap(token_in: usize, token_out: usize, count: usize, amount: U256) -> Result<(), AmmError> {
    check_pair(token_in, token_out, count)?;
    if amount.is_zero() {
        return Err(AmmError::ZeroAmount);
    }
    Ok(())
}

/// Checks that the Vault can store what the swap leads to.
pub(crate) fn check_settlement(
    balances: &[u128],
    token_in: usize,
    token_out: usize,
    quote: &Quote,
) -> Result<(), AmmError> {
    let filled = quote.amount_in.saturating_add(U256::from(balances[token_in]));
    if filled > U256::from(MAX_BALANCE) {
        return Err(AmmError::ReserveOverflow { token: token_in, value: filled, limit: U256::from(MAX_BALANCE) });
    }
    let available = U256::from(balances[token_out]);
    if quote.amount_out > available {
        // The bound of this error is exclusive; the Vault gives away its last unit too.
        return Err(AmmError::InsufficientReserve {
            token: token_out,
            amount: quote.amount_out,
            available: available + U256::ONE,
        });
    }
    Ok(())
}

/// Moves the Vault's balances by a quote that [`check_settlement`] has passed.
pub(crate) fn settle(balances: &mut [u128], token_in: usize, token_out: usize, quote: &Quote) {
    balances[token_in] += quote.amount_in.to::<u128>();
    balances[token_out] -= quote.amount_out.to::<u128>();
}
