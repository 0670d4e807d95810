//! One miner's capital in a pool of its own: the recorded requests run there again with
//! the miner's liquidity in the way.

use std::collections::BTreeMap;

use assay_amm::concentrated::{Amount, Core, PositionKey, Swapped, sqrt_price_at_tick};
use assay_amm::kind::uniswap_v3::ProtocolFee;
use assay_amm::replay::ReplayPool;
use assay_amm::{AmmError, Context, Fee, U256, integer};

use crate::amounts::Amounts;
use crate::books::{Flows, LossVersusRebalancing};
use crate::error::LpError;
use crate::market::{Recorded, Request, others};
use crate::placement::{placements, total_allocation};
use crate::query::DesiredPosition;
use crate::value::value_in_token1;

/// A miner's position may have one part in so many of what a tick may carry.
const LARGEST_PART_OF_TICK: u128 = 2;

/// Owner of the miner's positions in its pool copy; recorded positions have another.
const OWN: U256 = U256::MAX;

/// A position that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// First tick of the range.
    pub tick_lower: i32,
    /// First tick above the range.
    pub tick_upper: i32,
    /// Its liquidity, fixed at entry.
    pub liquidity: u128,
    /// What entering took.
    pub placed: Amounts,
}

impl Held {
    const fn key(&self) -> PositionKey {
        PositionKey { owner: OWN, tick_lower: self.tick_lower, tick_upper: self.tick_upper }
    }
}

/// A miner's capital and the pool it stands in.
#[derive(Debug, Clone)]
pub struct Participant {
    pool: ReplayPool,
    inventory: Amounts,
    held: Vec<Held>,
    collected: Amounts,
    swapped: Amounts,
    executions: u32,
    rebalances: u32,
    deployed_before: bool,
    block: u64,
    in_range_blocks: u64,
    blocks: u64,
    skipped: u32,
    /// Recorded liquidity by range that this pool refused to take.
    not_minted: BTreeMap<(i32, i32), u128>,
    flows: Flows,
    lvr: LossVersusRebalancing,
}

/// Where a miner's tokens are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Not placed.
    pub inventory: Amounts,
    /// What withdrawing all liquidity would give, rounded down, without fees.
    pub principal: Amounts,
    /// Fees earned and not collected.
    pub owed: Amounts,
}

impl Holdings {
    /// All of it, when it fits 256 bits.
    #[must_use]
    pub fn total(&self) -> Option<Amounts> {
        self.inventory.checked_add(self.principal)?.checked_add(self.owed)
    }
}

impl Participant {
    /// Starts with `inventory` beside a pool, after `block`.
    ///
    /// # Errors
    /// When the pool's claims overflow.
    pub fn new(pool: ReplayPool, inventory: Amounts, block: u64) -> Result<Self, LpError> {
        let flows = Flows::start(&pool)?;
        Ok(Self {
            pool,
            inventory,
            held: Vec::new(),
            collected: Amounts::ZERO,
            swapped: Amounts::ZERO,
            executions: 0,
            rebalances: 0,
            deployed_before: false,
            block,
            in_range_blocks: 0,
            blocks: 0,
            skipped: 0,
            not_minted: BTreeMap::new(),
            flows,
            lvr: LossVersusRebalancing::default(),
        })
    }

    /// Price, liquidity and ticks of the miner's pool.
    #[must_use]
    pub fn core(&self) -> &Core {
        self.pool.core()
    }

    /// The positions that stand.
    #[must_use]
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// What is not placed.
    #[must_use]
    pub const fn inventory(&self) -> Amounts {
        self.inventory
    }

    /// Fees collected at rebalances so far.
    #[must_use]
    pub const fn collected(&self) -> Amounts {
        self.collected
    }

    /// Tokens paid into the pool by swaps of the inventory so far.
    #[must_use]
    pub const fn swapped(&self) -> Amounts {
        self.swapped
    }

    /// Rebalances so far, the first deployment not counted.
    #[must_use]
    pub const fn rebalances(&self) -> u32 {
        self.rebalances
    }

    /// Times that gas was paid.
    #[must_use]
    pub const fn executions(&self) -> u32 {
        self.executions
    }

    /// Blocks seen, and those of them in which some position was in range.
    #[must_use]
    pub const fn blocks_in_range(&self) -> [u64; 2] {
        [self.blocks, self.in_range_blocks]
    }

    /// Recorded requests that the miner's pool refused.
    #[must_use]
    pub const fn skipped(&self) -> u32 {
        self.skipped
    }

    /// What withdrawing a position would give now: principal, and fees.
    ///
    /// # Errors
    /// When an amount overflows.
    pub fn worth(&self, held: &Held) -> Result<[Amounts; 2], LpError> {
        let engine = |source| LpError::Engine { what: "the worth of a position", source };
        let core = self.pool.core();
        let liquidity = i128::try_from(held.liquidity).map_err(|_| LpError::Overflow { what: "liquidity" })?;
        let principal = core.amounts(held.tick_lower, held.tick_upper, -liquidity).map_err(engine)?;
        let position = core.positions.get(&held.key()).copied().unwrap_or_default();
        let inside = core.fee_growth_inside(held.tick_lower, held.tick_upper);
        let mut owed = [U256::ZERO; 2];
        for token in 0..2 {
            let growth = inside[token].wrapping_sub(position.fee_growth_inside_x128[token]);
            let fees = integer::mul_div(growth, U256::from(position.liquidity), U256::ONE << 128).unwrap_or_default();
            owed[token] = fees + U256::from(position.owed[token]);
        }
        Ok([principal.into(), owed.into()])
    }

    /// Where the tokens are.
    ///
    /// # Errors
    /// When an amount overflows.
    pub fn holdings(&self) -> Result<Holdings, LpError> {
        let overflow = LpError::Overflow { what: "the holdings" };
        let mut holdings = Holdings { inventory: self.inventory, ..Holdings::default() };
        for held in &self.held {
            let [principal, owed] = self.worth(held)?;
            let sums = holdings.principal.checked_add(principal).zip(holdings.owed.checked_add(owed));
            let Some(sums) = sums else { return Err(overflow) };
            (holdings.principal, holdings.owed) = sums;
        }
        Ok(holdings)
    }

    /// Runs what was recorded, in order.
    ///
    /// # Errors
    /// When the books overflow. What the miner's pool refuses is counted and left out.
    pub fn apply(&mut self, recorded: &[Recorded]) -> Result<(), LpError> {
        for event in recorded {
            self.advance(event.place.block);
            let before = self.pool.core().sqrt_price_x96;
            let done = self.request(event);
            if done.is_err() {
                self.skipped += 1;
            }
            let after = self.pool.core().sqrt_price_x96;
            if after != before && !self.held.is_empty() {
                let token0 = self.token0_at(before)?;
                self.lvr.price_moved(token0, before, after).ok_or(LpError::Overflow { what: "the LVR" })?;
            }
        }
        Ok(())
    }

    /// Lets blocks pass up to `block`.
    pub fn advance(&mut self, block: u64) {
        let passed = block.saturating_sub(self.block);
        if passed == 0 {
            return;
        }
        let tick = self.pool.core().tick;
        if self.held.iter().any(|held| held.tick_lower <= tick && tick < held.tick_upper) {
            self.in_range_blocks += passed;
        }
        self.blocks += passed;
        self.block = block;
    }

    fn request(&mut self, event: &Recorded) -> Result<(), AmmError> {
        match event.request {
            Request::Swap { zero_for_one, amount, sqrt_price_limit_x96, fee_pips, .. } => {
                self.swap(zero_for_one, amount, sqrt_price_limit_x96, fee_pips).map(|_| ())
            }
            Request::Liquidity { tick_lower, tick_upper, delta } => {
                let key = others(tick_lower, tick_upper);
                let liquidity = delta.unsigned_abs();
                if delta > 0 {
                    match self.pool.mint(key, liquidity) {
                        Ok(amounts) => self.flows.paid_in(amounts),
                        Err(error) => {
                            let missing = self.not_minted.entry((tick_lower, tick_upper)).or_default();
                            *missing = missing.saturating_add(liquidity);
                            return Err(error);
                        }
                    }
                } else {
                    // What could not be added here is what is taken out first.
                    let missing = self.not_minted.get(&(tick_lower, tick_upper)).copied().unwrap_or(0);
                    let never_there = liquidity.min(missing);
                    if never_there > 0 {
                        self.not_minted.insert((tick_lower, tick_upper), missing - never_there);
                    }
                    if liquidity > never_there {
                        self.pool.burn(key, liquidity - never_there)?;
                    }
                }
                self.flows.rounded(2);
                Ok(())
            }
            Request::Flash { amounts, paid, fee_pips } => {
                self.pool.flash(amounts, paid, &context(fee_pips))?;
                self.flows.paid_in(paid);
                self.flows.rounded(2);
                Ok(())
            }
            Request::ProtocolFee(parts) => match &mut self.pool {
                ReplayPool::V3(pool) => {
                    let fee = match pool.protocol_fee() {
                        ProtocolFee::Divisor(_) => ProtocolFee::Divisor(parts.map(|part| part.min(255) as u8)),
                        ProtocolFee::PerTenThousand(_) => {
                            ProtocolFee::PerTenThousand(parts.map(|part| part.min(65_535) as u16))
                        }
                    };
                    pool.set_protocol_fee(fee)
                }
                ReplayPool::Slipstream(_) => Ok(()),
            },
        }
    }

    /// A swap in the miner's pool. One whose limit lies behind the price already asks for
    /// nothing.
    fn swap(
        &mut self,
        zero_for_one: bool,
        amount: Amount,
        limit: U256,
        fee_pips: Option<u32>,
    ) -> Result<Option<Swapped>, AmmError> {
        let (price, tick) = (self.pool.core().sqrt_price_x96, self.pool.core().tick);
        let reached = if zero_for_one { limit >= price } else { limit <= price };
        if reached {
            return Ok(None);
        }
        let swapped = self.pool.swap_if(zero_for_one, amount, limit, &context(fee_pips), |_| true)?;
        let mut paid_in = [U256::ZERO; 2];
        let mut paid_out = [U256::ZERO; 2];
        paid_in[usize::from(!zero_for_one)] = swapped.amount_in;
        paid_out[usize::from(zero_for_one)] = swapped.amount_out;
        self.flows.paid_in(paid_in);
        self.flows.paid_out(paid_out);
        let core = self.pool.core();
        let words = core.tick.abs_diff(tick) / (256 * core.tick_spacing().unsigned_abs()) + 3;
        // Each step rounds its input up, its output down and the growth of the fee down.
        self.flows.rounded(3 * u64::from(swapped.crossed + words));
        Ok(Some(swapped))
    }

    /// Takes everything out and places `desired`; what the inventory cannot pay is scaled
    /// down. Nothing changes on an error.
    ///
    /// # Errors
    /// What the pool refuses.
    pub fn rebalance(
        &mut self,
        desired: &[DesiredPosition],
        swaps: bool,
        fee_pips: Option<u32>,
        block: u64,
    ) -> Result<(), LpError> {
        let mut next = self.clone();
        next.advance(block);
        next.withdraw()?;
        if swaps {
            next.swap_inventory(desired, fee_pips)?;
        }
        next.place(desired)?;
        next.executions += 1;
        next.rebalances += u32::from(self.deployed_before);
        next.deployed_before |= !next.held.is_empty();
        *self = next;
        Ok(())
    }

    fn withdraw(&mut self) -> Result<(), LpError> {
        let engine = |source| LpError::Engine { what: "a withdrawal", source };
        let overflow = || LpError::Overflow { what: "the inventory" };
        let price = self.pool.core().sqrt_price_x96;
        for held in std::mem::take(&mut self.held) {
            let principal = Amounts::from(self.pool.burn(held.key(), held.liquidity).map_err(engine)?);
            let taken = Amounts::from(self.pool.collect(&held.key(), [u128::MAX; 2]).map(U256::from));
            let fees = taken.checked_sub(principal).ok_or_else(overflow)?;
            self.pool.core_mut().positions.remove(&held.key());
            self.flows.paid_out(taken.pair());
            self.flows.rounded(2);
            self.inventory = self.inventory.checked_add(taken).ok_or_else(overflow)?;
            self.collected = self.collected.checked_add(fees).ok_or_else(overflow)?;
            let value = value_in_token1(principal, price).ok_or_else(overflow)?;
            self.lvr.withdrawn(value).ok_or_else(overflow)?;
        }
        Ok(())
    }

    /// Buys what `desired` lacks of one token with what it leaves of the other.
    fn swap_inventory(&mut self, desired: &[DesiredPosition], fee_pips: Option<u32>) -> Result<(), LpError> {
        let wanted = total_allocation(desired).ok_or(LpError::Overflow { what: "the allocations" })?.pair();
        let have = self.inventory.pair();
        for token in 0..2 {
            let other = 1 - token;
            let (Some(lacking), Some(spare)) =
                (wanted[token].checked_sub(have[token]), have[other].checked_sub(wanted[other]))
            else {
                continue;
            };
            if lacking.is_zero() || spare.is_zero() {
                continue;
            }
            let zero_for_one = other == 0;
            let limit = Core::furthest_limit(zero_for_one);
            let context = context(fee_pips);
            let quote = self.pool.swap_if(zero_for_one, Amount::Out(lacking), limit, &context, |_| false);
            let affordable = quote.is_ok_and(|swapped| swapped.is_whole() && swapped.amount_in <= spare);
            let amount = if affordable { Amount::Out(lacking) } else { Amount::In(spare) };
            let swapped = self.swap(zero_for_one, amount, limit, fee_pips);
            let swapped = swapped.map_err(|source| LpError::Engine { what: "the swap of a rebalance", source })?;
            let Some(swapped) = swapped else { continue };
            let mut inventory = have;
            inventory[other] = have[other].saturating_sub(swapped.amount_in);
            inventory[token] = have[token].saturating_add(swapped.amount_out);
            self.inventory = inventory.into();
            let mut paid = self.swapped.pair();
            paid[other] = paid[other].saturating_add(swapped.amount_in);
            self.swapped = paid.into();
            return Ok(());
        }
        Ok(())
    }

    fn place(&mut self, desired: &[DesiredPosition]) -> Result<(), LpError> {
        let engine = |source| LpError::Engine { what: "a deployment", source };
        let overflow = || LpError::Overflow { what: "the allocations" };
        let price = self.pool.core().sqrt_price_x96;
        for (position, liquidity) in placements(desired, self.inventory, price)? {
            if liquidity == 0 {
                continue;
            }
            // At an extreme price a few units could fill a tick and keep everybody else out of it.
            let limit = self.pool.core().max_liquidity_per_tick / LARGEST_PART_OF_TICK;
            if liquidity > limit {
                let reason = format!("{liquidity} is above {limit}, half of what a tick may carry");
                let place = format!("ticks {} … {}", position.tick_lower, position.tick_upper);
                return Err(engine(AmmError::Liquidity { place, reason }));
            }
            let mut held = Held {
                tick_lower: position.tick_lower,
                tick_upper: position.tick_upper,
                liquidity,
                placed: Amounts::ZERO,
            };
            held.placed = self.pool.mint(held.key(), liquidity).map_err(engine)?.into();
            self.flows.paid_in(held.placed.pair());
            self.flows.rounded(2);
            self.inventory = self.inventory.checked_sub(held.placed).ok_or_else(overflow)?;
            let value = value_in_token1(held.placed, price).ok_or_else(overflow)?;
            self.lvr.deployed(value).ok_or_else(overflow)?;
            self.held.push(held);
        }
        Ok(())
    }

    /// Token 0 in the positions at a price, rounded down.
    fn token0_at(&self, sqrt_price: U256) -> Result<U256, LpError> {
        let engine = |source| LpError::Engine { what: "the principal", source };
        let mut sum = U256::ZERO;
        for held in &self.held {
            let lower = sqrt_price_at_tick(held.tick_lower).map_err(engine)?;
            let upper = sqrt_price_at_tick(held.tick_upper).map_err(engine)?;
            if sqrt_price < upper {
                let from = sqrt_price.max(lower);
                let amount = assay_amm::concentrated::amount0_delta(from, upper, held.liquidity, false);
                sum = sum.saturating_add(amount.map_err(engine)?);
            }
        }
        Ok(sum)
    }

    /// Loss against a portfolio that holds the same token 0 at every moment and trades at
    /// the pool's price, in units of token 1: sign (true: a loss) and size.
    ///
    /// # Errors
    /// When a value overflows.
    pub fn loss_versus_rebalancing(&self) -> Result<(bool, U256), LpError> {
        let overflow = || LpError::Overflow { what: "the LVR" };
        let price = self.pool.core().sqrt_price_x96;
        let principal = self.holdings()?.principal;
        let value = value_in_token1(principal, price).ok_or_else(overflow)?;
        self.lvr.result(value).ok_or_else(overflow)
    }

    /// What the pool took in and paid out that no claim explains, per token: what rounding
    /// left, sign (true: left in the pool) and size.
    ///
    /// # Errors
    /// When that is more than rounding can explain: the engine is then wrong.
    pub fn dust(&self, miner: &str) -> Result<[(bool, U256); 2], LpError> {
        self.flows.dust(&self.pool, miner)
    }
}

fn context(fee_pips: Option<u32>) -> Context {
    Context { timestamp: 0, fee: fee_pips.map_or(Fee::Pool, Fee::Pips) }
}
