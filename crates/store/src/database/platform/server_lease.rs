//! Which server a database belongs to: one home folder for good, and one server at a time.
//!
//! Runs, signing key and the key of sealed secrets live in the home, so a server of another
//! home could neither speak for the streams nor open the destinations. Each taking raises a
//! token that every later write checks: a server that was paused while another took over
//! writes nothing more.

use super::PlatformDatabase;
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::Statement;

/// A server, as it takes a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerIdentity {
    /// Its home folder, wherever it is: [`crate::Vault::fingerprint`].
    pub home: String,
    /// The folder on this machine. The home's own lock keeps two servers of one folder apart,
    /// so a later one need not wait for the lease of one that was killed.
    pub holder: String,
    /// The same in words, for whoever is refused.
    pub place: String,
}

/// The right to write, until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLease {
    token: i64,
}

impl PlatformDatabase {
    /// Takes the database until `expires_at` (ms since 1970); the first server binds it to its
    /// home.
    ///
    /// # Errors
    /// [`DatabaseError::OtherHome`]; [`DatabaseError::ServerHeld`] while another server's lease
    /// has not ended at `now_ms`; [`DatabaseError::Sql`].
    pub async fn take_server_lease(
        &self,
        server: &ServerIdentity,
        now_ms: i64,
        expires_at: i64,
    ) -> Result<ServerLease, DatabaseError> {
        let mut transaction = self.pool.begin().await?;
        // A row to lock, for two servers that come at once to an empty table.
        let sql = "INSERT INTO server_lease (id, home, holder, place, token, expires_at) VALUES (1, $1, $2, $3, 0, 0) \
                   ON CONFLICT (id) DO NOTHING";
        let first = Statement::new("bind the database to a home", sql);
        transaction.execute(first.bind(&server.home).bind(&server.holder).bind(&server.place)).await?;
        // Waits for writes under way, which hold the row for key share.
        let lock = if transaction.is_postgres() { "FOR UPDATE" } else { "" };
        let sql = format!("SELECT home, holder, place, token, expires_at FROM server_lease WHERE id = 1 {lock}");
        let row = transaction.fetch_one(Statement::new("read the server's lease", sql)).await?;
        let Some(row) = row else { return Err(DatabaseError::ServerReplaced { place: "nowhere".to_owned() }) };
        let place = row.get("place")?;
        if row.get::<String>("home")? != server.home {
            return Err(DatabaseError::OtherHome { place });
        }
        if row.get::<String>("holder")? != server.holder && row.get::<i64>("expires_at")? > now_ms {
            return Err(DatabaseError::ServerHeld { place });
        }
        let token = row.get::<i64>("token")? + 1;
        let sql = "UPDATE server_lease SET holder = $1, place = $2, token = $3, expires_at = $4 WHERE id = 1";
        let statement = Statement::new("take the server's lease", sql)
            .bind(&server.holder)
            .bind(&server.place)
            .bind(token)
            .bind(expires_at);
        transaction.execute(statement).await?;
        transaction.commit().await?;
        Ok(ServerLease { token })
    }

    /// Holds the database until a later time.
    ///
    /// # Errors
    /// [`DatabaseError::ServerReplaced`] when another server has taken it;
    /// [`DatabaseError::Sql`].
    pub async fn renew_server_lease(&self, lease: &ServerLease, expires_at: i64) -> Result<(), DatabaseError> {
        let sql = "UPDATE server_lease SET expires_at = $1 WHERE id = 1 AND token = $2";
        let statement = Statement::new("renew the server's lease", sql).bind(expires_at).bind(lease.token);
        if self.pool.execute(statement).await? == 1 {
            return Ok(());
        }
        let rows = self.pool.fetch(Statement::new("read who took the database", HOLDER)).await?;
        Err(replaced(rows.first())?)
    }

    /// Gives the database back, unless another server has taken it.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`]; then the lease ends by itself.
    pub async fn release_server_lease(&self, lease: &ServerLease) -> Result<(), DatabaseError> {
        let sql = "UPDATE server_lease SET expires_at = 0 WHERE id = 1 AND token = $1";
        self.pool.execute(Statement::new("give the database back", sql).bind(lease.token)).await.map(|_| ())
    }

    /// The same database for the holder of a lease: every write fails with
    /// [`DatabaseError::ServerReplaced`] once another server has taken it.
    #[must_use]
    pub fn fenced(mut self, lease: &ServerLease) -> Self {
        self.fence = Some(lease.token);
        self
    }
}

const HOLDER: &str = "SELECT token, place FROM server_lease WHERE id = 1";

/// Refuses when the token is no longer the last one; keeps it the last one until the
/// transaction ends.
pub(super) async fn check(transaction: &mut Transaction, token: i64) -> Result<(), DatabaseError> {
    // Renewals change no key and need not wait for this.
    let lock = if transaction.is_postgres() { "FOR KEY SHARE" } else { "" };
    let row = transaction.fetch_one(Statement::new("check the server's lease", format!("{HOLDER} {lock}"))).await?;
    match &row {
        Some(row) if row.get::<i64>("token")? == token => Ok(()),
        row => Err(replaced(row.as_ref())?),
    }
}

fn replaced(row: Option<&crate::database::statement::Row>) -> Result<DatabaseError, DatabaseError> {
    let place = row.map_or(Ok("nowhere".to_owned()), |row| row.get("place"))?;
    Ok(DatabaseError::ServerReplaced { place })
}
