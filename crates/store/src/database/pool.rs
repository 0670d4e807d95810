//! Connections to either database, with limits on every wait.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Postgres, Sqlite};

use super::statement::{Row, Statement};
use super::{DatabaseError, DatabaseLocation};

/// Longest wait for a connection, a new one included.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a SQLite writer to finish.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for one statement.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections of one database object.
pub const MAX_CONNECTIONS: u32 = 8;

/// Pages of 4 KiB in SQLite's log before a commit has to carry them into the file itself; a server
/// does it before, between commits.
const LOG_PAGES: &str = "8000";

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// The right to write is taken at once: SQLite cannot take it later without failing.
    Write,
    /// All reads see one moment.
    Snapshot,
}

impl Begin {
    fn sqlite(self) -> &'static str {
        match self {
            Self::Write => "BEGIN IMMEDIATE",
            Self::Snapshot => "BEGIN",
        }
    }

    fn postgres(self) -> &'static str {
        match self {
            Self::Write => "BEGIN",
            Self::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        }
    }
}

/// Connections to a database.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    /// Connects, to fail here and not at the first use.
    pub async fn open(location: &DatabaseLocation, access: Access) -> Result<Self, DatabaseError> {
        match location {
            DatabaseLocation::Sqlite(path) => open_sqlite(path, access).await.map(Self::Sqlite),
            DatabaseLocation::Postgres(url) => {
                let options = PgConnectOptions::from_str(url.secret()).map_err(|_| DatabaseError::Location {
                    // The driver's message may quote the URL and its password.
                    given: url.to_string(),
                })?;
                let pool = PgPoolOptions::new()
                    .max_connections(MAX_CONNECTIONS)
                    .acquire_timeout(ACQUIRE_TIMEOUT)
                    .connect_with(options)
                    .await;
                pool.map(Self::Postgres).map_err(DatabaseError::sql("connect"))
            }
        }
    }

    /// Begins a transaction that writes.
    pub async fn begin(&self) -> Result<Transaction, DatabaseError> {
        self.begin_as(Begin::Write).await
    }

    /// Begins a transaction whose reads see one moment.
    pub async fn snapshot(&self) -> Result<Transaction, DatabaseError> {
        self.begin_as(Begin::Snapshot).await
    }

    async fn begin_as(&self, begin: Begin) -> Result<Transaction, DatabaseError> {
        let action = "begin a transaction";
        // A caller that gives up while `BEGIN` is on its way would hand the connection back with
        // the transaction open: the task ends it instead.
        let beginning = match self.clone() {
            Self::Sqlite(pool) => {
                tokio::spawn(async move { pool.begin_with(begin.sqlite()).await.map(Transaction::Sqlite) })
            }
            Self::Postgres(pool) => {
                tokio::spawn(async move { pool.begin_with(begin.postgres()).await.map(Transaction::Postgres) })
            }
        };
        limited(action, async { beginning.await.unwrap_or(Err(sqlx::Error::WorkerCrashed)) }).await
    }

    /// Runs one statement by itself; the number of rows it changed.
    pub async fn execute(&self, statement: Statement) -> Result<u64, DatabaseError> {
        statement.check()?;
        limited(statement.action, async {
            match self {
                Self::Sqlite(pool) => statement.sqlite().execute(pool).await.map(|done| done.rows_affected()),
                Self::Postgres(pool) => statement.postgres().execute(pool).await.map(|done| done.rows_affected()),
            }
        })
        .await
    }

    /// The rows of one statement.
    pub async fn fetch(&self, statement: Statement) -> Result<Vec<Row>, DatabaseError> {
        statement.check()?;
        limited(statement.action, async {
            Ok(match self {
                Self::Sqlite(pool) => statement.sqlite().fetch_all(pool).await?.into_iter().map(Row::Sqlite).collect(),
                Self::Postgres(pool) => {
                    statement.postgres().fetch_all(pool).await?.into_iter().map(Row::Postgres).collect()
                }
            })
        })
        .await
    }

    /// Carries what was written from SQLite's log into its file.
    pub async fn tidy(&self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(_) => {
                self.fetch(Statement::new("tidy up", "PRAGMA wal_checkpoint(PASSIVE)")).await.map(|_| ())
            }
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

async fn open_sqlite(path: &Path, access: Access) -> Result<SqlitePool, DatabaseError> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT);
    let options = match access {
        Access::Write => options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What is committed survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", LOG_PAGES),
        Access::Read => options.read_only(true).pragma("query_only", "on"),
    };
    if let (Access::Write, Some(folder)) = (access, path.parent().filter(|folder| !folder.as_os_str().is_empty())) {
        std::fs::create_dir_all(folder)
            .map_err(|source| DatabaseError::Sql { action: "create its folder", source: sqlx::Error::Io(source) })?;
    }
    SqlitePoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // SQLite ends a transaction by itself that a full disk cuts off; the driver still believes
        // in it, and such a connection would begin no other one, ever.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        .connect_with(options)
        .await
        .map_err(DatabaseError::sql("open"))
}

/// A transaction; dropped without a commit it changes nothing.
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    /// Runs one statement; the number of rows it changed.
    pub async fn execute(&mut self, statement: Statement) -> Result<u64, DatabaseError> {
        statement.check()?;
        limited(statement.action, async {
            match self {
                Self::Sqlite(transaction) => {
                    statement.sqlite().execute(&mut **transaction).await.map(|done| done.rows_affected())
                }
                Self::Postgres(transaction) => {
                    statement.postgres().execute(&mut **transaction).await.map(|done| done.rows_affected())
                }
            }
        })
        .await
    }

    /// Runs statements; the number of rows they changed.
    pub async fn execute_all(&mut self, statements: Vec<Statement>) -> Result<u64, DatabaseError> {
        let mut changed = 0;
        for statement in statements {
            changed += self.execute(statement).await?;
        }
        Ok(changed)
    }

    /// Runs statements without arguments, separated by semicolons.
    pub async fn script(&mut self, action: &'static str, sql: &'static str) -> Result<(), DatabaseError> {
        limited(action, async {
            match self {
                Self::Sqlite(transaction) => sqlx::raw_sql(sql).execute(&mut **transaction).await.map(|_| ()),
                Self::Postgres(transaction) => sqlx::raw_sql(sql).execute(&mut **transaction).await.map(|_| ()),
            }
        })
        .await
    }

    /// The rows of one statement.
    pub async fn fetch(&mut self, statement: Statement) -> Result<Vec<Row>, DatabaseError> {
        statement.check()?;
        limited(statement.action, async {
            Ok(match self {
                Self::Sqlite(transaction) => {
                    let rows = statement.sqlite().fetch_all(&mut **transaction).await?;
                    rows.into_iter().map(Row::Sqlite).collect()
                }
                Self::Postgres(transaction) => {
                    let rows = statement.postgres().fetch_all(&mut **transaction).await?;
                    rows.into_iter().map(Row::Postgres).collect()
                }
            })
        })
        .await
    }

    /// The first row of one statement.
    pub async fn fetch_one(&mut self, statement: Statement) -> Result<Option<Row>, DatabaseError> {
        Ok(self.fetch(statement).await?.into_iter().next())
    }

    /// Makes the changes visible and lasting.
    pub async fn commit(self) -> Result<(), DatabaseError> {
        limited("commit", async {
            match self {
                Self::Sqlite(transaction) => transaction.commit().await,
                Self::Postgres(transaction) => transaction.commit().await,
            }
        })
        .await
    }

    /// Whether the database is PostgreSQL.
    pub const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

async fn limited<T>(
    action: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(STATEMENT_TIMEOUT, work).await {
        Ok(done) => done.map_err(DatabaseError::sql(action)),
        Err(_) => Err(DatabaseError::TimedOut { action, seconds: STATEMENT_TIMEOUT.as_secs() }),
    }
}
