//! The table that the tests play at: a V3 pool, a job and a list of events.

use assay_amm::concentrated::{Amount, Core, PositionKey, sqrt_price_at_tick};
use assay_amm::event::{Event, LiquidityEvent, Located, Place, SwapEvent};
use assay_amm::kind::UniswapV3;
use assay_amm::{Context, PoolKind, U256};
use assay_lp::replay::{Plan, Tape, replay_round};
use assay_lp::{
    Amounts, BlockTime, BlockTimes, Checkpoint, Constraints, DesiredPosition, Entrant, FeeRule, GasRule, Job, Market,
    PoolRule, RebalanceAnswer, RebalanceQuery, Reply, RoundRecord, RoundType,
};

/// Block 1,000 is at second 10,000; blocks are 2 seconds apart.
pub const FIRST_BLOCK: u64 = 1_000;
pub const SPACING: i32 = 10;

pub fn price(tick: i32) -> U256 {
    sqrt_price_at_tick(tick).unwrap()
}

pub fn times() -> BlockTimes {
    let anchor = BlockTime { number: FIRST_BLOCK, timestamp: 10_000 };
    BlockTimes::Regular { anchor, seconds: 2, head: FIRST_BLOCK + 100_000 }
}

/// Rounds of 450 blocks with five checkpoints, 100 blocks apart; answers close after 30 blocks.
pub fn job() -> Job {
    Job {
        job_id: "table".into(),
        sn_liquidity_manager_address: format!("0x{:040x}", 1),
        pair_address: format!("0x{:040x}", 2),
        target: "PoL".into(),
        chain_id: 8453,
        genesis: 10_000,
        round_duration_seconds: 900,
        evaluation_interval_blocks: 100,
        live_interval_blocks: 150,
        answer_seconds: 60,
        reveal_seconds: 10,
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

/// Makes events that a real pool would log.
pub struct Maker {
    pool: UniswapV3,
    pub events: Vec<Located>,
}

impl Maker {
    /// A pool at tick 0 with liquidity all over, at the block before the first round.
    pub fn new(job: &Job, liquidity: u128) -> Self {
        let FeeRule::Pips(fee_pips) = job.pool.fee else { panic!("a fixed fee") };
        let core = Core::new(job.pool.tick_spacing, price(0)).unwrap();
        let mut maker = Self { pool: UniswapV3::new(core, fee_pips, false).unwrap(), events: Vec::new() };
        maker.log(FIRST_BLOCK - 2, Event::Initialize { sqrt_price_x96: price(0), tick: Some(0) });
        let widest = 887_272 / job.pool.tick_spacing * job.pool.tick_spacing;
        maker.mint(FIRST_BLOCK - 1, -widest, widest, liquidity);
        maker
    }

    fn log(&mut self, block: u64, event: Event) {
        let line = self.events.len() as u64 + 1;
        self.events.push(Located { place: Place { block, tx_index: 0, log_index: line }, line, event });
    }

    pub fn mint(&mut self, block: u64, tick_lower: i32, tick_upper: i32, liquidity: u128) {
        let key = PositionKey { owner: U256::from(7), tick_lower, tick_upper };
        let amounts = self.pool.mint(key, liquidity).unwrap();
        let owner = Some(key.owner);
        self.log(block, Event::Mint(LiquidityEvent { owner, tick_lower, tick_upper, liquidity, amounts }));
    }

    pub fn burn(&mut self, block: u64, tick_lower: i32, tick_upper: i32, liquidity: u128) {
        let key = PositionKey { owner: U256::from(7), tick_lower, tick_upper };
        let amounts = self.pool.burn(key, liquidity).unwrap();
        let owner = Some(key.owner);
        self.log(block, Event::Burn(LiquidityEvent { owner, tick_lower, tick_upper, liquidity, amounts }));
    }

    pub fn swap(&mut self, block: u64, zero_for_one: bool, amount: Amount, limit: U256) {
        let token_in = usize::from(!zero_for_one);
        let swapped = self.pool.swap_limited(token_in, 1 - token_in, amount, limit, &Context::default()).unwrap();
        let event = SwapEvent {
            zero_for_one,
            amount_in: swapped.amount_in,
            amount_out: swapped.amount_out,
            sqrt_price_x96: swapped.sqrt_price_x96,
            liquidity: swapped.liquidity,
            tick: swapped.tick(),
            fee_pips: None,
            mode: None,
        };
        self.log(block, Event::Swap(event));
    }

    pub fn sell(&mut self, block: u64, zero_for_one: bool, amount: u128) {
        self.swap(block, zero_for_one, Amount::In(U256::from(amount)), Core::furthest_limit(zero_for_one));
    }

    /// Swaps until the price is at a tick.
    pub fn move_to(&mut self, block: u64, tick: i32) {
        let all = Amount::In((U256::ONE << 255) - U256::ONE);
        self.swap(block, price(tick) < self.pool.core.sqrt_price_x96, all, price(tick));
    }
}

/// A quiet market with a swap to and fro every ten blocks, over `rounds` rounds.
pub fn to_and_fro(job: &Job, rounds: u64) -> Vec<Located> {
    let mut maker = Maker::new(job, 50_000_000_000);
    for step in 0..45 * rounds {
        maker.sell(FIRST_BLOCK + 1 + step * 10, step % 2 == 1, 10_000_000);
    }
    maker.events
}

pub fn entrant(name: &str, registered_at: u64) -> Entrant {
    Entrant { miner: name.into(), registered_at, built_in: false, authenticated: true, combined_before: 0 }
}

pub fn position(tick_lower: i32, tick_upper: i32, allocation0: u128, allocation1: u128) -> DesiredPosition {
    let (allocation0, allocation1) = (U256::from(allocation0), U256::from(allocation1));
    DesiredPosition { tick_lower, tick_upper, allocation0, allocation1, confidence: None }
}

pub fn wants(positions: &[DesiredPosition]) -> Option<Reply> {
    Some(Reply::Answer(RebalanceAnswer::positions(positions.to_vec())))
}

pub fn refuses() -> Option<Reply> {
    Some(Reply::Answer(RebalanceAnswer::refuse("not today")))
}

/// What each miner does: from checkpoint and question to a reply.
pub type Player<'a> = (&'a str, &'a dyn Fn(u32, &RebalanceQuery) -> Option<Reply>);

/// Plays round 0 over `events`; miners registered in the order of the list.
pub fn play(job: &Job, events: &[Located], players: &[Player<'_>]) -> RoundRecord {
    let mut market = Market::new(job.pool.clone());
    let plan = Plan::of(job, RoundType::Evaluation, 0, &times()).unwrap();
    let entrants = players.iter().enumerate().map(|(index, (name, _))| entrant(name, index as u64)).collect();
    let ask = |checkpoint: &Checkpoint, queries: &[Option<RebalanceQuery>]| {
        let reply = |(index, query): (usize, &Option<RebalanceQuery>)| {
            query.as_ref().and_then(|query| players[index].1(checkpoint.index, query))
        };
        queries.iter().enumerate().map(reply).collect()
    };
    let record = replay_round(job, &plan, &mut market, &mut Tape::new(events), entrants, ask).unwrap();
    assert_eq!(market.mismatches(), 0);
    record.verify().unwrap();
    record
}
