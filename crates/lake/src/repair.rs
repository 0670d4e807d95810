//! Repair: fetches again only the ranges that a check found wanting.

use assay_types::{Candle, Candles, Dataset};
use serde::Serialize;

use crate::LakeError;
use crate::check::{Problem, ProblemKind};
use crate::exchange::ExchangeClient;
use crate::lake::Lake;
use crate::partitions::OnConflict;

/// A problem that is still there, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftProblem {
    /// The problem.
    #[serde(flatten)]
    pub problem: Problem,
    /// Why it could not be repaired.
    pub reason: String,
}

/// What a repair did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RepairReport {
    /// Problems that are gone.
    pub repaired: Vec<Problem>,
    /// Problems that remain; a damaged partition is only replaced by rows that cover
    /// all it held.
    pub left: Vec<LeftProblem>,
    /// Rows that gaps lacked and now have.
    pub added: u64,
}

impl Lake {
    /// Checks a candle dataset and fetches again what is damaged or missing.
    ///
    /// # Errors
    /// When the dataset does not exist or its manifest is damaged; a failing exchange
    /// leaves the problem in the report.
    pub async fn repair(&self, client: &ExchangeClient, dataset: &Dataset) -> Result<RepairReport, LakeError> {
        let mut report = RepairReport::default();
        for problem in self.check(dataset).await? {
            match problem.kind {
                ProblemKind::UnnamedFile => {
                    report.left.push(LeftProblem { reason: "the next write removes it".to_owned(), problem });
                }
                ProblemKind::Gap => match self.fetch(client, dataset, problem.from_ms..problem.to_ms, |_| ()).await {
                    Ok(fetched) => {
                        report.added += fetched.added;
                        let missing = (problem.to_ms - problem.from_ms) / dataset.timeframe.ms();
                        if fetched.added == missing as u64 {
                            report.repaired.push(problem);
                        } else {
                            let reason = format!("the exchange has {} of its {missing} candles", fetched.added);
                            report.left.push(LeftProblem { problem, reason });
                        }
                    }
                    Err(error) => report.left.push(LeftProblem { problem, reason: error.to_string() }),
                },
                ProblemKind::MissingPartition | ProblemKind::HashMismatch | ProblemKind::CorruptPartition => {
                    match self.refetch(client, dataset, &problem).await {
                        Ok(()) => report.repaired.push(problem),
                        Err(error) => report.left.push(LeftProblem { problem, reason: error.to_string() }),
                    }
                }
            }
        }
        Ok(report)
    }

    /// Replaces a damaged partition by the exchange's rows of its range.
    async fn refetch(&self, client: &ExchangeClient, dataset: &Dataset, problem: &Problem) -> Result<(), LakeError> {
        let span = client.venue().page_rows() * dataset.timeframe.ms();
        let mut rows: Vec<Candle> = Vec::new();
        let mut from_ms = problem.from_ms;
        while from_ms < problem.to_ms {
            let to_ms = problem.to_ms.min(from_ms + span);
            rows.extend(client.candles(dataset, from_ms..to_ms).await?);
            from_ms = to_ms;
        }
        let mut candles = Candles::new(dataset.market.clone(), dataset.timeframe);
        rows.into_iter().for_each(|candle| candles.push(candle));
        self.store_candles(&candles, OnConflict::Replace).await?;
        // Rows that do not cover the partition leave it as it is, which the check sees.
        let still = self.check(dataset).await?;
        match still.into_iter().find(|other| other.object == problem.object && other.kind == problem.kind) {
            Some(other) => Err(LakeError::CorruptPartition { object: other.object, detail: other.detail }),
            None => Ok(()),
        }
    }
}
