//! A validator with its database, a recorded market, and the miners it asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_lp::{Job, RoundRecord};
use assay_miner::{AxonKey, MinerClient, system_clock};
use assay_store::database::{DatabaseLocation, JobRow, JobsDatabase, MinerRow, RoundMode, RoundStatus};
use assay_validator::{Clock, EventSource, Executor, RecordedSource, Report, Reporter, Settings, run};
use tempfile::TempDir;

use crate::market::{FIRST_BLOCK, blocks, events};
use crate::miners::{Miner, key};

/// Answers that take longer are late where the clock is stepped.
pub const PATIENCE: Duration = Duration::from_millis(2_500);

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

pub struct World {
    pub database: JobsDatabase,
    pub location: DatabaseLocation,
    pub reports: Arc<Mutex<Vec<Report>>>,
    pub executor: Option<Arc<dyn Executor>>,
    pub validator: u16,
    /// Asks miners on the v10 axon wire too.
    pub axon: Option<AxonKey>,
    _folder: TempDir,
}

impl World {
    pub async fn new(jobs: &[Job], miners: &[&Miner]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = DatabaseLocation::Sqlite(folder.path().join("jobs.db"));
        Self::at(location, folder, jobs, miners).await
    }

    pub async fn at(location: DatabaseLocation, folder: TempDir, jobs: &[Job], miners: &[&Miner]) -> Self {
        let database = JobsDatabase::open(&location).await.unwrap();
        for job in jobs {
            put_job(&database, job).await;
        }
        for (index, miner) in miners.iter().enumerate() {
            register(&database, miner, index).await;
        }
        Self {
            database,
            location,
            reports: Arc::default(),
            executor: None,
            validator: 900,
            axon: None,
            _folder: folder,
        }
    }

    pub fn settings(&self) -> Settings {
        let reports = Arc::clone(&self.reports);
        Settings {
            client: MinerClient::new(key(self.validator), self.axon.clone(), system_clock()).unwrap(),
            asks_axon: self.axon.is_some(),
            jobs: None,
            executor: self.executor.clone(),
            reporter: Reporter::new(move |report| reports.lock().unwrap().push(report)),
        }
    }

    /// Runs to the end of the recorded blocks.
    pub async fn run(&self, source: Arc<dyn EventSource>) {
        let clock = source.clock().clone();
        let work = run(self.database.clone(), source, self.settings(), std::future::pending());
        match tokio::time::timeout(LIMIT, work).await {
            Ok(done) => done.unwrap(),
            Err(_) => panic!("not done in {LIMIT:?}: {clock:?} {:#?}", self.reports()),
        }
    }

    pub fn reports(&self) -> Vec<Report> {
        self.reports.lock().unwrap().clone()
    }

    /// The record of a completed round, verified.
    pub async fn record(&self, round_id: &str) -> RoundRecord {
        let round = self.database.round(round_id, RoundMode::Follow).await.unwrap();
        let round = round.unwrap_or_else(|| panic!("no {round_id}: {:#?}", self.reports()));
        assert_eq!(round.status, RoundStatus::Completed, "{round_id}: {:?} {:#?}", round.reason, self.reports());
        let record: RoundRecord = serde_json::from_str(&round.record.unwrap()).unwrap();
        record.verify().unwrap();
        assert_eq!(record.hash().to_string(), round.record_hash.unwrap());
        record
    }
}

pub async fn put_job(database: &JobsDatabase, job: &Job) {
    let config = serde_json::to_string(job).unwrap();
    let row = JobRow { job_id: job.job_id.clone(), config, is_active: true, created_at: 1, updated_at: 1 };
    database.put_job(&row).await.unwrap();
}

pub async fn register(database: &JobsDatabase, miner: &Miner, index: usize) {
    let row = MinerRow {
        miner: miner.key.clone(),
        url: miner.url.clone(),
        wire: "native".into(),
        registered_at: 1_000_000 + 1_000 * index as i64,
        active: true,
    };
    database.put_miner(&row).await.unwrap();
}

/// A clock that stands while anybody works, from the first block on.
pub fn stepped(job: &Job) -> Clock {
    Clock::stepped(blocks(job, 1)[0].timestamp * 1_000, PATIENCE)
}

/// The market of the first rounds of jobs that share a pool.
pub fn source(clock: Clock, job: &Job, rounds: u64) -> Arc<dyn EventSource> {
    Arc::new(recorded(clock, job, rounds))
}

pub fn recorded(clock: Clock, job: &Job, rounds: u64) -> RecordedSource {
    let pools = BTreeMap::from([(job.pair_address.clone(), events(job, rounds))]);
    let blocks = blocks(job, rounds);
    assert_eq!(blocks[0].number, FIRST_BLOCK);
    RecordedSource::new(clock, blocks, pools)
}

/// The same market, cut off after so many blocks.
pub fn ending_at(clock: Clock, job: &Job, count: usize) -> Arc<dyn EventSource> {
    let mut blocks = blocks(job, 1);
    blocks.truncate(count);
    let last = blocks[count - 1].number;
    let mut events = events(job, 1);
    events.retain(|event| event.place.block <= last);
    Arc::new(RecordedSource::new(clock, blocks, BTreeMap::from([(job.pair_address.clone(), events)])))
}
