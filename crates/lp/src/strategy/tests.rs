use assay_amm::U256;
use assay_amm::concentrated::{MAX_TICK, MIN_TICK, sqrt_price_at_tick};
use proptest::prelude::{Just, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as _;

use super::*;
use crate::amounts::Amounts;
use crate::decision::{Decision, decide};
use crate::job::{Constraints, FeeRule};
use crate::query::RoundType;

fn job(spacing: i32, max_rebalances: u32, min_tick_width: i32) -> Job {
    let address = format!("0x{}", "a".repeat(40));
    let text = serde_json::json!({
        "job_id": "test", "sn_liquidity_manager_address": address, "pair_address": address, "genesis": 0,
        "inventory": {"amount0": "1", "amount1": "1"},
        "pool": {"kind": "slipstream", "tick_spacing": spacing, "fee": "events"}
    });
    let mut job: Job = serde_json::from_str(&text.to_string()).unwrap();
    job.constraints = Constraints { max_rebalances, min_tick_width, ..Constraints::default() };
    assert_eq!((job.check(), job.pool.fee), (Ok(()), FeeRule::Events));
    job
}

fn query(job: &Job, block: u64, tick: i32, tokens: [u128; 2]) -> RebalanceQuery {
    RebalanceQuery {
        job_id: job.job_id.clone(),
        sn_liquidity_manager_address: job.sn_liquidity_manager_address.clone(),
        pair_address: job.pair_address.clone(),
        chain_id: job.chain_id,
        round_id: "round".to_owned(),
        round_type: RoundType::Evaluation,
        block_number: block,
        current_price: 1.0,
        sqrt_price_x96: sqrt_price_at_tick(tick).unwrap(),
        current_positions: Vec::new(),
        inventory_remaining: Amounts::from(tokens.map(U256::from)),
        rebalances_so_far: 0,
        tick_spacing: job.pool.tick_spacing,
    }
}

/// Every kind that is known, with any argument.
fn strategy() -> impl proptest::strategy::Strategy<Value = String> {
    let kinds = prop::sample::select(KNOWN.to_vec());
    (kinds, 1..=20_000_u32, 1..=MAX_MULTIPLE).prop_map(|(kind, width, multiple)| {
        kind.replace("WIDTH", &width.to_string()).replace(":K", &format!(":{multiple}"))
    })
}

proptest! {
    /// Over any walk of prices and any tokens, every answer can be held and no more
    /// rebalances are asked for than allowed.
    #[test]
    fn every_answer_is_valid(
        text in strategy(),
        spacing in prop_oneof![Just(1), Just(10), Just(60), Just(100), Just(200), Just(16_383)],
        max_rebalances in 0_u32..4,
        min_width in 1_i32..3_000,
        ticks in prop::collection::vec(MIN_TICK..MAX_TICK, 1..4),
        moves in prop::collection::vec(-3_000_i32..3_000, 10),
        tokens in [0_u128..1_u128 << 100, 0_u128..1_u128 << 100],
    ) {
        let job = job(spacing, max_rebalances, min_width);
        let mut strategy: Strategy = text.parse().unwrap();
        // Widths off the grid are refused for a job and rounded up without one.
        strategy.limits = Limits { max_rebalances, min_width };
        prop_assert_eq!(strategy.to_string(), text);
        for (round, first) in ticks.into_iter().enumerate() {
            let mut tick = first;
            let mut last: Option<Vec<DesiredPosition>> = None;
            let mut standing = Vec::new();
            let mut inventory = tokens;
            let (mut executions, mut rebalances) = (0, 0);
            for (index, change) in moves.iter().enumerate() {
                let mut shown = query(&job, index as u64 * 100, tick, inventory);
                shown.round_id = format!("round {round}");
                shown.rebalances_so_far = rebalances;
                shown.current_positions.clone_from(&standing);
                let answer = strategy.answer(&shown);
                let desired = answer.desired_positions.clone().unwrap();
                let read = RebalanceAnswer::read(&serde_json::to_vec(&answer).unwrap()).unwrap();
                prop_assert_eq!(read.desired_positions, Some(desired.clone()));
                let decision = decide(&job, &shown, last.as_deref(), executions > 0, &desired);
                if decision == Ok(Decision::Rebalance) {
                    // Everything asked for stands then, and the rest is the inventory.
                    rebalances += u32::from(executions > 0);
                    executions += 1;
                    let placed = crate::placement::total_allocation(&desired).unwrap();
                    let total = Amounts::from(tokens.map(U256::from));
                    let left = total.checked_sub(placed).unwrap();
                    inventory = left.pair().map(|amount| u128::try_from(amount).unwrap());
                    standing.clone_from(&desired);
                    last = Some(desired);
                } else {
                    prop_assert_eq!(decision, Ok(Decision::Keep));
                }
                prop_assert!(rebalances <= max_rebalances);
                tick = (tick + change).clamp(MIN_TICK, MAX_TICK - 1);
            }
        }
    }
}

#[test]
fn a_range_lies_around_the_price_on_the_grid() {
    let job = job(200, 4, 60);
    for (tick, width, range) in [
        (67_040, 1_000, (66_600, 67_600)),
        (67_099, 200, (67_000, 67_200)),
        (-1, 200, (-200, 0)),
        (-1, 400, (-200, 200)),
        (0, 150, (0, 200)),
        (MAX_TICK - 1, 400, (886_800, 887_200)),
        (MIN_TICK, 1_000, (-887_200, -886_200)),
    ] {
        let query = query(&job, 0, tick, [1, 1]);
        assert_eq!(View::of(&query, 60).unwrap().around(width), range, "{tick} {width}");
    }
}

#[test]
fn base_limit_places_what_the_base_cannot_use() {
    let job = job(200, 4, 60);
    let answer = |tokens: [u128; 2]| {
        let mut strategy: Strategy = "base-limit:1000".parse().unwrap();
        strategy.answer(&query(&job, 0, 100, tokens)).desired_positions.unwrap()
    };
    let ranges =
        |tokens| answer(tokens).iter().map(|position| (position.tick_lower, position.tick_upper)).collect::<Vec<_>>();
    let unit = 10_u128.pow(18);
    assert_eq!(ranges([unit, unit]), [(-400, 600)]);
    assert_eq!(ranges([3 * unit, unit]), [(-400, 600), (200, 1_200)]);
    assert_eq!(ranges([unit, 3 * unit]), [(-400, 600), (-1_000, 0)]);
    let [base, limit] = &answer([unit, 3 * unit])[..] else { panic!("two positions") };
    assert_eq!((base.allocation0, limit.allocation0), (U256::from(unit), U256::ZERO));
    assert_eq!(base.allocation1 + limit.allocation1, U256::from(3 * unit));
    assert!(limit.allocation1 > U256::from(unit), "{limit:?}");
}

#[test]
fn texts_that_name_no_strategy_say_what_would() {
    let error = |text: &str| text.parse::<Strategy>().unwrap_err().to_string();
    assert!(error("martingale").contains("known are hold, full-range, fixed:WIDTH"));
    assert!(error("").contains("known are"));
    for text in ["fixed", "fixed:", "fixed:-200", "fixed:0", "fixed:1e3", "recentre:887273"] {
        assert!(error(text).contains(":WIDTH with a width of 1 … 887272 ticks"), "{text}");
    }
    assert!(error("volatility:0").contains("volatility:K with a K of 1 … 1000"));
    assert!(error("hold:1").contains("takes no argument"));
    let job = job(200, 4, 1_001);
    let refused = |text: &str| text.parse::<Strategy>().unwrap().for_job(&job).unwrap_err().reason;
    assert!(refused("fixed:1500").contains("off the grid of 200 ticks: take 1400 or 1600"));
    assert!(refused("recentre:100").ends_with("take 200"));
    assert!(refused("base-limit:800").contains("narrower than the 1001 of the job"));
    for strategy in Strategy::baselines(&job) {
        assert_eq!(strategy.to_string().parse::<Strategy>().unwrap(), strategy);
        assert!(strategy.for_job(&job).is_ok());
    }
}
