//! One process runs a job.

use assay_store::database::{
    CompletedRound, DatabaseError, Execution, JobsDatabase, Prediction, RoundMode, RoundStatus, TransactionStatus,
};

use crate::both::both;
use crate::samples::{JOB, completed, execution, prediction, round};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_processes_one_has_the_lease() {
    for empty in both() {
        let database = JobsDatabase::open(&empty.location).await.unwrap();
        let other = JobsDatabase::open(&empty.location).await.unwrap();
        let attempts = (0..8).map(|n| {
            let database = if n % 2 == 0 { database.clone() } else { other.clone() };
            tokio::spawn(async move { database.take_lease(JOB, &format!("validator {n}"), 0, 100).await })
        });
        let mut leases = Vec::new();
        for attempt in attempts.collect::<Vec<_>>() {
            match attempt.await.unwrap() {
                Ok(lease) => leases.push(lease),
                Err(DatabaseError::LeaseHeld { owner, .. }) => assert!(owner.starts_with("validator"), "{owner}"),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(leases.len(), 1);
    }
}

#[tokio::test]
async fn a_lease_that_is_lost_completes_nothing() {
    for empty in both() {
        let database = JobsDatabase::open(&empty.location).await.unwrap();
        let mut first = database.take_lease(JOB, "one", 0, 100).await.unwrap();
        database.renew_lease(&mut first, 200).await.unwrap();
        let error = database.take_lease(JOB, "two", 199, 300).await.unwrap_err();
        assert!(matches!(&error, DatabaseError::LeaseHeld { owner, .. } if owner == "one"), "{error}");
        let mut second = database.take_lease(JOB, "two", 200, 300).await.unwrap();

        let round = completed(0);
        let completed = CompletedRound { round: &round, predictions: &[], scores: &[], participation: &[] };
        let error = database.complete_round(completed, Some(&first)).await.unwrap_err();
        assert!(matches!(error, DatabaseError::LeaseLost { .. }), "{error}");
        let error = database.renew_lease(&mut first, 900).await.unwrap_err();
        assert!(matches!(error, DatabaseError::LeaseLost { .. }), "{error}");
        // The same owner after a restart ends what it took before it.
        let again = database.take_lease(JOB, "two", 210, 400).await.unwrap();
        let error = database.renew_lease(&mut second, 900).await.unwrap_err();
        assert!(matches!(error, DatabaseError::LeaseLost { .. }), "{error}");
        // Giving back a lost lease takes nothing from its new owner.
        database.release_lease(first).await.unwrap();
        database.complete_round(completed, Some(&again)).await.unwrap();
        database.release_lease(again).await.unwrap();
        database.take_lease(JOB, "three", 211, 400).await.unwrap();
    }
}

#[tokio::test]
async fn who_lost_the_lease_writes_nothing() {
    for empty in both() {
        let database = JobsDatabase::open(&empty.location).await.unwrap();
        let old = database.take_lease(JOB, "one", 0, 100).await.unwrap();
        let active = round(0, RoundStatus::Active);
        database.put_round(&active, Some(&old)).await.unwrap();
        let answers = [prediction(&active, "a", 0)];
        database.put_predictions(&answers, Some(&old)).await.unwrap();
        let step = execution("e0", 0);
        assert!(database.claim_execution(&step, Some(&old)).await.unwrap());
        let new = database.take_lease(JOB, "two", 100, 300).await.unwrap();

        let other = [Prediction { answer: Some("other".into()), ..answers[0].clone() }];
        let begun = round(1, RoundStatus::Active);
        let confirmed = Execution { tx_status: TransactionStatus::Confirmed, ..step.clone() };
        for error in [
            database.put_round(&begun, Some(&old)).await.unwrap_err(),
            database.fail_round(&active.round_id, RoundMode::Follow, "", 9, Some(&old)).await.unwrap_err(),
            database.put_predictions(&other, Some(&old)).await.unwrap_err(),
            database.claim_execution(&execution("e1", 1), Some(&old)).await.unwrap_err(),
            database.update_execution(&confirmed, Some(&old)).await.unwrap_err(),
        ] {
            assert!(matches!(error, DatabaseError::LeaseLost { .. }), "{error}");
        }
        assert_eq!(database.unfinished_rounds(None).await.unwrap(), vec![active.clone()]);
        assert_eq!(database.predictions(&active.round_id, RoundMode::Follow).await.unwrap(), answers);
        assert_eq!(database.executions(&step.round_id).await.unwrap(), vec![step.clone()]);

        // The new owner goes on, until the round is completed.
        assert!(!database.claim_execution(&step, Some(&new)).await.unwrap());
        assert!(database.update_execution(&confirmed, Some(&new)).await.unwrap());
        database.put_predictions(&answers, Some(&new)).await.unwrap();
        let round = completed(0);
        let completed = CompletedRound { round: &round, predictions: &[], scores: &[], participation: &[] };
        database.complete_round(completed, Some(&new)).await.unwrap();
        for lease in [Some(&new), None] {
            let error = database.put_predictions(&other, lease).await.unwrap_err();
            assert!(matches!(error, DatabaseError::AlreadyCompleted { .. }), "{error}");
        }
        assert_eq!(database.predictions(&round.round_id, RoundMode::Follow).await.unwrap(), answers);
    }
}
