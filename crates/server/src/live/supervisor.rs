//! Which feeds run: those of the running streams, one task each.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use assay_jobs::JobError;
use assay_store::StoreError;
use assay_store::database::{DatabaseError, Stream, StreamStatus};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::feed::{Ended, run_feed, settle};
use super::stop::carry;
use crate::parts::stopped;
use crate::state::ServerState;

/// How often streams are looked for that began or changed elsewhere.
const POLL: Duration = Duration::from_secs(1);
/// How long a feed rests after an error that may pass.
const RETRY: Duration = Duration::from_secs(1);

/// How often what was written is carried from the database's log into its file.
const TIDY: Duration = Duration::from_secs(5);

/// A feed's task, and what it is told.
struct Feed {
    wanted: watch::Sender<Vec<Stream>>,
    task: JoinHandle<()>,
}

/// Runs every running stream until `shutdown` is true.
///
/// # Errors
/// [`JobError::Store`] when another process of this home runs its streams.
pub async fn run(state: ServerState, mut shutdown: watch::Receiver<bool>) -> Result<(), JobError> {
    let _lock = state.settings.home.lock("live streams").map_err(|error| match error {
        StoreError::Locked { holder, .. } => StoreError::Locked { what: "the set of live streams".to_owned(), holder },
        other => other,
    })?;
    let carrying = {
        let (state, shutdown) = (state.clone(), shutdown.clone());
        tokio::spawn(async move { carry(&state, shutdown).await })
    };
    let tidying = {
        let (state, shutdown) = (state.clone(), shutdown.clone());
        tokio::spawn(async move { tidy(&state, shutdown).await })
    };
    let mut feeds: HashMap<String, Feed> = HashMap::new();
    let mut seen = None;
    while !*shutdown.borrow() {
        let before = feeds.len();
        feeds.retain(|_, feed| !feed.task.is_finished());
        if feeds.len() < before {
            // A stream may have begun on a feed that was just ending.
            seen = None;
        }
        match look(&state, &mut feeds, &mut seen, &shutdown).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "the running streams cannot be listed"),
        }
        tokio::select! {
            () = state.live.changed.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            () = stopped(&mut shutdown) => {}
        }
    }
    for (_, feed) in feeds {
        // A task that panicked has told so already.
        let _ = feed.task.await;
    }
    let _ = carrying.await;
    let _ = tidying.await;
    Ok(())
}

/// Keeps work away from the commits of closes until `shutdown`.
async fn tidy(state: &ServerState, mut shutdown: watch::Receiver<bool>) {
    while !*shutdown.borrow() {
        tokio::select! {
            () = tokio::time::sleep(TIDY) => {
                if let Err(error) = state.platform.tidy().await {
                    tracing::debug!(%error, "the database is not tidied up");
                }
            }
            () = stopped(&mut shutdown) => {}
        }
    }
}

async fn look(
    state: &ServerState,
    feeds: &mut HashMap<String, Feed>,
    seen: &mut Option<u64>,
    shutdown: &watch::Receiver<bool>,
) -> Result<(), JobError> {
    let changes = state.platform.stream_changes().await?;
    if *seen == Some(changes) {
        return Ok(());
    }
    let mut grouped: BTreeMap<String, Vec<Stream>> = BTreeMap::new();
    for stream in state.platform.running_streams().await? {
        grouped.entry(stream.feed.clone()).or_default().push(stream);
    }
    for (name, feed) in feeds.iter() {
        if !grouped.contains_key(name) {
            feed.wanted.send_if_modified(|wanted| !std::mem::take(wanted).is_empty());
        }
    }
    let mut is_complete = true;
    for (name, streams) in grouped {
        match feeds.get(&name) {
            Some(feed) if feed.wanted.borrow().is_empty() => is_complete = false,
            Some(feed) => {
                feed.wanted.send_if_modified(|wanted| {
                    let is_new = *wanted != streams;
                    *wanted = streams;
                    is_new
                });
            }
            None => _ = feeds.insert(name.clone(), start(state.clone(), name, streams, shutdown.clone())),
        }
    }
    // A feed that is just ending is looked at again.
    *seen = is_complete.then_some(changes);
    Ok(())
}

fn start(state: ServerState, name: String, streams: Vec<Stream>, shutdown: watch::Receiver<bool>) -> Feed {
    let (wanted, told) = watch::channel(streams);
    let task = tokio::spawn(async move {
        let mut stopping = shutdown.clone();
        loop {
            let ended = run_feed(&state, &name, told.clone(), shutdown.clone()).await;
            let streams = told.borrow().clone();
            match ended {
                Ok(Ended::Idle) => return,
                Ok(Ended::Again) => continue,
                Ok(Ended::Over) => {
                    settle(&state, &streams, StreamStatus::Ended, None).await;
                    return;
                }
                Err(JobError::Database(error @ DatabaseError::ServerReplaced { .. })) => {
                    tracing::warn!(%error, feed = name, "a feed ends here");
                    return;
                }
                Err(error) if is_passing(&error) => tracing::warn!(%error, feed = name, "a feed starts again"),
                Err(error) => {
                    tracing::error!(%error, feed = name, "a feed cannot go on");
                    settle(&state, &streams, StreamStatus::Failed, Some(error.to_string())).await;
                    return;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = stopped(&mut stopping) => return,
            }
        }
    });
    Feed { wanted, task }
}

/// Whether the same feed may do better later.
pub(super) fn is_passing(error: &JobError) -> bool {
    match error {
        // What was stored in the meantime is read again.
        JobError::Database(DatabaseError::FeedMoved { .. } | DatabaseError::StreamsChanged { .. }) => true,
        JobError::Database(error) => error.is_retryable(),
        JobError::Lake(error) => error.is_retryable(),
        // Sending was stopped in between.
        JobError::Cancelled | JobError::Store(StoreError::Locked { .. }) => true,
        _ => false,
    }
}
