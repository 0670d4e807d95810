//! Jobs of a server on another machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assay_lake::{Lake, OnConflict};
use assay_store::database::{JobEnding, WorkerLease};
use assay_store::{StoreError, write_atomic};
use assay_types::{Candles, Dataset, Secret};
use tokio::sync::Mutex;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use crate::artefact::{TRIALS, collect, read_hashed};
use crate::candles::decode;
use crate::error::WorkerError;
use crate::place::Place;
use crate::proto::workers_client::WorkersClient;
use crate::proto::{
    ArtefactPart, DatasetRequest, FinishRequest, HeartbeatRequest, JobLease, LeaseRequest, finish_request,
};
use crate::queue::{LEASE_MS, Leased};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a reply to a small message.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the transfer of one file or dataset.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(600);
/// Time between two signs of life on an idle connection.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Largest message: a job with the earlier evaluations on its dataset.
const MAX_MESSAGE_BYTES: usize = 64 << 20;
/// Bytes of one piece of a file.
const PIECE_BYTES: usize = 1 << 20;

/// Adds the key to each call.
#[derive(Clone)]
struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A server on another machine; clones share its connection.
#[derive(Clone)]
pub struct Remote {
    client: WorkersClient<InterceptedService<Channel, Bearer>>,
    home: PathBuf,
    /// One dataset is fetched at a time, so that none is fetched twice.
    fetching: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("home", &self.home).finish_non_exhaustive()
    }
}

fn failed(action: &'static str) -> impl Fn(Status) -> WorkerError {
    move |status| WorkerError::Server { action, status: Box::new(status) }
}

fn timed<T>(message: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

impl Remote {
    /// Connects to the server at `url` and sees that it takes the key. `home` is the worker's own
    /// folder, `certificate` the PEM of an authority that the system does not know.
    ///
    /// # Errors
    /// [`WorkerError::Address`]; [`WorkerError::Server`] when it does not answer or refuses.
    pub async fn join(url: &str, key: &Secret, home: &Path, certificate: Option<&[u8]>) -> Result<Self, WorkerError> {
        let address = |reason: String| WorkerError::Address { url: url.to_owned(), reason };
        let mut endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(|error| address(error.to_string()))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        if url.starts_with("https://") {
            let tls = ClientTlsConfig::new().with_enabled_roots();
            let tls = certificate.iter().fold(tls, |tls, pem| tls.ca_certificate(Certificate::from_pem(pem)));
            endpoint = endpoint.tls_config(tls).map_err(|error| address(error.to_string()))?;
        }
        let mut bearer: MetadataValue<Ascii> = format!("Bearer {}", key.reveal())
            .parse()
            .map_err(|_| address("the key holds letters that no key has".to_owned()))?;
        bearer.set_sensitive(true);
        let client = WorkersClient::with_interceptor(endpoint.connect_lazy(), Bearer(bearer))
            .max_decoding_message_size(MAX_MESSAGE_BYTES);
        let remote = Self { client, home: home.to_owned(), fetching: Arc::default() };
        // Of no kind there is no job; a key that does not hold is told here.
        let nothing = LeaseRequest { worker: "join".to_owned(), kinds: Vec::new() };
        remote.client.clone().lease(timed(nothing, REPLY_TIMEOUT)).await.map_err(failed("join"))?;
        Ok(remote)
    }

    pub(crate) async fn lease(&self, worker: &str, kinds: &[&str]) -> Result<Option<Leased>, WorkerError> {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let request = timed(LeaseRequest { worker: worker.to_owned(), kinds }, REPLY_TIMEOUT);
        let reply = self.client.clone().lease(request).await.map_err(failed("give a job"))?.into_inner();
        let Some(job) = reply.job else { return Ok(None) };
        let lease = job.lease.ok_or_else(|| failed("give a job")(Status::internal("a job without a lease")))?;
        Ok(Some(Leased {
            lease: lease.into(),
            kind: job.kind,
            request: job.request,
            attempts: job.attempt,
            dataset: job.dataset,
            trials: job.trials,
        }))
    }

    pub(crate) async fn heartbeat(&self, lease: &WorkerLease, progress: Option<&str>) -> Result<bool, WorkerError> {
        let message = HeartbeatRequest { lease: Some(JobLease::from(lease)), progress: progress.map(str::to_owned) };
        // Later than this it is of no use.
        let limit = Duration::from_millis(LEASE_MS.unsigned_abs() / 2);
        let reply = self.client.clone().heartbeat(timed(message, limit)).await;
        Ok(reply.map_err(failed("take a heartbeat"))?.into_inner().is_cancelling)
    }

    /// A home of the job's own, in which an earlier attempt may have left a checkpoint, and a
    /// lake that holds exactly the dataset as the server has it.
    pub(crate) async fn prepare(&self, place: &Place, leased: &Leased) -> Result<Place, WorkerError> {
        let home = self.job_home(&leased.lease.job_id);
        write_atomic(&home.join(TRIALS), leased.trials.as_bytes())?;
        let lake = match &leased.dataset {
            Some(dataset) => Some(self.fetch(&leased.lease, dataset).await?.display().to_string()),
            None => None,
        };
        Ok(Place { home, lake, ..place.clone() })
    }

    fn job_home(&self, job_id: &str) -> PathBuf {
        // Ids come from the server; only their letters make a name.
        let name: String = job_id.chars().filter(char::is_ascii_alphanumeric).collect();
        self.home.join("jobs").join(name)
    }

    async fn fetch(&self, lease: &WorkerLease, name: &str) -> Result<PathBuf, WorkerError> {
        let action = "send a dataset";
        let _alone = self.fetching.lock().await;
        let broken = |reason: String| failed(action)(Status::data_loss(reason));
        let dataset: Dataset = name.parse().map_err(|_| broken(format!("`{name}` is no dataset")))?;
        let request = DatasetRequest { lease: Some(JobLease::from(lease)), dataset: name.to_owned() };
        let reply = self.client.clone().read_dataset(timed(request, TRANSFER_TIMEOUT)).await;
        let mut parts = reply.map_err(failed(action))?.into_inner();
        let head = parts.message().await.map_err(failed(action))?.ok_or_else(|| broken("nothing came".to_owned()))?;
        let is_hash = head.data_hash.len() == 64 && head.data_hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash {
            return Err(broken("its hash is none".to_owned()));
        }
        let folder = self.home.join("datasets").join(&head.data_hash);
        let complete = folder.join("complete");
        if complete.exists() {
            return Ok(folder);
        }
        let mut candles = Candles::new(dataset.market, dataset.timeframe);
        while let Some(part) = parts.message().await.map_err(failed(action))? {
            decode(&part.candles, &mut candles).ok_or_else(|| broken("a piece is torn".to_owned()))?;
        }
        let found = candles.data_hash().to_string();
        if found != head.data_hash {
            return Err(broken(format!("it has data_hash {found} and should have {}", head.data_hash)));
        }
        Lake::open_local(&folder)?.store_candles(&candles, OnConflict::Replace).await?;
        write_atomic(&complete, name.as_bytes())?;
        Ok(folder)
    }

    pub(crate) async fn finish(
        &self,
        place: &Place,
        lease: &WorkerLease,
        ending: &JobEnding,
    ) -> Result<(), WorkerError> {
        if matches!(ending, JobEnding::Done(_) | JobEnding::Cancelled) && place.home.exists() {
            for path in collect(&place.home)? {
                self.put(&place.home, lease, path).await?;
            }
        }
        let ending_message = Some(finish_request::Ending::from(ending));
        let message = FinishRequest { lease: Some(JobLease::from(lease)), ending: ending_message };
        let request = timed(message, TRANSFER_TIMEOUT);
        self.client.clone().finish(request).await.map_err(failed("take the end of a job"))?;
        if matches!(ending, JobEnding::Done(_)) {
            // The server has everything; what is left here only takes space.
            let _ = tokio::fs::remove_dir_all(self.job_home(&lease.job_id)).await;
        }
        Ok(())
    }

    async fn put(&self, home: &Path, lease: &WorkerLease, path: String) -> Result<(), WorkerError> {
        let file = home.join(&path);
        let read = tokio::task::spawn_blocking(move || read_hashed(&file)).await;
        let (bytes, hash) = read.map_err(|error| WorkerError::Store(lost(home, error)))??;
        let lease = JobLease::from(lease);
        let (sha256, count) = (hash.to_string(), bytes.len().div_ceil(PIECE_BYTES).max(1));
        let parts = (0..count).map(move |index| {
            let piece = &bytes[index * PIECE_BYTES..bytes.len().min((index + 1) * PIECE_BYTES)];
            let is_first = index == 0;
            ArtefactPart {
                lease: is_first.then(|| lease.clone()),
                path: if is_first { path.clone() } else { String::new() },
                sha256: if is_first { sha256.clone() } else { String::new() },
                content: piece.to_vec(),
            }
        });
        let request = timed(futures::stream::iter(parts), TRANSFER_TIMEOUT);
        self.client.clone().put_artefact(request).await.map_err(failed("take a file"))?;
        Ok(())
    }
}

fn lost(path: &Path, error: tokio::task::JoinError) -> StoreError {
    StoreError::io("read", path)(std::io::Error::other(error))
}
