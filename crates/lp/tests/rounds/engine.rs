//! What the engine makes of positions.

use assay_amm::U256;
use assay_amm::concentrated::Amount;
use assay_lp::record::Outcome;
use assay_lp::{FeeRule, Job, RebalanceQuery, Reply, score};
use proptest::prelude::*;

use super::table::{FIRST_BLOCK, Maker, Player, amounts, job, play, position, price, to_and_fro, wants};

/// Entered at tick 0 in [−100, 100] with 1e8 of both and valued at tick 200.
#[test]
fn the_published_position_through_a_whole_round() {
    let mut job = Job { inventory: amounts(100_000_000, 100_000_000), ..job() };
    job.pool.tick_spacing = 100;
    job.pool.fee = FeeRule::Pips(0);
    let mut maker = Maker::new(&job, 1_000_000_000_000);
    maker.move_to(FIRST_BLOCK + 200, 200);
    let enter = |checkpoint: u32, query: &RebalanceQuery| -> Option<Reply> {
        match checkpoint {
            0 => wants(&[position(-100, 100, 100_000_000, 100_000_000)]),
            _ => wants(&query.current_positions),
        }
    };
    let record = play(&job, &maker.events, &[("a", &enter)]);
    let measured = &record.miners[0].measured;
    let rest = measured.inventory;
    assert_eq!(measured.principal, amounts(0, 200_501_226));
    assert!(rest.amount0 <= U256::ONE && rest.amount1 <= U256::ONE, "{rest}");
    assert_eq!(record.miners[0].judgement.value_hold, U256::from(202_020_031));
    assert_eq!(record.end_sqrt_price_x96, price(200));
    assert_eq!((measured.owed, measured.collected), (amounts(0, 0), amounts(0, 0)));
}

/// Nobody gains by answering late: what was asked for stands only after the deadline.
#[test]
fn an_answer_takes_effect_after_the_deadline() {
    let job = job();
    let mut maker = Maker::new(&job, 50_000_000_000);
    // A large swap right after the question, before the answer can stand.
    maker.sell(FIRST_BLOCK + 5, true, 2_000_000_000);
    let range = |_: u32, _: &RebalanceQuery| wants(&[position(-5_000, 5_000, 1_000_000_000, 1_000_000_000)]);
    let record = play(&job, &maker.events, &[("a", &range)]);
    let miner = &record.miners[0];
    assert_eq!(miner.answers[0].effective_block, Some(FIRST_BLOCK + 35));
    assert_eq!(miner.judgement.fees, U256::ZERO, "the swap was before it stood");
    // The same again is no rebalance.
    assert_eq!(miner.answers[1].outcome, Outcome::Kept);
    assert_eq!((miner.measured.executions, miner.measured.rebalances), (1, 0));
    assert_eq!((miner.measured.blocks, miner.measured.blocks_in_range), (450, 415));
}

#[test]
fn doing_nothing_is_scored_like_any_strategy() {
    let job = job();
    let mut maker = Maker::new(&job, 50_000_000_000);
    maker.move_to(FIRST_BLOCK + 10, 500);
    let nothing = |_: u32, _: &RebalanceQuery| wants(&[]);
    let record = play(&job, &maker.events, &[("idle", &nothing)]);
    let judgement = &record.miners[0].judgement;
    let hold = assay_lp::hold_score(&job, price(0), price(500)).unwrap();
    assert!(hold > 0);
    assert_eq!((judgement.score, judgement.rank, judgement.gain_over_hold), (hold, Some(1), 0));
    assert_eq!(record.winner.as_deref(), Some("idle"));
}

#[test]
fn value_is_hold_and_principal_and_fees_and_cost() {
    let mut job = job();
    job.gas.price_wei = U256::from(1_000);
    job.gas.per_rebalance = 100;
    job.gas.token1_per_wei_x96 = (U256::ONE << 96) / U256::from(1_000);
    let recentre = |checkpoint: u32, query: &RebalanceQuery| {
        let [total0, total1] = [0, 1].map(|token| {
            let standing = query.current_positions.iter().map(|p| [p.allocation0, p.allocation1][token]);
            standing.fold(query.inventory_remaining.pair()[token], |sum, amount| sum + amount)
        });
        let half = 50 + 10 * checkpoint as i32;
        let mut range = position(-half, half, 0, 0);
        (range.allocation0, range.allocation1) = (total0, total1);
        wants(&[range])
    };
    let record = play(&job, &to_and_fro(&job, 1), &[("a", &recentre)]);
    let (measured, judgement) = (&record.miners[0].measured, &record.miners[0].judgement);
    assert_eq!((measured.executions, measured.rebalances), (5, 4));
    assert_eq!(judgement.rebalance_cost, U256::from(500));
    assert!(judgement.fees > U256::from(1_000), "{}", judgement.fees);
    assert!(!measured.collected.is_zero(), "fees come home at each rebalance");
    let signed = |(positive, size): (bool, U256)| {
        let size = i128::try_from(size).unwrap();
        if positive { size } else { -size }
    };
    let unsigned = |size: U256| i128::try_from(size).unwrap();
    assert_eq!(
        signed(judgement.value_end),
        unsigned(judgement.value_hold) + signed(judgement.principal_change) + unsigned(judgement.fees)
            - unsigned(judgement.rebalance_cost)
    );
}

/// A price that goes and comes back leaves no loss against holding, but one against a
/// portfolio that traded at every price on the way.
#[test]
fn loss_against_rebalancing_remembers_the_way() {
    let mut job = job();
    job.pool.fee = FeeRule::Pips(0);
    // So deep that the miner's own liquidity does not bend the path.
    let mut maker = Maker::new(&job, 50_000_000_000_000_000);
    for step in 0..20 {
        maker.move_to(FIRST_BLOCK + 40 + step, if step % 2 == 0 { 300 } else { 0 });
    }
    let range = |_: u32, _: &RebalanceQuery| wants(&[position(-1_000, 1_000, 1_000_000_000, 1_000_000_000)]);
    let record = play(&job, &maker.events, &[("a", &range)]);
    let (measured, judgement) = (&record.miners[0].measured, &record.miners[0].judgement);
    assert!(judgement.principal_change.1 < U256::from(10), "{judgement:?}");
    let (loss, size) = measured.lvr;
    // Each way costs about L·Δ√P²: twenty ways of 1.5 % on this liquidity.
    assert!(loss && size > U256::from(80_000_000), "{size}");
}

/// R7: with the job's leave the inventory is swapped in the same pool, paying its fee.
#[test]
fn a_one_sided_inventory_can_be_swapped_where_the_job_allows_it() {
    let mut job = Job { inventory: amounts(1_000_000_000, 0), ..job() };
    let both = |checkpoint: u32, query: &RebalanceQuery| match checkpoint {
        0 => wants(&[position(-1_000, 1_000, 490_000_000, 490_000_000)]),
        _ => wants(&query.current_positions),
    };
    let events = to_and_fro(&job, 1);
    let refused = play(&job, &events, &[("a", &both)]);
    assert_eq!(refused.miners[0].answers[0].outcome, Outcome::Invalid);
    job.allow_rebalance_swap = true;
    let record = play(&job, &events, &[("a", &both)]);
    let measured = &record.miners[0].measured;
    assert_eq!(record.miners[0].answers[0].outcome, Outcome::Rebalanced);
    assert!(measured.swapped.amount0 > U256::from(490_000_000) && measured.swapped.amount1.is_zero());
    assert!(measured.principal.amount1 > U256::from(300_000_000), "{}", measured.principal);
}

#[derive(Debug, Clone)]
enum Step {
    Swap(bool, u128),
    MoveTo(i32),
    Mint(i32, i32, u128),
    Exact(bool, u128),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), 1..5_000_000_000_u128).prop_map(|(way, amount)| Step::Swap(way, amount)),
        1 => (-3_000..3_000_i32).prop_map(Step::MoveTo),
        1 => (-200..0_i32, 1..200_i32, 1..100_000_000_000_u128).prop_map(|(a, b, l)| Step::Mint(a * 10, b * 10, l)),
        1 => (any::<bool>(), 1..100_000_000_u128).prop_map(|(way, amount)| Step::Exact(way, amount)),
    ]
}

proptest! {
    /// Whatever happens and whatever miners do, the books balance (`finish` checks them),
    /// nobody's tokens come from nowhere, and the record verifies.
    #[test]
    fn books_balance(
        steps in prop::collection::vec(step(), 1..60),
        ranges in prop::collection::vec((-100..0_i32, 1..100_i32, 0..100_u128), 1..6),
        fee in prop_oneof![Just(0_u32), Just(500), Just(3_000)],
    ) {
        let mut job = job();
        job.pool.fee = FeeRule::Pips(fee);
        job.constraints.max_rebalances = 20;
        let mut maker = Maker::new(&job, 20_000_000_000);
        let mut minted = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let block = FIRST_BLOCK + 1 + 440 * index as u64 / steps.len() as u64;
            match *step {
                Step::Swap(way, amount) => maker.sell(block, way, amount),
                Step::MoveTo(tick) => {
                    maker.move_to(block, 5_000);
                    maker.move_to(block, tick);
                }
                Step::Mint(lower, upper, liquidity) => {
                    maker.mint(block, lower, upper, liquidity);
                    minted.push((lower, upper, liquidity));
                }
                Step::Exact(way, amount) => {
                    let limit = assay_amm::concentrated::Core::furthest_limit(way);
                    maker.swap(block, way, Amount::Out(U256::from(amount)), limit);
                }
            }
        }
        for (lower, upper, liquidity) in minted {
            maker.burn(FIRST_BLOCK + 445, lower, upper, liquidity);
        }
        let play_range = |checkpoint: u32, query: &RebalanceQuery| {
            let (lower, upper, percent) = ranges[checkpoint as usize % ranges.len()];
            let part = |token: usize| {
                let standing = query.current_positions.iter().map(|p| [p.allocation0, p.allocation1][token]);
                let all = standing.fold(query.inventory_remaining.pair()[token], |sum, amount| sum + amount);
                all * U256::from(percent) / U256::from(100)
            };
            let mut range = position(lower * 10, upper * 10, 0, 0);
            (range.allocation0, range.allocation1) = (part(0), part(1));
            wants(&[range])
        };
        let hold = |_: u32, _: &RebalanceQuery| wants(&[]);
        let players: [Player<'_>; 2] = [("a", &play_range), ("b", &hold)];
        let record = play(&job, &maker.events, &players);
        let judgement = &record.miners[0].judgement;
        prop_assert_eq!(judgement.score, score(judgement.gain, judgement.loss0.max(judgement.loss1)).0
            .min(if judgement.remarks.iter().any(|remark| remark.starts_with("max_il")) { 0 } else { i128::MAX }));
        prop_assert_eq!(record.unexplained, 0);
        let idle = &record.miners[1];
        prop_assert_eq!(idle.measured.inventory, job.inventory);
        prop_assert_eq!(idle.judgement.gain_over_hold, 0);
    }
}

/// At an extreme price a few units would fill a tick and keep the recorded full-range
/// liquidity of everybody else out of the miner's pool.
#[test]
fn nobody_fills_a_tick_to_keep_others_out() {
    let job = Job { inventory: amounts(1_000_000_000_000, 1_000_000_000), ..job() };
    let widest = 887_272 / 10 * 10;
    let mut maker = Maker::new(&job, 50_000_000_000);
    maker.mint(FIRST_BLOCK + 60, -widest, widest, 70_000_000_000);
    maker.burn(FIRST_BLOCK + 420, -widest, widest, 70_000_000_000);
    let extreme = |_: u32, _: &RebalanceQuery| wants(&[position(widest - 60, widest, 1_000_000_000_000, 0)]);
    let record = play(&job, &maker.events, &[("a", &extreme)]);
    let (answer, measured) = (&record.miners[0].answers[0], &record.miners[0].measured);
    assert_eq!((answer.outcome, measured.skipped), (Outcome::Invalid, 0));
    assert!(answer.reason.as_deref().is_some_and(|reason| reason.contains("half of what a tick may carry")));
}
