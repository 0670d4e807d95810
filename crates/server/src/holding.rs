//! The platform database, held by this server alone.

use std::path::Path;
use std::time::Duration;

use assay_jobs::JobError;
use assay_store::database::{DatabaseError, PlatformDatabase, ServerIdentity, ServerLease};
use assay_store::{Home, Vault};
use tokio::sync::watch;

use crate::clock::now_ms;
use crate::parts::stopped;
use crate::state::ServerState;

/// How long the database stays held after the last sign of life.
const LEASE_MS: i64 = 15_000;
/// Between signs of life.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// How long a starting server waits for one that vanished on another machine.
const MAX_WAIT_MS: i64 = LEASE_MS + 2_000;
/// Between tries while it waits.
const WAIT_STEP: Duration = Duration::from_millis(250);

/// Takes the database for the server of `home`, waiting for a lease whose holder may be gone.
///
/// # Errors
/// [`DatabaseError::ServerHeld`] when the holder lives, [`DatabaseError::OtherHome`] when the
/// database belongs to another home, or when it cannot be reached.
pub(crate) async fn take(database: &PlatformDatabase, home: &Home, vault: &Vault) -> Result<ServerLease, JobError> {
    let server = identity(home, vault);
    let began = now_ms();
    loop {
        let now = now_ms();
        match database.take_server_lease(&server, now, now + LEASE_MS).await {
            Err(DatabaseError::ServerHeld { place }) if now - began < MAX_WAIT_MS => {
                if now == began {
                    tracing::warn!(place, "another server holds the platform database; waiting for its lease to end");
                }
                tokio::time::sleep(WAIT_STEP).await;
            }
            taken => return Ok(taken?),
        }
    }
}

/// Holds the database until `shutdown`; stops the server when another one has taken it.
///
/// # Errors
/// None: a database that is away is asked again.
pub(crate) async fn hold(state: ServerState, mut shutdown: watch::Receiver<bool>) -> Result<(), JobError> {
    let Some(lease) = &state.lease else { return Ok(()) };
    loop {
        tokio::select! {
            () = tokio::time::sleep(RENEW_EVERY) => {}
            () = stopped(&mut shutdown) => return Ok(()),
        }
        match state.platform.renew_server_lease(lease, now_ms() + LEASE_MS).await {
            Ok(()) => {}
            Err(error @ DatabaseError::ServerReplaced { .. }) => {
                tracing::error!(%error, "this server stops");
                state.stopping.send_replace(true);
                return Ok(());
            }
            Err(error) => tracing::warn!(%error, "the platform database is not told that this server lives"),
        }
    }
}

fn identity(home: &Home, vault: &Vault) -> ServerIdentity {
    let folder = home.path().canonicalize().unwrap_or_else(|_| home.path().to_owned());
    let host = text("/proc/sys/kernel/hostname");
    let place = if host.is_empty() { folder.display().to_string() } else { format!("{host}:{}", folder.display()) };
    let holder = format!("{} {}", text("/proc/sys/kernel/random/boot_id"), inode(&folder));
    ServerIdentity { home: vault.fingerprint().to_owned(), holder, place }
}

fn text(path: &str) -> String {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// The folder itself: containers may call different folders by the same path.
#[cfg(unix)]
fn inode(folder: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    folder.metadata().map(|found| format!("{}:{}", found.dev(), found.ino())).unwrap_or_default()
}

#[cfg(not(unix))]
fn inode(folder: &Path) -> String {
    folder.display().to_string()
}
