//! A desk as it stood: features from the dataset's first candle on (R3), accounts from what
//! was said, and HOLD for the closes at which a stream did not speak.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use assay_engine::{Desk, Member, MemberState, Statement, to_line};
use assay_features::{FeatureSpec, FeatureStream};
use assay_jobs::JobError;
use assay_lake::{ALL_TIME, LiveFeed};
use assay_store::database::{CommittedClose, DatabaseError, MAX_SIGNALS, Speaker, StoredSignal, Stream, StreamStatus};
use assay_types::{Action, Candle, Candles, Dataset, Signal, SigningKey};

use super::checkpoint;
use super::feed::until_stopped;
use super::model::{Model, in_workspace, load_models};
use super::source::{Source, StoredSource};
use super::supervisor::is_passing;
use super::used::used_limits;
use super::words::{candle_of, limits_of, source_of};
use crate::clock::now_ms;
use crate::state::ServerState;

/// Candles read from the database at once.
const CANDLES_PER_READ: u32 = 10_000;

/// A feed that is ready to go on.
pub(super) struct Ready {
    pub desk: Desk,
    pub source: Source,
}

/// Puts a feed together as it stood when the last close was committed.
pub(super) async fn prepare(state: &ServerState, feed: &str, streams: &[Stream]) -> Result<Ready, JobError> {
    let mut source = Err(JobError::Failed("a feed without a stream that reads".to_owned()));
    let mut readable: Vec<&Stream> = Vec::with_capacity(streams.len());
    for stream in streams {
        match source_of(stream).and_then(|found| limits_of(stream).map(|_| found)) {
            Ok(found) => {
                source = Ok(found);
                readable.push(stream);
            }
            // One stream that does not read is no reason to end the others.
            Err(error) => fail(state, stream, &error).await?,
        }
    }
    let (streams, stored_source) = (readable, source?);
    let candles = stored_candles(state, feed).await?;
    let key = signing_key(state).await?;
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut desk = Desk::new(stored_source.dataset().clone(), key.clone(), threads);
    let models = load_models(state, streams.iter().map(|stream| stream.run_id.clone()).collect()).await?;
    let mut members = Vec::new();
    for (stream, model) in streams.into_iter().zip(models) {
        match model.and_then(|model| check_model(stream, model)) {
            Ok(model) => members.push((stream, model)),
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => fail(state, stream, &error).await?,
        }
    }
    let mut specs: Vec<FeatureSpec> = Vec::new();
    for (_, model) in &members {
        if !specs.contains(&model.spec) {
            specs.push(model.spec.clone());
        }
    }
    let history = load_history(state, &stored_source, candles.first().map(|candle| candle.open_time_ms)).await?;
    for spec in specs {
        desk.add_features(features(state, feed, &spec, &stored_source, &history, &candles).await?)?;
    }
    for (stream, model) in members {
        match join(state, &mut desk, stream, model, &candles, &key).await {
            // It changed while it joined: the next look has it as it is now.
            Ok(_) | Err(JobError::Database(DatabaseError::StreamsChanged { .. })) => {}
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => fail(state, stream, &error).await?,
        }
    }
    let source = open_source(state, &stored_source, &desk, history).await?;
    Ok(Ready { desk, source })
}

/// Puts one more stream on a desk that computes its features already; false when it does not.
pub(super) async fn join_running(
    state: &ServerState,
    feed: &str,
    desk: &mut Desk,
    stream: &Stream,
) -> Result<bool, JobError> {
    let model = super::model::load_model(state, &stream.run_id).await?;
    let model = check_model(stream, model)?;
    if !desk.computes(&model.spec) {
        return Ok(false);
    }
    let candles = stored_candles(state, feed).await?;
    let key = signing_key(state).await?;
    join(state, desk, stream, model, &candles, &key).await?;
    Ok(true)
}

fn check_model(stream: &Stream, model: Model) -> Result<Model, JobError> {
    if model.model_id != stream.model_id {
        let (found, expected) = (&model.model_id, &stream.model_id);
        return Err(JobError::Check(format!(
            "run {} has model {found} now, the stream speaks for {expected}",
            model.run_id
        )));
    }
    Ok(model)
}

/// Ends one stream that cannot go on.
pub(super) async fn fail(state: &ServerState, stream: &Stream, error: &JobError) -> Result<(), JobError> {
    tracing::error!(%error, stream_id = stream.stream_id, mode = stream.mode.name(), "a stream cannot go on");
    let reason = Some(error.to_string());
    match state.platform.set_stream_status(&stream.stream_id, StreamStatus::Failed, reason, now_ms()).await {
        // Its owner stopped it in the meantime.
        Ok(_) | Err(DatabaseError::StreamState { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn signing_key(state: &ServerState) -> Result<SigningKey, JobError> {
    let home = state.settings.home.clone();
    let task = tokio::task::spawn_blocking(move || home.signing_key());
    Ok(task.await.map_err(|error| JobError::Failed(format!("a thread ended early: {error}")))??)
}

/// Every candle that the feed committed.
pub(super) async fn stored_candles(state: &ServerState, feed: &str) -> Result<Vec<Candle>, JobError> {
    let mut candles: Vec<Candle> = Vec::new();
    loop {
        let from_ms = candles.last().map_or(i64::MIN, |candle| candle.open_time_ms + 1);
        let page = state.platform.feed_candles(feed, from_ms, CANDLES_PER_READ).await?;
        for row in &page {
            candles.push(candle_of(row)?);
        }
        if page.len() < CANDLES_PER_READ as usize {
            return Ok(candles);
        }
    }
}

/// The candles before the feed, from the dataset's first; for a replay also those it plays.
async fn load_history(
    state: &ServerState,
    source: &StoredSource,
    first_committed_ms: Option<i64>,
) -> Result<Candles, JobError> {
    match source {
        StoredSource::Replay { dataset, to_ms, .. } => {
            let (dataset, to_ms) = (dataset.clone(), *to_ms);
            in_workspace(&state.settings, move |workspace| Ok(workspace.lake.load(&dataset, i64::MIN..to_ms)?)).await
        }
        StoredSource::Exchange { dataset, venue } => {
            let (client, _) = state.live.options().reach(venue.parse()?)?;
            let dataset = dataset.clone();
            in_workspace(&state.settings, move |workspace| {
                let mut candles = workspace.lake.load(&dataset, ALL_TIME)?;
                if first_committed_ms.is_none() {
                    fetch_missing(workspace, &client, &dataset, &candles)?;
                    candles = workspace.lake.load(&dataset, ALL_TIME)?;
                }
                let end = first_committed_ms.unwrap_or(i64::MAX);
                let range = candles.range(i64::MIN, end);
                Ok(candles.slice(range))
            })
            .await
        }
    }
}

/// Fetches what closed since the lake's last candle.
fn fetch_missing(
    workspace: &assay_jobs::Workspace<'_>,
    client: &assay_lake::ExchangeClient,
    dataset: &Dataset,
    candles: &Candles,
) -> Result<(), JobError> {
    let Some(last_ms) = candles.open_time_ms.last() else {
        return Err(JobError::Input(format!("the lake holds no candle of {dataset}: fetch its history first")));
    };
    let (from_ms, to_ms) = (last_ms + dataset.timeframe.ms(), client.clock().now_ms());
    if from_ms < to_ms {
        workspace.lake.wait(workspace.lake.lake().fetch(client, dataset, from_ms..to_ms, |_| ()))?;
    }
    Ok(())
}

/// A feature stream that has taken the history and every committed candle.
async fn features(
    state: &ServerState,
    feed: &str,
    spec: &FeatureSpec,
    source: &StoredSource,
    history: &Candles,
    committed: &[Candle],
) -> Result<FeatureStream, JobError> {
    let stored = checkpoint::features(&state.platform, feed, spec).await?;
    let resumed = stored.and_then(|stored| FeatureStream::resume(&stored).ok());
    let is_resumed = resumed.is_some();
    let mut stream = match resumed {
        Some(stream) => stream,
        None => FeatureStream::new(spec, source.dataset().timeframe)?,
    };
    if !is_resumed {
        let before = match source {
            StoredSource::Replay { from_ms, .. } => history.range(i64::MIN, *from_ms),
            StoredSource::Exchange { .. } => 0..history.len(),
        };
        for index in before {
            stream.update(&history.get(index))?;
        }
    }
    let taken_ms = stream.last_open_time_ms();
    for candle in committed.iter().filter(|candle| Some(candle.open_time_ms) > taken_ms) {
        stream.update(candle)?;
    }
    Ok(stream)
}

async fn open_source(
    state: &ServerState,
    source: &StoredSource,
    desk: &Desk,
    history: Candles,
) -> Result<Source, JobError> {
    match source {
        StoredSource::Replay { from_ms, pace_ms, .. } => {
            let from = desk.last_open_ms().map_or(*from_ms, |last_ms| last_ms + 1).max(*from_ms);
            let next = history.range(from, i64::MAX).start;
            Ok(Source::Replay {
                candles: Box::new(history),
                next,
                pace: Duration::from_millis(*pace_ms),
                is_first: true,
            })
        }
        StoredSource::Exchange { dataset, venue } => {
            let (client, settings) = state.live.options().reach(venue.parse()?)?;
            Ok(Source::Exchange(LiveFeed::start(client, dataset, desk.last_open_ms(), settings)?))
        }
    }
}

/// Puts a stream on the desk where it stood, after HOLD at each close that it missed.
async fn join(
    state: &ServerState,
    desk: &mut Desk,
    stream: &Stream,
    model: Model,
    candles: &[Candle],
    key: &SigningKey,
) -> Result<(), JobError> {
    let dataset = desk.dataset().clone();
    let step_ms = dataset.timeframe.ms();
    let said = said_by(state, stream).await?;
    // A new stream says nothing of what closed before it, a resumed one holds where it was silent.
    let is_new = said.is_empty() && !source_of(stream)?.is_replay();
    let from_close_ms = if is_new { stream.created_at } else { i64::MIN };
    let mut next_seq = said.last_key_value().map_or(stream.first_seq, |(_, (seq, _))| seq + 1);
    let used = used_limits(state, stream).await?;
    let new = used.map(|used| MemberState::following(&model.rules, &dataset, &used)).transpose()?;
    let mut member = new.clone();
    if let Some((&first_close_ms, _)) = said.first_key_value() {
        let stored = checkpoint::member(&state.platform, &stream.stream_id).await?;
        let (taken_ms, state_then) = stored.map_or((i64::MIN, None), |(taken_ms, state)| (taken_ms, Some(state)));
        member = state_then.or(new);
        let since = candles
            .iter()
            .filter(|candle| candle.open_time_ms > taken_ms && candle.open_time_ms + step_ms >= first_close_ms);
        for candle in since {
            let close_ms = candle.open_time_ms + step_ms;
            let action = match said.get(&close_ms) {
                Some((_, action)) => *action,
                None => {
                    hold(state, stream, &dataset, candle, next_seq, member.clone(), &model, key).await?;
                    next_seq += 1;
                    Action::Hold
                }
            };
            member = Some(MemberState::after(member, &model.rules, &dataset, candle, action)?);
        }
    }
    desk.add(Member {
        stream_id: stream.stream_id.clone(),
        model_id: stream.model_id.clone(),
        policy: model.policy,
        spec: model.spec,
        rules: model.rules,
        limits: limits_of(stream)?,
        next_seq,
        state: member,
        from_close_ms,
    })?;
    desk.set_closing(&stream.stream_id, stream.closing.as_deref());
    Ok(())
}

/// What a stream said so far: number and action by close.
async fn said_by(state: &ServerState, stream: &Stream) -> Result<BTreeMap<i64, (u64, Action)>, JobError> {
    let mut said = BTreeMap::new();
    let mut from = stream.first_seq;
    loop {
        let page = state.platform.signals_from(&stream.model_id, from, MAX_SIGNALS).await?;
        for row in &page {
            let signal: Signal = serde_json::from_str(&row.signal).map_err(|error| {
                JobError::Check(format!("signal {} of {} is damaged: {error}", row.seq, row.model_id))
            })?;
            said.insert(row.closed_at, (row.seq, signal.action));
            from = row.seq + 1;
        }
        if page.len() < MAX_SIGNALS as usize {
            return Ok(said);
        }
    }
}

/// Says HOLD at a close that the stream missed.
///
/// # Errors
/// [`JobError::Cancelled`] once sending is stopped.
#[expect(clippy::too_many_arguments, reason = "everything that a signal is made of")]
async fn hold(
    state: &ServerState,
    stream: &Stream,
    dataset: &Dataset,
    candle: &Candle,
    seq: u64,
    before: Option<MemberState>,
    model: &Model,
    key: &SigningKey,
) -> Result<(), JobError> {
    let close_ms = candle.open_time_ms + dataset.timeframe.ms();
    let after = MemberState::after(before, &model.rules, dataset, candle, Action::Hold)?;
    let statement = Statement {
        close_ms,
        price: candle.close,
        symbol: &dataset.market.symbol,
        model_id: &stream.model_id,
        seq,
        action: Action::Hold,
    };
    let now_ms = now_ms();
    let signal = StoredSignal {
        model_id: stream.model_id.clone(),
        seq,
        stream_id: stream.stream_id.clone(),
        mode: stream.mode,
        closed_at: close_ms,
        received_at: now_ms,
        due_at: if source_of(stream)?.is_replay() { now_ms } else { close_ms },
        stored_at: now_ms,
        signal: to_line(&statement.signed(key)),
        equity: after.equity().to_string(),
    };
    let speaker = Speaker {
        stream_id: stream.stream_id.clone(),
        mode: stream.mode,
        limits: stream.limits.clone(),
        closing: stream.closing.clone(),
    };
    let close = CommittedClose {
        feed: stream.feed.clone(),
        candle: None,
        signals: vec![signal],
        halted: Vec::new(),
        speakers: [speaker].into(),
        changes: None,
    };
    if state.live.stop.is_stopped() {
        return Err(JobError::Cancelled);
    }
    tokio::select! {
        biased;
        committed = state.platform.commit_close(&close, now_ms) => committed.map(|_| ()).map_err(JobError::from),
        () = until_stopped(state) => Err(JobError::Cancelled),
    }
}
