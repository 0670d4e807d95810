//! The objects of the schema. Times are ISO-8601 UTC texts, amounts decimal texts.

use assay_jobs::jobs::models::Card;
use assay_store::database::{DatasetRow, Round, RunRow, ScheduledJob, StoredSignal, Stream};
use assay_types::time::format_utc;
use async_graphql::{Json, SimpleObject};
use serde_json::Value;

/// A scheduled job.
#[derive(SimpleObject)]
pub(super) struct Job {
    job_id: String,
    kind: String,
    owner: String,
    /// `queued`, `running`, `cancelling`, `cancelled`, `failed` or `done`.
    status: String,
    attempts: u64,
    request: Json<Value>,
    progress: Option<Json<Value>>,
    result: Option<Json<Value>>,
    error: Option<String>,
    created_at: String,
    updated_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
}

/// A training run.
#[derive(SimpleObject)]
pub(super) struct Run {
    run_id: String,
    owner: String,
    /// The job that made it.
    job_id: Option<String>,
    summary: Json<Value>,
    created_at: String,
    updated_at: String,
}

/// A dataset of the lake.
#[derive(SimpleObject)]
pub(super) struct Dataset {
    dataset: String,
    summary: Json<Value>,
    updated_at: String,
}

/// A published model.
#[derive(SimpleObject)]
pub(super) struct Model {
    model_id: String,
    name: String,
    owner: String,
    /// `public` or `private`.
    visibility: String,
    run_id: String,
    dataset: String,
    algorithm: String,
    fee_bps: u32,
    /// The score as decimal text; null while it has none.
    score: Option<String>,
    published_at: String,
    /// The whole card.
    card: Json<Value>,
}

/// A live or paper stream of a model's signals.
#[derive(SimpleObject)]
pub(super) struct SignalStream {
    stream_id: String,
    model_id: String,
    run_id: String,
    owner: String,
    /// `paper` or `live`.
    mode: String,
    /// `running`, `stopped`, `halted`, `ended` or `failed`.
    status: String,
    reason: Option<String>,
    created_at: String,
    updated_at: String,
}

/// A signal as it was stored.
#[derive(SimpleObject)]
pub(super) struct SignalLine {
    model_id: String,
    seq: u64,
    stream_id: String,
    /// `paper` or `live`.
    mode: String,
    closed_at: String,
    received_at: String,
    stored_at: String,
    /// The signed signal.
    signal: Json<Value>,
}

/// A liquidity round without its record.
#[derive(SimpleObject)]
pub(super) struct LiquidityRound {
    round_id: String,
    job_id: String,
    round_type: String,
    number: u64,
    status: String,
    reason: Option<String>,
    start_block: Option<u64>,
    end_block: Option<u64>,
    winner: Option<String>,
    record_hash: Option<String>,
}

fn json(text: &str) -> Json<Value> {
    Json(serde_json::from_str(text).unwrap_or(Value::Null))
}

impl From<ScheduledJob> for Job {
    fn from(job: ScheduledJob) -> Self {
        Self {
            job_id: job.job_id,
            kind: job.kind,
            owner: job.owner,
            status: job.status.name().to_owned(),
            attempts: job.attempts,
            request: json(&job.request),
            progress: job.progress.as_deref().map(json),
            result: job.result.as_deref().map(json),
            error: job.error,
            created_at: format_utc(job.created_at),
            updated_at: format_utc(job.updated_at),
            started_at: job.started_at.map(format_utc),
            finished_at: job.finished_at.map(format_utc),
        }
    }
}

impl From<RunRow> for Run {
    fn from(run: RunRow) -> Self {
        Self {
            summary: json(&run.summary),
            run_id: run.run_id,
            owner: run.owner,
            job_id: run.job_id,
            created_at: format_utc(run.created_at),
            updated_at: format_utc(run.updated_at),
        }
    }
}

impl From<DatasetRow> for Dataset {
    fn from(row: DatasetRow) -> Self {
        Self { summary: json(&row.summary), dataset: row.dataset, updated_at: format_utc(row.updated_at) }
    }
}

impl From<Card> for Model {
    fn from(card: Card) -> Self {
        let whole = serde_json::to_value(&card).unwrap_or(Value::Null);
        Self {
            model_id: card.model_id,
            name: card.name,
            owner: card.owner,
            visibility: card.visibility,
            run_id: card.lineage.run_id,
            dataset: card.lineage.dataset,
            algorithm: card.algorithm,
            fee_bps: card.fee_bps,
            score: card.score.value,
            published_at: card.published_at,
            card: Json(whole),
        }
    }
}

impl From<Stream> for SignalStream {
    fn from(stream: Stream) -> Self {
        Self {
            mode: stream.mode.name().to_owned(),
            status: stream.status.name().to_owned(),
            stream_id: stream.stream_id,
            model_id: stream.model_id,
            run_id: stream.run_id,
            owner: stream.owner,
            reason: stream.reason,
            created_at: format_utc(stream.created_at),
            updated_at: format_utc(stream.updated_at),
        }
    }
}

impl From<StoredSignal> for SignalLine {
    fn from(stored: StoredSignal) -> Self {
        Self {
            mode: stored.mode.name().to_owned(),
            signal: json(&stored.signal),
            model_id: stored.model_id,
            seq: stored.seq,
            stream_id: stored.stream_id,
            closed_at: format_utc(stored.closed_at),
            received_at: format_utc(stored.received_at),
            stored_at: format_utc(stored.stored_at),
        }
    }
}

impl From<Round> for LiquidityRound {
    fn from(round: Round) -> Self {
        Self {
            status: round.status.name().to_owned(),
            round_id: round.round_id,
            job_id: round.job_id,
            round_type: round.round_type,
            number: round.number,
            reason: round.reason,
            start_block: round.start_block,
            end_block: round.end_block,
            winner: round.winner,
            record_hash: round.record_hash,
        }
    }
}
