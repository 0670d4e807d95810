//! A pool of the tests' own and the events that it logs.

use assay_amm::concentrated::{Amount, Core, PositionKey, sqrt_price_at_tick};
use assay_amm::event::{Event, LiquidityEvent, Located, Place, SwapEvent};
use assay_amm::kind::UniswapV3;
use assay_amm::{Context, PoolKind, U256};
use assay_lp::{Amounts, BlockTime, Constraints, DesiredPosition, FeeRule, GasRule, Job, PoolRule};

/// Rounds begin here: noon of a UTC day.
pub const GENESIS: u64 = 1_760_011_200;
pub const FIRST_BLOCK: u64 = 1_000;
/// Seconds from block to block.
pub const BLOCK: u64 = 2;
pub const SPACING: i32 = 10;
/// Blocks before the first round.
const BEFORE: u64 = 10;

/// Rounds of 60 blocks with six checkpoints, 10 blocks apart; answers close after 6 blocks.
pub fn job(name: &str) -> Job {
    Job {
        job_id: name.into(),
        sn_liquidity_manager_address: format!("0x{:040x}", 1),
        pair_address: format!("0x{:040x}", 2),
        target: "PoL".into(),
        chain_id: 8453,
        genesis: GENESIS,
        round_duration_seconds: 120,
        evaluation_interval_blocks: 10,
        live_interval_blocks: 15,
        answer_seconds: 12,
        reveal_seconds: 4,
        is_active: true,
        inventory: amounts(1_000_000_000, 1_000_000_000),
        pool: PoolRule {
            kind: PoolKind::UniswapV3,
            tick_spacing: SPACING,
            fee: FeeRule::Pips(3_000),
            unstaked_fee_pips: None,
        },
        constraints: Constraints::default(),
        allow_rebalance_swap: false,
        gas: GasRule::default(),
        live_minimum_rounds: 0,
        live_needs_confidence: false,
    }
}

pub fn amounts(amount0: u128, amount1: u128) -> Amounts {
    Amounts { amount0: U256::from(amount0), amount1: U256::from(amount1) }
}

/// All blocks of the first `rounds` rounds, and one more.
pub fn blocks(job: &Job, rounds: u64) -> Vec<BlockTime> {
    let last = BEFORE + rounds * job.round_duration_seconds / BLOCK;
    let from = GENESIS - BEFORE * BLOCK;
    (0..=last).map(|index| BlockTime { number: FIRST_BLOCK + index, timestamp: from + index * BLOCK }).collect()
}

/// A market with a swap every three blocks, three down and three up: rounds begin at the
/// bottom.
pub fn events(job: &Job, rounds: u64) -> Vec<Located> {
    let FeeRule::Pips(fee_pips) = job.pool.fee else { panic!("a fixed fee") };
    let price = sqrt_price_at_tick(0).unwrap();
    let mut pool = UniswapV3::new(Core::new(job.pool.tick_spacing, price).unwrap(), fee_pips, false).unwrap();
    let mut events = Vec::new();
    let mut log = |block: u64, event: Event| {
        let line = events.len() as u64 + 1;
        events.push(Located { place: Place { block, tx_index: 0, log_index: line }, line, event });
    };
    log(FIRST_BLOCK, Event::Initialize { sqrt_price_x96: price, tick: Some(0) });
    let (tick_lower, tick_upper) = (-887_270, 887_270);
    let (key, liquidity) = (PositionKey { owner: U256::from(7), tick_lower, tick_upper }, 50_000_000_000);
    let amounts = pool.mint(key, liquidity).unwrap();
    log(
        FIRST_BLOCK + 1,
        Event::Mint(LiquidityEvent { owner: Some(key.owner), tick_lower, tick_upper, liquidity, amounts }),
    );
    let last = blocks(job, rounds).last().unwrap().number;
    for (step, block) in (FIRST_BLOCK + 2..=last).step_by(3).enumerate() {
        let zero_for_one = step % 6 < 3;
        let amount = Amount::In(U256::from(20_000_000 + 1_000 * (step as u64 % 17)));
        let token_in = usize::from(!zero_for_one);
        let limit = Core::furthest_limit(zero_for_one);
        let swapped = pool.swap_limited(token_in, 1 - token_in, amount, limit, &Context::default()).unwrap();
        log(
            block,
            Event::Swap(SwapEvent {
                zero_for_one,
                amount_in: swapped.amount_in,
                amount_out: swapped.amount_out,
                sqrt_price_x96: swapped.sqrt_price_x96,
                liquidity: swapped.liquidity,
                tick: swapped.tick(),
                fee_pips: None,
                mode: None,
            }),
        );
    }
    events
}

pub fn position(tick_lower: i32, tick_upper: i32, allocation0: u128, allocation1: u128) -> DesiredPosition {
    let (allocation0, allocation1) = (U256::from(allocation0), U256::from(allocation1));
    DesiredPosition { tick_lower, tick_upper, allocation0, allocation1, confidence: None }
}
