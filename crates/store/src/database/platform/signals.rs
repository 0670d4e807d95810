//! Signals as they were signed, by model and number.

use super::PlatformDatabase;
use super::streams::StreamMode;
use crate::database::DatabaseError;
use crate::database::statement::{Argument, Row, Statement, signed};

/// Most signals in one answer.
pub const MAX_SIGNALS: u32 = 1_000;

/// A stored signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSignal {
    /// The model that spoke.
    pub model_id: String,
    /// Its number, from 0, without holes.
    pub seq: u64,
    /// The stream that spoke for it.
    pub stream_id: String,
    /// Paper or live, when it was signed.
    pub mode: StreamMode,
    /// The candle's close, in ms since 1970.
    pub closed_at: i64,
    /// When the candle arrived here, in ms since 1970.
    pub received_at: i64,
    /// When the signal was due, in ms since 1970: at the close, or, of recorded candles, when
    /// the candle was taken.
    pub due_at: i64,
    /// When the signal was stored, in ms since 1970.
    pub stored_at: i64,
    /// The signed line, byte for byte.
    pub signal: String,
    /// Equity of the paper account at this close, decimal text.
    pub equity: String,
}

const COLUMNS: &str = "model_id, seq, stream_id, mode, closed_at, received_at, due_at, stored_at, signal, equity";

pub(super) fn inserts(signals: &[StoredSignal]) -> Result<Vec<Statement>, DatabaseError> {
    let rows = signals
        .iter()
        .map(|row| {
            Ok(vec![
                Argument::from(&row.model_id),
                signed("seq", row.seq)?.into(),
                (&row.stream_id).into(),
                row.mode.name().into(),
                row.closed_at.into(),
                row.received_at.into(),
                row.due_at.into(),
                row.stored_at.into(),
                (&row.signal).into(),
                (&row.equity).into(),
            ])
        })
        .collect::<Result<Vec<_>, DatabaseError>>()?;
    // Whoever comes second inserts fewer rows than it has, which the caller sees.
    let tail = "ON CONFLICT (model_id, seq) DO NOTHING";
    Ok(Statement::insert_many("store signals", &format!("INSERT INTO signals ({COLUMNS})"), tail, rows))
}

impl StoredSignal {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            model_id: row.get("model_id")?,
            seq: row.count("seq")?,
            stream_id: row.get("stream_id")?,
            mode: row.parse("mode")?,
            closed_at: row.get("closed_at")?,
            received_at: row.get("received_at")?,
            due_at: row.get("due_at")?,
            stored_at: row.get("stored_at")?,
            signal: row.get("signal")?,
            equity: row.get("equity")?,
        })
    }
}

impl PlatformDatabase {
    /// Signals of a model numbered from `from` on, ascending, at most `limit` and
    /// [`MAX_SIGNALS`].
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn signals_from(
        &self,
        model_id: &str,
        from: u64,
        limit: u32,
    ) -> Result<Vec<StoredSignal>, DatabaseError> {
        self.signals_between(model_id, i64::MIN..i64::MAX, from, limit).await
    }

    /// The same, of closes within `closed` (ms since 1970, end excluded).
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn signals_between(
        &self,
        model_id: &str,
        closed: std::ops::Range<i64>,
        from: u64,
        limit: u32,
    ) -> Result<Vec<StoredSignal>, DatabaseError> {
        self.signals_of_mode(model_id, None, closed, from, limit).await
    }

    /// The same of one mode alone, or of both.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn signals_of_mode(
        &self,
        model_id: &str,
        mode: Option<StreamMode>,
        closed: std::ops::Range<i64>,
        from: u64,
        limit: u32,
    ) -> Result<Vec<StoredSignal>, DatabaseError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM signals WHERE model_id = $1 AND seq >= $2 AND closed_at >= $3 AND closed_at < $4 \
             AND ($5 OR mode = $6) ORDER BY seq LIMIT $7"
        );
        let statement = Statement::new("read signals", sql)
            .bind(model_id)
            .bind(i64::try_from(from).unwrap_or(i64::MAX))
            .bind(closed.start)
            .bind(closed.end)
            .bind(mode.is_none())
            .bind(mode.map_or("", StreamMode::name))
            .bind(i64::from(limit.min(MAX_SIGNALS)));
        self.pool.fetch(statement).await?.iter().map(StoredSignal::read).collect()
    }

    /// The number that the next signal of a model will have.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn next_seq(&self, model_id: &str) -> Result<u64, DatabaseError> {
        let sql = "SELECT seq FROM signals WHERE model_id = $1 ORDER BY seq DESC LIMIT 1";
        let rows = self.pool.fetch(Statement::new("read the last signal", sql).bind(model_id)).await?;
        rows.first().map_or(Ok(0), |row| row.count("seq").map(|seq| seq + 1))
    }
}
