//! Which answers count, and what the others cost.

use assay_lp::record::Outcome;
use assay_lp::{DesiredPosition, Job, JobError, RebalanceAnswer, RebalanceQuery, Reply};

use super::table::{job, play, position, refuses, to_and_fro, wants};

/// The outcome and reason of one first answer.
fn first(job: &Job, positions: &[DesiredPosition]) -> (Outcome, String) {
    let once = |checkpoint: u32, _: &RebalanceQuery| if checkpoint == 0 { wants(positions) } else { wants(&[]) };
    let record = play(job, &to_and_fro(job, 1), &[("a", &once)]);
    let answer = &record.miners[0].answers[0];
    (answer.outcome, answer.reason.clone().unwrap_or_default())
}

#[test]
fn constraints_are_enforced_with_their_values() {
    let job = job();
    for (positions, reason) in [
        (vec![position(-105, 100, 1, 1)], "off the grid of 10 ticks"),
        (vec![position(-10, 10, 1, 1)], "narrower than 60 ticks"),
        (vec![position(100, -100, 1, 1)], "ticks must ascend"),
        (vec![position(-887_280, 0, 1, 1)], "ticks must ascend and lie in -887272"),
        (vec![position(-100, 100, 1_000_000_001, 0)], "1000000001 units of token 0 are above the 1000000000"),
        (vec![position(-100, 100, 0, 600_000_000), position(-200, 100, 0, 600_000_000)], "1200000000 units of token 1"),
        (vec![position(-100, 100, 1, 1), position(-100, 100, 1, 1)], "twice; join the two"),
        ((1..=9).map(|k| position(-100 * k, 100, 1, 1)).collect(), "9 positions are more than the 8"),
    ] {
        let (outcome, found) = first(&job, &positions);
        assert_eq!(outcome, Outcome::Invalid, "{reason}");
        assert!(found.contains(reason), "{found}");
    }
    assert_eq!(first(&job, &[position(-100, 100, 1_000_000_000, 1_000_000_000)]).0, Outcome::Rebalanced);
}

#[test]
fn a_fifth_rebalance_is_refused_and_the_fourth_is_not() {
    let job = job();
    let wander = |checkpoint: u32, _: &RebalanceQuery| {
        let lower = -1_000 - 100 * checkpoint as i32;
        wants(&[position(lower, 1_000, 500_000_000, 500_000_000)])
    };
    let mut narrow = job.clone();
    narrow.constraints.max_rebalances = 3;
    for (job, last) in [(job, Outcome::Rebalanced), (narrow, Outcome::Invalid)] {
        let record = play(&job, &to_and_fro(&job, 1), &[("a", &wander)]);
        let outcomes: Vec<Outcome> = record.miners[0].answers.iter().map(|answer| answer.outcome).collect();
        assert_eq!(outcomes[..4], [Outcome::Rebalanced; 4]);
        assert_eq!(outcomes[4], last);
    }
}

#[test]
fn two_per_cent_more_or_less_is_the_same_position() {
    let job = job();
    for (allocation, outcome) in [(980_000_000, Outcome::Kept), (979_999_999, Outcome::Rebalanced)] {
        let nearly = |checkpoint: u32, _: &RebalanceQuery| {
            let allocation0 = if checkpoint == 0 { 1_000_000_000 } else { allocation };
            // Wholly above the price: only token 0 is placed, and nothing moves it.
            wants(&[position(5_000, 6_000, allocation0, 0)])
        };
        let record = play(&job, &to_and_fro(&job, 1), &[("a", &nearly)]);
        assert_eq!(record.miners[0].answers[1].outcome, outcome, "{allocation}");
    }
}

#[test]
fn answers_that_do_not_read_are_told_why() {
    let read = |text: &str| RebalanceAnswer::read(text.as_bytes()).unwrap_err().to_string();
    let with = |position: &str| format!("{{\"desired_positions\": [{position}]}}");
    let lower = "\"tick_lower\": -100, \"tick_upper\": 100";
    for (text, reason) in [
        (with(&format!("{{{lower}, \"allocation0\": \"-5\", \"allocation1\": \"1\"}}")), "-5"),
        (with(&format!("{{{lower}, \"allocation0\": NaN, \"allocation1\": \"1\"}}")), "does not read"),
        (with(&format!("{{{lower}, \"allocation0\": \"1\", \"allocation1\": \"1e9\"}}")), "1e9"),
        (with(&format!("{{{lower}, \"allocation0\": \"1\"}}")), "allocation1"),
        (with(&format!("{{{lower}, \"allocation0\": \"1\", \"allocation1\": \"1\", \"confidence\": 1.5}}")), "1.5"),
        (with("{\"tick_lower\": 1e99}"), "does not read"),
        ("{}".into(), "accepted without desired_positions"),
        ("[".into(), "does not read"),
        (format!("{{\"accepted\": false, \"refusal_reason\": \"{}\"}}", "x".repeat(300)), "300 is above 256"),
    ] {
        assert!(read(&text).contains(reason), "{text}: {}", read(&text));
    }
    // The seed's camelCase names read too.
    let text = with("{\"tickLower\": -100, \"tickUpper\": 100, \"allocation0\": \"1\", \"allocation1\": \"2\"}");
    assert_eq!(RebalanceAnswer::read(text.as_bytes()).unwrap().desired_positions.unwrap().len(), 1);
}

#[test]
fn a_refusal_is_free_at_the_first_checkpoint_only() {
    let job = job();
    let never = |_: u32, _: &RebalanceQuery| refuses();
    let late = |checkpoint: u32, _: &RebalanceQuery| match checkpoint {
        0 => wants(&[position(-1_000, 1_000, 1_000_000_000, 1_000_000_000)]),
        _ => refuses(),
    };
    let record = play(&job, &to_and_fro(&job, 1), &[("late", &late), ("never", &never)]);
    let [late, never] = &record.miners[..] else { panic!() };
    assert_eq!((never.answers.len(), never.judgement.counted_score, never.judgement.rank), (1, None, None));
    assert!(late.answers[1..].iter().all(|answer| answer.outcome == Outcome::Refused));
    assert_eq!((late.measured.executions, late.judgement.rank), (1, Some(1)), "a late refusal keeps");
}

#[test]
fn more_than_one_in_five_missed_is_unranked() {
    let job = job();
    let range = position(-1_000, 1_000, 1_000_000_000, 1_000_000_000);
    let missing = |from: u32, count: u32| {
        let range = range.clone();
        move |checkpoint: u32, _: &RebalanceQuery| match checkpoint {
            at if (from..from + count).contains(&at) => Some(Reply::Missed("nothing".into())),
            _ => wants(std::slice::from_ref(&range)),
        }
    };
    let (one, two, opening) = (missing(2, 1), missing(2, 2), missing(0, 1));
    let record = play(&job, &to_and_fro(&job, 1), &[("1", &one), ("2", &two), ("opening", &opening)]);
    let ranks: Vec<_> = record.miners.iter().map(|miner| miner.judgement.rank).collect();
    assert_eq!(ranks, [Some(1), None, None]);
    assert!(record.miners[1].judgement.remarks[0].contains("2 of 5 answers"));
    assert!(record.miners[2].judgement.remarks[0].contains("no valid first answer"));
}

#[test]
fn jobs_that_cannot_be_run_are_refused() {
    let broken = |change: fn(&mut Job)| {
        let mut job = job();
        change(&mut job);
        let JobError { field, .. } = job.check().unwrap_err();
        field
    };
    assert_eq!(broken(|job| job.pool.kind = assay_amm::PoolKind::UniswapV2), "pool.kind");
    assert_eq!(broken(|job| job.pool.tick_spacing = 0), "pool.tick_spacing");
    assert_eq!(broken(|job| job.pool.unstaked_fee_pips = Some(1)), "pool.unstaked_fee_pips");
    assert_eq!(broken(|job| job.pool.fee = assay_lp::FeeRule::Pips(1_000_000)), "pool.fee");
    assert_eq!(broken(|job| job.pool.fee = assay_lp::FeeRule::Events), "pool.fee");
    assert_eq!(broken(|job| job.inventory = assay_lp::Amounts::ZERO), "inventory");
    assert_eq!(broken(|job| job.answer_seconds = 890), "answer_seconds");
    assert_eq!(broken(|job| job.pair_address = "0x12".into()), "pair_address");
    assert_eq!(broken(|job| job.job_id = "../../x".into()), "job_id");
    let unknown = serde_json::from_str::<Job>(r#"{"job_id": "x", "pool": {"kind": "uniswap-v9"}}"#);
    assert!(unknown.is_err());
}

/// Twenty seconds between checkpoints leave no minute to answer.
#[test]
fn checkpoints_that_overlap_are_refused() {
    use assay_lp::replay::{Plan, Tape, replay_round};
    let mut job = job();
    job.evaluation_interval_blocks = 10;
    let events = to_and_fro(&job, 1);
    let plan = Plan::of(&job, assay_lp::RoundType::Evaluation, 0, &super::table::times()).unwrap();
    let mut market = assay_lp::Market::new(job.pool.clone());
    let played = replay_round(&job, &plan, &mut market, &mut Tape::new(&events), vec![], |_, _| vec![]);
    assert!(played.unwrap_err().to_string().contains("lower answer_seconds or ask less often"));
}
