//! The wrapped native coin (WETH9 and its copies): one for one, without fee.
//!
//! Source: `WETH9`. Routes need it between pools that hold the native coin (Uniswap V4)
//! and pools that hold its token. Token 0 is the coin, token 1 the wrapped one.

use ruint::aliases::U256;
use serde::Deserialize;

use super::state::SnapshotError;
use crate::context::{Context, MarginalPrice, Quote, check_pair};
use crate::error::AmmError;
use crate::integer::json;

/// The wrapping contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedNative {
    /// Wrapped units in existence, which are the coins the contract holds.
    pub supply: U256,
}

impl WrappedNative {
    /// Reads `supply`, in units.
    pub(super) fn decode(text: &str) -> Result<Self, SnapshotError> {
        #[derive(Deserialize)]
        struct Fields {
            #[serde(with = "json")]
            supply: U256,
        }
        let Fields { supply } = serde_json::from_str(text)?;
        Ok(Self { supply })
    }

    /// Two.
    #[must_use]
    pub fn token_count(&self) -> usize {
        2
    }

    /// As many units as are paid in.
    ///
    /// # Errors
    /// A supply above 256 bits, or more unwrapped than there is.
    pub fn quote_exact_in(
        &self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        _context: &Context,
    ) -> Result<Quote, AmmError> {
        check_pair(token_in, token_out, 2)?;
        self.supply_after(token_in, amount_in)?;
        Ok(Quote { amount_in, amount_out: amount_in })
    }

    /// As many units as are asked for.
    ///
    /// # Errors
    /// As [`Self::quote_exact_in`].
    pub fn quote_exact_out(
        &self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        self.quote_exact_in(token_in, token_out, amount_out, context)
    }

    /// [`Self::quote_exact_in`], and changes the supply.
    ///
    /// # Errors
    /// As the quote; the state is then unchanged.
    pub fn swap_exact_in(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        let quote = self.quote_exact_in(token_in, token_out, amount_in, context)?;
        self.supply = self.supply_after(token_in, amount_in)?;
        Ok(quote)
    }

    /// [`Self::quote_exact_out`], and changes the supply.
    ///
    /// # Errors
    /// As the quote; the state is then unchanged.
    pub fn swap_exact_out(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        self.swap_exact_in(token_in, token_out, amount_out, context)
    }

    /// One for one.
    ///
    /// # Errors
    /// Tokens that are no pair.
    pub fn marginal_price(
        &self,
        token_in: usize,
        token_out: usize,
        _context: &Context,
    ) -> Result<MarginalPrice, AmmError> {
        check_pair(token_in, token_out, 2)?;
        Ok(MarginalPrice { without_fee: 1.0, with_fee: 1.0 })
    }

    /// Coins until the supply fills 256 bits; of the wrapped ones all there are.
    ///
    /// # Errors
    /// Tokens that are no pair.
    pub fn max_in(&self, token_in: usize, token_out: usize, _context: &Context) -> Result<U256, AmmError> {
        check_pair(token_in, token_out, 2)?;
        Ok(if token_in == 0 { U256::MAX - self.supply } else { self.supply })
    }

    fn supply_after(&self, token_in: usize, amount: U256) -> Result<U256, AmmError> {
        if token_in == 0 {
            let what = || format!("a supply of {} and {amount}", self.supply);
            self.supply.checked_add(amount).ok_or_else(|| AmmError::Overflow { what: what(), bits: 256 })
        } else {
            let short =
                || AmmError::InsufficientReserve { token: 0, amount, available: self.supply.saturating_add(U256::ONE) };
            self.supply.checked_sub(amount).ok_or_else(short)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_can_be_unwrapped_and_no_more() {
        let context = Context::default();
        let mut contract = WrappedNative { supply: U256::from(5) };
        let before = contract.clone();
        assert!(contract.swap_exact_in(1, 0, U256::from(6), &context).is_err());
        assert!(contract.quote_exact_in(0, 1, U256::MAX, &context).is_err());
        assert!(contract.quote_exact_in(0, 0, U256::ONE, &context).is_err());
        assert_eq!(contract, before);
        let quote = contract.swap_exact_out(0, 1, U256::from(7), &context).unwrap();
        assert_eq!(quote, Quote { amount_in: U256::from(7), amount_out: U256::from(7) });
        let all = contract.max_in(1, 0, &context).unwrap();
        assert_eq!(all, U256::from(12));
        contract.swap_exact_in(1, 0, all, &context).unwrap();
        assert_eq!(contract.supply, U256::ZERO);
    }
}
