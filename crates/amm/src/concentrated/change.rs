//! The change of a position: what liquidity in a range stands for, and what it moves.
//!
//! Source: `_modifyPosition`, `_updatePosition` and `collect` of `UniswapV3Pool`.

use ruint::aliases::U256;

use super::core::Core;
use super::position::{Position, PositionKey, add_delta, liquidity_error, low_128};
use super::sqrt_price::{amount0_delta, amount1_delta};
use super::tick_math::sqrt_price_at_tick;
use super::ticks::{Tick, check_tick};
use crate::error::AmmError;

/// A change of a position, worked out and not yet made.
pub(crate) struct Change {
    key: PositionKey,
    /// Both ends of the range, when they change.
    ticks: Option<[Tick; 2]>,
    liquidity: u128,
    position: Position,
    /// The tokens that move.
    pub amounts: [U256; 2],
    /// The fees earned since the last touch, before they are narrowed to 128 bits.
    pub fees: [U256; 2],
}

impl Core {
    /// Fee growth inside a range, per token, 128.128-bit, wrapping. A tick that is not
    /// initialised counts as one that nothing grew outside of, as in the contract.
    #[must_use]
    pub fn fee_growth_inside(&self, tick_lower: i32, tick_upper: i32) -> [U256; 2] {
        let at = |index: i32| self.ticks.get(index).unwrap_or(Tick::empty(index));
        self.growth_inside_of(at(tick_lower), at(tick_upper))
    }

    /// Changes a position's liquidity and returns the amounts that move with it (in for a
    /// mint, rounded up; out for a burn, rounded down). Nothing changes on an error.
    pub(crate) fn modify(&mut self, key: PositionKey, delta: i128, earns: bool) -> Result<[U256; 2], AmmError> {
        let change = self.change(key, delta, earns)?;
        let amounts = change.amounts;
        self.apply(change);
        Ok(amounts)
    }

    /// What [`Self::modify`] would do.
    pub(crate) fn change(&self, key: PositionKey, delta: i128, earns: bool) -> Result<Change, AmmError> {
        let PositionKey { tick_lower, tick_upper, .. } = key;
        if tick_lower >= tick_upper {
            let reason = format!("not below the upper tick {tick_upper}");
            return Err(AmmError::Tick { tick: tick_lower, reason });
        }
        check_tick(tick_lower, self.tick_spacing)?;
        check_tick(tick_upper, self.tick_spacing)?;
        let lower = self.tick_after(tick_lower, delta, delta)?;
        let upper = self.tick_after(tick_upper, delta, delta.checked_neg().ok_or_else(|| too_large(delta))?)?;
        let amounts = self.amounts(tick_lower, tick_upper, delta)?;
        let in_range = tick_lower <= self.tick && self.tick < tick_upper;
        let liquidity = if in_range {
            add_delta(self.liquidity, delta).map_err(|reason| liquidity_error("the pool", reason))?
        } else {
            self.liquidity
        };
        // The contract initialises ticks first, so the growth inside sees them.
        let mut position = self.positions.get(&key).copied().unwrap_or_default();
        let inside = self.growth_inside_of(lower, upper);
        let fees = position.update(delta, inside, earns)?;
        Ok(Change { key, ticks: (delta != 0).then_some([lower, upper]), liquidity, position, amounts, fees })
    }

    /// Makes a change that was worked out on this very state.
    pub(crate) fn apply(&mut self, change: Change) {
        self.liquidity = change.liquidity;
        for tick in change.ticks.into_iter().flatten() {
            self.store_tick(tick);
        }
        self.positions.insert(change.key, change.position);
    }

    /// The tick as a change of liquidity leaves it.
    fn tick_after(&self, index: i32, delta: i128, net_delta: i128) -> Result<Tick, AmmError> {
        let fail = |reason: String| liquidity_error(&format!("tick {index}"), reason);
        let mut tick = self.ticks.get(index).unwrap_or(Tick::empty(index));
        if delta == 0 {
            return Ok(tick);
        }
        // All growth before a tick existed counts as below it.
        if tick.liquidity_gross == 0 && index <= self.tick {
            tick.fee_growth_outside_x128 = self.fee_growth_x128;
        }
        tick.liquidity_gross = add_delta(tick.liquidity_gross, delta).map_err(fail)?;
        if delta > 0 && tick.liquidity_gross > self.max_liquidity_per_tick {
            return Err(fail(format!(
                "{} gross is above the {} a tick may carry",
                tick.liquidity_gross, self.max_liquidity_per_tick
            )));
        }
        tick.liquidity_net = tick
            .liquidity_net
            .checked_add(net_delta)
            .ok_or_else(|| fail(format!("net {} {net_delta:+} overflows 128 bits", tick.liquidity_net)))?;
        Ok(tick)
    }

    fn growth_inside_of(&self, lower: Tick, upper: Tick) -> [U256; 2] {
        let mut inside = [U256::ZERO; 2];
        for token in 0..2 {
            let global = self.fee_growth_x128[token];
            let (lower_outside, upper_outside) =
                (lower.fee_growth_outside_x128[token], upper.fee_growth_outside_x128[token]);
            let below = if self.tick >= lower.index { lower_outside } else { global.wrapping_sub(lower_outside) };
            let above = if self.tick < upper.index { upper_outside } else { global.wrapping_sub(upper_outside) };
            inside[token] = global.wrapping_sub(below).wrapping_sub(above);
        }
        inside
    }

    fn store_tick(&mut self, tick: Tick) {
        match self.ticks.place_of(tick.index) {
            Ok(place) if tick.liquidity_gross == 0 => self.ticks.remove(place),
            Ok(place) => self.ticks.set_liquidity(place, tick.liquidity_gross, tick.liquidity_net),
            Err(place) => self.ticks.insert(place, tick),
        }
    }

    /// The tokens that `delta` of liquidity in a range stands for at the current price: rounded
    /// up when they come in, down when they go out.
    ///
    /// # Errors
    /// Ticks out of range or amounts above 256 bits.
    pub fn amounts(&self, tick_lower: i32, tick_upper: i32, delta: i128) -> Result<[U256; 2], AmmError> {
        if delta == 0 {
            return Ok([U256::ZERO; 2]);
        }
        let (liquidity, up) = (delta.unsigned_abs(), delta > 0);
        let lower = sqrt_price_at_tick(tick_lower)?;
        let upper = sqrt_price_at_tick(tick_upper)?;
        Ok(if self.tick < tick_lower {
            [amount0_delta(lower, upper, liquidity, up)?, U256::ZERO]
        } else if self.tick < tick_upper {
            [
                amount0_delta(self.sqrt_price_x96, upper, liquidity, up)?,
                amount1_delta(lower, self.sqrt_price_x96, liquidity, up),
            ]
        } else {
            [U256::ZERO, amount1_delta(lower, upper, liquidity, up)]
        })
    }

    /// Takes up to `amounts` of what a position is owed.
    pub(crate) fn collect(&mut self, key: &PositionKey, amounts: [u128; 2]) -> [u128; 2] {
        let Some(position) = self.positions.get_mut(key) else { return [0; 2] };
        let mut taken = [0; 2];
        for token in 0..2 {
            taken[token] = amounts[token].min(position.owed[token]);
            position.owed[token] -= taken[token];
        }
        taken
    }

    /// Adds to what a position is owed.
    pub(crate) fn owe(&mut self, key: &PositionKey, amounts: [U256; 2]) {
        if let Some(position) = self.positions.get_mut(key) {
            for token in 0..2 {
                position.owed[token] = position.owed[token].wrapping_add(low_128(amounts[token]));
            }
        }
    }

    /// Moves liquidity between an earning position and one that does not earn, in one range.
    pub(crate) fn move_liquidity(
        &mut self,
        earning: &PositionKey,
        resting: &PositionKey,
        delta: i128,
    ) -> Result<(), AmmError> {
        let opposite = delta.checked_neg().ok_or_else(|| too_large(delta))?;
        let inside = self.fee_growth_inside(earning.tick_lower, earning.tick_upper);
        let mut from = self.positions.get(earning).copied().unwrap_or_default();
        let mut to = self.positions.get(resting).copied().unwrap_or_default();
        from.update(opposite, inside, true)?;
        to.update(delta, inside, false)?;
        self.positions.insert(*earning, from);
        self.positions.insert(*resting, to);
        Ok(())
    }
}

#[cold]
fn too_large(delta: i128) -> AmmError {
    AmmError::Overflow { what: format!("the change of liquidity {delta}"), bits: 128 }
}
