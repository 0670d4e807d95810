//! Beginning a stream.

use assay_engine::Limits;
use assay_jobs::JobError;
use assay_store::database::{NewStream, Stream};
use serde_json::to_string;

use super::model::load_model;
use super::source::{SourceRequest, StoredSource};
use super::words::limits_of;
use crate::state::ServerState;

/// Most streams that run at once.
pub(crate) const MAX_STREAMS: usize = 10_000;

/// A stream to begin; it is a paper stream.
#[derive(Debug, Clone)]
pub struct NewStreamRequest {
    /// The run whose policy speaks: its id, or the first digits of it.
    pub run_id: String,
    /// The user it belongs to.
    pub owner: String,
    /// Where its candles come from.
    pub source: SourceRequest,
    /// When it is halted; `None` for the limits of the model's last stream.
    pub limits: Option<Limits>,
    /// The typed phrase, to allow more than the model's last stream was allowed.
    pub phrase: Option<String>,
}

/// Begins a paper stream; [`super::run`] makes it speak.
///
/// # Errors
/// [`JobError`] when the run does not read or the source does not fit it, and when another
/// stream speaks for its model; [`JobError::Conflict`] when its limits would be looser than
/// those of the model's last stream.
pub async fn start_stream(state: &ServerState, request: NewStreamRequest) -> Result<Stream, JobError> {
    let model = load_model(state, &request.run_id).await?;
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| JobError::Failed(format!("the system gives no randomness: {error}")))?;
    let stream_id = hex::encode(id);
    let (source, feed) = StoredSource::of(&request.source, &model, &stream_id)?;
    if state.platform.running_streams().await?.len() >= MAX_STREAMS {
        return Err(JobError::Input(format!("{MAX_STREAMS} streams run already: stop one first")));
    }
    let last = state.platform.stream_of_model(&model.model_id).await?;
    let limits = match (&last, request.limits) {
        (None, limits) => limits.unwrap_or_default(),
        (Some(last), None) => limits_of(last)?,
        // Limits are the model's: a new stream is no way around them.
        (Some(last), Some(limits)) => limits_of(last)?
            .changed_to(&limits, &model.model_id, request.phrase.as_deref())
            .map_err(|loosened| JobError::Conflict(loosened.to_string()))?,
    };
    let new = NewStream {
        stream_id,
        model_id: model.model_id,
        run_id: model.run_id,
        owner: request.owner,
        source: to_string(&source).expect("plain data"),
        feed,
        limits: to_string(&limits).expect("plain data"),
        after: last.map(|last| last.stream_id),
    };
    // By the clock of its candles, since it says nothing of those that closed before.
    let began = state.live.options().clock.now_ms();
    let stream = state.platform.insert_stream(&new, began).await?;
    state.live.changed.notify_one();
    Ok(stream)
}
