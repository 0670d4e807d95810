//! Scheduled jobs: taken by one worker, ended once.

use std::collections::BTreeSet;

use assay_store::database::{
    DatabaseError, DatasetRow, JobEffects, JobEnding, JobFilter, JobStatus, LeasedJob, MAX_ATTEMPTS, NewJob,
    PlatformDatabase, RunRow, ScheduledJob,
};

use crate::both::both;

const KINDS: [&str; 2] = ["train", "ingest"];
const QUOTA: u32 = 50;

fn new(kind: &str, owner: &str) -> NewJob {
    NewJob { kind: kind.into(), request: format!(r#"{{"kind":"{kind}"}}"#), owner: owner.into() }
}

async fn submit(database: &PlatformDatabase, kind: &str, owner: &str) -> ScheduledJob {
    database.submit_job(&new(kind, owner), QUOTA, 1).await.unwrap()
}

async fn lease(database: &PlatformDatabase, worker: &str, now_ms: i64) -> LeasedJob {
    database.lease_job(worker, &KINDS, now_ms, now_ms + 100).await.unwrap().expect("a job is waiting")
}

fn done() -> JobEnding {
    JobEnding::Done(JobEffects {
        result: r#"{"ok":true}"#.into(),
        runs: vec![("r1".into(), r#"{"run_id":"r1"}"#.into())],
        datasets: vec![("a/B-C/1h".into(), r#"{"rows":3}"#.into())],
    })
}

/// The statuses that events tell of a job, in order.
async fn told(database: &PlatformDatabase, job_id: &str) -> Vec<String> {
    let page = database.events_after(0, 1_000).await.unwrap();
    let of_job = page.events.iter().filter(|event| event.event.topic == "job" && event.event.subject == job_id);
    let status = |payload: &str| {
        let value: serde_json::Value = serde_json::from_str(payload).unwrap();
        value["status"].as_str().unwrap().to_owned()
    };
    of_job.map(|event| status(&event.event.payload)).collect()
}

#[tokio::test]
async fn a_job_is_done_with_everything_it_made() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let job = submit(&database, "train", "u1").await;
        assert!(database.lease_job("w", &["ingest"], 2, 9).await.unwrap().is_none(), "another kind");
        let LeasedJob { job: taken, mut lease } = lease(&database, "w", 2).await;
        assert_eq!((taken.status, taken.attempts, taken.started_at), (JobStatus::Running, 1, Some(2)));
        assert!(!database.job_heartbeat(&mut lease, Some(r#"{"done":1}"#), 3, 103).await.unwrap());
        assert!(!database.job_heartbeat(&mut lease, Some(r#"{"done":1}"#), 4, 104).await.unwrap());
        assert_eq!(database.job(&job.job_id).await.unwrap().unwrap().progress.as_deref(), Some(r#"{"done":1}"#));
        database.finish_job(&lease, &done(), 5).await.unwrap();
        let ended = database.job(&job.job_id).await.unwrap().unwrap();
        assert_eq!((ended.status, ended.finished_at, ended.lease_owner), (JobStatus::Done, Some(5), None));
        assert_eq!(ended.result.as_deref(), Some(r#"{"ok":true}"#));
        let run = database.run("r1").await.unwrap().unwrap();
        assert_eq!((run.owner.as_str(), run.job_id, run.number), ("u1", Some(job.job_id.clone()), 1));
        assert_eq!(database.dataset("a/B-C/1h").await.unwrap().unwrap().summary, r#"{"rows":3}"#);
        // The same progress again is no news.
        assert_eq!(told(&database, &job.job_id).await, ["queued", "running", "running", "done"]);
        let error = database.finish_job(&lease, &done(), 6).await.unwrap_err();
        assert!(matches!(error, DatabaseError::LeaseLost { .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_take_each_job_once() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        for _ in 0..12 {
            submit(&database, "train", "u1").await;
        }
        let workers = (0..6).map(|number| {
            let database = database.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                let worker = format!("w{number}");
                while let Some(leased) = database.lease_job(&worker, &KINDS, 2, 1_000).await.unwrap() {
                    database.finish_job(&leased.lease, &JobEnding::Cancelled, 3).await.unwrap();
                    taken.push(leased.job.job_id);
                }
                taken
            })
        });
        let mut taken = Vec::new();
        for worker in workers.collect::<Vec<_>>() {
            taken.extend(worker.await.unwrap());
        }
        // A worker that found every waiting row locked by others may leave one behind.
        while let Some(leased) = database.lease_job("last", &KINDS, 2, 1_000).await.unwrap() {
            taken.push(leased.job.job_id);
        }
        assert_eq!((taken.len(), taken.iter().collect::<BTreeSet<_>>().len()), (12, 12));
    }
}

#[tokio::test]
async fn who_lost_the_lease_ends_nothing() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let job = submit(&database, "train", "u1").await;
        let mut old = lease(&database, "one", 0).await.lease;
        assert!(database.lease_job("two", &KINDS, 99, 200).await.unwrap().is_none(), "the lease holds");
        let new = lease(&database, "two", 100).await;
        assert_eq!((new.lease.token, new.job.attempts), (old.token + 1, 2));
        let error = database.finish_job(&old, &done(), 101).await.unwrap_err();
        assert!(matches!(error, DatabaseError::LeaseLost { .. }), "{error}");
        let error = database.job_heartbeat(&mut old, Some("{}"), 101, 900).await.unwrap_err();
        assert!(matches!(error, DatabaseError::LeaseLost { .. }), "{error}");
        assert_eq!(database.run("r1").await.unwrap(), None);
        database.finish_job(&new.lease, &done(), 103).await.unwrap();
        assert_eq!(told(&database, &job.job_id).await, ["queued", "running", "queued", "running", "done"]);
    }
}

#[tokio::test]
async fn a_job_whose_workers_vanish_says_so_at_last() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let job = submit(&database, "train", "u1").await;
        for attempt in 1..=MAX_ATTEMPTS {
            let now = 1_000 * i64::try_from(attempt).unwrap();
            assert_eq!(lease(&database, "w", now).await.job.attempts, attempt);
            assert_eq!(database.requeue_expired_jobs(now + 99).await.unwrap(), 0);
        }
        assert_eq!(database.requeue_expired_jobs(99_000).await.unwrap(), 1);
        let failed = database.job(&job.job_id).await.unwrap().unwrap();
        let error = failed.error.unwrap();
        assert_eq!(failed.status, JobStatus::Failed);
        assert!(error.contains(r#""code":"interrupted""#) && error.contains("interrupted: resume"), "{error}");
        let resumed = database.resume_job(&job.job_id, QUOTA, 99_001).await.unwrap();
        assert_eq!((resumed.status, resumed.attempts, resumed.error), (JobStatus::Queued, 0, None));
        let again = lease(&database, "w", 99_002).await;
        // What is in use elsewhere is tried later, and that is no attempt.
        let later = JobEnding::Later { after_ms: 500 };
        database.finish_job(&again.lease, &later, 99_003).await.unwrap();
        assert!(database.lease_job("w", &KINDS, 99_502, 99_900).await.unwrap().is_none());
        assert_eq!(lease(&database, "w", 99_503).await.job.attempts, 1);
    }
}

#[tokio::test]
async fn cancelling_reaches_jobs_in_every_state() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let (waiting, working) = (submit(&database, "search", "u1").await, submit(&database, "train", "u1").await);
        assert_eq!(database.cancel_job(&waiting.job_id, 2).await.unwrap().status, JobStatus::Cancelled);
        let mut taken = lease(&database, "w", 2).await.lease;
        for _ in 0..2 {
            assert_eq!(database.cancel_job(&working.job_id, 3).await.unwrap().status, JobStatus::Cancelling);
        }
        assert!(database.job_heartbeat(&mut taken, None, 4, 104).await.unwrap(), "the worker hears of it");
        database.finish_job(&taken, &JobEnding::Cancelled, 5).await.unwrap();
        assert_eq!(told(&database, &working.job_id).await, ["queued", "running", "cancelling", "cancelled"]);
        assert_eq!(database.cancel_job(&working.job_id, 6).await.unwrap().status, JobStatus::Cancelled);
        // A worker that dies while it cancels has cancelled.
        database.resume_job(&working.job_id, QUOTA, 7).await.unwrap();
        lease(&database, "w", 8).await;
        database.cancel_job(&working.job_id, 9).await.unwrap();
        assert_eq!(database.requeue_expired_jobs(500).await.unwrap(), 1);
        assert_eq!(database.job(&working.job_id).await.unwrap().unwrap().status, JobStatus::Cancelled);
        let error = database.cancel_job("none", 9).await.unwrap_err();
        assert!(matches!(error, DatabaseError::UnknownJob { .. }), "{error}");
        database.resume_job(&working.job_id, QUOTA, 501).await.unwrap();
        let error = database.resume_job(&working.job_id, QUOTA, 502).await.unwrap_err();
        assert!(matches!(error, DatabaseError::JobState { status: "queued", .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_quota_holds_against_submissions_at_once() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let attempts = (0..10).map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.submit_job(&new("train", "u1"), 3, 1).await })
        });
        let (mut queued, mut refused) = (0, 0);
        for attempt in attempts.collect::<Vec<_>>() {
            match attempt.await.unwrap() {
                Ok(_) => queued += 1,
                Err(DatabaseError::Quota { quota: 3, found: 3, .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((queued, refused), (3, 7));
        database.submit_job(&new("train", "u2"), 3, 1).await.unwrap();
        let first = lease(&database, "w", 2).await;
        database.finish_job(&first.lease, &JobEnding::Cancelled, 3).await.unwrap();
        database.submit_job(&new("train", "u1"), 3, 1).await.unwrap();
        let error = database.resume_job(&first.job.job_id, 3, 4).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Quota { .. }), "{error}");
    }
}

#[tokio::test]
async fn users_take_turns_and_lists_come_in_pages() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        for owner in ["u1", "u1", "u1", "u2"] {
            submit(&database, "train", owner).await;
        }
        let mut owners = Vec::new();
        for _ in 0..4 {
            owners.push(lease(&database, "w", 2).await.job.owner);
        }
        assert_eq!(owners, ["u1", "u2", "u1", "u1"]);
        let filter = JobFilter { owner: Some("u1".into()), status: Some(JobStatus::Running), ..JobFilter::default() };
        let first = database.jobs(&filter, None, 2).await.unwrap();
        assert_eq!(first.iter().map(|job| job.number).collect::<Vec<_>>(), [3, 2]);
        let second = database.jobs(&filter, Some(2), 2).await.unwrap();
        assert_eq!(second.iter().map(|job| job.number).collect::<Vec<_>>(), [1]);
        let none = JobFilter { kind: Some("audit".into()), ..JobFilter::default() };
        assert!(database.jobs(&none, None, 2).await.unwrap().is_empty());
        let id = &first[0].job_id;
        assert_eq!(database.jobs_by_prefix(&id[..8], 2).await.unwrap(), [first[0].clone()]);
        assert!(database.jobs_by_prefix("%", 2).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_catalogue_tells_what_changed_and_keeps_the_first_owner() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let run = |id: &str, owner: &str, summary: &str| {
            RunRow::new(id.to_owned(), owner.to_owned(), None, summary.to_owned(), 5)
        };
        let events = async || database.last_event().await.unwrap();
        database.put_runs(&[run("r1", "u1", "{}"), run("r2", "u2", "{}")], 5).await.unwrap();
        assert_eq!(events().await, 2);
        // Found again as it was, a run is no news; changed, it stays with its owner.
        database.put_runs(&[run("r1", "home", "{}")], 6).await.unwrap();
        assert_eq!(events().await, 2);
        database.put_runs(&[run("r1", "home", r#"{"state":"done"}"#)], 7).await.unwrap();
        let page = database.events_after(2, 10).await.unwrap();
        let event = &page.events[0].event;
        assert_eq!((event.topic.as_str(), event.owner.as_deref()), ("run", Some("u1")));
        let ids = |rows: Vec<RunRow>| rows.into_iter().map(|row| row.run_id).collect::<Vec<_>>();
        assert_eq!(ids(database.runs(None, None, 9).await.unwrap()), ["r2", "r1"]);
        assert_eq!(ids(database.runs(None, Some(2), 9).await.unwrap()), ["r1"]);
        assert_eq!(ids(database.runs(Some("u2"), None, 9).await.unwrap()), ["r2"]);
        let dataset = |name: &str, rows: u64| DatasetRow {
            dataset: name.to_owned(),
            number: 0,
            summary: format!(r#"{{"rows":{rows}}}"#),
            updated_at: 8,
        };
        database.put_datasets(&[dataset("b", 1), dataset("a", 1), dataset("b", 2)], 8).await.unwrap();
        let names = database.datasets(0, 9).await.unwrap().into_iter().map(|row| (row.dataset, row.summary));
        assert_eq!(
            names.collect::<Vec<_>>(),
            [("b".into(), r#"{"rows":2}"#.into()), ("a".into(), r#"{"rows":1}"#.into())]
        );
        assert_eq!(database.datasets(1, 9).await.unwrap()[0].dataset, "a");
    }
}
