//! Whole rounds that follow a recorded market on a stepped clock.

use assay_lp::record::Outcome;
use assay_lp::{Mode, hold_score};
use assay_store::database::RoundMode;

use crate::market::{job, position};
use crate::miners::{holds, honest, wants};
use crate::world::{World, source, stepped};

#[tokio::test(flavor = "multi_thread")]
async fn a_round_is_asked_judged_and_stored() {
    let job = job("follow");
    let wide = honest(1, wants(vec![position(-2_000, 2_000, 900_000_000, 900_000_000)])).await;
    let narrow = honest(2, wants(vec![position(-100, 100, 900_000_000, 900_000_000)])).await;
    let idle = honest(3, holds()).await;
    let world = World::new(std::slice::from_ref(&job), &[&wide, &narrow, &idle]).await;
    world.run(source(stepped(&job), &job, 2)).await;

    let first = world.record("follow_evaluation_0").await;
    let second = world.record("follow_evaluation_1").await;
    assert_eq!((first.mode, first.miners.len(), first.checkpoints.len()), (Mode::Follow, 3, 6));
    assert_eq!(second.start, first.end);
    let outcomes = |miner: usize| first.miners[miner].answers.iter().map(|answer| answer.outcome).collect::<Vec<_>>();
    assert_eq!(outcomes(0)[..2], [Outcome::Rebalanced, Outcome::Kept]);
    assert_eq!(outcomes(2), [Outcome::Kept; 6]);

    // Doing nothing is scored like any strategy, with the score of holding.
    let hold = hold_score(&job, first.start_sqrt_price_x96, first.end_sqrt_price_x96).unwrap();
    assert_eq!(first.miners[2].judgement.counted_score, Some(hold));
    assert!(first.miners[2].judgement.rank.is_some());
    assert!(first.winner.is_some());

    let predictions = world.database.predictions("follow_evaluation_0", RoundMode::Follow).await.unwrap();
    assert_eq!(predictions.len(), 18);
    assert!(predictions.iter().all(|row| row.authenticated && row.commitment.is_some() && row.salt.is_some()));

    let scores = world.database.scores("follow", RoundMode::Follow).await.unwrap();
    for row in &scores {
        let mut own = assay_lp::reputation::Reputation::default();
        for record in [&first, &second] {
            let miner = record.miners.iter().find(|miner| miner.miner == row.miner).unwrap();
            let hold = hold_score(&job, record.start_sqrt_price_x96, record.end_sqrt_price_x96).unwrap();
            assert_eq!(miner.combined_before, own.combined());
            own = own.after(record.round_type, miner.judgement.counted_score.unwrap(), hold);
        }
        assert_eq!((row.evaluation_ema, row.combined, row.scored_rounds), (own.evaluation_ema, own.combined(), 2));
        let days = world.database.participation("follow", &row.miner, "2025-01-01").await.unwrap();
        assert_eq!(days.iter().map(|day| (day.offered, day.answered)).collect::<Vec<_>>(), [(2, 2)]);
    }
    assert_eq!(scores.len(), 3);
}
