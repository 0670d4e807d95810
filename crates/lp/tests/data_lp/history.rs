//! The Slipstream history, and rounds over parts of it.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use assay_amm::event::{Event, Located, read_csv};
use assay_amm::{PoolKind, U256};
use assay_lp::replay::{Plan, Tape, replay_round};
use assay_lp::{
    Amounts, BlockTime, BlockTimes, Checkpoint, Constraints, DesiredPosition, Entrant, FeeRule, GasRule, Job, Market,
    PoolRule, RebalanceAnswer, RebalanceQuery, Reply, RoundRecord,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

const FILE: &str = "liquidity/velodrome-slipstream-op-weth-op-cl200-0x1e60272c.events.csv.gz";
pub const FIRST_PRICE: &str = "2258127719792565547181614648221";

fn folder() -> PathBuf {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    std::env::var_os("ASSAY_TEST_DATA").map_or_else(|| default.into(), PathBuf::from)
}

/// All events of the pool.
pub fn history() -> &'static [Located] {
    static EVENTS: OnceLock<Vec<Located>> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let path = folder().join(FILE);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        read_csv(text.as_bytes()).unwrap().map(|event| event.unwrap()).collect()
    })
}

/// OP Mainnet makes a block every two seconds.
pub fn times() -> BlockTimes {
    let anchor = BlockTime { number: 105_235_063, timestamp: 1_686_068_903 };
    BlockTimes::Regular { anchor, seconds: 2, head: history().last().unwrap().place.block + 10_000 }
}

/// A job whose round 0 starts at a block.
pub fn job_at(block: u64) -> Job {
    Job {
        job_id: "weth-op".into(),
        sn_liquidity_manager_address: "0x1111111111111111111111111111111111111111".into(),
        pair_address: "0x1e60272caDcFb575247a666c11DBEA146299A2c4".into(),
        target: "PoL".into(),
        chain_id: 10,
        genesis: times().time_of(block).unwrap(),
        round_duration_seconds: 900,
        evaluation_interval_blocks: 45,
        live_interval_blocks: 150,
        answer_seconds: 60,
        reveal_seconds: 10,
        is_active: true,
        inventory: Amounts { amount0: U256::from(10_u64.pow(18)), amount1: U256::from(2_000 * 10_u128.pow(18)) },
        pool: PoolRule { kind: PoolKind::Slipstream, tick_spacing: 200, fee: FeeRule::Events, unstaked_fee_pips: None },
        constraints: Constraints { max_rebalances: 20, ..Constraints::default() },
        allow_rebalance_swap: false,
        gas: GasRule::default(),
        live_minimum_rounds: 0,
        live_needs_confidence: false,
    }
}

/// The market before the first event of block `from` on, with the events from there.
pub fn market_at(from: u64) -> (Market, &'static [Located]) {
    let events = history();
    let mut market = Market::created(job_at(from).pool, FIRST_PRICE.parse().unwrap()).unwrap();
    let place = events.partition_point(|event| event.place.block <= from);
    for event in &events[..place] {
        market.apply(event).unwrap();
    }
    (market, &events[place..])
}

/// The window of `blocks` blocks with the most swaps.
pub fn busiest(blocks: u64) -> (u64, usize) {
    let swaps: Vec<u64> =
        history().iter().filter(|e| matches!(e.event, Event::Swap(_))).map(|e| e.place.block).collect();
    let mut best = (0, 0);
    let mut end = 0;
    for start in 0..swaps.len() {
        while end < swaps.len() && swaps[end] < swaps[start] + blocks {
            end += 1;
        }
        if end - start > best.1 {
            best = (swaps[start] - 1, end - start);
        }
    }
    best
}

pub fn entrants(count: usize) -> Vec<Entrant> {
    let entrant = |index: usize| Entrant {
        miner: format!("{index:064x}"),
        registered_at: index as u64,
        built_in: false,
        authenticated: true,
        combined_before: 0,
    };
    (0..count).map(entrant).collect()
}

/// A range of random width and place around the price, with everything in it.
pub fn random_answer(random: &mut ChaCha8Rng, query: &RebalanceQuery) -> RebalanceAnswer {
    let spacing = query.tick_spacing;
    let tick = assay_amm::concentrated::tick_at_sqrt_price(query.sqrt_price_x96).unwrap();
    let mut below = |limit: u32| random.next_u32() % limit;
    let centre = (tick.div_euclid(spacing) + below(5) as i32 - 2) * spacing;
    let half = (1 + below(10) as i32) * spacing;
    let total = |token: usize| {
        let standing = query.current_positions.iter().map(|p| [p.allocation0, p.allocation1][token]);
        standing.fold(query.inventory_remaining.pair()[token], |sum, amount| sum + amount)
    };
    let (total0, total1) = (total(0), total(1));
    let share = U256::from(1 + below(100));
    let part = |amount: U256| amount * share / U256::from(100);
    RebalanceAnswer::positions(vec![
        DesiredPosition {
            tick_lower: centre - half,
            tick_upper: centre + half,
            allocation0: part(total0),
            allocation1: part(total1),
            confidence: None,
        },
        DesiredPosition {
            tick_lower: centre - 2 * half,
            tick_upper: centre + half,
            allocation0: total0 - part(total0),
            allocation1: total1 - part(total1),
            confidence: None,
        },
    ])
}

/// A round in which every miner answers at random.
pub fn random_round(from: u64, miners: usize, seed: u64, job: &Job) -> RoundRecord {
    let (mut market, events) = market_at(from);
    let plan = Plan::of(job, assay_lp::RoundType::Evaluation, 0, &times()).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let ask = |_: &Checkpoint, queries: &[Option<RebalanceQuery>]| {
        let reply = |query: &Option<RebalanceQuery>| {
            query.as_ref().map(|query| Reply::Answer(random_answer(&mut random, query)))
        };
        queries.iter().map(reply).collect()
    };
    replay_round(job, &plan, &mut market, &mut Tape::new(events), entrants(miners), ask).unwrap()
}

#[test]
fn books_balance_in_rounds_all_over_the_history() {
    let events = history();
    let (first, last) = (events[100].place.block, events.last().unwrap().place.block - 1_000);
    for index in 0..12 {
        let from = first + (last - first) / 12 * index;
        let job = job_at(from);
        let record = random_round(from, 16, index, &job);
        record.verify().unwrap();
        let again = random_round(from, 16, index, &job);
        assert_eq!(record.hash(), again.hash());
        assert_eq!(record.checkpoints.len(), 10);
        // What the record says survives its JSON.
        let read: RoundRecord = serde_json::from_slice(&record.canonical()).unwrap();
        assert_eq!(read, record);
    }
}
