//! An empty database of each kind.

use std::path::PathBuf;
use std::sync::OnceLock;

use assay_store::database::DatabaseLocation;
use assay_testkit::postgres::Postgres;
use tempfile::TempDir;

/// An empty database; a SQLite file goes with it.
pub struct Empty {
    pub location: DatabaseLocation,
    pub url: String,
    _folder: TempDir,
}

impl Empty {
    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres:")
    }
}

/// The server that the tests of one binary share; it stops when the process ends.
pub fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(Postgres::start)
}

/// An empty SQLite file and an empty PostgreSQL database.
pub fn both() -> [Empty; 2] {
    [sqlite(), postgres(server())]
}

pub fn sqlite() -> Empty {
    let folder = TempDir::new().unwrap();
    let path: PathBuf = folder.path().join("deep/er/store.db");
    Empty { location: DatabaseLocation::Sqlite(path.clone()), url: path.display().to_string(), _folder: folder }
}

pub fn postgres(server: &Postgres) -> Empty {
    let url = server.database();
    Empty { location: url.parse().unwrap(), url, _folder: TempDir::new().unwrap() }
}
