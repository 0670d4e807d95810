//! Requests that judge.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::data::dataset;
use super::{JobDone, plain, user_file};
use crate::error::JobError;
use crate::jobs::audit::audit_file;
use crate::jobs::backtest::{BacktestRequest, CostOptions};
use crate::workspace::{Workspace, user_time};
use assay_types::{FillRule, Hash};

/// A run or a rule on candles; the report is kept in `HOME/backtests`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BacktestJob {
    /// A run, by the first digits of its id; else `strategy` is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// A rule such as `sma-cross:24:168`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// The candles; a run's own when null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// First open time, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Just after the last open time, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What trading costs, where it differs from the defaults or the run's own.
    #[serde(default)]
    pub costs: JobCosts,
}

/// What trading costs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobCosts {
    /// Initial cash, decimal text in the quote currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cash: Option<String>,
    /// Price tick, decimal text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick: Option<String>,
    /// Quantity step, decimal text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Fee per side, parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_ppm: Option<u32>,
    /// Slippage in price ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slippage_ticks: Option<u32>,
    /// Further slippage in basis points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slippage_bps: Option<u32>,
    /// Borrow cost of a short in basis points per day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrow_bps_per_day: Option<u32>,
    /// When decisions fill: `close` or `next_open`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill_rule: Option<String>,
}

/// A signal file against canonical candles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditJob {
    /// The signal file, relative to `HOME/files`.
    pub signals: String,
    /// The canonical candles, `exchange/SYMBOL/timeframe`.
    pub dataset: String,
    /// The creator's public key in hexadecimal; other keys are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl JobCosts {
    fn options(&self) -> Result<CostOptions, JobError> {
        fn read<T: std::str::FromStr>(field: &str, text: Option<&String>) -> Result<Option<T>, JobError>
        where
            T::Err: std::fmt::Display,
        {
            let parsed = text.map(|text| text.parse()).transpose();
            parsed.map_err(|error: T::Err| JobError::Input(format!("costs.{field}: {error}")))
        }
        let fill_rule = match self.fill_rule.as_deref() {
            None => None,
            Some("close") => Some(FillRule::Close),
            Some("next_open") => Some(FillRule::NextOpen),
            Some(other) => {
                return Err(JobError::Input(format!("costs.fill_rule: `{other}` is neither close nor next_open")));
            }
        };
        Ok(CostOptions {
            cash: read("cash", self.cash.as_ref())?,
            tick: read("tick", self.tick.as_ref())?,
            step: read("step", self.step.as_ref())?,
            fee_ppm: self.fee_ppm,
            slippage_ticks: self.slippage_ticks,
            slippage_bps: self.slippage_bps,
            borrow_bps_per_day: self.borrow_bps_per_day,
            fill_rule,
        })
    }
}

impl BacktestJob {
    fn request(&self) -> Result<BacktestRequest, JobError> {
        if self.run.is_some() == self.strategy.is_some() {
            return Err(JobError::Input("run, strategy: give one of the two".to_owned()));
        }
        for (field, time) in [("from", &self.from), ("to", &self.to)] {
            time.as_deref().map(|time| user_time(field, time)).transpose()?;
        }
        Ok(BacktestRequest {
            run: self.run.clone(),
            strategy: self.strategy.clone(),
            dataset: self.dataset.as_deref().map(dataset).transpose()?,
            from: self.from.clone(),
            to: self.to.clone(),
            costs: self.costs.options()?,
            out: None,
        })
    }

    pub(super) fn check(&self) -> Result<(), JobError> {
        self.request().map(|_| ())
    }

    pub(super) fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        // The same request again writes the same report in the same place.
        let name = Hash::of_json(&plain(self)).to_string();
        let out = workspace.home.path().join("backtests").join(&name[..32]);
        let done = BacktestRequest { out: Some(out), ..self.request()? }.run(workspace)?;
        Ok(JobDone::of(plain(&done)))
    }
}

impl AuditJob {
    pub(super) fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        let file = user_file(workspace, "signals", &self.signals)?;
        let audit = audit_file(workspace, &file, &dataset(&self.dataset)?, self.key.as_deref())?;
        Ok(JobDone::of(plain(&audit)))
    }
}
