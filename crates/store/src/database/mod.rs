//! The databases, each on a SQLite file or PostgreSQL with the same tables and statements: the
//! platform's own, the liquidity jobs with their rounds and scores, and what pools logged.
//!
//! Columns are texts, 64-bit integers and flags alone, which both hold alike; integers that
//! may be wider are decimal texts. Times and clocks are arguments.

mod error;
mod events;
mod jobs;
mod location;
mod platform;
mod pool;
mod schema;
mod statement;

pub use error::DatabaseError;
pub use events::{
    Contract, ContractRole, Cursor, Ingested, LocatedFee, LocatedGauge, PoolEventsReader, PoolEventsWriter, PoolRow,
    Roles,
};
pub use jobs::{
    CompletedRound, Execution, JobLease, JobRow, JobsDatabase, MAX_PAGE, MinerRow, MinerScore, Participation,
    Prediction, Round, RoundMode, RoundStatus, TransactionStatus,
};
pub use location::{DatabaseLocation, PostgresUrl};
pub use platform::{
    Audience, AuditEntry, Checkpoint, CommittedClose, CredentialRow, DatasetRow, Delivery, DeliveryOutcome,
    DeliveryReport, Destination, DestinationKind, Event, EventPage, FeedCandle, IdempotentClaim, JobEffects, JobEnding,
    JobFilter, JobStatus, KEPT_DELIVERIES, KeyRow, LeasedJob, LoggedDelivery, MAX_ATTEMPTS, MAX_DELIVERIES,
    MAX_DESTINATIONS, MAX_EVENTS, MAX_SIGNALS, NewAudit, NewDestination, NewEvent, NewIdempotent, NewJob, NewStream,
    PlatformDatabase, RunRow, ScheduledJob, ServerIdentity, ServerLease, Session, Setback, Speaker, StoredReply,
    StoredSignal, Stream, StreamMode, StreamStatus, UserChange, UserRow, WorkerLease,
};
pub use platform::{MAX_MODELS, ModelRow, Reader};
pub use pool::{ACQUIRE_TIMEOUT, BUSY_TIMEOUT, MAX_CONNECTIONS, STATEMENT_TIMEOUT};
pub use schema::SchemaVersion;
