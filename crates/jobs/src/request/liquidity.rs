//! Requests for liquidity rounds over recorded events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{JobDone, file_name, plain, user_file};
use crate::error::JobError;
use crate::jobs::lp::backtest::LpBacktestRequest;
use crate::jobs::lp::events::Source;
use crate::jobs::lp::practice::PracticeRequest;
use crate::jobs::lp::round::{First, RoundRequest};
use crate::workspace::Workspace;

/// Liquidity rounds over recorded events: practice, so that no reputation moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoundJob {
    /// What to do with the events.
    pub action: RoundAction,
    /// The job file, relative to `HOME/files`.
    pub job: String,
    /// The pool's events, relative to `HOME/files`.
    pub events: String,
    /// Built-in miners, comma-separated, or `all`; one for `practice` and `backtest`.
    pub miners: String,
    /// Number of the first round; the last ones of the events when null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// How many rounds; 1 when null. `backtest` takes all between its dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub rounds: Option<u32>,
    /// `backtest`: rounds that start at or after this date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `backtest`: rounds that end at or before this date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The pool's first price as a 64.96-bit square root, when the events do not begin with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqrt_price: Option<String>,
    /// Times of the blocks as `NUMBER@SECONDS+STEP`, where the chain is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_clock: Option<String>,
}

/// What to do with recorded events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoundAction {
    /// Rounds of several miners, whose records are kept.
    Rounds,
    /// One miner beside holding, with its answers.
    Practice,
    /// One miner over the whole history.
    Backtest,
}

impl RoundJob {
    pub(super) fn check(&self) -> Result<(), JobError> {
        for (field, name) in [("job", &self.job), ("events", &self.events)] {
            file_name(field, name)?;
        }
        if self.miners.contains("://") {
            let text = "miners: a scheduled round asks built-in miners alone; name them, or `all`";
            return Err(JobError::Input(text.to_owned()));
        }
        if self.rounds == Some(0) {
            return Err(JobError::Input("rounds: give 1 or more".to_owned()));
        }
        self.block_clock().map(|_| ())
    }

    fn block_clock(&self) -> Result<Option<crate::jobs::lp::block_clock::BlockClock>, JobError> {
        let clock = self.block_clock.as_deref().map(str::parse).transpose();
        clock.map_err(|error| JobError::Input(format!("block_clock: {error}")))
    }

    pub(super) fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        self.check()?;
        let job = user_file(workspace, "job", &self.job)?;
        let events = user_file(workspace, "events", &self.events)?;
        let source = Source { events, block_clock: self.block_clock()?, sqrt_price: self.sqrt_price.clone() };
        let first = self.first.map_or(First::Last, First::Number);
        let (miners, rounds) = (self.miners.clone(), u64::from(self.rounds.unwrap_or(1)));
        Ok(JobDone::of(match self.action {
            RoundAction::Rounds => {
                plain(&RoundRequest { job, source, miners, first, rounds, out: None, report: None }.run(workspace)?)
            }
            RoundAction::Practice => {
                plain(&PracticeRequest { job, source, miner: miners, first, rounds }.run(workspace)?)
            }
            RoundAction::Backtest => {
                let (from, to) = (self.from.clone(), self.to.clone());
                let request = LpBacktestRequest { job, source, miner: miners, from, to, out: None, report: None };
                plain(&request.run(workspace)?)
            }
        }))
    }
}
