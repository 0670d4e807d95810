//! What is stored comes back.

use assay_store::database::{
    DatabaseError, JobRow, JobsDatabase, MinerRow, Prediction, Round, RoundMode, RoundStatus, TransactionStatus,
};

use crate::both::both;
use crate::samples::{JOB, completed, day, execution, prediction, round};

#[tokio::test]
async fn miners_and_jobs_come_back() {
    for empty in both() {
        let database = JobsDatabase::open(&empty.location).await.unwrap();
        let miner = |key: &str, at| MinerRow {
            miner: key.into(),
            url: "http://127.0.0.1:1".into(),
            wire: "assay/1".into(),
            registered_at: at,
            active: true,
        };
        for row in [miner("b", 2), miner("c", 1), miner("a", 2)] {
            database.put_miner(&row).await.unwrap();
        }
        database.put_miner(&MinerRow { active: false, ..miner("c", 9) }).await.unwrap();
        let expected = [MinerRow { active: false, ..miner("c", 1) }, miner("a", 2), miner("b", 2)];
        assert_eq!(database.miners().await.unwrap(), expected);

        let job = JobRow {
            job_id: JOB.into(),
            config: r#"{"naïve":"✓"}"#.into(),
            is_active: true,
            created_at: 1,
            updated_at: 1,
        };
        database.put_job(&job).await.unwrap();
        database.put_job(&JobRow { created_at: 5, updated_at: 5, is_active: false, ..job.clone() }).await.unwrap();
        let expected = JobRow { updated_at: 5, is_active: false, ..job };
        assert_eq!(database.job(JOB).await.unwrap(), Some(expected.clone()));
        assert_eq!(database.jobs().await.unwrap(), [expected]);
        assert_eq!(database.job("none").await.unwrap(), None);
    }
}

#[tokio::test]
async fn rounds_come_back_in_pages() {
    for empty in both() {
        let database = JobsDatabase::open(&empty.location).await.unwrap();
        for number in 0..7 {
            database.put_round(&round(number, RoundStatus::Active), None).await.unwrap();
        }
        let practice = Round { mode: RoundMode::Practice, ..round(3, RoundStatus::Pending) };
        database.put_round(&practice, None).await.unwrap();
        let page = async |before, limit| {
            let rounds = database.rounds(JOB, "evaluation", RoundMode::Follow, before, limit).await.unwrap();
            rounds.into_iter().map(|round| round.number).collect::<Vec<_>>()
        };
        assert_eq!(page(None, 3).await, [6, 5, 4]);
        assert_eq!(page(Some(4), 3).await, [3, 2, 1]);
        assert_eq!(page(Some(1), u32::MAX).await, [0]);
        let found = database.round(&practice.round_id, RoundMode::Practice).await.unwrap();
        assert_eq!(found, Some(practice.clone()));

        database.fail_round(&practice.round_id, RoundMode::Practice, "no events", 9, None).await.unwrap();
        let failed = database.round(&practice.round_id, RoundMode::Practice).await.unwrap().unwrap();
        assert_eq!((failed.status, failed.reason.as_deref()), (RoundStatus::Failed, Some("no events")));
        assert_eq!(database.unfinished_rounds(Some(JOB)).await.unwrap().len(), 7);
        assert_eq!(database.unfinished_rounds(None).await.unwrap().len(), 7);
        assert_eq!(database.unfinished_rounds(Some("other")).await.unwrap(), []);

        // One number of a job is one round.
        let twin = Round { round_id: "another".into(), ..round(3, RoundStatus::Pending) };
        let error = database.put_round(&twin, None).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Mismatch { field: "round_id", .. }), "{error}");
        let strayed = Round { number: 40, ..round(3, RoundStatus::Active) };
        let error = database.put_round(&strayed, None).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Mismatch { field: "round_id", .. }), "{error}");
        let error = database.put_round(&completed(8), None).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Mismatch { field: "status", .. }), "{error}");
    }
}

#[tokio::test]
async fn answers_come_back_whatever_miners_send() {
    for empty in both() {
        let database = JobsDatabase::open(&empty.location).await.unwrap();
        let round = round(0, RoundStatus::Active);
        let hostile = Prediction {
            answer: Some("a\0b'; DROP TABLE rounds; --".into()),
            refusal_reason: Some("\0".into()),
            response_ms: None,
            received_at: None,
            accepted: false,
            ..prediction(&round, "b", 0)
        };
        let rows = [prediction(&round, "c", 1), hostile.clone(), prediction(&round, "a", 1)];
        database.put_predictions(&rows, None).await.unwrap();
        database.put_predictions(&rows, None).await.unwrap();
        let stored = Prediction {
            answer: Some("a\u{fffd}b'; DROP TABLE rounds; --".into()),
            refusal_reason: Some("\u{fffd}".into()),
            ..hostile
        };
        let [c, _, a] = rows;
        assert_eq!(database.predictions(&round.round_id, RoundMode::Follow).await.unwrap(), [stored, a, c]);
        // Our own columns refuse what one of the databases cannot hold.
        let odd = Prediction { miner: "a\0".into(), ..prediction(&round, "x", 0) };
        let error = database.put_predictions(&[odd], None).await.unwrap_err();
        assert!(matches!(error, DatabaseError::NulByte { argument: 3, .. }), "{error}");

        // More rows than fit one statement.
        let many: Vec<_> = (0..3000).map(|n| prediction(&round, &format!("{n:064x}"), 2)).collect();
        database.put_predictions(&many, None).await.unwrap();
        let found = database.predictions(&round.round_id, RoundMode::Follow).await.unwrap();
        assert_eq!(found[3..], many);
    }
}

#[tokio::test]
async fn participation_is_set_and_read_by_date() {
    for empty in both() {
        let database = JobsDatabase::open(&empty.location).await.unwrap();
        let rows = [day("a", "2026-01-31", 4, 3, 1), day("a", "2026-02-01", 2, 2, 0), day("b", "2026-02-01", 9, 9, 0)];
        database.set_participation(&rows).await.unwrap();
        database.set_participation(&rows).await.unwrap();
        assert_eq!(database.participation(JOB, "a", "2026-01-01").await.unwrap(), rows[..2]);
        assert_eq!(database.participation(JOB, "a", "2026-02-01").await.unwrap(), rows[1..2]);
        let error = database.set_participation(&[day("a", "2026-2-1", 1, 1, 0)]).await.unwrap_err();
        assert!(error.to_string().contains("YYYY-MM-DD"), "{error}");
    }
}

#[tokio::test]
async fn a_step_is_executed_once() {
    for empty in both() {
        let database = JobsDatabase::open(&empty.location).await.unwrap();
        let other = JobsDatabase::open(&empty.location).await.unwrap();
        let claims = (0..8).map(|n| {
            let database = if n % 2 == 0 { database.clone() } else { other.clone() };
            tokio::spawn(async move { database.claim_execution(&execution(&format!("e{n}"), 0), None).await.unwrap() })
        });
        let mut won = 0;
        for claim in claims.collect::<Vec<_>>() {
            won += u32::from(claim.await.unwrap());
        }
        assert_eq!(won, 1);
        let mut first = database.executions(&execution("", 0).round_id).await.unwrap().remove(0);
        assert!(database.claim_execution(&execution("later", 1), None).await.unwrap());
        assert_eq!(database.pending_executions(JOB).await.unwrap().len(), 2);
        first.tx_hash = Some("0x12".into());
        first.tx_status = TransactionStatus::Confirmed;
        first.actual = Some("{}".into());
        first.confirmed_at = Some(20);
        assert!(database.update_execution(&first, None).await.unwrap());
        assert!(!database.update_execution(&first, None).await.unwrap());
        assert_eq!(database.executions(&first.round_id).await.unwrap(), [first, execution("later", 1)]);
        assert_eq!(database.pending_executions(JOB).await.unwrap(), [execution("later", 1)]);
    }
}
