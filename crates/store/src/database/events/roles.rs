//! Who may write on PostgreSQL: the indexer's role alone.

use super::PoolEventsWriter;
use super::tables::{EVENT_TABLES, OTHER_TABLES};
use crate::database::DatabaseError;
use crate::database::statement::Statement;

/// The names of the two roles; logins are given to them with `GRANT role TO login`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// May read and write events, but not change tables: the indexer.
    pub writer: String,
    /// May read: everyone else.
    pub reader: String,
}

impl Default for Roles {
    fn default() -> Self {
        Self { writer: "assay_pool_writer".to_owned(), reader: "assay_pool_reader".to_owned() }
    }
}

impl PoolEventsWriter {
    /// Makes the two roles where they are missing and gives each its rights, and takes all
    /// rights from everyone else but the owner of the tables. The login of this object owns the
    /// tables and may make roles.
    ///
    /// # Errors
    /// [`DatabaseError::PostgresOnly`] on SQLite, [`DatabaseError::RoleName`],
    /// [`DatabaseError::Sql`] when the login may not make roles.
    pub async fn grant(&self, roles: &Roles) -> Result<(), DatabaseError> {
        for name in [&roles.writer, &roles.reader] {
            check_name(name)?;
        }
        let Roles { writer, reader } = roles;
        let mut transaction = self.pool.begin().await?;
        if !transaction.is_postgres() {
            return Err(DatabaseError::PostgresOnly { what: "granting roles" });
        }
        let action = "grant roles";
        for role in [writer, reader] {
            let sql = format!(
                "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \
                 THEN CREATE ROLE {role} NOLOGIN; END IF; END $$"
            );
            transaction.execute(Statement::new(action, sql)).await?;
        }
        let schema = "SELECT quote_ident(current_schema()) AS name";
        let row = transaction.fetch_one(Statement::new(action, schema)).await?;
        let schema: String = row.map_or(Ok("public".to_owned()), |row| row.get("name"))?;
        let tables = [EVENT_TABLES.as_slice(), OTHER_TABLES.as_slice()].concat().join(", ");
        for sql in [
            format!("GRANT USAGE ON SCHEMA {schema} TO {writer}, {reader}"),
            format!("REVOKE ALL ON {tables}, schema_versions FROM PUBLIC, {writer}, {reader}"),
            format!("GRANT SELECT ON {tables}, schema_versions TO {writer}, {reader}"),
            format!("GRANT INSERT, UPDATE, DELETE ON {tables} TO {writer}"),
        ] {
            transaction.execute(Statement::new(action, sql)).await?;
        }
        transaction.commit().await
    }
}

/// Names are part of statements, which take no arguments here.
fn check_name(name: &str) -> Result<(), DatabaseError> {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if begins && name.len() <= 63 && name.bytes().all(letters) {
        return Ok(());
    }
    Err(DatabaseError::RoleName { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        assert!(check_name("assay_pool_reader").is_ok());
        for name in ["", "a; DROP TABLE swaps", "A", "1a", "a'b", &"a".repeat(64)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
