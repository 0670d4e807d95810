//! Where jobs come from.

use assay_store::database::{JobEnding, PlatformDatabase, WorkerLease};

use crate::clock::now_ms;
use crate::error::WorkerError;
use crate::place::Place;
use crate::remote::Remote;

/// How long a lease lasts without a heartbeat.
pub const LEASE_MS: i64 = 5_000;

/// Where jobs come from.
#[derive(Debug, Clone)]
pub enum Queue {
    /// The platform database; the worker shares the home folder with its server.
    Local(PlatformDatabase),
    /// A server on another machine; the worker has a home of its own.
    Remote(Box<Remote>),
}

/// A job that a worker has taken.
#[derive(Debug, Clone)]
pub struct Leased {
    pub lease: WorkerLease,
    pub kind: String,
    /// The request as JSON.
    pub request: String,
    pub attempts: u64,
    /// What it reads, for workers that have to fetch it.
    pub dataset: Option<String>,
    /// Earlier evaluations on it, as lines.
    pub trials: String,
}

impl Queue {
    /// The next job of one of `kinds`.
    pub(crate) async fn lease(&self, worker: &str, kinds: &[&str]) -> Result<Option<Leased>, WorkerError> {
        match self {
            Self::Local(database) => {
                let now = now_ms();
                let leased = database.lease_job(worker, kinds, now, now + LEASE_MS).await?;
                Ok(leased.map(|leased| Leased {
                    lease: leased.lease,
                    kind: leased.job.kind,
                    request: leased.job.request,
                    attempts: leased.job.attempts,
                    dataset: None,
                    trials: String::new(),
                }))
            }
            Self::Remote(remote) => remote.lease(worker, kinds).await,
        }
    }

    /// Holds the lease; whether the job's end is asked for.
    pub(crate) async fn heartbeat(&self, lease: &mut WorkerLease, progress: Option<&str>) -> Result<bool, WorkerError> {
        match self {
            Self::Local(database) => {
                let now = now_ms();
                Ok(database.job_heartbeat(lease, progress, now, now + LEASE_MS).await?)
            }
            Self::Remote(remote) => remote.heartbeat(lease, progress).await,
        }
    }

    /// The place where the job can run, with everything it reads.
    pub(crate) async fn prepare(&self, place: &Place, leased: &Leased) -> Result<Place, WorkerError> {
        match self {
            Self::Local(_) => Ok(place.clone()),
            Self::Remote(remote) => remote.prepare(place, leased).await,
        }
    }

    /// Ends the attempt, handing over what it left.
    pub(crate) async fn finish(
        &self,
        place: &Place,
        lease: &WorkerLease,
        ending: &JobEnding,
    ) -> Result<(), WorkerError> {
        match self {
            Self::Local(database) => {
                database.finish_job(lease, ending, now_ms()).await?;
                Ok(())
            }
            Self::Remote(remote) => remote.finish(place, lease, ending).await,
        }
    }
}
