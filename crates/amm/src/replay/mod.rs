//! Events of a pool through the exact engine, compared with the chain's own values.
//!
//! A swap event does not say what was asked for. The replay tries an exact input, then an
//! exact output, then a swap that stopped at its price limit; what the record says about
//! it only changes which comes first. A fee that nobody announced is inferred from the
//! amounts, reported, and used from then on.

mod pool;
mod report;

pub use pool::ReplayPool;
pub use report::{Counts, Difference, FeeChange, Mismatch, ReplayError};

use ruint::aliases::U256;

use crate::concentrated::{
    Amount, Core, MAX_SQRT_PRICE, MIN_SQRT_PRICE, MIN_TICK, PIPS, PositionKey, Swapped, sqrt_price_at_tick,
    tick_at_sqrt_price,
};
use crate::context::{Context, Fee};
use crate::error::AmmError;
use crate::event::{Event, LiquidityEvent, Located, Place, SwapEvent, SwapMode};
use crate::kind::slipstream::MAX_FEE_PIPS;
use crate::kind::uniswap_v3::ProtocolFee;
use report::{amount_differences, mode_differences, push, swap_differences};

/// Mismatches kept with all their fields; further ones are counted.
pub const MAX_MISMATCHES: usize = 100;

/// How a recorded swap was asked for, as far as the replay could tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    /// Whether token 0 was paid in.
    pub zero_for_one: bool,
    /// What was fixed.
    pub mode: SwapMode,
    /// The fee in millionths, when one was known.
    pub fee_pips: Option<u32>,
    /// Whether this gives the recorded outcome exactly.
    pub exact: bool,
}

/// A replay at work.
#[derive(Debug, Clone)]
pub struct Replay {
    pool: ReplayPool,
    fee_pips: Option<u32>,
    last: Option<Place>,
    counts: Counts,
    mismatches: Vec<Mismatch>,
    fee_changes: Vec<FeeChange>,
    positions_known: bool,
    last_intent: Option<Intent>,
}

impl Replay {
    /// A replay from the pool's creation: from an empty pool at its first price.
    #[must_use]
    pub fn new(pool: ReplayPool) -> Self {
        let fee_pips = match &pool {
            ReplayPool::V3(pool) => Some(pool.fee_pips),
            ReplayPool::Slipstream(pool) => pool.fee_pips,
        };
        let (mismatches, fee_changes) = (Vec::new(), Vec::new());
        let counts = Counts::default();
        let last_intent = None;
        Self { pool, fee_pips, last: None, counts, mismatches, fee_changes, positions_known: true, last_intent }
    }

    /// A replay from a state in the middle of a pool's life, whose positions are not known:
    /// a burn is checked against the liquidity of its ticks instead of its position, and
    /// collected amounts are not compared.
    #[must_use]
    pub fn from_state(pool: ReplayPool) -> Self {
        Self { positions_known: false, ..Self::new(pool) }
    }

    /// The fee that the next swap is expected to pay, in millionths, when one is known.
    #[must_use]
    pub fn fee_pips(&self) -> Option<u32> {
        self.fee_pips
    }

    /// How the latest swap was asked for.
    #[must_use]
    pub fn last_intent(&self) -> Option<Intent> {
        self.last_intent
    }

    /// Where the latest event was.
    #[must_use]
    pub fn last_place(&self) -> Option<Place> {
        self.last
    }

    /// The pool after the events so far.
    #[must_use]
    pub fn pool(&self) -> &ReplayPool {
        &self.pool
    }

    /// How many events of which kind there were.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The first [`MAX_MISMATCHES`] events that did not come out as recorded.
    #[must_use]
    pub fn mismatches(&self) -> &[Mismatch] {
        &self.mismatches
    }

    /// Fees that changed without being announced.
    #[must_use]
    pub fn fee_changes(&self) -> &[FeeChange] {
        &self.fee_changes
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// An event twice or out of order, or one that the pool could not have logged.
    pub fn apply(&mut self, located: &Located) -> Result<(), ReplayError> {
        self.check_order(located)?;
        self.counts.events += 1;
        match &located.event {
            Event::Swap(swap) => self.swap(located, swap),
            Event::Mint(change) => {
                self.counts.mints += 1;
                let key = self.key(change.owner, change.tick_lower, change.tick_upper);
                let ours = self.pool.mint(key, change.liquidity);
                self.compare_liquidity(located, change, ours)
            }
            Event::Burn(change) => {
                self.counts.burns += 1;
                let key = self.key(change.owner, change.tick_lower, change.tick_upper);
                if !self.positions_known {
                    // What is burnt, or touched, was there.
                    let position = self.pool.core_mut().positions.entry(key).or_default();
                    position.liquidity = position.liquidity.max(change.liquidity).max(1);
                }
                let ours = self.pool.burn(key, change.liquidity);
                self.compare_liquidity(located, change, ours)
            }
            Event::Collect { owner, tick_lower, tick_upper, amounts } => {
                let key = self.key(*owner, *tick_lower, *tick_upper);
                let wanted = self.native(located, *amounts)?;
                let ours = self.pool.collect(&key, wanted);
                // Fees of staked liquidity are not the position's, and stakes are not in the events.
                if self.positions_known && matches!(self.pool, ReplayPool::V3(_)) {
                    self.compare(located, None, amount_differences(*amounts, ours.map(U256::from)));
                }
                Ok(())
            }
            other => self.rare(located, other),
        }
    }

    fn rare(&mut self, located: &Located, event: &Event) -> Result<(), ReplayError> {
        let impossible = |source| impossible(located, source);
        match (event, &mut self.pool) {
            (Event::Initialize { sqrt_price_x96, tick }, pool) => {
                let core = pool.core_mut();
                if self.counts.events > 1 || !core.ticks.is_empty() {
                    return Err(wrong(located, "a pool is initialised once, before all other events".into()));
                }
                // What a kind sets beside the price, as V4 its liquidity per tick, stays.
                let fresh = Core::new(core.tick_spacing, *sqrt_price_x96).map_err(impossible)?;
                *core = Core { max_liquidity_per_tick: core.max_liquidity_per_tick, ..fresh };
                let ours = core.tick;
                if let Some(recorded) = *tick {
                    let mut differences = Vec::new();
                    push(&mut differences, "tick", recorded, ours);
                    self.compare(located, None, differences);
                }
                Ok(())
            }
            (Event::Flash { amounts, paid }, ReplayPool::V3(pool)) => pool.flash(*amounts, *paid).map_err(impossible),
            (Event::Flash { amounts, paid }, ReplayPool::Slipstream(pool)) => {
                pool.flash(*amounts, *paid, &context(self.fee_pips)).map_err(impossible)
            }
            (Event::SetFeeProtocol { parts }, ReplayPool::V3(pool)) => {
                let out_of_range = || wrong(located, format!("protocol fees {parts:?} are out of range"));
                let fee = match pool.protocol_fee {
                    ProtocolFee::Divisor(_) => ProtocolFee::Divisor(narrow(*parts).ok_or_else(out_of_range)?),
                    ProtocolFee::PerTenThousand(_) => {
                        ProtocolFee::PerTenThousand(narrow(*parts).ok_or_else(out_of_range)?)
                    }
                };
                pool.set_protocol_fee(fee).map_err(impossible)
            }
            (Event::CollectProtocol { amounts }, ReplayPool::V3(_)) => {
                let wanted = self.native(located, *amounts)?;
                let ReplayPool::V3(pool) = &mut self.pool else { return Ok(()) };
                let ours = pool.collect_protocol(wanted).map(U256::from);
                if self.positions_known {
                    self.compare(located, None, amount_differences(*amounts, ours));
                }
                Ok(())
            }
            // What the gauge is paid depends on stakes, which are not in the pool's events.
            (Event::CollectGauge { .. }, ReplayPool::Slipstream(pool)) => {
                pool.collect_gauge_fees();
                Ok(())
            }
            (other, _) => Err(wrong(located, format!("this kind of pool logs no {}", other.name()))),
        }
    }

    fn check_order(&mut self, located: &Located) -> Result<(), ReplayError> {
        let (line, place) = (located.line, located.place);
        match self.last {
            Some(before) if before == place => Err(ReplayError::Doubled { line, place }),
            Some(before) if before > place => Err(ReplayError::OutOfOrder { line, place, before }),
            _ => {
                self.last = Some(place);
                Ok(())
            }
        }
    }

    /// Stakes change the owner of Slipstream's positions without an event of the pool, and
    /// some records name no owner: then positions are kept by range alone.
    fn key(&self, owner: Option<U256>, tick_lower: i32, tick_upper: i32) -> PositionKey {
        let owner = match self.pool {
            ReplayPool::V3(_) => owner.unwrap_or_default(),
            ReplayPool::Slipstream(_) => U256::ZERO,
        };
        PositionKey { owner, tick_lower, tick_upper }
    }

    fn native(&self, located: &Located, amounts: [U256; 2]) -> Result<[u128; 2], ReplayError> {
        narrow(amounts).ok_or_else(|| wrong(located, format!("amounts {amounts:?} are above 128 bits")))
    }

    fn compare_liquidity(
        &mut self,
        located: &Located,
        change: &LiquidityEvent,
        ours: Result<[U256; 2], AmmError>,
    ) -> Result<(), ReplayError> {
        let ours = ours.map_err(|source| impossible(located, source))?;
        if ours != change.amounts {
            self.compare(located, None, amount_differences(change.amounts, ours));
        }
        Ok(())
    }

    fn swap(&mut self, located: &Located, swap: &SwapEvent) -> Result<(), ReplayError> {
        self.counts.swaps += 1;
        if swap.fee_pips.is_some() {
            self.fee_pips = swap.fee_pips;
        }
        // A swap that moved nothing leaves no sign of its direction but the price.
        let mut swap = *swap;
        if swap.amount_in.is_zero() && swap.amount_out.is_zero() {
            swap.zero_for_one = swap.sqrt_price_x96 <= self.pool.core().sqrt_price_x96;
        }
        let first = swap.mode.unwrap_or(SwapMode::ExactIn);
        let others = [SwapMode::ExactIn, SwapMode::ExactOut, SwapMode::PriceLimit];
        let order = std::iter::once(first).chain(others.into_iter().filter(|mode| *mode != first));
        if self.fee_pips.is_some() {
            for mode in order.clone() {
                if self.try_swap(&swap, mode, self.fee_pips).is_ok_and(|swapped| matches(&swap, &swapped)) {
                    self.note_intent(&swap, mode, true);
                    self.counts.modes[mode as usize] += 1;
                    self.compare(located, Some(mode), mode_differences(swap.mode, mode));
                    return Ok(());
                }
            }
        }
        if let Some((fee_pips, mode)) = self.infer_fee(&swap) {
            let change =
                FeeChange { place: located.place, line: located.line, from_pips: self.fee_pips, to_pips: fee_pips };
            self.fee_changes.push(change);
            self.fee_pips = Some(fee_pips);
            self.note_intent(&swap, mode, true);
            self.counts.modes[mode as usize] += 1;
            self.compare(located, Some(mode), mode_differences(swap.mode, mode));
            return Ok(());
        }
        let (mode, differences) = self.closest(&swap, order).map_err(|source| impossible(located, source))?;
        check_reached(located, &swap)?;
        self.note_intent(&swap, mode, false);
        self.compare(located, Some(mode), differences);
        self.follow(&swap);
        Ok(())
    }

    fn note_intent(&mut self, swap: &SwapEvent, mode: SwapMode, exact: bool) {
        let (zero_for_one, fee_pips) = (swap.zero_for_one, self.fee_pips);
        self.last_intent = Some(Intent { zero_for_one, mode, fee_pips, exact });
    }

    /// The way to take a swap that explains most of it, and what it leaves unexplained.
    fn closest(
        &mut self,
        swap: &SwapEvent,
        modes: impl Iterator<Item = SwapMode>,
    ) -> Result<(SwapMode, Vec<Difference>), AmmError> {
        let fee_pips = self.fee_pips;
        let attempts = modes
            .map(|mode| self.try_swap(swap, mode, fee_pips).map(|attempt| (mode, swap_differences(swap, &attempt))));
        type Attempt = (SwapMode, Vec<Difference>);
        let fewer = |next: &Attempt, best: &Attempt| next.1.len() < best.1.len();
        let closer = |best: Result<Attempt, AmmError>, next| match (best, next) {
            (Ok(best), Ok(next)) if fewer(&next, &best) => Ok(next),
            (Err(_), Ok(next)) => Ok(next),
            (best, _) => best,
        };
        attempts.reduce(closer).unwrap_or(Err(AmmError::ZeroAmount))
    }

    /// Runs the swap in one mode; the state moves only when it comes out as recorded.
    fn try_swap(&mut self, swap: &SwapEvent, mode: SwapMode, fee_pips: Option<u32>) -> Result<Swapped, AmmError> {
        self.run_swap(swap, mode, fee_pips, |swapped| matches(swap, swapped))
    }

    #[inline]
    fn run_swap(
        &mut self,
        swap: &SwapEvent,
        mode: SwapMode,
        fee_pips: Option<u32>,
        accept: impl FnOnce(&Swapped) -> bool,
    ) -> Result<Swapped, AmmError> {
        let furthest = Core::furthest_limit(swap.zero_for_one);
        let (amount, limit) = match mode {
            SwapMode::ExactIn => (Amount::In(swap.amount_in), furthest),
            SwapMode::ExactOut => (Amount::Out(swap.amount_out), furthest),
            SwapMode::PriceLimit => (Amount::In((U256::ONE << 255) - U256::ONE), swap.sqrt_price_x96),
        };
        self.pool.swap_if(swap.zero_for_one, amount, limit, &context(fee_pips), accept)
    }

    /// The fee that explains a swap: estimated from what the same move costs without a fee,
    /// then tried exactly around the estimate.
    fn infer_fee(&mut self, swap: &SwapEvent) -> Option<(u32, SwapMode)> {
        /// Rounding of the amounts shifts the estimate by little, except for tiny swaps.
        const AROUND: u32 = 3;
        let ReplayPool::Slipstream(pool) = &self.pool else { return None };
        let token_in = usize::from(!swap.zero_for_one);
        let all = Amount::In((U256::ONE << 255) - U256::ONE);
        let context = context(Some(0));
        let free = pool.quote_limited(token_in, 1 - token_in, all, swap.sqrt_price_x96, &context).ok()?;
        let fee = swap.amount_in.checked_sub(free.amount_in)?;
        let estimate = fee.checked_mul(U256::from(PIPS))?.checked_div(swap.amount_in)?;
        let estimate = u32::try_from(estimate).ok()?;
        for mode in [SwapMode::ExactIn, SwapMode::ExactOut, SwapMode::PriceLimit] {
            for fee_pips in estimate.saturating_sub(AROUND)..=(estimate + AROUND).min(MAX_FEE_PIPS) {
                if self.try_swap(swap, mode, Some(fee_pips)).is_ok_and(|swapped| matches(swap, &swapped)) {
                    return Some((fee_pips, mode));
                }
            }
        }
        None
    }

    /// Goes on from the chain's values after a mismatch. The fees of the way there are booked
    /// as far as the engine finds it.
    fn follow(&mut self, swap: &SwapEvent) {
        // Where the engine finds no way the price alone moves.
        let _ = self.run_swap(swap, SwapMode::PriceLimit, self.fee_pips, |_| true);
        let core = self.pool.core_mut();
        (core.sqrt_price_x96, core.tick, core.liquidity) = (swap.sqrt_price_x96, swap.tick, swap.liquidity);
    }

    fn compare(&mut self, located: &Located, mode: Option<SwapMode>, differences: Vec<Difference>) {
        if differences.is_empty() {
            return;
        }
        self.counts.mismatches += 1;
        if self.mismatches.len() < MAX_MISMATCHES {
            let (place, line, event) = (located.place, located.line, located.event.name());
            let before = self.counts.events - 1;
            self.mismatches.push(Mismatch { place, line, before, event, mode, differences });
        }
    }
}

/// Checks that a price and tick are some pool's: the tick is the price's own, or the one
/// below it when a downward swap ended exactly on a tick.
fn check_reached(located: &Located, swap: &SwapEvent) -> Result<(), ReplayError> {
    let (price, tick) = (swap.sqrt_price_x96, swap.tick);
    let own = tick_at_sqrt_price(price).map_err(|_| {
        let reason =
            format!("sqrt_price_x96 {price} is not in {MIN_SQRT_PRICE} … {MAX_SQRT_PRICE}: correct the record");
        wrong(located, reason)
    })?;
    let on_tick = sqrt_price_at_tick(own).is_ok_and(|boundary| boundary == price);
    if tick != own && !(on_tick && tick >= MIN_TICK && tick == own - 1) {
        let reason = format!("tick {tick} is not that of sqrt_price_x96 {price}, which is {own}: correct the record");
        return Err(wrong(located, reason));
    }
    Ok(())
}

fn context(fee_pips: Option<u32>) -> Context {
    Context { timestamp: 0, fee: fee_pips.map_or(Fee::Pool, Fee::Pips) }
}

#[inline]
fn matches(swap: &SwapEvent, ours: &Swapped) -> bool {
    ours.sqrt_price_x96 == swap.sqrt_price_x96
        && ours.amount_in == swap.amount_in
        && ours.amount_out == swap.amount_out
        && ours.liquidity == swap.liquidity
        && ours.tick() == swap.tick
}

fn narrow<T, U: TryFrom<T>>(values: [T; 2]) -> Option<[U; 2]> {
    let [first, second] = values;
    Some([U::try_from(first).ok()?, U::try_from(second).ok()?])
}

fn impossible(located: &Located, source: AmmError) -> ReplayError {
    ReplayError::Impossible {
        line: located.line,
        place: located.place,
        event: located.event.name(),
        source: Box::new(source),
    }
}

fn wrong(located: &Located, reason: String) -> ReplayError {
    ReplayError::Wrong { line: located.line, place: located.place, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::UniswapV3;

    #[test]
    fn the_recorded_tick_of_a_beginning_is_compared() {
        let core = Core::new(60, U256::ONE << 96).unwrap();
        let mut replay = Replay::new(ReplayPool::V3(UniswapV3::new(core, 3000, false).unwrap()));
        let event = Event::Initialize { sqrt_price_x96: U256::ONE << 96, tick: Some(1) };
        replay.apply(&Located { place: Place::default(), line: 2, event }).unwrap();
        let [mismatch] = replay.mismatches() else { panic!("{:?}", replay.mismatches()) };
        assert_eq!((mismatch.differences[0].field, &*mismatch.differences[0].ours), ("tick", "0"));
    }

    /// A price a little off can pass for one that the swap stopped at.
    #[test]
    fn a_recorded_mode_cannot_be_explained_away() {
        let key = PositionKey { owner: U256::ZERO, tick_lower: -600, tick_upper: 600 };
        let core = Core::new(60, U256::ONE << 96).unwrap();
        let mut pool = UniswapV3::new(core, 3000, false).unwrap();
        pool.mint(key, 1_000_000_000_000_000_000).unwrap();
        let token_in = Amount::In(U256::from(1_000_000));
        let swapped = pool.quote_limited(0, 1, token_in, Core::furthest_limit(true), &Context::default()).unwrap();
        let event = SwapEvent {
            zero_for_one: true,
            amount_in: swapped.amount_in,
            amount_out: swapped.amount_out,
            sqrt_price_x96: swapped.sqrt_price_x96 + U256::ONE,
            liquidity: swapped.liquidity,
            tick: swapped.tick(),
            fee_pips: None,
            mode: None,
        };
        for (mode, mismatches) in [(None, 0), (Some(SwapMode::ExactIn), 1)] {
            let mut replay = Replay::new(ReplayPool::V3(pool.clone()));
            let event = Event::Swap(SwapEvent { mode, ..event });
            replay.apply(&Located { place: Place::default(), line: 2, event }).unwrap();
            assert_eq!(replay.counts().mismatches, mismatches, "{mode:?}: {:?}", replay.mismatches());
        }
    }
}
