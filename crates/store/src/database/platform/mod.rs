//! The platform's own database: scheduled jobs, catalogue, streams and their signals,
//! deliveries, access, and the numbered events that tell of changes.

mod access;
mod controls;
mod counters;
mod datasets;
mod deliveries;
mod destinations;
mod events;
mod feeds;
mod models;
mod runs;
mod scheduled_jobs;
mod server_lease;
mod signals;
mod speakers;
mod streams;
mod tables;

pub use access::{
    AuditEntry, CredentialRow, IdempotentClaim, KeyRow, NewAudit, NewIdempotent, Session, StoredReply, UserChange,
    UserRow,
};
pub use controls::{Resumed, StopControl};
pub use datasets::DatasetRow;
pub use deliveries::{
    Delivery, DeliveryOutcome, DeliveryReport, KEPT_DELIVERIES, LoggedDelivery, MAX_DELIVERIES, Setback,
};
pub use destinations::{Audience, Destination, DestinationKind, DestinationRight, MAX_DESTINATIONS, NewDestination};
pub use events::{Event, EventPage, MAX_EVENTS, NewEvent};
pub use feeds::{Checkpoint, CommittedClose, FeedCandle, Speaker};
pub use models::{MAX_MODELS, ModelRow, Reader};
pub use runs::RunRow;
pub use scheduled_jobs::{
    JobEffects, JobEnding, JobFilter, JobStatus, LeasedJob, MAX_ATTEMPTS, NewJob, ScheduledJob, WorkerLease,
};
pub use server_lease::{ServerIdentity, ServerLease};
pub use signals::{MAX_SIGNALS, StoredSignal};
pub use streams::{NewStream, Stream, StreamMode, StreamStatus};

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::pool::{Access, Pool, Transaction};
use super::{DatabaseError, DatabaseLocation, SchemaVersion};

/// The platform database; clones share its connections.
#[derive(Debug, Clone)]
pub struct PlatformDatabase {
    pool: Pool,
    /// Numbers of models that spoke; they never change.
    speakers: Arc<Mutex<HashMap<String, i64>>>,
    /// The token of the server that writes; without one nothing is fenced.
    fence: Option<i64>,
}

impl PlatformDatabase {
    /// Connects, making the file and the tables where they are missing.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] when the database cannot be reached, [`DatabaseError::TooNew`]
    /// when its tables are of a later version.
    pub async fn open(location: &DatabaseLocation) -> Result<Self, DatabaseError> {
        let pool = Pool::open(location, Access::Write).await?;
        tables::SCHEMA.migrate(&pool).await?;
        Ok(Self { pool, speakers: Arc::default(), fence: None })
    }

    /// The version of the tables at `location`, looked at without making or changing anything.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] when the database cannot be reached or is none.
    pub async fn inspect(location: &DatabaseLocation) -> Result<SchemaVersion, DatabaseError> {
        tables::SCHEMA.inspect(location).await
    }

    /// Carries what was written from SQLite's log into its file, so that no commit has to; does
    /// nothing on PostgreSQL.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn tidy(&self) -> Result<(), DatabaseError> {
        self.pool.tidy().await
    }

    /// Begins a transaction that writes, unless another server has taken the database.
    async fn begin(&self) -> Result<Transaction, DatabaseError> {
        let mut transaction = self.pool.begin().await?;
        if let Some(token) = self.fence {
            server_lease::check(&mut transaction, token).await?;
        }
        Ok(transaction)
    }

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
