//! What every handler works with.

use std::sync::Arc;

use assay_gateway::{Dispatcher, GatewaySettings};
use assay_store::database::{DatabaseLocation, JobsDatabase, PlatformDatabase, ServerLease};
use assay_store::{Home, Vault};
use tokio::sync::{Notify, Semaphore, watch};

use crate::access::{AccessOptions, Buckets, Credentials};
use crate::clock::now_ms;
use crate::feed::Feed;
use crate::graphql::{ReadSchema, schema};
use crate::holding;
use crate::live::Live;

/// Sockets that listen to signals at once; those beyond are refused.
pub const MAX_SIGNAL_SOCKETS: usize = 4_096;

/// Where a server keeps what.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Runs, objects, keys.
    pub home: Home,
    /// Candles: a folder or `s3://BUCKET/PREFIX`; `None` for the lake folder of the home.
    pub lake: Option<String>,
    /// The platform database.
    pub platform: DatabaseLocation,
    /// The database of liquidity jobs and rounds.
    pub liquidity: DatabaseLocation,
    /// Where signals may go.
    pub gateway: GatewaySettings,
    /// Whether a new home runs the demo and streams its policy.
    pub demo: bool,
    /// Long jobs at work at once on this machine; 0 leaves them to other workers.
    pub job_slots: usize,
}

/// Shared by all handlers; cloning is cheap.
#[derive(Clone)]
pub struct ServerState(Arc<Inner>);

/// The parts of a [`ServerState`].
pub struct Inner {
    /// Where things are kept.
    pub settings: Settings,
    /// The platform database.
    pub platform: PlatformDatabase,
    /// What keeps other servers off it; `None` for whoever serves nobody.
    pub(crate) lease: Option<ServerLease>,
    /// Liquidity jobs and rounds.
    pub liquidity: JobsDatabase,
    /// Opens sealed secrets.
    pub vault: Vault,
    /// Told after a job was queued here, so that it starts at once.
    pub job_queued: Notify,
    /// Told after events were appended by this process.
    pub events_appended: Notify,
    /// Sends signals to destinations.
    pub dispatcher: Dispatcher,
    /// Places for sockets that listen to signals.
    pub signal_sockets: Arc<Semaphore>,
    /// When the server started, in ms since 1970.
    pub started_at_ms: i64,
    /// Who may call, and how often.
    pub(crate) access: Access,
    /// New events, for sockets.
    pub(crate) feed: Feed,
    /// Becomes true when the server stops.
    pub(crate) stopping: watch::Sender<bool>,
    /// Streams at work, who listens to them, and the stop mark.
    pub live: Live,
    /// Answers questions over GraphQL.
    pub(crate) graphql: ReadSchema,
}

/// Who may call, and how often.
pub(crate) struct Access {
    pub options: AccessOptions,
    pub credentials: Credentials,
    pub by_address: Buckets,
    pub by_credential: Buckets,
    /// Open sockets of the event stream.
    pub sockets: Arc<Semaphore>,
}

/// Seconds' worth of requests that may come at once.
const ADDRESS_BURST_S: u32 = 10;
const CREDENTIAL_BURST_S: u32 = 2;

impl Access {
    fn new(options: AccessOptions) -> Result<Self, assay_jobs::JobError> {
        let limits = options.limits;
        let credentials = Credentials::new().map_err(|problem| assay_jobs::JobError::Failed(problem.detail))?;
        Ok(Self {
            credentials,
            by_address: Buckets::new(limits.address_per_second, ADDRESS_BURST_S),
            by_credential: Buckets::new(limits.credential_per_second, CREDENTIAL_BURST_S),
            sockets: Arc::new(Semaphore::new(limits.sockets)),
            options,
        })
    }
}

impl std::ops::Deref for ServerState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl ServerState {
    /// Opens the databases and the vault, beside whoever else has them open.
    ///
    /// # Errors
    /// [`assay_jobs::JobError`] when a database cannot be reached or a key cannot be read.
    pub async fn open(settings: Settings) -> Result<Self, assay_jobs::JobError> {
        let vault = settings.home.vault()?;
        let platform = PlatformDatabase::open(&settings.platform).await?;
        Self::with(settings, AccessOptions::default(), vault, platform, None).await
    }

    /// The same for a server: no other one writes to the platform database meanwhile.
    ///
    /// # Errors
    /// As [`ServerState::open`], and when another server holds the database.
    pub(crate) async fn serving(settings: Settings, options: AccessOptions) -> Result<Self, assay_jobs::JobError> {
        let vault = settings.home.vault()?;
        let platform = PlatformDatabase::open(&settings.platform).await?;
        let lease = holding::take(&platform, &settings.home, &vault).await?;
        let platform = platform.fenced(&lease);
        Self::with(settings, options, vault, platform, Some(lease)).await
    }

    async fn with(
        settings: Settings,
        options: AccessOptions,
        vault: Vault,
        platform: PlatformDatabase,
        lease: Option<ServerLease>,
    ) -> Result<Self, assay_jobs::JobError> {
        let liquidity = JobsDatabase::open(&settings.liquidity).await?;
        let (job_queued, events_appended) = (Notify::new(), Notify::new());
        let live = Live::new(&settings.home);
        let (stop, hub, gateway) = (live.stop.clone(), live.hub.clone(), settings.gateway.clone());
        let dispatcher = Dispatcher::new(platform.clone(), vault.clone(), stop, hub, gateway)
            .map_err(|error| assay_jobs::JobError::Failed(error.to_string()))?;
        let signal_sockets = Arc::new(Semaphore::new(MAX_SIGNAL_SOCKETS));
        let access = Access::new(options)?;
        let (feed, (stopping, _)) = (Feed::new(), watch::channel(false));
        Ok(Self(Arc::new(Inner {
            settings,
            platform,
            lease,
            liquidity,
            vault,
            job_queued,
            events_appended,
            dispatcher,
            signal_sockets,
            started_at_ms: now_ms(),
            access,
            feed,
            stopping,
            live,
            graphql: schema(),
        })))
    }
}
