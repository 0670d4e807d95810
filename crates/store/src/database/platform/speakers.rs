//! Models that speak, each under a short number: a close stores a row for each of them, and what
//! is long is written thousands of times.

use std::collections::HashMap;
use std::sync::PoisonError;

use super::signals::StoredSignal;
use super::{PlatformDatabase, counters};
use crate::database::DatabaseError;
use crate::database::statement::Statement;

/// Numbers that are kept in memory; beyond, they are looked up again.
const MAX_KEPT: usize = 100_000;

impl PlatformDatabase {
    /// The numbers of the models of `signals`, given to those that have none.
    pub(super) async fn speakers(&self, signals: &[StoredSignal]) -> Result<HashMap<String, i64>, DatabaseError> {
        let mut numbers = HashMap::with_capacity(signals.len());
        let mut unknown: Vec<&str> = Vec::new();
        {
            let kept = self.speakers.lock().unwrap_or_else(PoisonError::into_inner);
            for signal in signals {
                match kept.get(&signal.model_id) {
                    Some(number) => _ = numbers.insert(signal.model_id.clone(), *number),
                    None => unknown.push(&signal.model_id),
                }
            }
        }
        if unknown.is_empty() {
            return Ok(numbers);
        }
        let mut found = Vec::with_capacity(unknown.len());
        let mut transaction = self.begin().await?;
        // Taken first: on PostgreSQL the row stays locked, so that two do not number one model.
        let mut next = counters::take(&mut transaction, "speakers", unknown.len() as u64).await?;
        for model_id in unknown {
            let sql = "SELECT number FROM speakers WHERE model_id = $1";
            let row = transaction.fetch_one(Statement::new("look for a model", sql).bind(model_id)).await?;
            let number = match row {
                Some(row) => row.get("number")?,
                None => {
                    let number = crate::database::statement::signed("number", next)?;
                    let sql = "INSERT INTO speakers (model_id, number) VALUES ($1, $2)";
                    transaction.execute(Statement::new("number a model", sql).bind(model_id).bind(number)).await?;
                    next += 1;
                    number
                }
            };
            found.push((model_id.to_owned(), number));
        }
        transaction.commit().await?;
        let mut kept = self.speakers.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() + found.len() > MAX_KEPT {
            kept.clear();
        }
        kept.extend(found.iter().cloned());
        numbers.extend(found);
        Ok(numbers)
    }
}
