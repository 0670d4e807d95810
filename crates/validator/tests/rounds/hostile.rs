//! Miners that do not keep to the protocol cost themselves alone, and gain nothing.

use std::sync::{Arc, Mutex};

use assay_lp::record::Outcome;
use assay_lp::{GasRule, Job, RebalanceAnswer, RebalanceQuery};
use assay_miner::system_clock;

use assay_amm::U256;

use crate::market::{job, position};
use crate::miners::{Deed, Miner, cheat, holds, honest, honest_at, opened, sealed, wants};
use crate::world::{World, source, stepped};

/// Three checkpoints.
fn short_job(name: &str) -> Job {
    Job { evaluation_interval_blocks: 25, ..job(name) }
}

const WIDE: (i32, i32) = (-2_000, 2_000);

fn wide(amount: u128) -> Vec<assay_lp::DesiredPosition> {
    vec![position(WIDE.0, WIDE.1, amount, amount)]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_miner_does_costs_only_itself() {
    let job = short_job("hostile");
    let good = [honest(1, wants(wide(900_000_000))).await, honest(2, holds()).await];
    let quiet = World::new(std::slice::from_ref(&job), &[&good[0], &good[1]]).await;
    quiet.run(source(stepped(&job), &job, 1)).await;
    let alone = quiet.record("hostile_evaluation_0").await;

    let system = system_clock();
    let late_clock = Arc::new(move || system().saturating_sub(3_600_000_000_000));
    let nan = r#"{"accepted":true,"desired_positions":[{"tick_lower":-100,"tick_upper":100,"allocation0":NaN,"allocation1":"1"}]}"#;
    let huge = b"HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n"
        .iter()
        .copied()
        .chain(vec![b'x'; 10 << 20])
        .collect::<Vec<_>>();
    let endless = b"HTTP/1.1 200 OK\r\n\r\n".iter().copied().chain(vec![b'x'; 10 << 20]).collect::<Vec<_>>();
    let gone = {
        let gone = honest(9, holds()).await;
        let (key, url) = (gone.key.clone(), gone.url.clone());
        drop(gone);
        (key, url)
    };
    let bad: Vec<(Miner, Outcome)> = vec![
        (cheat(3, |_| Deed::Silence).await, Outcome::Missed),
        (cheat(4, |_| Deed::Drip).await, Outcome::Missed),
        (cheat(5, move |_| Deed::Raw(huge.clone())).await, Outcome::Missed),
        (cheat(6, move |_| Deed::Raw(endless.clone())).await, Outcome::Missed),
        (
            cheat(7, move |seen| match seen.is_query() {
                true => Deed::Respond(200, sealed(7, &seen.query(), nan)),
                false => Deed::Respond(200, opened(nan)),
            })
            .await,
            Outcome::Invalid,
        ),
        (honest_at(8, wants(wide(900_000_000)), late_clock).await, Outcome::Missed),
        (
            cheat(10, |seen| match seen.is_query() {
                true => Deed::Respond(200, sealed(10, &seen.query(), "{}")),
                false => Deed::Respond(200, opened(r#"{"desired_positions":[]}"#)),
            })
            .await,
            Outcome::Invalid,
        ),
    ];
    let mut miners: Vec<&Miner> = good.iter().collect();
    miners.extend(bad.iter().map(|(miner, _)| miner));
    let world = World::new(std::slice::from_ref(&job), &miners).await;
    let row = assay_store::database::MinerRow {
        miner: gone.0.clone(),
        url: gone.1,
        wire: "native".into(),
        registered_at: 5_000_000,
        active: true,
    };
    world.database.put_miner(&row).await.unwrap();
    world.run(source(stepped(&job), &job, 1)).await;
    let together = world.record("hostile_evaluation_0").await;

    let of = |record: &assay_lp::RoundRecord, key: &str| {
        record.miners.iter().find(|miner| miner.miner == key).unwrap().clone()
    };
    for miner in &good {
        assert_eq!(of(&alone, &miner.key), of(&together, &miner.key));
    }
    assert_eq!(alone.winner, together.winner);
    let worst = good.iter().map(|miner| of(&together, &miner.key).judgement.counted_score.unwrap()).min().unwrap();
    for (key, outcome) in bad.iter().map(|(miner, outcome)| (&miner.key, *outcome)).chain([(&gone.0, Outcome::Missed)])
    {
        let found = of(&together, key);
        assert!(found.answers.iter().all(|answer| answer.outcome == outcome), "{:?}", found.answers);
        assert_eq!(found.answers.len(), 3);
        assert_eq!(found.judgement.rank, None);
        assert!(found.judgement.counted_score.unwrap() <= worst.min(0));
    }
}

/// Refuses, falls silent or withholds from its second answer on; at the first, too.
#[tokio::test(flavor = "multi_thread")]
async fn stepping_aside_never_beats_an_honest_loss() {
    let mut job = short_job("aside");
    // Each execution costs half a percent.
    job.gas = GasRule { price_wei: U256::ONE, per_rebalance: 10_000_000, token1_per_wei_x96: U256::ONE << 96 };
    let loser = honest(
        1,
        Arc::new(|query: &RebalanceQuery| {
            RebalanceAnswer::positions(wide(700_000_000 + 60_000_000 * u128::from(query.rebalances_so_far)))
        }),
    )
    .await;
    let first = Arc::new(Mutex::new(None));
    let refuser = honest(
        2,
        Arc::new(move |query: &RebalanceQuery| {
            let first = *first.lock().unwrap().get_or_insert(query.block_number);
            match query.block_number == first {
                true => RebalanceAnswer::positions(wide(750_000_000)),
                false => RebalanceAnswer::refuse("it goes badly"),
            }
        }),
    )
    .await;
    let text = serde_json::to_string(&RebalanceAnswer::positions(wide(800_000_000))).unwrap();
    let silent_later = {
        let (text, asked) = (text.clone(), Arc::new(Mutex::new(0)));
        cheat(3, move |seen| {
            let mut asked = asked.lock().unwrap();
            *asked += u32::from(seen.is_query());
            match (seen.is_query(), *asked) {
                (_, 2..) => Deed::Silence,
                (true, _) => Deed::Respond(200, sealed(3, &seen.query(), &text)),
                (false, _) => Deed::Respond(200, opened(&text)),
            }
        })
        .await
    };
    let withholder = cheat(4, move |seen| match seen.is_query() {
        true => Deed::Respond(200, sealed(4, &seen.query(), &text)),
        false => Deed::Respond(404, b"{}".to_vec()),
    })
    .await;
    let silent = cheat(5, |_| Deed::Silence).await;
    let world = World::new(std::slice::from_ref(&job), &[&loser, &refuser, &silent_later, &withholder, &silent]).await;
    world.run(source(stepped(&job), &job, 1)).await;
    let record = world.record("aside_evaluation_0").await;
    let of = |miner: &Miner| record.miners.iter().find(|record| record.miner == miner.key).unwrap();
    let honest = of(&loser).judgement.counted_score.unwrap();
    assert!(honest < 0 && of(&loser).judgement.rank.is_some(), "{honest}");
    for miner in [&silent_later, &withholder, &silent] {
        assert!(of(miner).judgement.counted_score.unwrap() <= honest, "{:?}", of(miner).answers);
        assert_eq!(of(miner).judgement.rank, None);
    }
    // Refusing late is keeping: the same score as a miner that stays where it is.
    let outcomes: Vec<_> = of(&refuser).answers.iter().map(|answer| answer.outcome).collect();
    assert_eq!(outcomes, [Outcome::Rebalanced, Outcome::Refused, Outcome::Refused]);
    assert_eq!(of(&withholder).answers[0].outcome, Outcome::Invalid);
    assert_eq!(of(&refuser).measured.executions, 1);
    assert!(of(&refuser).judgement.counted_score.unwrap() < 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn copying_gains_nothing() {
    let job = short_job("copies");
    let leader = honest(1, wants(wide(900_000_000))).await;
    // What won before, to the unit and one percent beside.
    let copier = honest(2, wants(wide(900_000_000))).await;
    let near = honest(3, wants(wide(891_000_000))).await;
    let other = honest(4, wants(wide(800_000_000))).await;
    let world = World::new(std::slice::from_ref(&job), &[&leader, &copier, &near, &other]).await;
    world.run(source(stepped(&job), &job, 2)).await;
    for number in 0..2 {
        let record = world.record(&format!("copies_evaluation_{number}")).await;
        let of =
            |miner: &Miner| record.miners.iter().find(|record| record.miner == miner.key).unwrap().judgement.clone();
        assert_eq!(record.winner.as_ref(), Some(&leader.key));
        for miner in [&copier, &near] {
            assert_eq!((of(miner).rank, of(miner).clone_of.as_ref()), (None, Some(&leader.key)));
            assert!(of(miner).counted_score.unwrap() <= 0);
        }
        assert!(of(&other).rank.is_some() && of(&other).clone_of.is_none());
    }
    let scores = world.database.scores("copies", assay_store::database::RoundMode::Follow).await.unwrap();
    let of = |miner: &Miner| scores.iter().find(|row| row.miner == miner.key).unwrap().combined;
    assert!(of(&leader) > 0 && of(&copier) <= 0 && of(&near) <= 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_opens_an_answer_before_all_are_sealed_or_sees_another() {
    let job = short_job("sealed");
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut miners = Vec::new();
    for seed in 1..5_u16 {
        let log = Arc::clone(&log);
        let tick = 1_000 + 10 * i32::from(seed);
        let answer = RebalanceAnswer::positions(vec![position(-tick, tick, 900_000_000, 900_000_000)]);
        let text = serde_json::to_string(&answer).unwrap();
        miners.push(
            cheat(seed, move |seen| {
                log.lock().unwrap().push((seed, seen.is_query(), String::from_utf8(seen.body.clone()).unwrap()));
                match seen.is_query() {
                    true => Deed::Respond(200, sealed(seed, &seen.query(), &text)),
                    false => Deed::Respond(200, opened(&text)),
                }
            })
            .await,
        );
    }
    let all: Vec<&Miner> = miners.iter().collect();
    let world = World::new(std::slice::from_ref(&job), &all).await;
    world.run(source(stepped(&job), &job, 1)).await;
    let record = world.record("sealed_evaluation_0").await;
    assert!(record.miners.iter().all(|miner| miner.answers[0].outcome == Outcome::Rebalanced));
    let log = log.lock().unwrap();
    // The last checkpoint belongs to the next round, which the events cut off.
    for (phase, requests) in log.chunks(4).take(6).enumerate() {
        assert!(requests.iter().all(|(_, is_query, _)| *is_query == (phase % 2 == 0)), "{phase}: {requests:?}");
    }
    for (seed, _, body) in log.iter() {
        let others = (1..5_u16).filter(|other| other != seed).map(|other| (1_000 + 10 * other).to_string());
        assert!(others.into_iter().all(|tick| !body.contains(&format!("_lower\":-{tick}"))), "{body}");
    }
}
