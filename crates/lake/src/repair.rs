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
        let (gaps, others): (Vec<Problem>, Vec<Problem>) =
            self.check(dataset).await?.into_iter().partition(|problem| problem.kind == ProblemKind::Gap);
        for problem in others {
            if problem.kind == ProblemKind::UnnamedFile {
                report.left.push(LeftProblem { reason: "the next write removes it".to_owned(), problem });
                continue;
            }
            match self.refetch(client, dataset, &problem).await {
                Ok(()) => report.repaired.push(problem),
                Err(error) => report.left.push(LeftProblem { problem, reason: error.to_string() }),
            }
        }
        self.fill(client, dataset, gaps, &mut report).await?;
        Ok(report)
    }

    /// Fetches what `gaps` (ascending) lack, in one go: many small holes share pages.
    async fn fill(
        &self,
        client: &ExchangeClient,
        dataset: &Dataset,
        gaps: Vec<Problem>,
        report: &mut RepairReport,
    ) -> Result<(), LakeError> {
        let (Some(first), Some(last)) = (gaps.first(), gaps.last()) else { return Ok(()) };
        let failure = match self.fetch(client, dataset, first.from_ms..last.to_ms, |_| ()).await {
            Ok(fetched) => {
                report.added = fetched.added;
                None
            }
            Err(error) => Some(error.to_string()),
        };
        let left = self.manifest(dataset).await?.gaps(dataset.timeframe);
        for problem in gaps {
            let still: u64 = left
                .iter()
                .filter(|gap| gap.from_ms >= problem.from_ms && gap.to_ms <= problem.to_ms)
                .map(|gap| gap.missing)
                .sum();
            if still == 0 {
                report.repaired.push(problem);
            } else {
                let absent = format!("the exchange has no candle for {still} of its open times");
                report.left.push(LeftProblem { problem, reason: failure.clone().unwrap_or(absent) });
            }
        }
        Ok(())
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
