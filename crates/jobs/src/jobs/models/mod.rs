//! The local registry: runs published as models, their cards, their proof, and a folder that
//! runs without the rest.

mod card;
mod files;
mod list;
mod pack;
mod probe;
mod publish;
mod verify;

pub use assay_store::database::Reader;
pub use card::{Audit, CARD_VERSION, Card, CardFile, EquityPoint, Hashes, Lineage, NearDuplicate, Score, ScoreTerms};
pub use list::{list_models, show_model};
pub use pack::{Packed, RUNTIME, pack_model};
pub use probe::{PROBE_CLOSES, agreement};
pub use publish::{MAX_FEE_BPS, MAX_NAME, Publish, Published};
pub use verify::{EquityCheck, FileCheck, Verified, verify_model};

use assay_store::database::{DatabaseLocation, PlatformDatabase};

use crate::error::JobError;
use crate::jobs::lp::registry::runtime;
use crate::workspace::Workspace;

/// The platform database in the home folder.
pub const PLATFORM_FILE: &str = "platform.db";
/// The user who works on this machine before a server was started.
pub const LOCAL_OWNER: &str = "owner";
/// The least share of the probe's answers in which two models agree to be called near duplicates.
pub const NEAR_DUPLICATE: f64 = 0.999;

/// The database of the registry and how to ask it from here.
pub enum Registry<'a> {
    /// Opened for one command.
    Local {
        /// What the command works with.
        workspace: &'a Workspace<'a>,
        /// Where the database is.
        location: DatabaseLocation,
    },
    /// Of a server, whose runtime drives it.
    Served(&'a PlatformDatabase, tokio::runtime::Handle),
}

impl<'a> Registry<'a> {
    /// The database at `location`, else the one in the home folder.
    #[must_use]
    pub fn local(workspace: &'a Workspace<'a>, location: Option<DatabaseLocation>) -> Self {
        let location = location.unwrap_or_else(|| DatabaseLocation::Sqlite(workspace.home.path().join(PLATFORM_FILE)));
        Self::Local { workspace, location }
    }

    /// A server's database, asked from a thread that may block.
    #[must_use]
    pub fn served(database: &'a PlatformDatabase) -> Self {
        Self::Served(database, tokio::runtime::Handle::current())
    }

    /// Whose models those of the command line are: the first owner's of a server on this
    /// database, else [`LOCAL_OWNER`]'s.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn local_owner(&self) -> Result<String, JobError> {
        if self.is_missing() {
            return Ok(LOCAL_OWNER.to_owned());
        }
        let owner = self.with(async |database| Ok(database.first_owner().await?))?;
        Ok(owner.map_or_else(|| LOCAL_OWNER.to_owned(), |user| user.user_id))
    }

    /// Whether there is no database yet, so that nothing is published.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Local { location: DatabaseLocation::Sqlite(path), .. } if !path.exists())
    }

    /// Does something with the database, and waits for it.
    pub(crate) fn with<T>(
        &self,
        work: impl AsyncFnOnce(PlatformDatabase) -> Result<T, JobError>,
    ) -> Result<T, JobError> {
        match self {
            Self::Served(database, runtime) => runtime.block_on(work((*database).clone())),
            Self::Local { workspace, location } => {
                if workspace.dry_run && self.is_missing() {
                    return Err(JobError::Input(format!(
                        "{location}: nothing is published yet, and a dry run makes no database"
                    )));
                }
                runtime(2)?.block_on(async { work(PlatformDatabase::open(location).await?).await })
            }
        }
    }
}
