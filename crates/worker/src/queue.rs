//! Where jobs come from.

use assay_store::database::{JobEnding, LeasedJob, PlatformDatabase, WorkerLease};

use crate::clock::now_ms;
use crate::error::WorkerError;
use crate::place::Place;

/// How long a lease lasts without a heartbeat.
pub const LEASE_MS: i64 = 5_000;

/// Where jobs come from.
#[derive(Debug, Clone)]
pub enum Queue {
    /// The platform database; the worker shares the home folder with its server.
    Local(PlatformDatabase),
}

impl Queue {
    /// The next job of one of `kinds`.
    pub(crate) async fn lease(&self, worker: &str, kinds: &[&str]) -> Result<Option<LeasedJob>, WorkerError> {
        match self {
            Self::Local(database) => {
                let now = now_ms();
                Ok(database.lease_job(worker, kinds, now, now + LEASE_MS).await?)
            }
        }
    }

    /// Holds the lease; whether the job's end is asked for.
    pub(crate) async fn heartbeat(&self, lease: &mut WorkerLease, progress: Option<&str>) -> Result<bool, WorkerError> {
        match self {
            Self::Local(database) => {
                let now = now_ms();
                Ok(database.job_heartbeat(lease, progress, now, now + LEASE_MS).await?)
            }
        }
    }

    /// The place where the job can run, with everything it reads.
    pub(crate) async fn prepare(&self, place: &Place, _leased: &LeasedJob) -> Result<Place, WorkerError> {
        match self {
            Self::Local(_) => Ok(place.clone()),
        }
    }

    /// Ends the attempt, handing over what it left.
    pub(crate) async fn finish(
        &self,
        _place: &Place,
        lease: &WorkerLease,
        ending: &JobEnding,
    ) -> Result<(), WorkerError> {
        match self {
            Self::Local(database) => {
                database.finish_job(lease, ending, now_ms(), || Ok(())).await?;
                Ok(())
            }
        }
    }
}
