//! The tables of a database and their version.

use super::pool::{Access, Pool, Transaction};
use super::statement::Statement;
use super::{DatabaseError, DatabaseLocation};

/// The versions of a database's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaVersion {
    /// Of the tables that are there; 0 when there are none.
    pub found: i64,
    /// That this release makes.
    pub known: i64,
}

/// The tables of one database, as the steps that made them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema {
    /// What the database is called in messages and in the table of versions.
    pub name: &'static str,
    /// Steps for both databases; the version is their number. A step that was released is
    /// never changed.
    pub steps: &'static [&'static str],
}

/// Taken for the time of a change of tables, so that two processes that start together do not
/// both make them. SQLite's write transaction does the same.
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(7310579012)";

impl Schema {
    const fn known(self) -> i64 {
        self.steps.len() as i64
    }

    /// Brings the tables to the version known here; does not write when they are.
    pub async fn migrate(self, pool: &Pool) -> Result<(), DatabaseError> {
        if self.version_outside(pool).await? == self.known() {
            return Ok(());
        }
        let mut transaction = pool.begin().await?;
        if transaction.is_postgres() {
            transaction.fetch(Statement::new("lock the tables' version", POSTGRES_LOCK)).await?;
        }
        transaction
            .script(
                "create the table of versions",
                "CREATE TABLE IF NOT EXISTS schema_versions (name TEXT PRIMARY KEY, version BIGINT NOT NULL)",
            )
            .await?;
        let found = self.version(&mut transaction).await?;
        self.check_not_newer(found)?;
        for step in self.steps.iter().skip(usize::try_from(found).unwrap_or(0)) {
            transaction.script("change the tables", step).await?;
        }
        let statement = "INSERT INTO schema_versions (name, version) VALUES ($1, $2) \
                         ON CONFLICT (name) DO UPDATE SET version = excluded.version";
        transaction.execute(Statement::new("note the version", statement).bind(self.name).bind(self.known())).await?;
        transaction.commit().await
    }

    /// Refuses tables of another version.
    pub async fn check(self, pool: &Pool) -> Result<(), DatabaseError> {
        let found = self.version_outside(pool).await?;
        self.check_not_newer(found)?;
        if found < self.known() {
            return Err(DatabaseError::NotReady { what: self.name, found, known: self.known() });
        }
        Ok(())
    }

    /// The version found and the version known, looked at without changing anything.
    pub async fn inspect(self, location: &DatabaseLocation) -> Result<SchemaVersion, DatabaseError> {
        let pool = Pool::open(location, Access::Read).await?;
        let found = self.version_outside(&pool).await;
        pool.close().await;
        Ok(SchemaVersion { found: found?, known: self.known() })
    }

    fn check_not_newer(self, found: i64) -> Result<(), DatabaseError> {
        if found > self.known() {
            return Err(DatabaseError::TooNew { what: self.name, found, known: self.known() });
        }
        Ok(())
    }

    async fn version_outside(self, pool: &Pool) -> Result<i64, DatabaseError> {
        let catalog = match pool {
            Pool::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_versions'",
            Pool::Postgres(_) => "SELECT 'schema_versions' AS name WHERE to_regclass('schema_versions') IS NOT NULL",
        };
        let mut transaction = pool.snapshot().await?;
        if transaction.fetch(Statement::new("look for its tables", catalog)).await?.is_empty() {
            return Ok(0);
        }
        self.version(&mut transaction).await
    }

    async fn version(self, transaction: &mut Transaction) -> Result<i64, DatabaseError> {
        let statement = Statement::new("read its version", "SELECT version FROM schema_versions WHERE name = $1");
        let row = transaction.fetch_one(statement.bind(self.name)).await?;
        row.map_or(Ok(0), |row| row.get("version"))
    }
}
