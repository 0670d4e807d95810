//! A synthetic pool: six hours of a walking price, traders and a few other liquidity
//! providers, every event through the exact engine.

use std::fmt::Write as _;

use assay_amm::concentrated::{Amount, Core, PositionKey, Swapped, sqrt_price_at_tick};
use assay_amm::event::{Event, LiquidityEvent, Located, Place, SwapEvent, SwapMode};
use assay_amm::kind::UniswapV3;
use assay_amm::replay::ReplayPool;
use assay_amm::{AmmError, Context, Fee, PoolKind, U256};
use assay_lp::{Amounts, BlockTime, Constraints, FeeRule, GasRule, Job, PoolRule};

use super::Generator;
use crate::jobs::lp::block_clock::BlockClock;

/// The chain's id: the one of local test chains.
const CHAIN_ID: u64 = 31_337;
/// The first block and its time, 2026-01-01T00:00:00Z, the genesis of the sample's job.
const FIRST: BlockTime = BlockTime { number: 1_000_000, timestamp: 1_767_225_600 };
/// Seconds from block to block.
const BLOCK_SECONDS: u64 = 2;
/// Whole rounds of 900 s in it.
pub const SAMPLE_ROUNDS: u64 = 24;
/// Blocks between the first and the last event, a little more than its rounds.
const BLOCKS: u64 = SAMPLE_ROUNDS * 450 + 20;
/// Tick of the first price: about 2,000 of token 1 for one of token 0.
const FIRST_TICK: i32 = 76_020;
const TICK_SPACING: i32 = 60;
const FEE_PIPS: u32 = 3_000;
/// Ticks that the fee keeps between the pool's price and the market's.
const FEE_TICKS: f64 = 30.0;
/// Standard deviation of the market's price from event to event, in ticks.
const STEP_TICKS: f64 = 3.0;
/// Events between changes of liquidity.
const CHANGE_EVERY: u64 = 250;
/// One whole token: both have 18 decimals.
const TOKEN: u128 = 1_000_000_000_000_000_000;
/// Ranges around the first price, half widths in ticks, that stand from the start, and
/// their liquidity.
const STANDING: [(i32, u128); 3] = [(60_000, 5_000 * TOKEN), (6_000, 20_000 * TOKEN), (1_200, 50_000 * TOKEN)];

/// A generated history with the job for it.
#[derive(Debug, Clone)]
pub struct PoolSample {
    /// The job.
    pub job: Job,
    /// The times of its blocks.
    pub block_clock: BlockClock,
    /// Its events.
    pub events: Vec<Located>,
}

/// The sample of `seed`; `None` when the engine refuses one of its own events.
///
/// # Errors
/// Those of the engine, which the tests rule out.
pub fn sample_pool(seed: u64) -> Result<PoolSample, AmmError> {
    let price = sqrt_price_at_tick(FIRST_TICK)?;
    let core = Core::new(TICK_SPACING, price)?;
    let pool = ReplayPool::V3(UniswapV3::new(core, FEE_PIPS, false)?);
    let mut history = History { pool, events: Vec::new(), block: FIRST.number, in_block: 0 };
    history.log(Event::Initialize { sqrt_price_x96: price, tick: Some(FIRST_TICK) });
    for (half, liquidity) in STANDING {
        history.change(FIRST_TICK - half, FIRST_TICK + half, liquidity, true)?;
    }
    walk(&mut history, &mut Generator(seed))?;
    let block_clock = BlockClock { anchor: FIRST, seconds: BLOCK_SECONDS };
    Ok(PoolSample { job: job(), block_clock, events: history.events })
}

/// Traders come at random; some pull the pool to the market's price, which walks.
fn walk(history: &mut History, random: &mut Generator) -> Result<(), AmmError> {
    let mut market = f64::from(FIRST_TICK);
    let mut guests = Vec::new();
    let mut count = 0_u64;
    loop {
        history.advance(1 + random.next() % 7);
        if history.block > FIRST.number + BLOCKS {
            return Ok(());
        }
        count += 1;
        market += STEP_TICKS * random.normal();
        let tick = history.pool.core().tick;
        let gap = market - f64::from(tick);
        if count.is_multiple_of(CHANGE_EVERY) {
            if let Some((lower, upper, liquidity)) = (guests.len() > 2).then(|| guests.remove(0)) {
                history.change(lower, upper, liquidity, false)?;
            } else {
                let middle = tick.div_euclid(TICK_SPACING) * TICK_SPACING;
                let half = TICK_SPACING * (5 + (random.next() % 20) as i32);
                let guest = (middle - half, middle + half, (1 + u128::from(random.next() % 9)) * 1_000 * TOKEN);
                history.change(guest.0, guest.1, guest.2, true)?;
                guests.push(guest);
            }
        } else if gap.abs() > FEE_TICKS {
            let target = if gap > 0.0 { market - FEE_TICKS } else { market + FEE_TICKS };
            #[expect(clippy::cast_possible_truncation, reason = "ticks near the first one")]
            let limit = sqrt_price_at_tick(target.round() as i32)?;
            history.swap(gap < 0.0, Amount::In(U256::ONE << 200), limit, SwapMode::PriceLimit)?;
        } else {
            let sells = random.next().is_multiple_of(2);
            // Hundredths of token 0, or as much of token 1 as they are worth.
            let size = U256::from((5 + random.next() % 150) * if sells { 1 } else { 2_000 }) * U256::from(TOKEN / 100);
            history.swap(sells, Amount::In(size), Core::furthest_limit(sells), SwapMode::ExactIn)?;
        }
    }
}

/// The pool and what it logged.
struct History {
    pool: ReplayPool,
    events: Vec<Located>,
    block: u64,
    in_block: u64,
}

impl History {
    fn advance(&mut self, blocks: u64) {
        self.block += blocks;
        self.in_block = 0;
    }

    fn log(&mut self, event: Event) {
        let place = Place { block: self.block, tx_index: self.in_block, log_index: self.in_block };
        self.in_block += 1;
        self.events.push(Located { place, line: self.events.len() as u64 + 2, event });
    }

    fn change(&mut self, lower: i32, upper: i32, liquidity: u128, adds: bool) -> Result<(), AmmError> {
        let [tick_lower, tick_upper] = [lower, upper].map(|tick| tick.div_euclid(TICK_SPACING) * TICK_SPACING);
        let owner = U256::ONE;
        let key = PositionKey { owner, tick_lower, tick_upper };
        let amounts = if adds { self.pool.mint(key, liquidity)? } else { self.pool.burn(key, liquidity)? };
        let change = LiquidityEvent { owner: Some(owner), tick_lower, tick_upper, liquidity, amounts };
        self.log(if adds { Event::Mint(change) } else { Event::Burn(change) });
        Ok(())
    }

    fn swap(&mut self, zero_for_one: bool, amount: Amount, limit: U256, mode: SwapMode) -> Result<(), AmmError> {
        let price = self.pool.core().sqrt_price_x96;
        if if zero_for_one { limit >= price } else { limit <= price } {
            return Ok(());
        }
        let context = Context { timestamp: 0, fee: Fee::Pool };
        let swapped: Swapped = self.pool.swap_if(zero_for_one, amount, limit, &context, |_| true)?;
        let core = self.pool.core();
        let event = SwapEvent {
            zero_for_one,
            amount_in: swapped.amount_in,
            amount_out: swapped.amount_out,
            sqrt_price_x96: core.sqrt_price_x96,
            liquidity: swapped.liquidity,
            tick: core.tick,
            fee_pips: Some(FEE_PIPS),
            mode: Some(mode),
        };
        self.log(Event::Swap(event));
        Ok(())
    }
}

fn job() -> Job {
    let nobody = |digit: &str| format!("0x{}{digit}", "0".repeat(39));
    Job {
        job_id: "synthetic-weth-usd".to_owned(),
        sn_liquidity_manager_address: nobody("1"),
        pair_address: nobody("2"),
        target: "PoL".to_owned(),
        chain_id: CHAIN_ID,
        genesis: FIRST.timestamp,
        round_duration_seconds: 900,
        evaluation_interval_blocks: 100,
        live_interval_blocks: 150,
        answer_seconds: 60,
        reveal_seconds: 10,
        is_active: true,
        inventory: Amounts::from([U256::from(10 * TOKEN), U256::from(20_000 * TOKEN)]),
        pool: PoolRule {
            kind: PoolKind::UniswapV3,
            tick_spacing: TICK_SPACING,
            fee: FeeRule::Pips(FEE_PIPS),
            unstaked_fee_pips: None,
        },
        constraints: Constraints::default(),
        allow_rebalance_swap: false,
        gas: GasRule::default(),
        live_minimum_rounds: 0,
        live_needs_confidence: false,
    }
}

/// Events as a table that `assay pool replay` and `assay lp round` read: initialize, mint,
/// burn and swap, which is all that the sample has.
#[must_use]
pub fn events_csv(events: &[Located]) -> String {
    let mut text = String::from(
        "block,tx_index,log_index,kind,tick_lower,tick_upper,liquidity,amount0,amount1,sqrt_price_x96,tick,owner,fee_pips,swap_mode\n",
    );
    for located in events {
        let Place { block, tx_index, log_index } = located.place;
        let rest = match &located.event {
            Event::Initialize { sqrt_price_x96, tick } => {
                format!("initialize,,,,,,{sqrt_price_x96},{},,,", tick.unwrap_or_default())
            }
            Event::Mint(change) | Event::Burn(change) => {
                let LiquidityEvent { owner, tick_lower, tick_upper, liquidity, amounts: [amount0, amount1] } = change;
                let kind = located.event.name();
                let owner = owner.unwrap_or_default();
                format!("{kind},{tick_lower},{tick_upper},{liquidity},{amount0},{amount1},,,{owner:#x},,")
            }
            Event::Swap(swap) => {
                let (paid, got) = (swap.amount_in.to_string(), format!("-{}", swap.amount_out));
                let [amount0, amount1] = if swap.zero_for_one { [paid, got] } else { [got, paid] };
                let SwapEvent { sqrt_price_x96, liquidity, tick, .. } = swap;
                let (fee, mode) = (swap.fee_pips.unwrap_or_default(), swap.mode.map_or("", SwapMode::name));
                format!("swap,,,{liquidity},{amount0},{amount1},{sqrt_price_x96},{tick},,{fee},{mode}")
            }
            _ => continue,
        };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{block},{tx_index},{log_index},{rest}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_amm::event::read_csv;
    use assay_amm::replay::Replay;

    #[test]
    fn the_sample_is_what_an_exact_pool_logs() {
        let sample = sample_pool(1).unwrap();
        assert_eq!(sample.job.check(), Ok(()));
        let Event::Initialize { sqrt_price_x96, .. } = sample.events[0].event else { panic!("no beginning") };
        let core = Core::new(TICK_SPACING, sqrt_price_x96).unwrap();
        let mut replay = Replay::new(ReplayPool::V3(UniswapV3::new(core, FEE_PIPS, false).unwrap()));
        sample.events.iter().for_each(|event| replay.apply(event).unwrap());
        assert_eq!((replay.counts().mismatches, sample.events.len() > 2_000), (0, true));
        let kinds: std::collections::BTreeSet<_> = sample.events.iter().map(|event| event.event.name()).collect();
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["burn", "initialize", "mint", "swap"]);
    }

    #[test]
    fn the_table_reads_back() {
        let sample = sample_pool(7).unwrap();
        let text = events_csv(&sample.events);
        let read: Vec<Located> = read_csv(std::io::Cursor::new(text)).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, sample.events);
        assert_ne!(read, sample_pool(8).unwrap().events);
    }
}
