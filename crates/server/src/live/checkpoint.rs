//! Where features and accounts stood, so that a restart need not begin at the first candle.

use assay_engine::{Desk, MemberState};
use assay_features::{FeatureSpec, StreamState};
use assay_jobs::JobError;
use assay_store::database::{Checkpoint, PlatformDatabase};
use assay_types::Hash;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Closes between two checkpoints.
pub(super) const CLOSES_PER_CHECKPOINT: u32 = 256;

fn features_name(feed: &str, spec: &FeatureSpec) -> String {
    let spec = serde_json::to_value(spec).expect("plain data");
    format!("features/{feed}/{}", Hash::of_json(&spec))
}

fn member_name(stream_id: &str) -> String {
    format!("stream/{stream_id}")
}

/// Stores where everything on the desk stands after the candle that opened at `open_time`.
pub(super) async fn store(
    platform: &PlatformDatabase,
    feed: &str,
    desk: &Desk,
    open_time: i64,
) -> Result<(), JobError> {
    let row = |name: String, state: String| (name, Checkpoint { open_time, state });
    let mut rows = Vec::with_capacity(desk.len() + 4);
    for state in desk.feature_states()? {
        rows.push(row(features_name(feed, &state.spec), text(&state)));
    }
    rows.extend(desk.states().map(|(stream_id, state)| row(member_name(stream_id), text(&state))));
    Ok(platform.put_checkpoints(&rows).await?)
}

fn text<T: Serialize>(state: &T) -> String {
    serde_json::to_string(state).expect("plain data")
}

/// The features of a feed at rest; `None` when there are none, or none of these versions.
pub(super) async fn features(
    platform: &PlatformDatabase,
    feed: &str,
    spec: &FeatureSpec,
) -> Result<Option<StreamState>, JobError> {
    Ok(read(platform, &features_name(feed, spec)).await?.map(|(_, state)| state))
}

/// The account of a stream at rest, and the open time of the last candle it took.
pub(super) async fn member(
    platform: &PlatformDatabase,
    stream_id: &str,
) -> Result<Option<(i64, MemberState)>, JobError> {
    read(platform, &member_name(stream_id)).await
}

/// A state that does not read is as good as none: everything follows from candles and signals.
async fn read<T: DeserializeOwned>(platform: &PlatformDatabase, name: &str) -> Result<Option<(i64, T)>, JobError> {
    let stored = platform.checkpoint(name).await?;
    Ok(stored.and_then(|stored| Some((stored.open_time, serde_json::from_str(&stored.state).ok()?))))
}
