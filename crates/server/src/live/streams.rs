//! Beginning a stream.

use assay_engine::Limits;
use assay_jobs::JobError;
use assay_store::database::{Audience, NewStream, Stream};
use serde_json::to_string;

use super::model::load_model;
use super::source::{SourceRequest, StoredSource};
use super::words::limits_of;
use crate::catalogue::HOME_OWNER;
use crate::state::ServerState;

/// Most streams that run at once.
pub(crate) const MAX_STREAMS: usize = 10_000;
/// Most of them of one user.
pub(crate) const MAX_STREAMS_PER_USER: u32 = 1_000;

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
    check_voice(state, &model.model_id, last.as_ref(), &request.owner).await?;
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
        after: last.map(|last| (last.stream_id, last.limits)),
    };
    // By the clock of its candles, since it says nothing of those that closed before.
    let began = state.live.options().clock.now_ms();
    let stream = state.platform.insert_stream(&new, MAX_STREAMS_PER_USER, began).await?;
    state.live.changed.notify_one();
    Ok(stream)
}

/// Refuses when the model speaks for another user: training is repeatable, so two may have the
/// same model, but consumers hear one voice.
async fn check_voice(state: &ServerState, model_id: &str, last: Option<&Stream>, owner: &str) -> Result<(), JobError> {
    let private_to = match state.platform.audience(model_id).await? {
        Audience::Owner(private_to) if private_to != HOME_OWNER => Some(private_to),
        _ => None,
    };
    let is_foreign = |other: &str| other != owner;
    if private_to.as_deref().is_some_and(is_foreign) || last.is_some_and(|last| is_foreign(&last.owner)) {
        return Err(JobError::Conflict(format!("model {model_id} speaks for another user")));
    }
    Ok(())
}
