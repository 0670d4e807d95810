//! The validator at work: follows the chain through the pool-events database, asks the
//! miners, and keeps records and reputation.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use assay_lp::Job;
use assay_miner::{AxonKey, MinerClient, system_clock};
use assay_store::database::{DatabaseLocation, JobsDatabase, PoolEventsReader};
use assay_types::public_key_text;
pub use assay_validator::executor::ApiKey;
use assay_validator::{
    Clock, DatabaseSource, EventSource, Executor, HttpExecutor, PaperExecutor, Report, Reporter, Settings,
};
use serde::Serialize;

use crate::error::JobError;
use crate::jobs::index;
use crate::jobs::lp::registry::{Registry, runtime, shown};
use crate::workspace::Workspace;

/// Seconds from block to block where a chain's headers are not all stored: OP Mainnet, Base.
const BLOCK_SECONDS: u64 = 2;
/// How often the database is asked for new blocks.
const POLL: Duration = Duration::from_millis(500);
/// Reports that wait to be shown; further ones are not shown.
const MAX_REPORTS: usize = 4_096;

/// Who moves the money of live rounds.
pub enum ExecutorChoice {
    /// Nobody: there are none.
    None,
    /// A pool copy.
    Paper,
    /// A service.
    Service {
        /// Its address.
        url: String,
        /// Its public key.
        key: String,
        /// What it wants in the header.
        api_key: ApiKey,
    },
}

/// What to run.
pub struct RunRequest {
    /// The jobs database; the home's when `None`.
    pub jobs_db: Option<DatabaseLocation>,
    /// The pool-events database; the home's when `None`.
    pub events_db: Option<DatabaseLocation>,
    /// Only these jobs; all active ones when empty.
    pub jobs: BTreeSet<String>,
    /// For live rounds.
    pub executor: ExecutorChoice,
    /// Secret of the sr25519 key for miners on the v10 axon wire; they are not asked without.
    pub axon_secret: Option<[u8; 32]>,
}

/// What a validator did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Ran {
    /// Its public key, which miners put on their lists.
    pub validator: String,
    /// The jobs database.
    pub jobs_db: String,
    /// The pool-events database.
    pub events_db: String,
    /// Rounds that began or were taken up.
    pub started: u64,
    /// Rounds whose record is stored.
    pub stored: u64,
    /// Rounds that did not count.
    pub failed: u64,
}

impl RunRequest {
    /// Runs until the process is asked to end; a round in progress can be taken up later.
    ///
    /// # Errors
    /// [`JobError::Input`] for databases, jobs or keys that cannot be used; otherwise why every
    /// job stopped.
    pub fn run(self, workspace: &Workspace) -> Result<Ran, JobError> {
        let registry = Registry::new(workspace, self.jobs_db.clone());
        if workspace.dry_run && !workspace.home.has_signing_key() {
            return Err(JobError::Input("the home has no signing key yet, and a dry run makes none".into()));
        }
        let key = workspace.home.signing_key()?;
        let validator = public_key_text(&key);
        let input = |error: &dyn std::fmt::Display| JobError::Input(error.to_string());
        let axon = self.axon_secret.map(|secret| AxonKey::from_mini_secret(&secret)).transpose();
        let axon = axon.map_err(|error| input(&error))?;
        let asks_axon = axon.is_some();
        let events_db =
            self.events_db.clone().unwrap_or_else(|| DatabaseLocation::Sqlite(workspace.home.path().join(index::FILE)));
        let mut ran = Ran {
            validator,
            jobs_db: registry.location().to_string(),
            events_db: events_db.to_string(),
            ..Ran::default()
        };
        let (sender, mut reports) = tokio::sync::mpsc::channel(MAX_REPORTS);
        runtime(workspace.threads)?.block_on(async {
            let database = JobsDatabase::open(registry.location()).await?;
            let reader = PoolEventsReader::open(&events_db).await?;
            let source: Arc<dyn EventSource> =
                Arc::new(DatabaseSource::new(reader, Clock::system(), BLOCK_SECONDS, POLL));
            let client = MinerClient::new(key.clone(), axon, system_clock()).map_err(|error| input(&error))?;
            let executor: Option<Arc<dyn Executor>> = match self.executor {
                ExecutorChoice::None => None,
                ExecutorChoice::Paper => {
                    let rows = database.jobs().await?;
                    let jobs =
                        rows.iter().map(|row| shown(row).map(|shown| shown.job)).collect::<Result<Vec<Job>, _>>()?;
                    Some(Arc::new(PaperExecutor::new(Arc::clone(&source), jobs)))
                }
                ExecutorChoice::Service { url, key: service, api_key } => {
                    Some(Arc::new(HttpExecutor::new(&url, &service, key, api_key).map_err(|error| input(&error))?))
                }
            };
            let jobs = (!self.jobs.is_empty()).then_some(self.jobs);
            // A report that finds no room is not shown; what it tells is in the database.
            let reporter = Reporter::new(move |report| _ = sender.try_send(report));
            let settings = Settings { client, asks_axon, jobs, executor, reporter };
            if workspace.dry_run {
                return Ok(());
            }
            workspace.progress.stage("rounds");
            let work = assay_validator::run(database, source, settings, index::indexer::interrupted());
            tokio::pin!(work);
            let done = loop {
                tokio::select! {
                    Some(report) = reports.recv() => ran.count(workspace, &report),
                    done = &mut work => break done,
                }
            };
            while let Ok(report) = reports.try_recv() {
                ran.count(workspace, &report);
            }
            Ok::<(), JobError>(done?)
        })?;
        Ok(ran)
    }
}

impl Ran {
    fn count(&mut self, workspace: &Workspace, report: &Report) {
        match report {
            Report::Started { .. } => self.started += 1,
            Report::Stored { .. } => self.stored += 1,
            Report::Failed { .. } => self.failed += 1,
            _ => {}
        }
        workspace.progress.note(&report.to_string());
    }
}
