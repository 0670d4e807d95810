//! The judgement of a strategy on a period: the back-test, its metrics, and everything
//! that must stand beside it (baselines, other fills and costs, trials).

use std::ops::Range;

use assay_sim::{
    Backtest, Bootstrap, Drawdown, Intervals, Metrics, Moments, MonthReturn, Performance, Rules, Scenario, Trials,
    backtest, baselines, intervals, measure, sensitivity,
};
use assay_store::Trial;
use assay_types::time::format_utc;
use assay_types::{Candles, Hash, Money, Target};
use serde::Serialize;

use crate::error::JobError;
use crate::workspace::{Workspace, now_ms};

/// Seed of the random baseline; fixed, so that a report is the same on every machine.
const RANDOM_SEED: u64 = 1;
/// The exchange whose candles are generated.
pub const SYNTHETIC: &str = "synthetic";

/// Who is judged.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    /// `run ID` or the rule's text.
    pub name: String,
    /// The run's id; `None` for rules.
    pub run_id: Option<String>,
    /// The policy's weights; `None` for rules.
    pub weights_hash: Option<Hash>,
    /// Hash of the run's config; `None` for rules.
    pub config_hash: Option<Hash>,
    /// Name of the run's feature set; `None` for rules.
    pub feature_hash: Option<Hash>,
}

impl Subject {
    /// A rule.
    #[must_use]
    pub fn rule(name: String) -> Self {
        Self { name, run_id: None, weights_hash: None, config_hash: None, feature_hash: None }
    }

    /// What a trial is recorded under: the same weights or rule are the same trial.
    fn trial_name(&self) -> String {
        self.weights_hash.map_or_else(|| self.name.clone(), |hash| hash.to_string())
    }
}

/// A judgement. Serialises as the `metrics.json` of a report.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// Who is judged.
    pub subject: Subject,
    /// On which candles.
    pub dataset: String,
    /// Whether the candles are generated rather than recorded.
    pub synthetic: bool,
    /// First open and last close of the period, ISO-8601 UTC.
    pub period: [String; 2],
    /// Candles in the period.
    pub candles: usize,
    /// `data_hash` of exactly the period's candles.
    pub data_hash: Hash,
    /// Hash of the equity curve (R1).
    pub equity_hash: Hash,
    /// Equity at the last row.
    pub final_equity: Money,
    /// Positions opened and closed again.
    pub trades: usize,
    /// Candles of the period that the run trained or was chosen on; 0 for rules. A
    /// result with any of them is in-sample and proves nothing.
    pub in_sample_candles: usize,
    /// Executions.
    pub fills: usize,
    /// How it ended: `truncated` at the end of the period, `terminated` by ruin.
    pub end: assay_sim::End,
    /// Whether a spot short was held, which no spot account can do.
    pub hypothetical_short: bool,
    /// The metrics; `null` where undefined, with the reason under `reasons`.
    pub metrics: Metrics,
    /// Block-bootstrap 95 % intervals; `None` with fewer than three candles.
    pub intervals: Option<Intervals>,
    /// The worst drawdowns, deepest first.
    pub worst_drawdowns: Vec<Drawdown>,
    /// Return of each month.
    pub months: Vec<MonthReturn>,
    /// Mean, deviation, skewness and kurtosis of the returns per bar.
    pub moments: Moments,
    /// Trials on this dataset and overlapping periods so far, this one included.
    pub trials: u64,
    /// The same period under other strategies.
    pub baselines: Vec<Scenario>,
    /// The same decisions under other fills and costs.
    pub sensitivity: Vec<Scenario>,
    /// The look-ahead check of the features; `None` for rules, which have none.
    pub lookahead: Option<Lookahead>,
    /// What trading costs.
    pub rules: Rules,
    /// The back-test itself.
    #[serde(skip)]
    pub backtest: Backtest,
    /// Equity of buy-and-hold at the same closes.
    #[serde(skip)]
    pub buy_and_hold: Vec<Money>,
}

/// The look-ahead check that a result has passed: features recomputed on truncated
/// candles are the same.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Lookahead {
    /// Truncations compared.
    pub cuts: usize,
}

/// Judges the back-test `result` of `subject` on the candles at `range`, and records the
/// trial before anything is shown (R3).
///
/// # Errors
/// When the rules or the range do not fit, this is a dry run, or the trial cannot be
/// recorded.
pub fn evaluate(
    workspace: &Workspace,
    subject: Subject,
    candles: &Candles,
    range: Range<usize>,
    rules: &Rules,
    result: Backtest,
) -> Result<Evaluation, JobError> {
    if workspace.dry_run {
        let text = "an evaluation always records its trial, so there is nothing to show dry: leave out --dry-run";
        return Err(JobError::Input(text.to_owned()));
    }
    let hold = backtest(candles, rules, range.clone(), |_| Target::Long)?;
    let baselines = baselines(candles, rules, range.clone(), &result.targets, RANDOM_SEED)?;
    let sensitivity = sensitivity(candles, rules, range.clone(), &result.targets)?;
    let first = measure(candles, rules, &result, &Trials::default())?;
    let trials = record_trial(workspace, &subject, candles, &range, rules, &first.moments)?;
    let Performance { metrics, worst_drawdowns, months, moments } = measure(candles, rules, &result, &trials)?;
    let equity: Vec<f64> = result.equity.iter().map(|equity| equity.to_f64()).collect();
    let periods_per_year = candles.timeframe.periods_per_year();
    let intervals = intervals(&equity, periods_per_year, &Bootstrap::default()).ok();
    let short = result.targets.contains(&Target::Short);
    Ok(Evaluation {
        dataset: candles.dataset().to_string(),
        synthetic: candles.market.exchange == SYNTHETIC,
        period: [
            format_utc(candles.open_time_ms[range.start]),
            format_utc(candles.close_time_ms(result.range.end - 1)),
        ],
        candles: range.len(),
        data_hash: candles.slice(range.clone()).data_hash(),
        equity_hash: result.equity_hash(),
        final_equity: result.last_equity(),
        trades: result.round_trips().iter().filter(|trip| trip.closed_at_ms.is_some()).count(),
        fills: result.fills.len(),
        end: result.end,
        hypothetical_short: short && !candles.market.symbol.ends_with("-PERP"),
        metrics,
        intervals,
        worst_drawdowns,
        months,
        moments,
        trials: trials.count,
        baselines,
        sensitivity,
        in_sample_candles: 0,
        lookahead: None,
        rules: rules.clone(),
        buy_and_hold: hold.equity,
        backtest: result,
        subject,
    })
}

/// Writes the trial down and gives all trials of the period.
fn record_trial(
    workspace: &Workspace,
    subject: &Subject,
    candles: &Candles,
    range: &Range<usize>,
    rules: &Rules,
    moments: &Moments,
) -> Result<Trials, JobError> {
    let dataset = candles.dataset().to_string();
    let (from_ms, to_ms) = (candles.open_time_ms[range.start], candles.close_time_ms(range.end - 1));
    let sharpe_per_bar = (moments.deviation > 0.0).then(|| moments.mean / moments.deviation);
    let costs = Hash::of_json(&serde_json::to_value(rules).expect("rules are plain data")).to_string();
    let subject = format!("{} under {}", subject.trial_name(), &costs[..16]);
    let trial = Trial { dataset, from_ms, to_ms, subject, sharpe_per_bar, at_ms: now_ms() };
    let trials = workspace.home.trials();
    trials.record(&trial)?;
    let recorded = trials.on(&trial.dataset, from_ms, to_ms)?;
    let ratios = recorded.iter().filter_map(|trial| trial.sharpe_per_bar).collect();
    Ok(Trials { count: (recorded.len() as u64).max(1), ratios })
}
