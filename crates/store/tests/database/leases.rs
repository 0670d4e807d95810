//! One process runs a job.

use assay_store::database::{CompletedRound, DatabaseError, JobsDatabase};

use crate::both::both;
use crate::samples::{JOB, completed};

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
