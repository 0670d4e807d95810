//! Where a database is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::DatabaseError;

/// Where a database is: a SQLite file, or a PostgreSQL URL whose password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseLocation {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL server and database.
    Postgres(PostgresUrl),
}

/// A PostgreSQL URL; prints itself without its password and options.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

impl PostgresUrl {
    /// The URL with its password, for the driver alone.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("postgres", &self.0));
        // Options may carry a password too.
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        match rest.rsplit_once('@') {
            Some((login, host)) => {
                let (user, password) = login.split_once(':').map_or((login, ""), |(user, _)| (user, ":[hidden]"));
                write!(f, "{scheme}://{user}{password}@{host}")
            }
            None => write!(f, "{scheme}://{rest}"),
        }
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DatabaseLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => fmt::Display::fmt(url, f),
        }
    }
}

impl fmt::Debug for DatabaseLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DatabaseLocation {
    type Err = DatabaseError;

    /// `postgres://…` or `postgresql://…`; `sqlite:PATH`; anything without a scheme is the
    /// path of a SQLite file.
    fn from_str(text: &str) -> Result<Self, DatabaseError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(PostgresUrl(text.to_owned())));
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        let path = path.strip_prefix("//").unwrap_or(path);
        match path.split_once("://") {
            // The rest may hold a password.
            Some((scheme, _)) => Err(DatabaseError::Location { given: format!("{scheme}://…") }),
            None if path.is_empty() => Err(DatabaseError::Location { given: text.to_owned() }),
            None => Ok(Self::Sqlite(Path::new(path).to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let location: DatabaseLocation = "postgres://me:se@cret@host:5432/jobs?password=other".parse().unwrap();
        assert_eq!(location.to_string(), "postgres://me:[hidden]@host:5432/jobs");
        assert!(!format!("{location:?}").contains("cret"));
        let error = "mysql://me:secret@host".parse::<DatabaseLocation>().unwrap_err().to_string();
        assert!(error.contains("mysql://…") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn paths_are_sqlite_files() {
        for text in ["sqlite:a/b.db", "sqlite://a/b.db", "a/b.db"] {
            assert_eq!(text.parse::<DatabaseLocation>().unwrap(), DatabaseLocation::Sqlite("a/b.db".into()));
        }
        assert!("".parse::<DatabaseLocation>().is_err());
    }
}
