//! One feed at work: candle, desk, commit, listeners.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use assay_engine::{Desk, STALE_AFTER_MS, Said, Timing};
use assay_gateway::Published;
use assay_jobs::JobError;
use assay_lake::{Clock, ClosedCandle};
use assay_store::database::{
    CommittedClose, DatabaseError, FeedCandle, Speaker, StoredSignal, Stream, StreamMode, StreamStatus,
};
use tokio::sync::watch;

use super::checkpoint::{self, CLOSES_PER_CHECKPOINT};
use super::history::{Ready, fail, join_running, prepare};
use super::source::Source;
use super::supervisor::is_passing;
use super::words::{candle_text, limits_of};
use crate::clock::now_ms;
use crate::parts::stopped;
use crate::state::ServerState;

/// How often the stop mark is looked at while it is there.
const STOPPED_POLL: Duration = Duration::from_millis(50);
/// The first wait before a commit is tried again; each further one doubles it.
const COMMIT_BACKOFF_MS: u64 = 50;
/// The longest.
const MAX_COMMIT_BACKOFF_MS: u64 = 5_000;

/// How a feed's work ended.
pub(super) enum Ended {
    /// The server stops, or no stream is left.
    Idle,
    /// The recorded candles are over.
    Over,
    /// Its streams changed in a way that needs a new start.
    Again,
}

/// Runs a feed until it ends. `wanted` are the streams that should be on its desk.
pub(super) async fn run_feed(
    state: &ServerState,
    feed: &str,
    mut wanted: watch::Receiver<Vec<Stream>>,
    mut shutdown: watch::Receiver<bool>,
) -> Result<Ended, JobError> {
    // What was missed is said as HOLD, which is as much a signal as any other.
    if !wait_until_sending(state, &mut shutdown).await || wanted.borrow_and_update().is_empty() {
        return Ok(Ended::Idle);
    }
    // The list may be older than what made the feed start anew.
    let streams = state.platform.running_streams_of(feed).await?;
    if streams.is_empty() {
        return Ok(Ended::Idle);
    }
    let Ready { desk, mut source } = prepare(state, feed, &streams).await?;
    if desk.is_empty() {
        return Ok(Ended::Idle);
    }
    let clock = state.live.options().clock;
    let speakers = Arc::default();
    let mut work =
        Work { state, feed, desk: Some(desk), streams: by_id(streams), speakers, changes: None, closes: 0, clock };
    work.know_speakers()?;
    loop {
        tokio::select! {
            // What was asked of the streams holds from the next candle on, also of one that waits.
            biased;
            () = stopped(&mut shutdown) => return work.rest().await,
            changed = wanted.changed() => {
                let streams = wanted.borrow_and_update().clone();
                if changed.is_err() || streams.is_empty() {
                    return work.rest().await;
                }
                if !work.regroup(streams).await? {
                    work.rest().await?;
                    return Ok(Ended::Again);
                }
            }
            candle = source.next() => match candle {
                None => {
                    work.rest().await?;
                    return Ok(Ended::Over);
                }
                Some(candle) => {
                    // Where a candle is not stored, the desk has gone further than what is: nothing is noted.
                    match work.take(&candle?, &source, &mut shutdown).await? {
                        Committed::Stored => {}
                        Committed::Ending => return Ok(Ended::Idle),
                        Committed::Dropped => return Ok(Ended::Again),
                    }
                    if work.desk()?.is_empty() {
                        return work.rest().await;
                    }
                }
            },
        }
    }
}

fn by_id(streams: Vec<Stream>) -> HashMap<String, Stream> {
    streams.into_iter().map(|stream| (stream.stream_id.clone(), stream)).collect()
}

/// What a feed works with.
struct Work<'a> {
    state: &'a ServerState,
    feed: &'a str,
    /// Away only while another thread works on it.
    desk: Option<Desk>,
    streams: HashMap<String, Stream>,
    /// Those on the desk, and how often streams had changed when they were last looked at.
    speakers: Arc<[Speaker]>,
    changes: Option<u64>,
    closes: u32,
    clock: Clock,
}

/// What became of a close.
enum Committed {
    /// It is stored.
    Stored,
    /// The server stops.
    Ending,
    /// It is not stored, since sending or a stream was stopped, or time ran out: nothing of it
    /// counts and the feed starts anew.
    Dropped,
}

/// The times of a close, in ms since 1970, and whether it came in time.
#[derive(Clone, Copy)]
struct Times {
    close_ms: i64,
    due_at: i64,
    timing: Timing,
    /// Recorded candles are never too late.
    is_replay: bool,
}

impl Work<'_> {
    fn desk(&mut self) -> Result<&mut Desk, JobError> {
        self.desk.as_mut().ok_or_else(|| JobError::Failed("the desk was lost with its thread".to_owned()))
    }

    /// Notes who is on the desk, as what.
    fn know_speakers(&mut self) -> Result<(), JobError> {
        let ids: Vec<String> = self.desk()?.stream_ids().map(str::to_owned).collect();
        let speakers = ids.iter().filter_map(|id| self.streams.get(id)).map(|stream| Speaker {
            stream_id: stream.stream_id.clone(),
            mode: stream.mode,
            limits: stream.limits.clone(),
            closing: stream.closing.clone(),
        });
        self.speakers = speakers.collect();
        self.changes = None;
        Ok(())
    }

    /// Takes streams off the desk, and what they said out of a close.
    fn leave_out(&mut self, close: &mut CommittedClose, streams: &[String]) -> Result<(), JobError> {
        for stream_id in streams {
            self.desk()?.remove(stream_id);
        }
        close.signals.retain(|signal| !streams.contains(&signal.stream_id));
        close.halted.retain(|(stream_id, _)| !streams.contains(stream_id));
        // A stream that halts with this close speaks in it still.
        close.speakers =
            close.speakers.iter().filter(|speaker| !streams.contains(&speaker.stream_id)).cloned().collect();
        close.changes = None;
        self.know_speakers()
    }

    /// Notes where everything stands before this task ends.
    async fn rest(&mut self) -> Result<Ended, JobError> {
        let (state, feed) = (self.state, self.feed);
        let desk = self.desk()?;
        if let Some(open_time) = desk.last_open_ms() {
            checkpoint::store(&state.platform, feed, desk, open_time).await?;
        }
        Ok(Ended::Idle)
    }

    /// Takes streams off and puts streams on; false when the feed must start anew for that.
    async fn regroup(&mut self, streams: Vec<Stream>) -> Result<bool, JobError> {
        let (state, feed) = (self.state, self.feed);
        let wanted = by_id(streams);
        let desk = self.desk()?;
        let gone: Vec<String> = desk.stream_ids().filter(|id| !wanted.contains_key(*id)).map(str::to_owned).collect();
        for stream_id in gone {
            desk.remove(&stream_id);
        }
        for stream in wanted.values() {
            if desk.stream_ids().any(|id| id == stream.stream_id) {
                match limits_of(stream) {
                    Ok(limits) => desk.set_limits(&stream.stream_id, &limits),
                    // Without limits that read it says nothing more, and the others go on.
                    Err(error) => {
                        desk.remove(&stream.stream_id);
                        fail(state, stream, &error).await?;
                    }
                }
                desk.set_closing(&stream.stream_id, stream.closing.as_deref());
                continue;
            }
            // The list may be older than a breach at the last close.
            let now = state.platform.stream(&stream.stream_id).await?;
            let is_running = now.is_some_and(|now| now.status == StreamStatus::Running);
            if !is_running {
                continue;
            }
            match join_running(state, feed, desk, stream).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                // It changed while it joined: the next look has it as it is now.
                Err(JobError::Database(DatabaseError::StreamsChanged { .. })) => {}
                Err(error) if is_passing(&error) => return Err(error),
                // One stream that cannot join is no reason to end the others.
                Err(error) => fail(state, stream, &error).await?,
            }
        }
        self.streams = wanted;
        self.know_speakers()?;
        Ok(true)
    }

    /// Takes a closed candle to its listeners.
    async fn take(
        &mut self,
        closed: &ClosedCandle,
        source: &Source,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<Committed, JobError> {
        let began = Instant::now();
        if !wait_until_sending(self.state, shutdown).await {
            return Ok(Committed::Ending);
        }
        let candle = closed.candle;
        let mut desk =
            self.desk.take().ok_or_else(|| JobError::Failed("the desk was lost with its thread".to_owned()))?;
        let close_ms = candle.open_time_ms + desk.dataset().timeframe.ms();
        let is_replay = matches!(source, Source::Replay { .. });
        let is_late = !is_replay && source.now_ms(&self.clock) - close_ms > STALE_AFTER_MS;
        let timing = if is_late { Timing::Late } else { Timing::InTime };
        let task = tokio::task::spawn_blocking(move || {
            let said = desk.close(&candle, timing);
            (desk, said)
        });
        let (desk, said) = task.await.map_err(|error| JobError::Failed(format!("a desk ended early: {error}")))?;
        self.desk = Some(desk);
        let decided = Instant::now();
        stage("decide", decided - began);
        let due_at = if is_replay { closed.received_at_ms } else { close_ms };
        let times = Times { close_ms, due_at, timing, is_replay };
        let mut close = self.close(closed, times, &said?);
        match self.commit(&mut close, times, source, shutdown).await? {
            Committed::Stored => {}
            other => return Ok(other),
        }
        let stored = Instant::now();
        stage("store", stored - decided);
        metrics::histogram!("assay_close_to_commit_seconds").record(began.elapsed().as_secs_f64());
        if timing == Timing::Late {
            metrics::counter!("assay_signals_late_total").increment(close.signals.len() as u64);
        }
        self.publish(close, shutdown).await;
        stage("tell", stored.elapsed());
        source.measure(self.feed);
        self.closes += 1;
        if self.closes.is_multiple_of(CLOSES_PER_CHECKPOINT) {
            let (state, feed) = (self.state, self.feed);
            checkpoint::store(&state.platform, feed, self.desk()?, candle.open_time_ms).await?;
        }
        Ok(Committed::Stored)
    }

    fn close(&self, closed: &ClosedCandle, times: Times, said: &[Said]) -> CommittedClose {
        let mode = |stream_id: &str| self.streams.get(stream_id).map_or(StreamMode::Paper, |stream| stream.mode);
        let signals = said.iter().map(|said| StoredSignal {
            model_id: said.model_id.clone(),
            seq: said.seq,
            stream_id: said.stream_id.clone(),
            mode: mode(&said.stream_id),
            closed_at: times.close_ms,
            received_at: closed.received_at_ms,
            due_at: times.due_at,
            // Known when it is tried.
            stored_at: 0,
            signal: said.line.clone(),
            equity: said.equity.to_string(),
        });
        let halted = said.iter().filter_map(|said| {
            let breach = said.breach.as_ref()?;
            tracing::warn!(%breach, stream_id = said.stream_id, mode = mode(&said.stream_id).name(), "a stream is halted");
            Some((said.stream_id.clone(), breach.to_string()))
        });
        CommittedClose {
            feed: self.feed.to_owned(),
            candle: Some(FeedCandle {
                open_time: closed.candle.open_time_ms,
                candle: candle_text(&closed.candle),
                received_at: closed.received_at_ms,
                origin: closed.origin.name().to_owned(),
            }),
            signals: signals.collect(),
            halted: halted.collect(),
            speakers: self.speakers.clone(),
            changes: self.changes,
        }
    }

    /// Stores a close, again and again while the database is away. What is stored can be read, so
    /// nothing is once sending is stopped; an attempt that is under way then is given up.
    async fn commit(
        &mut self,
        close: &mut CommittedClose,
        times: Times,
        source: &Source,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<Committed, JobError> {
        let mut wait_ms = COMMIT_BACKOFF_MS;
        loop {
            if self.state.live.stop.is_stopped() {
                return Ok(Committed::Dropped);
            }
            let stored_at = source.now_ms(&self.clock);
            let must_be_timely = !times.is_replay && times.timing == Timing::InTime;
            let left = times.close_ms + STALE_AFTER_MS - stored_at;
            let limit = if must_be_timely { u64::try_from(left).unwrap_or(0) } else { u64::MAX };
            close.signals.iter_mut().for_each(|signal| signal.stored_at = stored_at);
            let stored = tokio::select! {
                biased;
                stored = self.state.platform.commit_close(close, now_ms()) => stored,
                () = until_stopped(self.state) => return Ok(Committed::Dropped),
                () = tokio::time::sleep(Duration::from_millis(limit)) => {
                    tracing::warn!(feed = self.feed, "a close could not be stored in time: its streams hold");
                    return Ok(Committed::Dropped);
                }
            };
            match stored {
                Ok(changes) => {
                    self.changes = Some(changes);
                    break;
                }
                Err(DatabaseError::StreamsChanged { streams, .. }) => {
                    if streams.len() == close.speakers.len() {
                        return Ok(Committed::Dropped);
                    }
                    // They join again as what they are now; the others need not wait for them.
                    self.leave_out(close, &streams)?;
                    continue;
                }
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, feed = self.feed, "a close is not stored yet");
                }
                Err(error) => return Err(error.into()),
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
                () = stopped(shutdown) => return Ok(Committed::Ending),
            }
            wait_ms = (wait_ms * 2).min(MAX_COMMIT_BACKOFF_MS);
        }
        if !close.halted.is_empty() {
            self.know_speakers()?;
            self.state.events_appended.notify_waiters();
        }
        Ok(Committed::Stored)
    }

    /// Tells listeners, once sending is allowed.
    async fn publish(&self, close: CommittedClose, shutdown: &mut watch::Receiver<bool>) {
        if !wait_until_sending(self.state, shutdown).await {
            // Listeners read what was stored when they come back.
            return;
        }
        let [paper, live] = [StreamMode::Paper, StreamMode::Live].map(|mode| Arc::<str>::from(mode.name()));
        let (mut papers, mut lives) = (0_u64, 0_u64);
        let published: Vec<Published> = close
            .signals
            .into_iter()
            .map(|signal| {
                let mode = match signal.mode {
                    StreamMode::Paper => {
                        papers += 1;
                        &paper
                    }
                    StreamMode::Live => {
                        lives += 1;
                        &live
                    }
                };
                Published {
                    model_id: signal.model_id.into(),
                    seq: signal.seq,
                    mode: mode.clone(),
                    closed_at: signal.closed_at,
                    line: signal.signal.into(),
                }
            })
            .collect();
        self.state.live.hub.publish(&published);
        metrics::counter!("assay_signals_total", "mode" => "paper").increment(papers);
        metrics::counter!("assay_signals_total", "mode" => "live").increment(lives);
    }
}

/// Counts how long a step from a candle to its listeners took.
fn stage(name: &'static str, took: Duration) {
    metrics::histogram!("assay_close_stage_seconds", "stage" => name).record(took.as_secs_f64());
}

/// Waits while the stop mark is there; false when the server stops.
async fn wait_until_sending(state: &ServerState, shutdown: &mut watch::Receiver<bool>) -> bool {
    while state.live.stop.is_stopped() {
        tokio::select! {
            () = tokio::time::sleep(STOPPED_POLL) => {}
            () = stopped(shutdown) => return false,
        }
    }
    true
}

/// Waits until the stop mark is there.
pub(super) async fn until_stopped(state: &ServerState) {
    while !state.live.stop.is_stopped() {
        tokio::time::sleep(STOPPED_POLL).await;
    }
}

/// Moves every stream of a feed that ended to the state that says so.
pub(super) async fn settle(state: &ServerState, streams: &[Stream], status: StreamStatus, reason: Option<String>) {
    for stream in streams {
        match state.platform.set_stream_status(&stream.stream_id, status, reason.clone(), now_ms()).await {
            Ok(_) | Err(DatabaseError::StreamState { .. }) => {}
            Err(error) => tracing::error!(%error, stream_id = stream.stream_id, "a stream's state is not stored"),
        }
    }
    state.events_appended.notify_waiters();
}
