//! Signals as they were signed, by model and number.

use std::collections::HashMap;
use std::ops::Range;

use assay_types::Hash;

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

const COLUMNS: &str = "seq, stream_id, mode, closed_at, received_at, due_at, stored_at, signal, equity";
const HEAD: &str = "INSERT INTO signals \
                    (speaker, seq, stream_id, mode, closed_at, received_at, due_at, stored_at, signal, sig_key, equity)";

/// The statements that store signals of the models `speakers`, by their numbers.
pub(super) fn inserts(
    signals: &[StoredSignal],
    speakers: &HashMap<String, i64>,
) -> Result<Vec<Statement>, DatabaseError> {
    let rows = signals
        .iter()
        .map(|row| {
            let unknown = || DatabaseError::Damaged { column: "model_id", value: row.model_id.clone() };
            Ok(vec![
                Argument::from(*speakers.get(&row.model_id).ok_or_else(unknown)?),
                signed("seq", row.seq)?.into(),
                (&row.stream_id).into(),
                row.mode.name().into(),
                row.closed_at.into(),
                row.received_at.into(),
                row.due_at.into(),
                row.stored_at.into(),
                (&row.signal).into(),
                sig_key(&row.signal).into(),
                (&row.equity).into(),
            ])
        })
        .collect::<Result<Vec<_>, DatabaseError>>()?;
    // Whoever comes second inserts fewer rows than it has, which the caller sees.
    let tail = "ON CONFLICT (speaker, seq) DO NOTHING";
    Ok(Statement::insert_often("store signals", HEAD, tail, rows))
}

/// What a signal is found by: the first 64 bits of its `sig_hash`; 0 for a line without one.
fn sig_key(line: &str) -> i64 {
    const NAME: &str = "\"sig_hash\":\"";
    let digits = line.find(NAME).and_then(|at| line.get(at + NAME.len()..at + NAME.len() + 16));
    digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0).cast_signed()
}

impl StoredSignal {
    fn read(row: &Row, model_id: &str) -> Result<Self, DatabaseError> {
        Ok(Self {
            model_id: model_id.to_owned(),
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
        closed: Range<i64>,
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
        closed: Range<i64>,
        from: u64,
        limit: u32,
    ) -> Result<Vec<StoredSignal>, DatabaseError> {
        let limit = limit.min(MAX_SIGNALS) as usize;
        let everything = from..i64::MAX.unsigned_abs();
        let spans = match closed {
            Range { start: i64::MIN, end: i64::MAX } => vec![everything],
            _ => self.spans(model_id, &closed, from).await?,
        };
        let mut found = Vec::new();
        for span in spans {
            let left = limit - found.len();
            found.extend(self.signals_numbered(model_id, mode, span, left).await?);
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// Signals with numbers within `span`, at most `limit`.
    async fn signals_numbered(
        &self,
        model_id: &str,
        mode: Option<StreamMode>,
        span: Range<u64>,
        limit: usize,
    ) -> Result<Vec<StoredSignal>, DatabaseError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM signals WHERE speaker = (SELECT number FROM speakers WHERE model_id = $1) \
             AND seq >= $2 AND seq < $3 AND ($4 OR mode = $5) ORDER BY seq LIMIT $6"
        );
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let statement = Statement::new("read signals", sql)
            .bind(model_id)
            .bind(number(span.start))
            .bind(number(span.end))
            .bind(mode.is_none())
            .bind(mode.map_or("", StreamMode::name))
            .bind(number(limit as u64));
        self.pool.fetch(statement).await?.iter().map(|row| StoredSignal::read(row, model_id)).collect()
    }

    /// The numbers from `from` on whose closes are within `closed`, ascending. Within a stream
    /// closes ascend with the numbers, so each end is found by halving.
    async fn spans(&self, model_id: &str, closed: &Range<i64>, from: u64) -> Result<Vec<Range<u64>>, DatabaseError> {
        let sql = "SELECT first_seq FROM streams WHERE model_id = $1 ORDER BY first_seq";
        let rows = self.pool.fetch(Statement::new("read where streams begin", sql).bind(model_id)).await?;
        let mut ends = vec![0];
        for row in &rows {
            ends.push(row.count("first_seq")?);
        }
        ends.push(self.next_seq(model_id).await?);
        let mut spans = Vec::new();
        for pair in ends.windows(2).filter(|pair| pair[0] < pair[1] && pair[1] > from) {
            let first = self.first_closed(model_id, pair[0]..pair[1], closed.start).await?;
            let end = self.first_closed(model_id, first..pair[1], closed.end).await?;
            if first.max(from) < end {
                spans.push(first.max(from)..end);
            }
        }
        Ok(spans)
    }

    /// The first number within `span` whose close is at `at` or later; the end when none is.
    async fn first_closed(&self, model_id: &str, span: Range<u64>, at: i64) -> Result<u64, DatabaseError> {
        let sql = "SELECT closed_at FROM signals WHERE speaker = (SELECT number FROM speakers WHERE model_id = $1) \
                   AND seq >= $2 ORDER BY seq LIMIT 1";
        let Range { start: mut low, end: mut high } = span;
        while low < high {
            let middle = low.midpoint(high);
            let statement = Statement::new("look for a close", sql).bind(model_id).bind(signed("seq", middle)?);
            let row = self.pool.fetch(statement).await?.into_iter().next();
            let closed_at: i64 = row.map_or(Ok(i64::MAX), |row| row.get("closed_at"))?;
            if closed_at >= at { high = middle } else { low = middle + 1 }
        }
        Ok(low)
    }

    /// Signals whose `sig_hash` is `hash`, of whichever models, at most `limit`: models that say
    /// the same at one close share it.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn signals_by_hash(&self, hash: &Hash, limit: u32) -> Result<Vec<StoredSignal>, DatabaseError> {
        let columns: Vec<String> = COLUMNS.split(", ").map(|column| format!("s.{column}")).collect();
        let sql = format!(
            "SELECT p.model_id, {} FROM signals s JOIN speakers p ON p.number = s.speaker \
             WHERE s.sig_key = $1 ORDER BY p.number, s.seq LIMIT $2",
            columns.join(", ")
        );
        let text = hash.to_string();
        let key = sig_key(&format!("\"sig_hash\":\"{text}"));
        let statement = Statement::new("look for a signal", sql).bind(key).bind(i64::from(limit.min(MAX_SIGNALS)));
        let rows = self.pool.fetch(statement).await?;
        let read = |row: &Row| StoredSignal::read(row, &row.get::<String>("model_id")?);
        let found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().filter(|signal| signal.signal.contains(&text)).collect())
    }

    /// The number that the next signal of a model will have.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn next_seq(&self, model_id: &str) -> Result<u64, DatabaseError> {
        let sql = "SELECT seq FROM signals WHERE speaker = (SELECT number FROM speakers WHERE model_id = $1) \
                   ORDER BY seq DESC LIMIT 1";
        let rows = self.pool.fetch(Statement::new("read the last signal", sql).bind(model_id)).await?;
        rows.first().map_or(Ok(0), |row| row.count("seq").map(|seq| seq + 1))
    }
}
