//! Jobs, their rounds and what miners answered, earned and executed.

mod complete;
mod executions;
mod lease;
mod miners;
mod names;
mod participation;
mod predictions;
mod rounds;
mod scores;
mod tables;

pub use complete::CompletedRound;
pub use executions::Execution;
pub use lease::JobLease;
pub use miners::{JobRow, MinerRow};
pub use names::{RoundMode, RoundStatus, TransactionStatus};
pub use participation::Participation;
pub use predictions::Prediction;
pub use rounds::{MAX_PAGE, Round};
pub use scores::MinerScore;

use super::pool::{Access, Pool};
use super::{DatabaseError, DatabaseLocation, SchemaVersion};

/// The jobs database; clones share its connections.
#[derive(Debug, Clone)]
pub struct JobsDatabase {
    pool: Pool,
}

impl JobsDatabase {
    /// Connects, making the file and the tables where they are missing.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] when the database cannot be reached, [`DatabaseError::TooNew`]
    /// when its tables are of a later version.
    pub async fn open(location: &DatabaseLocation) -> Result<Self, DatabaseError> {
        let pool = Pool::open(location, Access::Write).await?;
        tables::SCHEMA.migrate(&pool).await?;
        Ok(Self { pool })
    }

    /// The version of the tables at `location`, looked at without making or changing anything.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] when the database cannot be reached or is none.
    pub async fn inspect(location: &DatabaseLocation) -> Result<SchemaVersion, DatabaseError> {
        tables::SCHEMA.inspect(location).await
    }

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
