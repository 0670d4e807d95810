//! Stored signals on their way to their destinations.

use assay_jobs::JobError;
use tokio::sync::watch;

use crate::state::ServerState;

/// Sends signals to their destinations until `shutdown` is true.
///
/// # Errors
/// None: what a destination or the database refuses is tried again.
pub async fn run(state: ServerState, shutdown: watch::Receiver<bool>) -> Result<(), JobError> {
    state.dispatcher.run(shutdown).await;
    Ok(())
}
