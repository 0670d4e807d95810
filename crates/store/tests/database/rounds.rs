//! A round is completed once, with everything it changes or nothing.

use assay_store::database::{CompletedRound, DatabaseError, JobsDatabase, MinerScore, RoundMode, RoundStatus};

use crate::both::both;
use crate::samples::{JOB, completed, day, prediction, round, score};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_processes_one_completes_a_round() {
    for empty in both() {
        let databases =
            [JobsDatabase::open(&empty.location).await.unwrap(), JobsDatabase::open(&empty.location).await.unwrap()];
        databases[0].put_round(&round(0, RoundStatus::Active), None).await.unwrap();
        for number in [0, 1] {
            // Number 0 is there as an active round, number 1 is not there at all.
            let attempts = (0..8).map(|n| {
                let database = databases[n % 2].clone();
                tokio::spawn(async move {
                    let round = completed(number);
                    let miner = format!("m{number}");
                    let completed = CompletedRound {
                        round: &round,
                        predictions: &[prediction(&round, &miner, 0)],
                        scores: &[score(&miner, 10)],
                        participation: &[day(&miner, "2026-01-01", 1, 1, 0)],
                    };
                    database.complete_round(completed, None).await
                })
            });
            let mut done = 0;
            for attempt in attempts.collect::<Vec<_>>() {
                match attempt.await.unwrap() {
                    Ok(()) => done += 1,
                    Err(DatabaseError::AlreadyCompleted { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(done, 1);
            let days = databases[0].participation(JOB, &format!("m{number}"), "2026-01-01").await.unwrap();
            assert_eq!(days, [day(&format!("m{number}"), "2026-01-01", 1, 1, 0)]);
        }
        let scores = databases[1].scores(JOB, RoundMode::Follow).await.unwrap();
        assert_eq!(scores.iter().map(|score| score.version).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(databases[1].round(&completed(0).round_id, RoundMode::Follow).await.unwrap(), Some(completed(0)));
        for error in [
            databases[0].put_round(&round(0, RoundStatus::Active), None).await.unwrap_err(),
            databases[0]
                .fail_round(&round(0, RoundStatus::Active).round_id, RoundMode::Follow, "", 0, None)
                .await
                .unwrap_err(),
        ] {
            assert!(matches!(error, DatabaseError::AlreadyCompleted { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn a_round_that_cannot_be_completed_changes_nothing() {
    for empty in both() {
        let database = JobsDatabase::open(&empty.location).await.unwrap();
        let first = completed(0);
        let base = CompletedRound { round: &first, predictions: &[], scores: &[], participation: &[] };
        let given = [score("a", 1), score("b", 2)];
        database.complete_round(CompletedRound { scores: &given, ..base }, None).await.unwrap();

        // Made from the scores before the first round: someone else was faster.
        let second = completed(1);
        let answers = [prediction(&second, "a", 0)];
        let days = [day("a", "2026-01-01", 1, 1, 0)];
        let fresh = MinerScore { version: 1, ..score("b", 5) };
        let stale = [fresh.clone(), score("a", 7)];
        let moved = CompletedRound { round: &second, predictions: &answers, scores: &stale, participation: &days };
        let error = database.complete_round(moved, None).await.unwrap_err();
        assert!(matches!(error, DatabaseError::ScoresMoved { .. }), "{error}");
        // Rows of another round, job or mode; counts that no column holds.
        let strange = [prediction(&first, "a", 0)];
        let practice = [MinerScore { mode: RoundMode::Practice, ..score("c", 1) }];
        let huge = [MinerScore { missed: u64::MAX, ..score("c", 1) }];
        for wrong in [
            CompletedRound { predictions: &strange, ..moved },
            CompletedRound { scores: &practice, ..moved },
            CompletedRound { scores: &huge, ..moved },
            CompletedRound { round: &round(1, RoundStatus::Active), ..moved },
        ] {
            let error = database.complete_round(wrong, None).await.unwrap_err();
            let named = matches!(error, DatabaseError::Mismatch { .. } | DatabaseError::OutOfRange { .. });
            assert!(named && !error.is_retryable(), "{error}");
        }
        assert_eq!(database.round(&second.round_id, RoundMode::Follow).await.unwrap(), None);
        assert_eq!(database.predictions(&second.round_id, RoundMode::Follow).await.unwrap(), []);
        assert_eq!(database.participation(JOB, "a", "2026-01-01").await.unwrap(), []);
        assert_eq!(database.scores(JOB, RoundMode::Follow).await.unwrap()[0].combined, 2);

        let right = [fresh, MinerScore { version: 1, ..score("a", 7) }];
        database.complete_round(CompletedRound { scores: &right, ..moved }, None).await.unwrap();
        let scores = database.scores(JOB, RoundMode::Follow).await.unwrap();
        assert_eq!(scores[0], MinerScore { version: 2, ..score("a", 7) });
    }
}

#[tokio::test]
async fn scores_are_in_the_order_of_numbers() {
    for empty in both() {
        let database = JobsDatabase::open(&empty.location).await.unwrap();
        let values = [9, 10, -1, -20, i128::MAX, i128::MIN, 9, 0];
        let scores: Vec<MinerScore> = values
            .iter()
            .enumerate()
            .map(|(n, value)| MinerScore { live_ema: 0, ..score(&format!("{n}"), *value) })
            .collect();
        let round = completed(0);
        let completed = CompletedRound { round: &round, predictions: &[], scores: &scores, participation: &[] };
        database.complete_round(completed, None).await.unwrap();
        let found = database.scores(JOB, RoundMode::Follow).await.unwrap();
        let order: Vec<&str> = found.iter().map(|score| score.miner.as_str()).collect();
        assert_eq!(order, ["4", "1", "0", "6", "7", "2", "3", "5"]);
        assert_eq!(found[0], MinerScore { version: 1, ..scores[4].clone() });
        assert_eq!(database.scores(JOB, RoundMode::Practice).await.unwrap(), []);
    }
}
