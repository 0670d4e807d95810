//! The environment that policies learn in, against rounds that are played as validators do.

use assay_amm::event::Located;
use assay_lp::environment::{ACTIONS, Environment, INPUTS, Limits, Observation, Observer, RecordedRound};
use assay_lp::fixed::ONE;
use assay_lp::replay::{Plan, Tape, replay_round};
use assay_lp::{Checkpoint, Job, Market, RebalanceQuery, Reply, RoundType, hold_score};

use super::table::{FIRST_BLOCK, Maker, entrant, job, times};

const ROUNDS: u64 = 6;

/// A market that walks up and down, with someone else's liquidity coming and going.
fn walk(job: &Job, seed: u64) -> Vec<Located> {
    let mut maker = Maker::new(job, 50_000_000_000);
    let mut state = seed;
    for step in 0..45 * ROUNDS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (block, size) = (FIRST_BLOCK + 1 + step * 10, 50_000_000 + u128::from(state >> 60) * 40_000_000);
        maker.sell(block, state >> 40 & 1 == 1, size);
        if step % 40 == 7 {
            maker.mint(block, -1_200, 1_200, 2_000_000_000);
        }
        if step % 40 == 30 {
            maker.burn(block, -1_200, 1_200, 2_000_000_000);
        }
    }
    maker.events
}

fn plan(job: &Job, number: u64) -> Plan {
    Plan::of(job, RoundType::Evaluation, number, &times()).unwrap()
}

fn recorded(job: &Job, events: &[Located]) -> Vec<RecordedRound> {
    let mut market = Market::new(job.pool.clone());
    let mut from = 0;
    let take = |number: u64| {
        let plan = plan(job, number);
        let start = events.partition_point(|event| event.place.block <= plan.start.number);
        Tape::new(&events[from..start]).advance(&mut market, plan.start.number).unwrap();
        from = events.partition_point(|event| event.place.block <= plan.end.number);
        RecordedRound::take(&plan, &mut market, &events[start..from]).unwrap()
    };
    (0..ROUNDS).map(take).collect()
}

/// Some sequence of actions that uses all of them.
fn choice(index: usize) -> usize {
    (index * 7 + index / 3) % ACTIONS.len()
}

#[test]
fn rewards_sum_to_the_score_that_a_validator_gives() {
    let mut job = job();
    job.gas.price_wei = "3".parse().unwrap();
    (job.gas.per_rebalance, job.gas.token1_per_wei_x96) = (1_000, assay_amm::U256::ONE << 96);
    let events = walk(&job, 3);
    let rounds = recorded(&job, &events);
    let limits = Limits::of(&job, 2);
    let mut environment = Environment::new(&job, &rounds, limits, 0).unwrap();
    let mut market = Market::new(job.pool.clone());
    let mut observer = Observer::new(limits);
    let (mut steps, mut moved) = (0, 0);
    let mut tape = Tape::new(&events);
    for number in 0..ROUNDS {
        let (mut sum, mut learned) = (0.0, None);
        let mut seen: Vec<Observation> = Vec::new();
        let first = steps;
        while learned.is_none() {
            assert_eq!(environment.place() as u64, number);
            seen.push(*environment.observation());
            let step = environment.step(choice(steps)).unwrap();
            (sum, learned, steps) = (sum + step.reward, step.over_hold, steps + 1);
        }
        let ask = |checkpoint: &Checkpoint, queries: &[Option<RebalanceQuery>]| {
            let (query, index) = (queries[0].as_ref().unwrap(), checkpoint.index as usize);
            assert_eq!(observer.observe(query).unwrap(), seen[index], "round {number}, question {index}");
            vec![Some(Reply::Answer(observer.answer(query, ACTIONS[choice(first + index)], "test")))]
        };
        let plan = plan(&job, number);
        let record = replay_round(&job, &plan, &mut market, &mut tape, vec![entrant("policy", 0)], ask).unwrap();
        assert_eq!(record.checkpoints.len(), seen.len());
        let hold = hold_score(&job, record.start_sqrt_price_x96, record.end_sqrt_price_x96).unwrap();
        let over_hold = record.miners[0].judgement.score - hold;
        assert_eq!(learned, Some(over_hold));
        assert!((sum - over_hold as f64 / ONE as f64 * 10_000.0).abs() < 1e-6, "{sum} and {over_hold}");
        assert!(record.miners[0].answers.iter().all(|answer| answer.outcome.is_answered()));
        moved += record.miners[0].measured.executions;
    }
    assert!(moved > 8, "{moved} changes of positions");
    // After the last round comes the first, with nothing remembered.
    assert_eq!(environment.place(), 0);
    assert_eq!(environment.observation(), Environment::new(&job, &rounds, limits, 0).unwrap().observation());
}

#[test]
fn the_past_decides_what_is_observed_and_nothing_else() {
    let job = job();
    let events = walk(&job, 5);
    let observations = |events: &[Located]| {
        let rounds = recorded(&job, events);
        let mut environment = Environment::new(&job, &rounds, Limits::of(&job, 2), 0).unwrap();
        let mut seen = Vec::new();
        for index in 0..15 {
            let round = &rounds[environment.place()];
            let question = index % round.checkpoints();
            seen.push((round.plan.checkpoints[question].0.block, *environment.observation()));
            environment.step(choice(index)).unwrap();
        }
        seen
    };
    let whole = observations(&events);
    assert!(whole.iter().flat_map(|(_, numbers)| numbers).all(|number| number.is_finite() && number.abs() <= 5.0));
    for input in 0..INPUTS {
        let first = whole[0].1[input];
        let moves = whole.iter().any(|(_, numbers)| (numbers[input] - first).abs() > 1e-4);
        assert!(moves, "number {input} never changes");
    }
    for (block, _) in &whole[1..] {
        let cut = events.partition_point(|event| event.place.block <= *block);
        let shortened = observations(&events[..cut]);
        let before = whole.iter().take_while(|(other, _)| other <= block).count();
        assert_eq!(whole[..before], shortened[..before], "what follows block {block} is seen before it");
    }
}

#[test]
fn a_restored_environment_goes_on_as_before() {
    let job = job();
    let events = walk(&job, 7);
    let rounds = recorded(&job, &events);
    let limits = Limits::of(&job, 2);
    let mut environment = Environment::new(&job, &rounds, limits, 2).unwrap();
    for index in 0..10 {
        environment.step(choice(index)).unwrap();
    }
    let state = serde_json::from_slice(&serde_json::to_vec(environment.state()).unwrap()).unwrap();
    let mut copy = Environment::new(&job, &rounds, limits, 0).unwrap();
    copy.restore(&state).unwrap();
    for index in 10..40 {
        assert_eq!((copy.place(), copy.observation()), (environment.place(), environment.observation()));
        assert_eq!(copy.step(choice(index)).unwrap(), environment.step(choice(index)).unwrap());
    }
    let mut other = Environment::new(&job, &rounds[..1], limits, 0).unwrap();
    assert!(other.restore(&state).is_err());
    assert!(Environment::new(&job, &[], limits, 0).is_err());
}
