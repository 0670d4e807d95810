//! What every handler works with.

use std::sync::Arc;

use assay_store::database::{DatabaseLocation, JobsDatabase, PlatformDatabase};
use assay_store::{Home, Vault};
use tokio::sync::Notify;

use crate::clock::now_ms;
use crate::graphql::{ReadSchema, schema};

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
    /// Liquidity jobs and rounds.
    pub liquidity: JobsDatabase,
    /// Opens sealed secrets.
    pub vault: Vault,
    /// Told after a job was queued here, so that it starts at once.
    pub job_queued: Notify,
    /// Told after events were appended by this process.
    pub events_appended: Notify,
    /// When the server started, in ms since 1970.
    pub started_at_ms: i64,
    /// Answers questions over GraphQL.
    pub(crate) graphql: ReadSchema,
}

impl std::ops::Deref for ServerState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl ServerState {
    /// Opens the databases and the vault.
    ///
    /// # Errors
    /// [`assay_jobs::JobError`] when a database cannot be reached or a key cannot be read.
    pub async fn open(settings: Settings) -> Result<Self, assay_jobs::JobError> {
        let vault = settings.home.vault()?;
        let platform = PlatformDatabase::open(&settings.platform).await?;
        let liquidity = JobsDatabase::open(&settings.liquidity).await?;
        let (job_queued, events_appended) = (Notify::new(), Notify::new());
        let started_at_ms = now_ms();
        Ok(Self(Arc::new(Inner {
            settings,
            platform,
            liquidity,
            vault,
            job_queued,
            events_appended,
            started_at_ms,
            graphql: schema(),
        })))
    }
}
