//! The catalogue of datasets: what lists show without reading the lake.

use super::{NewEvent, PlatformDatabase, counters, events};
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::{Row, Statement, signed};

/// A dataset as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetRow {
    /// Its name, `exchange/SYMBOL/timeframe`.
    pub dataset: String,
    /// Its place in the order in which datasets became known, from 1; 0 before it is stored.
    pub number: u64,
    /// Its coverage, as JSON.
    pub summary: String,
    /// When the row was last written, in ms since 1970.
    pub updated_at: i64,
}

const COLUMNS: &str = "dataset, number, summary, updated_at";

impl DatasetRow {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            dataset: row.get("dataset")?,
            number: row.count("number")?,
            summary: row.get("summary")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

/// Stores a dataset; the event, when something changed.
pub(super) async fn upsert(
    transaction: &mut Transaction,
    dataset: &DatasetRow,
) -> Result<Option<NewEvent>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM datasets WHERE dataset = $1");
    let known = transaction.fetch_one(Statement::new("read a dataset", sql).bind(&dataset.dataset)).await?;
    match known.map(|row| DatasetRow::read(&row)).transpose()? {
        Some(known) if known.summary == dataset.summary => return Ok(None),
        Some(_) => {
            let sql = "UPDATE datasets SET summary = $2, updated_at = $3 WHERE dataset = $1";
            let statement = Statement::new("store a dataset", sql).bind(&dataset.dataset).bind(&dataset.summary);
            transaction.execute(statement.bind(dataset.updated_at)).await?;
        }
        None => {
            let number = signed("number", counters::take(transaction, "datasets", 1).await?)?;
            let sql = "INSERT INTO datasets (dataset, number, summary, updated_at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (dataset) DO NOTHING";
            let statement = Statement::new("store a dataset", sql).bind(&dataset.dataset).bind(number);
            transaction.execute(statement.bind(&dataset.summary).bind(dataset.updated_at)).await?;
        }
    }
    let (topic, subject) = ("dataset".to_owned(), dataset.dataset.clone());
    Ok(Some(NewEvent { topic, subject, owner: None, payload: dataset.summary.clone() }))
}

impl PlatformDatabase {
    /// Stores datasets that were found, or changed, outside of any job; rows that say the same
    /// already stay as they are.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn put_datasets(&self, datasets: &[DatasetRow], now_ms: i64) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        let mut told = Vec::new();
        for dataset in datasets {
            told.extend(upsert(&mut transaction, dataset).await?);
        }
        events::append(&mut transaction, &told, now_ms).await?;
        transaction.commit().await
    }

    /// The dataset of that name.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn dataset(&self, name: &str) -> Result<Option<DatasetRow>, DatabaseError> {
        let statement = Statement::new("read a dataset", format!("SELECT {COLUMNS} FROM datasets WHERE dataset = $1"));
        self.pool.fetch(statement.bind(name)).await?.first().map(DatasetRow::read).transpose()
    }

    /// Datasets in the order in which they became known, those after the number `after`; at
    /// most `limit`.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn datasets(&self, after: u64, limit: u32) -> Result<Vec<DatasetRow>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM datasets WHERE number > $1 ORDER BY number LIMIT $2");
        let statement = Statement::new("list datasets", sql).bind(signed("number", after)?).bind(i64::from(limit));
        self.pool.fetch(statement).await?.iter().map(DatasetRow::read).collect()
    }
}
