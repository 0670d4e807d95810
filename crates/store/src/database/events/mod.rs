//! What pools logged: one writer, the indexer, and any number of readers.

mod decode;
mod ingest;
mod pools;
mod reader;
mod roles;
mod roll_back;
mod rows;
mod tables;
mod text;

pub use ingest::Ingested;
pub use pools::{Contract, ContractRole, PoolRow};
pub use reader::{Cursor, LocatedFee, LocatedGauge};
pub use roles::Roles;

use super::pool::{Access, Pool};
use super::{DatabaseError, DatabaseLocation};

/// The indexer's side of the pool-events database; clones share its connections.
#[derive(Debug, Clone)]
pub struct PoolEventsWriter {
    pool: Pool,
}

/// The side of everyone else: it has no way to write, and its connections no right to.
#[derive(Debug, Clone)]
pub struct PoolEventsReader {
    pool: Pool,
}

impl PoolEventsWriter {
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

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl PoolEventsReader {
    /// Connects; a SQLite file is opened for reading only, on PostgreSQL the login decides
    /// (see [`PoolEventsWriter::grant`]).
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] when the database cannot be reached, [`DatabaseError::NotReady`]
    /// when the writer has not made its tables, [`DatabaseError::TooNew`].
    pub async fn open(location: &DatabaseLocation) -> Result<Self, DatabaseError> {
        let pool = Pool::open(location, Access::Read).await?;
        tables::SCHEMA.check(&pool).await?;
        Ok(Self { pool })
    }

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::statement::Statement;

    #[tokio::test]
    async fn the_connections_of_a_reader_of_a_file_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let location = DatabaseLocation::Sqlite(folder.path().join("pools.db"));
        let writer = PoolEventsWriter::open(&location).await.unwrap();
        let reader = PoolEventsReader::open(&location).await.unwrap();
        let insert =
            || Statement::new("write", "INSERT INTO blocks (chain_id, number, hash, timestamp) VALUES (1, 1, '', 1)");
        let error = reader.pool.execute(insert()).await.unwrap_err();
        assert!(error.to_string().contains("readonly") && !error.is_retryable(), "{error}");
        let drop = Statement::new("drop a table", "DROP TABLE blocks");
        assert!(reader.pool.execute(drop).await.unwrap_err().to_string().contains("readonly"));
        assert_eq!(reader.headers(1, 0..=9).await.unwrap(), []);
        assert_eq!(writer.pool.execute(insert()).await.unwrap(), 1);
    }
}
