//! The server's side of workers on other machines. Who may call is checked before: this trusts
//! its callers with every job of the kinds it lends.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use assay_lake::{ALL_TIME, Lake, LakeError};
use assay_store::database::{DatabaseError, JobEnding, PlatformDatabase, ScheduledJob, WorkerLease};
use assay_store::{Home, StoreError};
use assay_types::{Candles, Dataset, Hasher};
use futures::Stream;
use tokio::io::AsyncWriteExt as _;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::artefact::{
    MAX_ARTEFACT_BYTES, MAX_ARTEFACTS, is_place, keep_objects, publish, remove_stale, staging, trials_on,
};
use crate::candles::{PIECE, encode};
use crate::clock::now_ms;
use crate::proto::workers_server::Workers;
use crate::proto::{
    ArtefactPart, ArtefactReply, DatasetPart, DatasetRequest, FinishReply, FinishRequest, HeartbeatReply,
    HeartbeatRequest, JobLease, LeaseReply, LeaseRequest, LeasedJob,
};
use crate::queue::LEASE_MS;

/// Time between two heartbeats of a lease whose files are being put in place here.
const KEEP_LEASE: Duration = Duration::from_millis(LEASE_MS.unsigned_abs() / 5);
/// Longest name of a worker.
const MAX_WORKER_NAME: usize = 128;

/// The job that an answer is about, in its extensions: of a lease that lends nothing there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AboutJob(pub String);

/// An answer about a job.
fn about<T>(job_id: &str, message: T) -> Response<T> {
    let mut response = Response::new(message);
    response.extensions_mut().insert(AboutJob(job_id.to_owned()));
    response
}

/// Lends jobs to workers on other machines.
#[derive(Clone)]
pub struct WorkerService {
    /// The jobs.
    pub database: PlatformDatabase,
    /// Where what they leave belongs.
    pub home: Home,
    /// Where what they read is.
    pub lake: Lake,
    /// The kinds that may be lent.
    pub kinds: Vec<&'static str>,
    /// The dataset that a request names, if it names one.
    pub dataset_of: fn(&str) -> Option<String>,
    /// Called after a job changed.
    pub on_change: Arc<dyn Fn() + Send + Sync>,
}

fn database_status(error: &DatabaseError) -> Status {
    let code = match error {
        DatabaseError::LeaseLost { .. } => Code::Aborted,
        error if error.is_retryable() => Code::Unavailable,
        _ => Code::Internal,
    };
    Status::new(code, error.to_string())
}

fn store_status(error: &StoreError) -> Status {
    // A lock is freed, a full disk may be: the worker tries again.
    let code = match error {
        StoreError::Locked { .. } | StoreError::Io { .. } => Code::Unavailable,
        _ => Code::Internal,
    };
    Status::new(code, error.to_string())
}

fn lake_status(error: &LakeError) -> Status {
    match error {
        LakeError::NoDataset { .. } => Status::not_found(error.to_string()),
        error if error.is_retryable() => Status::unavailable(error.to_string()),
        _ => Status::failed_precondition(error.to_string()),
    }
}

fn io_status(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Status {
    let path = path.to_owned();
    move |error| store_status(&StoreError::io(action, &path)(error))
}

impl WorkerService {
    /// The job of a lease that is still held.
    async fn held(&self, lease: Option<JobLease>) -> Result<(ScheduledJob, WorkerLease), Status> {
        let lease: WorkerLease = lease.ok_or_else(|| Status::invalid_argument("lease: it is missing"))?.into();
        let job = self.database.leased_job(&lease).await.map_err(|error| database_status(&error))?;
        Ok((job, lease))
    }

    /// Works on files on a thread that may block, holding the lease meanwhile: no transaction
    /// waits for a disk, and nobody else takes the job.
    async fn holding<T: Send + 'static>(
        &self,
        lease: &mut WorkerLease,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Status> {
        let mut working = tokio::task::spawn_blocking(work);
        let mut beat = tokio::time::interval(KEEP_LEASE);
        loop {
            tokio::select! {
                done = &mut working => {
                    let done = done.map_err(|error| Status::internal(error.to_string()))?;
                    return done.map_err(|error| store_status(&error));
                }
                _ = beat.tick() => {
                    let now = now_ms();
                    let held = self.database.job_heartbeat(lease, None, now, now + LEASE_MS).await;
                    held.map_err(|error| database_status(&error))?;
                }
            }
        }
    }

    async fn load(&self, name: &str) -> Result<Candles, Status> {
        let dataset: Dataset = name.parse().map_err(|error| Status::invalid_argument(format!("dataset: {error}")))?;
        self.lake.load(&dataset, ALL_TIME).await.map_err(|error| lake_status(&error))
    }

    /// Receives a file into `path`, checking its hash; the bytes received.
    async fn receive(parts: &mut Streaming<ArtefactPart>, first: ArtefactPart, path: &Path) -> Result<u64, Status> {
        let mut file = tokio::fs::File::create(path).await.map_err(io_status("create", path))?;
        let (mut hasher, mut bytes) = (Hasher::with_prefix(""), 0_u64);
        let expected = first.sha256.clone();
        let mut part = Some(first);
        while let Some(piece) = part {
            bytes += piece.content.len() as u64;
            if bytes > MAX_ARTEFACT_BYTES {
                return Err(Status::invalid_argument(format!(
                    "content: a file has at most {MAX_ARTEFACT_BYTES} bytes"
                )));
            }
            hasher.update(&piece.content);
            file.write_all(&piece.content).await.map_err(io_status("write", path))?;
            part = parts.message().await?;
        }
        let found = hasher.finish().to_string();
        if found != expected {
            return Err(Status::data_loss(format!("sha256: the content has {found}, {expected} was announced")));
        }
        file.sync_all().await.map_err(io_status("write", path))?;
        Ok(bytes)
    }
}

#[tonic::async_trait]
impl Workers for WorkerService {
    async fn lease(&self, request: Request<LeaseRequest>) -> Result<Response<LeaseReply>, Status> {
        let LeaseRequest { worker, kinds } = request.into_inner();
        if worker.is_empty() || worker.len() > MAX_WORKER_NAME {
            return Err(Status::invalid_argument(format!("worker: a name of 1 to {MAX_WORKER_NAME} bytes")));
        }
        let kinds: Vec<&str> = self.kinds.iter().copied().filter(|kind| kinds.iter().any(|k| k == kind)).collect();
        let now = now_ms();
        let leased = self.database.lease_job(&worker, &kinds, now, now + LEASE_MS).await;
        let Some(leased) = leased.map_err(|error| database_status(&error))? else {
            return Ok(Response::new(LeaseReply { job: None }));
        };
        (self.on_change)();
        let dataset = (self.dataset_of)(&leased.job.request);
        let (home, named, mut lease) = (self.home.clone(), dataset.clone(), leased.lease.clone());
        let trials = move || {
            remove_stale(&home, &leased.lease.job_id, leased.lease.token);
            named.as_deref().map(|dataset| trials_on(&home, dataset)).transpose()
        };
        let trials = self.holding(&mut lease, trials).await?;
        let job = LeasedJob {
            lease: Some(JobLease::from(&lease)),
            kind: leased.job.kind,
            request: leased.job.request,
            attempt: leased.job.attempts,
            lease_ms: u32::try_from(LEASE_MS).unwrap_or(u32::MAX),
            dataset,
            trials: trials.unwrap_or_default(),
        };
        Ok(about(&lease.job_id, LeaseReply { job: Some(job) }))
    }

    async fn heartbeat(&self, request: Request<HeartbeatRequest>) -> Result<Response<HeartbeatReply>, Status> {
        let HeartbeatRequest { lease, progress } = request.into_inner();
        let mut lease: WorkerLease = lease.ok_or_else(|| Status::invalid_argument("lease: it is missing"))?.into();
        if progress.as_deref().is_some_and(|text| serde_json::from_str::<serde_json::Value>(text).is_err()) {
            return Err(Status::invalid_argument("progress: it is no JSON"));
        }
        let now = now_ms();
        let held = self.database.job_heartbeat(&mut lease, progress.as_deref(), now, now + LEASE_MS).await;
        let is_cancelling = held.map_err(|error| database_status(&error))?;
        if progress.is_some() {
            (self.on_change)();
        }
        Ok(Response::new(HeartbeatReply { is_cancelling }))
    }

    type ReadDatasetStream = Pin<Box<dyn Stream<Item = Result<DatasetPart, Status>> + Send>>;

    async fn read_dataset(
        &self,
        request: Request<DatasetRequest>,
    ) -> Result<Response<Self::ReadDatasetStream>, Status> {
        let DatasetRequest { lease, dataset } = request.into_inner();
        let (job, _) = self.held(lease).await?;
        if (self.dataset_of)(&job.request).as_deref() != Some(&dataset) {
            return Err(Status::permission_denied(format!("dataset: the job does not read {dataset}")));
        }
        let candles = self.load(&dataset).await?;
        let (data_hash, rows) = (candles.data_hash().to_string(), candles.len() as u64);
        let head = DatasetPart { data_hash, rows, candles: Vec::new() };
        let pieces = (0..candles.len()).step_by(PIECE).map(move |from| {
            let range = from..candles.len().min(from + PIECE);
            DatasetPart { data_hash: String::new(), rows: 0, candles: encode(&candles, range) }
        });
        Ok(Response::new(Box::pin(futures::stream::iter(std::iter::once(head).chain(pieces).map(Ok)))))
    }

    async fn put_artefact(&self, request: Request<Streaming<ArtefactPart>>) -> Result<Response<ArtefactReply>, Status> {
        let mut parts = request.into_inner();
        let Some(mut first) = parts.message().await? else {
            return Err(Status::invalid_argument("nothing was sent"));
        };
        let (_, lease) = self.held(first.lease.take()).await?;
        if !is_place(&first.path) {
            let text = format!("path: `{}` is no place of a job's file", first.path.escape_default());
            return Err(Status::invalid_argument(text));
        }
        let waiting: PathBuf = staging(&self.home, &lease.job_id, lease.token);
        let path = waiting.join(&first.path);
        let folder = path.parent().unwrap_or(&waiting);
        tokio::fs::create_dir_all(folder).await.map_err(io_status("create", folder))?;
        let listed = folder.to_owned();
        let counting = tokio::task::spawn_blocking(move || std::fs::read_dir(listed).map(Iterator::count)).await;
        let count = counting.map_err(|error| Status::internal(error.to_string()))?;
        let count = count.map_err(io_status("read", folder))?;
        if count > MAX_ARTEFACTS {
            return Err(Status::resource_exhausted(format!("a job leaves at most {MAX_ARTEFACTS} files")));
        }
        let temporary = path.with_extension("part");
        let received = Self::receive(&mut parts, first, &temporary).await;
        if received.is_err() {
            // It failed already; what is left is removed with the attempt.
            let _ = tokio::fs::remove_file(&temporary).await;
        }
        let bytes = received?;
        tokio::fs::rename(&temporary, &path).await.map_err(io_status("write", &path))?;
        Ok(about(&lease.job_id, ArtefactReply { bytes }))
    }

    async fn finish(&self, request: Request<FinishRequest>) -> Result<Response<FinishReply>, Status> {
        let FinishRequest { lease, ending } = request.into_inner();
        let (_, mut lease) = self.held(lease).await?;
        let ending: JobEnding = ending.ok_or_else(|| Status::invalid_argument("ending: it is missing"))?.into();
        if let JobEnding::Done(effects) = &ending {
            check_effects(effects)?;
        }
        let waiting = staging(&self.home, &lease.job_id, lease.token);
        if matches!(ending, JobEnding::Done(_) | JobEnding::Cancelled) {
            let (home, folder) = (self.home.clone(), waiting.clone());
            let put = move || keep_objects(&home, &folder).and_then(|()| publish(&home, &folder));
            self.holding(&mut lease, put).await?;
        }
        let finished = self.database.finish_job(&lease, &ending, now_ms()).await;
        finished.map_err(|error| database_status(&error))?;
        // The attempt is over; what is left only takes space.
        let _ = tokio::fs::remove_dir_all(&waiting).await;
        (self.on_change)();
        Ok(about(&lease.job_id, FinishReply {}))
    }
}

/// What others will read as JSON has to be some.
fn check_effects(effects: &assay_store::database::JobEffects) -> Result<(), Status> {
    let summaries = effects.runs.iter().chain(&effects.datasets).map(|(_, summary)| summary);
    for text in summaries.chain([&effects.result]) {
        serde_json::from_str::<serde_json::Value>(text)
            .map_err(|error| Status::invalid_argument(format!("a result or summary is no JSON: {error}")))?;
    }
    if let Some((run_id, _)) = effects.runs.iter().find(|(run_id, _)| !is_place(&format!("runs/{run_id}/run.json"))) {
        return Err(Status::invalid_argument(format!("runs: `{}` is no run's id", run_id.escape_default())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use assay_store::Trial;
    use assay_store::database::{DatabaseLocation, JobEffects, JobStatus, NewAudit, NewJob};

    use super::*;
    use crate::artefact::TRIALS;
    use crate::proto::finish_request::Ending;

    /// A lock that others hold for a while stands for a slow disk.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn files_that_take_long_keep_the_lease_and_nobody_elses_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let location = DatabaseLocation::Sqlite(folder.path().join("platform.db"));
        let database = PlatformDatabase::open(&location).await.unwrap();
        let service = WorkerService {
            database: database.clone(),
            home: home.clone(),
            lake: Lake::open_local(folder.path().join("lake")).unwrap(),
            kinds: vec!["train"],
            dataset_of: |_| None,
            on_change: Arc::new(|| {}),
        };
        let new = NewJob { kind: "train".to_owned(), request: "{}".to_owned(), owner: "ada".to_owned() };
        let job = database.submit_job(&new, 5, now_ms()).await.unwrap();
        let ask = LeaseRequest { worker: "w".to_owned(), kinds: vec!["train".to_owned()] };
        let leased = service.lease(Request::new(ask)).await.unwrap();
        assert_eq!(leased.extensions().get(), Some(&AboutJob(job.job_id.clone())));
        let lease = leased.into_inner().job.unwrap().lease.unwrap();
        let waiting = staging(&home, &job.job_id, lease.token);
        std::fs::create_dir_all(&waiting).unwrap();
        let trial = Trial {
            dataset: "d".to_owned(),
            from_ms: 0,
            to_ms: 1,
            subject: "s".to_owned(),
            sharpe_per_bar: None,
            at_ms: 0,
        };
        std::fs::write(waiting.join(TRIALS), serde_json::to_string(&trial).unwrap()).unwrap();
        let held = home.lock("trials").unwrap();
        let done = JobEffects { result: "{}".to_owned(), ..JobEffects::default() };
        let ending = Some(Ending::from(&JobEnding::Done(done)));
        let finishing = tokio::spawn({
            let service = service.clone();
            async move { service.finish(Request::new(FinishRequest { lease: Some(lease), ending })).await }
        });
        // Longer than a heartbeat, so that the lease is held meanwhile.
        let begun = std::time::Instant::now();
        let mut leases = std::collections::BTreeSet::new();
        while begun.elapsed() < KEEP_LEASE + Duration::from_millis(300) {
            let noting = std::time::Instant::now();
            let entry = NewAudit {
                at: 1,
                user_id: None,
                credential: None,
                action: "write".to_owned(),
                subject: None,
                address: None,
            };
            database.begin_audit(&entry).await.unwrap();
            assert!(noting.elapsed() < Duration::from_millis(700), "others waited {:?}", noting.elapsed());
            let now = database.job(&job.job_id).await.unwrap().unwrap();
            assert_eq!(now.status, JobStatus::Running, "it ends with its files in place");
            leases.insert(now.updated_at);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(leases.len() >= 2 && !finishing.is_finished(), "the lease was not held: {leases:?}");
        drop(held);
        finishing.await.unwrap().unwrap();
        assert_eq!(database.job(&job.job_id).await.unwrap().unwrap().status, JobStatus::Done);
        assert_eq!(home.trials().on("d", 0, 1).unwrap().len(), 1);
    }
}
