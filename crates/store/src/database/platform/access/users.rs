//! Users.

use super::KeyRow;
use super::keys::insert_key;
use crate::database::DatabaseError;
use crate::database::platform::{PlatformDatabase, counters};
use crate::database::pool::Transaction;
use crate::database::statement::{Row, Statement, signed};

const COLUMNS: &str = "user_id, number, name, role, address, active, created_at";

/// Someone who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The user.
    pub user_id: String,
    /// Its place in the list, given when it is stored.
    pub number: u64,
    /// What people call them.
    pub name: String,
    /// `owner`, `trader` or `viewer`.
    pub role: String,
    /// The wallet that signs in as this user, in lower case; nobody else's.
    pub address: Option<String>,
    /// Whether they may do anything.
    pub active: bool,
    /// When they were made, in ms since 1970.
    pub created_at: i64,
}

/// What became of a change of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserChange {
    /// It was made.
    Done,
    /// There is no such user.
    NoUser,
    /// Another user has the wallet.
    AddressTaken,
    /// No active owner would be left.
    LastOwner,
}

impl PlatformDatabase {
    /// Stores the first user and their key, unless there are users; whether it did.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn put_first_user(&self, user: &UserRow, key: &KeyRow) -> Result<bool, DatabaseError> {
        let mut transaction = self.begin().await?;
        // The counter's row keeps another first start waiting.
        let number = counters::take(&mut transaction, "users", 1).await?;
        let any = Statement::new("look for users", "SELECT user_id FROM users LIMIT 1");
        if transaction.fetch_one(any).await?.is_some() {
            return Ok(false);
        }
        insert_user(&mut transaction, user, number).await?;
        insert_key(&mut transaction, key).await?;
        transaction.commit().await.map(|()| true)
    }

    /// Stores a new user.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn put_user(&self, user: &UserRow) -> Result<UserChange, DatabaseError> {
        let mut transaction = self.begin().await?;
        let number = counters::take(&mut transaction, "users", 1).await?;
        if is_taken(&mut transaction, user).await? {
            return Ok(UserChange::AddressTaken);
        }
        insert_user(&mut transaction, user, number).await?;
        transaction.commit().await.map(|()| UserChange::Done)
    }

    /// Changes name, role, wallet and activity of a user.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn change_user(&self, user: &UserRow) -> Result<UserChange, DatabaseError> {
        let mut transaction = self.begin().await?;
        // Two owners who take the role from each other wait here.
        counters::take(&mut transaction, "users", 0).await?;
        if is_taken(&mut transaction, user).await? {
            return Ok(UserChange::AddressTaken);
        }
        let sql = "UPDATE users SET name = $2, role = $3, address = $4, active = $5 WHERE user_id = $1";
        let change = Statement::new("change a user", sql)
            .bind(&user.user_id)
            .bind(&user.name)
            .bind(&user.role)
            .bind(&user.address)
            .bind(user.active);
        if transaction.execute(change).await? == 0 {
            return Ok(UserChange::NoUser);
        }
        let sql = "SELECT user_id FROM users WHERE role = 'owner' AND active = $1 LIMIT 1";
        let owners = Statement::new("look for an owner", sql).bind(true);
        if transaction.fetch_one(owners).await?.is_none() {
            return Ok(UserChange::LastOwner);
        }
        transaction.commit().await.map(|()| UserChange::Done)
    }

    /// A user; `None` when there is none of that id.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn user(&self, user_id: &str) -> Result<Option<UserRow>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE user_id = $1");
        self.pool.fetch(Statement::new("read a user", sql).bind(user_id)).await?.first().map(read).transpose()
    }

    /// The user of a wallet (in lower case).
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn user_of_address(&self, address: &str) -> Result<Option<UserRow>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE address = $1");
        self.pool.fetch(Statement::new("read a user", sql).bind(address)).await?.first().map(read).transpose()
    }

    /// The active owner who was made first; `None` before the first start.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn first_owner(&self) -> Result<Option<UserRow>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE role = 'owner' AND active = $1 ORDER BY number LIMIT 1");
        self.pool.fetch(Statement::new("read the first owner", sql).bind(true)).await?.first().map(read).transpose()
    }

    /// Users after a number, by number, at most `limit`.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn users(&self, after: Option<u64>, limit: u32) -> Result<Vec<UserRow>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE number > $1 ORDER BY number LIMIT $2");
        let statement =
            Statement::new("list users", sql).bind(signed("number", after.unwrap_or(0))?).bind(i64::from(limit));
        self.pool.fetch(statement).await?.iter().map(read).collect()
    }
}

async fn insert_user(transaction: &mut Transaction, user: &UserRow, number: u64) -> Result<(), DatabaseError> {
    let sql = "INSERT INTO users (user_id, number, name, role, address, active, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let statement = Statement::new("store a user", sql)
        .bind(&user.user_id)
        .bind(signed("number", number)?)
        .bind(&user.name)
        .bind(&user.role)
        .bind(&user.address)
        .bind(user.active)
        .bind(user.created_at);
    transaction.execute(statement).await.map(|_| ())
}

/// Whether another user has the wallet.
async fn is_taken(transaction: &mut Transaction, user: &UserRow) -> Result<bool, DatabaseError> {
    let Some(address) = &user.address else { return Ok(false) };
    let sql = "SELECT user_id FROM users WHERE address = $1 AND user_id <> $2";
    let statement = Statement::new("look for a wallet", sql).bind(address).bind(&user.user_id);
    Ok(transaction.fetch_one(statement).await?.is_some())
}

fn read(row: &Row) -> Result<UserRow, DatabaseError> {
    Ok(UserRow {
        user_id: row.get("user_id")?,
        number: row.count("number")?,
        name: row.get("name")?,
        role: row.get("role")?,
        address: row.get("address")?,
        active: row.get("active")?,
        created_at: row.get("created_at")?,
    })
}
