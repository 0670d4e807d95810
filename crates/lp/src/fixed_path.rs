//! Fixed-path simulation: prices, volumes and fees stay as recorded, and a position takes
//! `l / (L + l)` of the fee of every step it is in range for. For reports, never for scores.
//!
//! With `l` more liquidity the recorded traders would have had to bring and take more tokens
//! for the same price path. Nobody did; what the positions turn over without a counterparty
//! is given as the unfunded flow.

use assay_amm::concentrated::{Amount, Core};
use assay_amm::kind::slipstream;
use assay_amm::kind::uniswap_v3::ProtocolFee;
use assay_amm::replay::ReplayPool;
use assay_amm::{AmmError, Context, Fee, U256, integer};

use crate::amounts::Amounts;
use crate::error::LpError;
use crate::market::{Market, Recorded, Request, others};
use crate::participant::Held;
use crate::placement::placements;
use crate::query::DesiredPosition;
use crate::record::{Outcome, RoundRecord, Signed};
use crate::replay::Tape;

/// The whole, in the unit of fees.
const PIPS: u32 = assay_amm::concentrated::PIPS;

/// Capital beside the recorded pool, which it does not move.
#[derive(Debug, Clone)]
pub struct FixedPath {
    pool: ReplayPool,
    /// The recorded pool with the positions' own ticks marked; positions left out.
    marked: Core,
    inventory: Amounts,
    standing: Vec<Standing>,
    collected: Amounts,
    placed: Amounts,
    withdrawn: Amounts,
    skipped: u32,
}

#[derive(Debug, Clone)]
struct Standing {
    held: Held,
    /// Fees per unit of liquidity since entry, per token, 128.128-bit.
    growth_x128: [U256; 2],
}

impl Standing {
    const fn contains(&self, tick: i32) -> bool {
        self.held.tick_lower <= tick && tick < self.held.tick_upper
    }

    fn fees(&self) -> Amounts {
        let liquidity = U256::from(self.held.liquidity);
        let fees = |growth| integer::mul_div(growth, liquidity, U256::ONE << 128).unwrap_or_default();
        self.growth_x128.map(fees).into()
    }
}

/// What fixed-path simulation gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedPathResult {
    /// Tokens that are not placed.
    pub inventory: Amounts,
    /// What withdrawing all liquidity would give at the recorded price, without fees.
    pub principal: Amounts,
    /// All fees, collected ones among them.
    pub fees: Amounts,
    /// Tokens that the positions gave out (below zero) or took in beyond what was placed and
    /// that no trader paid or received, token 0 first.
    pub unfunded_flow: [Signed; 2],
    /// Recorded requests that could not be followed.
    pub skipped: u32,
}

impl FixedPath {
    /// Starts with `inventory` beside the market's pool after `block`.
    ///
    /// # Errors
    /// A pool without a price.
    pub fn start(market: &Market, block: u64, inventory: Amounts) -> Result<Self, LpError> {
        let pool = market.round_pool(block)?;
        let marked = without_positions(pool.core());
        let (standing, zero) = (Vec::new(), Amounts::ZERO);
        Ok(Self { pool, marked, inventory, standing, collected: zero, placed: zero, withdrawn: zero, skipped: 0 })
    }

    /// Opens a position with the inventory and gives what it took.
    ///
    /// # Errors
    /// Ticks off the grid, liquidity of 0 or above 2^127, or an inventory that does not suffice.
    pub fn place(&mut self, tick_lower: i32, tick_upper: i32, liquidity: u128) -> Result<Amounts, LpError> {
        let engine = |source| LpError::Engine { what: "a position", source };
        let fail = |reason: String| Err(LpError::Order(reason));
        if tick_lower >= tick_upper || liquidity == 0 {
            return fail(format!("no position: ticks {tick_lower} … {tick_upper}, liquidity {liquidity}"));
        }
        let delta = i128::try_from(liquidity).map_err(|_| LpError::Overflow { what: "liquidity" })?;
        let placed: Amounts = self.pool.core().amounts(tick_lower, tick_upper, delta).map_err(engine)?.into();
        let Some(inventory) = self.inventory.checked_sub(placed) else {
            return fail(format!("the position takes {placed}, the inventory is {}", self.inventory));
        };
        self.marked.mark_ticks(&[tick_lower, tick_upper]).map_err(engine)?;
        self.placed = sum(self.placed, placed)?;
        self.inventory = inventory;
        let held = Held { tick_lower, tick_upper, liquidity, placed };
        self.standing.push(Standing { held, growth_x128: [U256::ZERO; 2] });
        Ok(placed)
    }

    /// Takes everything out at the recorded price and places `desired`, scaled down to the
    /// inventory as in a round; nothing is swapped.
    ///
    /// # Errors
    /// Ticks out of range, or amounts that overflow.
    pub fn rebalance(&mut self, desired: &[DesiredPosition]) -> Result<(), LpError> {
        for standing in std::mem::take(&mut self.standing) {
            let (principal, fees) = (self.principal_of(&standing)?, standing.fees());
            self.withdrawn = sum(self.withdrawn, principal)?;
            self.collected = sum(self.collected, fees)?;
            self.inventory = sum(sum(self.inventory, principal)?, fees)?;
        }
        for (position, liquidity) in placements(desired, self.inventory, self.pool.core().sqrt_price_x96)? {
            if liquidity > 0 {
                self.place(position.tick_lower, position.tick_upper, liquidity)?;
            }
        }
        Ok(())
    }

    /// Follows what was recorded, in order. What cannot be followed is counted and left out.
    ///
    /// # Errors
    /// Ticks that cannot be marked again after a change of liquidity.
    pub fn apply(&mut self, recorded: &[Recorded]) -> Result<(), LpError> {
        for event in recorded {
            if self.request(event).is_err() {
                self.skipped += 1;
            }
            if matches!(event.request, Request::Liquidity { .. }) {
                self.mark()?;
            }
            let core = self.pool.core();
            let (price, tick, liquidity) = (core.sqrt_price_x96, core.tick, core.liquidity);
            (self.marked.sqrt_price_x96, self.marked.tick, self.marked.liquidity) = (price, tick, liquidity);
        }
        Ok(())
    }

    fn request(&mut self, event: &Recorded) -> Result<(), AmmError> {
        match event.request {
            Request::Swap { zero_for_one, amount, sqrt_price_limit_x96, fee_pips, .. } => {
                self.swap(zero_for_one, amount, sqrt_price_limit_x96, fee_pips)
            }
            Request::Liquidity { tick_lower, tick_upper, delta } => {
                let (key, liquidity) = (others(tick_lower, tick_upper), delta.unsigned_abs());
                match delta > 0 {
                    true => self.pool.mint(key, liquidity).map(|_| ()),
                    false => self.pool.burn(key, liquidity).map(|_| ()),
                }
            }
            Request::Flash { paid, .. } => {
                // The loan itself changes nothing that a fixed path follows.
                let core = self.pool.core();
                let (tick, liquidity) = (core.tick, core.liquidity);
                (0..2).try_for_each(|token| self.credit(token, paid[token], liquidity, tick))
            }
            Request::ProtocolFee(parts) => match &mut self.pool {
                ReplayPool::V3(pool) => pool.set_protocol_fee(match pool.protocol_fee() {
                    ProtocolFee::Divisor(_) => ProtocolFee::Divisor(parts.map(|part| part.min(255) as u8)),
                    ProtocolFee::PerTenThousand(_) => {
                        ProtocolFee::PerTenThousand(parts.map(|part| part.min(65_535) as u16))
                    }
                }),
                ReplayPool::Slipstream(_) => Ok(()),
            },
        }
    }

    fn swap(&mut self, zero_for_one: bool, amount: Amount, limit: U256, fee_pips: Option<u32>) -> Result<(), AmmError> {
        let price = self.pool.core().sqrt_price_x96;
        if if zero_for_one { limit >= price } else { limit <= price } {
            return Ok(());
        }
        let own_fee = match &self.pool {
            ReplayPool::V3(pool) => Some(pool.fee_pips()),
            ReplayPool::Slipstream(pool) => fee_pips.or(pool.fee_pips()),
        };
        let fee = own_fee.ok_or(AmmError::Missing("the fee of a recorded swap"))?;
        if !self.standing.is_empty() {
            let mut tick = self.marked.tick;
            for step in self.marked.trace(zero_for_one, amount, limit, fee)? {
                self.credit(usize::from(!zero_for_one), step.fee, step.liquidity, tick)?;
                // Between two initialised ticks no position's range begins or ends.
                if let Some(crossed) = step.crossed {
                    tick = crossed - i32::from(zero_for_one);
                }
            }
        }
        let context = Context { timestamp: 0, fee: fee_pips.map_or(Fee::Pool, Fee::Pips) };
        self.pool.swap_if(zero_for_one, amount, limit, &context, |_| true).map(|_| ())
    }

    /// Gives the positions in range at `tick` their part of a fee that liquidity `recorded`
    /// earned; every rounding is against them.
    fn credit(&mut self, token: usize, fee: U256, recorded: u128, tick: i32) -> Result<(), AmmError> {
        let own = self.standing.iter().filter(|standing| standing.contains(tick));
        let own: U256 = own.map(|standing| U256::from(standing.held.liquidity)).sum();
        if own.is_zero() || fee.is_zero() {
            return Ok(());
        }
        let what = || AmmError::Overflow { what: format!("the share of a fee of {fee}"), bits: 256 };
        let earned = fee.saturating_sub(self.levied(token, fee).ok_or_else(what)?);
        let all = own + U256::from(recorded);
        let growth = integer::mul_div(earned, U256::ONE << 128, all).ok_or_else(what)?;
        for standing in self.standing.iter_mut().filter(|standing| standing.contains(tick)) {
            let sum = standing.growth_x128[token].checked_add(growth);
            standing.growth_x128[token] = sum.ok_or_else(what)?;
        }
        Ok(())
    }

    /// The part of a fee that goes to the protocol (rounded down) or the gauge (rounded up).
    fn levied(&self, token: usize, fee: U256) -> Option<U256> {
        match &self.pool {
            ReplayPool::V3(pool) => match pool.protocol_fee() {
                ProtocolFee::Divisor(parts) => Some(fee.checked_div(U256::from(parts[token])).unwrap_or_default()),
                ProtocolFee::PerTenThousand(parts) => {
                    integer::mul_div(fee, U256::from(parts[token]), U256::from(10_000_u32))
                }
            },
            ReplayPool::Slipstream(pool) => {
                let pips = pool.unstaked_fee_pips().unwrap_or(slipstream::MAX_UNSTAKED_FEE_PIPS);
                integer::mul_div_up(fee, U256::from(pips), U256::from(PIPS))
            }
        }
    }

    fn mark(&mut self) -> Result<(), LpError> {
        self.marked = without_positions(self.pool.core());
        let ticks: Vec<i32> =
            self.standing.iter().flat_map(|standing| [standing.held.tick_lower, standing.held.tick_upper]).collect();
        self.marked.mark_ticks(&ticks).map_err(|source| LpError::Engine { what: "the positions' ticks", source })
    }

    fn principal_of(&self, standing: &Standing) -> Result<Amounts, LpError> {
        let Held { tick_lower, tick_upper, liquidity, .. } = standing.held;
        let delta = i128::try_from(liquidity).map_err(|_| LpError::Overflow { what: "liquidity" })?;
        let amounts = self.pool.core().amounts(tick_lower, tick_upper, -delta);
        amounts.map(Amounts::from).map_err(|source| LpError::Engine { what: "the principal", source })
    }

    /// Price, liquidity and ticks of the recorded pool.
    #[must_use]
    pub fn core(&self) -> &Core {
        self.pool.core()
    }

    /// Where everything stands now.
    ///
    /// # Errors
    /// Amounts that overflow.
    pub fn result(&self) -> Result<FixedPathResult, LpError> {
        let (mut principal, mut fees) = (Amounts::ZERO, self.collected);
        for standing in &self.standing {
            principal = sum(principal, self.principal_of(standing)?)?;
            fees = sum(fees, standing.fees())?;
        }
        let (after, before) = (sum(self.withdrawn, principal)?.pair(), self.placed.pair());
        let unfunded_flow = [0, 1].map(|token| (after[token] >= before[token], after[token].abs_diff(before[token])));
        Ok(FixedPathResult { inventory: self.inventory, principal, fees, unfunded_flow, skipped: self.skipped })
    }
}

/// The miners of a round in fixed-path simulation, in the order of the record. The market
/// must stand at or before the round's start and stands after its end then.
///
/// # Errors
/// Events that do not fit together, or a record whose positions cannot be placed.
pub fn of_round(
    record: &RoundRecord,
    market: &mut Market,
    tape: &mut Tape<'_>,
) -> Result<Vec<(String, FixedPathResult)>, LpError> {
    tape.advance(market, record.start.number)?;
    let start = FixedPath::start(market, record.start.number, record.job.inventory)?;
    let mut paths = vec![start; record.miners.len()];
    let effects = |miner: usize| {
        let answers = record.miners[miner].answers.iter().filter(|answer| answer.outcome == Outcome::Rebalanced);
        answers.filter_map(|answer| Some((answer.effective_block?, &answer.positions)))
    };
    let mut blocks: Vec<u64> = (0..paths.len()).flat_map(|miner| effects(miner).map(|(block, _)| block)).collect();
    blocks.sort_unstable();
    blocks.dedup();
    for block in blocks {
        let recorded = tape.advance(market, block)?;
        for (miner, path) in paths.iter_mut().enumerate() {
            path.apply(&recorded)?;
            for (_, desired) in effects(miner).filter(|(effective, _)| *effective == block) {
                path.rebalance(desired)?;
            }
        }
    }
    let recorded = tape.advance(market, record.end.number)?;
    let mut results = Vec::with_capacity(paths.len());
    for (miner, mut path) in record.miners.iter().zip(paths) {
        path.apply(&recorded)?;
        results.push((miner.miner.clone(), path.result()?));
    }
    Ok(results)
}

fn without_positions(core: &Core) -> Core {
    let mut core = core.clone();
    core.positions.clear();
    core
}

fn sum(first: Amounts, second: Amounts) -> Result<Amounts, LpError> {
    first.checked_add(second).ok_or(LpError::Overflow { what: "the holdings" })
}

#[cfg(test)]
mod tests;
