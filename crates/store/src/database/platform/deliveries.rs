//! The log of deliveries, written together with the cursors it moves.

use std::str::FromStr;

use super::{PlatformDatabase, counters, destinations};
use crate::database::DatabaseError;
use crate::database::statement::{Argument, Row, Statement, signed};

/// Deliveries of one destination that are kept.
pub const KEPT_DELIVERIES: u32 = 10_000;
/// Most deliveries, and latencies, in one answer.
pub const MAX_DELIVERIES: u32 = 1_000;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryOutcome {
    /// The destination confirmed it.
    Delivered,
    /// It did not; the signal is sent again.
    Failed,
    /// A message that the owner asked for to try the destination; the detail says what failed.
    Test,
}

impl DeliveryOutcome {
    /// The word in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Test => "test",
        }
    }
}

impl FromStr for DeliveryOutcome {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Self::Delivered, Self::Failed, Self::Test];
        let found = all.into_iter().find(|outcome| outcome.name() == word);
        found.ok_or_else(|| format!("`{word}` is none of delivered, failed, test"))
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The signal; `None` for a test.
    pub seq: Option<u64>,
    /// Which attempt at this signal it was, from 1.
    pub attempt: u64,
    /// What became of it.
    pub outcome: DeliveryOutcome,
    /// Why it failed.
    pub detail: Option<String>,
    /// From the candle's close to the confirmation in ms; from the sending for a test.
    pub latency_ms: Option<i64>,
    /// When, in ms since 1970.
    pub at: i64,
}

/// An attempt in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedDelivery {
    /// Its place in the log.
    pub number: u64,
    /// The attempt.
    pub delivery: Delivery,
}

/// Why a destination is not sent to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    /// Attempts that failed in a row.
    pub failures: u64,
    /// Why the last one did.
    pub error: String,
    /// When it is tried again, in ms since 1970.
    pub retry_at: i64,
    /// Whether it is paused, until its owner lets it go on.
    pub is_paused: bool,
}

/// What was done for one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReport {
    /// The destination.
    pub destination_id: String,
    /// The model whose signals it gets.
    pub model_id: String,
    /// Its cursor before.
    pub from_seq: u64,
    /// Its cursor now.
    pub next_seq: u64,
    /// The attempts, in order.
    pub deliveries: Vec<Delivery>,
    /// Why the last attempt failed; `None` when it did not.
    pub setback: Option<Setback>,
    /// Whether attempts before these had failed, so that the event stream tells of the recovery.
    pub was_failing: bool,
}

impl PlatformDatabase {
    /// Logs attempts and moves the cursors they confirm, all or nothing; which reports were
    /// taken. A report is not taken, and leaves no trace, when the destination was removed or
    /// its cursor is no longer at `from_seq`: it was rewound, or another process sends.
    ///
    /// Rows are locked in the order of ids and counters after all rows, as everywhere else:
    /// writers that meet wait for each other and never in a circle.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn record_deliveries(&self, reports: &[DeliveryReport], now_ms: i64) -> Result<Vec<bool>, DatabaseError> {
        let mut transaction = self.begin().await?;
        let mut taken = vec![false; reports.len()];
        let mut order: Vec<usize> = (0..reports.len()).collect();
        // Stable: reports of one destination stay in their order.
        order.sort_by_key(|index| &reports[*index].destination_id);
        for index in order {
            taken[index] = transaction.execute(reports[index].advance(now_ms)?).await? > 0;
        }
        let written: Vec<(&DeliveryReport, &Delivery)> = reports
            .iter()
            .zip(&taken)
            .filter(|(_, is_taken)| **is_taken)
            .flat_map(|(report, _)| report.deliveries.iter().map(move |delivery| (report, delivery)))
            .collect();
        if !written.is_empty() {
            let first = counters::take(&mut transaction, "deliveries", written.len() as u64).await?;
            let rows = written
                .iter()
                .zip(first..)
                .map(|((report, delivery), number)| delivery.row(&report.destination_id, &report.model_id, number))
                .collect::<Result<Vec<_>, _>>()?;
            transaction.execute_all(Statement::insert_many("log deliveries", HEAD, "", rows)).await?;
        }
        let news = reports.iter().zip(&taken).filter(|(report, is_taken)| **is_taken && report.is_news());
        let news: Vec<&str> = news.map(|(report, _)| report.destination_id.as_str()).collect();
        destinations::tell_all(&mut transaction, &news, now_ms).await?;
        transaction.commit().await?;
        Ok(taken)
    }

    /// Logs the attempt of a test.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn log_test_delivery(
        &self,
        destination_id: &str,
        model_id: &str,
        delivery: &Delivery,
    ) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        let number = counters::take(&mut transaction, "deliveries", 1).await?;
        let rows = [delivery.row(destination_id, model_id, number)?];
        transaction.execute_all(Statement::insert_many("log a delivery", HEAD, "", rows)).await?;
        transaction.commit().await
    }

    /// Attempts at a destination, newest first, those numbered below `before`; at most `limit`
    /// and [`MAX_DELIVERIES`].
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn deliveries(
        &self,
        destination_id: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<LoggedDelivery>, DatabaseError> {
        let sql = "SELECT number, seq, attempt, outcome, detail, latency_ms, at FROM deliveries \
                   WHERE destination_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3";
        let before = before.map_or(Ok(i64::MAX), |number| signed("number", number))?;
        let statement = Statement::new("list deliveries", sql)
            .bind(destination_id)
            .bind(before)
            .bind(i64::from(limit.min(MAX_DELIVERIES)));
        self.pool.fetch(statement).await?.iter().map(LoggedDelivery::read).collect()
    }

    /// Removes all but the last `kept` attempts at a destination; how many were removed.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn prune_deliveries(&self, destination_id: &str, kept: u32) -> Result<u64, DatabaseError> {
        let sql = "DELETE FROM deliveries WHERE destination_id = $1 AND number <= (SELECT number FROM deliveries \
                   WHERE destination_id = $1 ORDER BY number DESC LIMIT 1 OFFSET $2)";
        let statement = Statement::new("remove old deliveries", sql).bind(destination_id).bind(i64::from(kept));
        self.pool.execute(statement).await
    }

    /// From a candle's close to the moment its signal was stored, in ms: the last `limit`
    /// signals of a model, at most [`MAX_DELIVERIES`].
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn signal_latencies(&self, model_id: &str, limit: u32) -> Result<Vec<i64>, DatabaseError> {
        let sql = "SELECT stored_at - due_at AS latency_ms FROM signals \
                   WHERE speaker = (SELECT number FROM speakers WHERE model_id = $1) ORDER BY seq DESC LIMIT $2";
        let statement = Statement::new("read latencies", sql).bind(model_id).bind(i64::from(limit.min(MAX_DELIVERIES)));
        self.pool.fetch(statement).await?.iter().map(|row| row.get("latency_ms")).collect()
    }
}

const HEAD: &str =
    "INSERT INTO deliveries (number, destination_id, model_id, seq, attempt, outcome, detail, latency_ms, at)";

impl DeliveryReport {
    /// Whether the event stream tells of it.
    fn is_news(&self) -> bool {
        match &self.setback {
            Some(setback) => setback.failures == 1 || setback.is_paused,
            None => self.was_failing,
        }
    }

    fn advance(&self, now_ms: i64) -> Result<Statement, DatabaseError> {
        let (failures, error, retry_at, is_paused) = match &self.setback {
            Some(setback) => (setback.failures, Some(setback.error.clone()), setback.retry_at, setback.is_paused),
            None => (0, None, 0, false),
        };
        let sql = if is_paused {
            "UPDATE destinations SET next_seq = $1, failures = $2, last_error = $3, retry_at = $4, updated_at = $5, \
             status = 'paused' WHERE destination_id = $6 AND next_seq = $7"
        } else {
            "UPDATE destinations SET next_seq = $1, failures = $2, last_error = $3, retry_at = $4, updated_at = $5 \
             WHERE destination_id = $6 AND next_seq = $7"
        };
        Ok(Statement::new("move a cursor", sql)
            .bind(signed("next_seq", self.next_seq)?)
            .bind(signed("failures", failures)?)
            .bind(Argument::from(&error))
            .bind(retry_at)
            .bind(now_ms)
            .bind(&self.destination_id)
            .bind(signed("next_seq", self.from_seq)?))
    }
}

impl Delivery {
    fn row(&self, destination_id: &str, model_id: &str, number: u64) -> Result<Vec<Argument>, DatabaseError> {
        Ok(vec![
            signed("number", number)?.into(),
            destination_id.into(),
            model_id.into(),
            self.seq.map(|seq| signed("seq", seq)).transpose()?.into(),
            signed("attempt", self.attempt)?.into(),
            self.outcome.name().into(),
            Argument::from(&self.detail),
            self.latency_ms.into(),
            self.at.into(),
        ])
    }
}

impl LoggedDelivery {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            number: row.count("number")?,
            delivery: Delivery {
                seq: row.optional_count("seq")?,
                attempt: row.count("attempt")?,
                outcome: row.parse("outcome")?,
                detail: row.get("detail")?,
                latency_ms: row.get("latency_ms")?,
                at: row.get("at")?,
            },
        })
    }
}
