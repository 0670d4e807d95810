//! Whether the databases are reached and of this release.

use assay_store::database::{DatabaseError, DatabaseLocation, JobsDatabase, PlatformDatabase, SchemaVersion};

use super::{Doctor, Line};
use crate::jobs::lp::registry::{FILE, runtime};
use crate::jobs::models::PLATFORM_FILE;

pub(super) fn platform(doctor: &Doctor<'_>) -> Line {
    look("database", doctor, doctor.platform.as_ref(), PLATFORM_FILE, async |location| {
        PlatformDatabase::inspect(location).await
    })
}

pub(super) fn liquidity(doctor: &Doctor<'_>) -> Line {
    look("liquidity database", doctor, doctor.liquidity.as_ref(), FILE, async |location| {
        JobsDatabase::inspect(location).await
    })
}

fn look(
    check: &'static str,
    doctor: &Doctor<'_>,
    given: Option<&DatabaseLocation>,
    file: &str,
    inspect: impl AsyncFnOnce(&DatabaseLocation) -> Result<SchemaVersion, DatabaseError>,
) -> Line {
    let location = given.cloned().unwrap_or_else(|| DatabaseLocation::Sqlite(doctor.home.path().join(file)));
    let fix = match &location {
        DatabaseLocation::Sqlite(path) if !path.exists() => {
            return Line::ok(check, format!("{location} is not there yet; it is made on first use"));
        }
        DatabaseLocation::Sqlite(path) => format!("mv {0} {0}.damaged", path.display()),
        DatabaseLocation::Postgres(_) => "pg_isready -d \"$ASSAY_DATABASE\"".to_owned(),
    };
    let found = match runtime(2) {
        Ok(runtime) => runtime.block_on(inspect(&location)),
        Err(error) => return Line::fail(check, error.to_string(), fix),
    };
    match found {
        Err(error) => Line::fail(check, format!("{location}: {error}"), fix),
        Ok(SchemaVersion { found, known }) if found > known => {
            let found = format!("{location} has tables of version {found}, this release knows {known}");
            Line::fail(check, found, "assay --version")
        }
        Ok(SchemaVersion { found: 0, .. }) => {
            Line::ok(check, format!("{location} is empty; the tables are made on first use"))
        }
        Ok(SchemaVersion { found, known }) if found < known => {
            Line::ok(check, format!("{location} has tables of version {found}; the next start brings them to {known}"))
        }
        Ok(SchemaVersion { found, .. }) => Line::ok(check, format!("{location} answers, tables of version {found}")),
    }
}
