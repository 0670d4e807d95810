//! Back-tests of runs and of rules.

use std::ops::Range;
use std::path::PathBuf;

use assay_features::{FeatureTable, lookahead};
use assay_sim::{Rules, Strategy, backtest};
use assay_types::{Candles, Dataset, FillRule, Money, Price, Qty, instrument};
use serde::Serialize;

use crate::error::JobError;
use crate::jobs::evaluate::{Evaluation, Lookahead, Subject, evaluate};
use crate::jobs::policy_decider::PolicyDecider;
use crate::jobs::prepare::tick_and_step;
use crate::jobs::runs::{LoadedRun, load_dataset, short_id};
use crate::report;
use crate::workspace::{Workspace, period_text, user_time};

/// Truncations that the look-ahead check compares.
const LOOKAHEAD_CUTS: usize = 4;
/// Candles, the last of the period, that it is made on.
const LOOKAHEAD_CANDLES: usize = 50_000;

/// What trading costs, where it differs from the defaults or the run's own.
#[derive(Debug, Clone, Default)]
pub struct CostOptions {
    /// Initial cash.
    pub cash: Option<Money>,
    /// Price tick.
    pub tick: Option<Price>,
    /// Quantity step.
    pub step: Option<Qty>,
    /// Fee per side, parts per million.
    pub fee_ppm: Option<u32>,
    /// Slippage in price ticks.
    pub slippage_ticks: Option<u32>,
    /// Further slippage in basis points.
    pub slippage_bps: Option<u32>,
    /// Borrow cost of a short in basis points per day.
    pub borrow_bps_per_day: Option<u32>,
    /// When decisions fill.
    pub fill_rule: Option<FillRule>,
}

impl CostOptions {
    fn apply(&self, rules: &Rules) -> Rules {
        Rules {
            cash: self.cash.unwrap_or(rules.cash),
            tick: self.tick.unwrap_or(rules.tick),
            step: self.step.unwrap_or(rules.step),
            fee_ppm: self.fee_ppm.unwrap_or(rules.fee_ppm),
            slippage_ticks: self.slippage_ticks.unwrap_or(rules.slippage_ticks),
            slippage_bps: self.slippage_bps.unwrap_or(rules.slippage_bps),
            borrow_bps_per_day: self.borrow_bps_per_day.unwrap_or(rules.borrow_bps_per_day),
            fill_rule: self.fill_rule.unwrap_or(rules.fill_rule),
            ..rules.clone()
        }
    }
}

/// Which back-test.
#[derive(Debug, Clone)]
pub struct BacktestRequest {
    /// A run, by the first digits of its id; else `strategy` is judged.
    pub run: Option<String>,
    /// A rule such as `sma-cross:24:168`.
    pub strategy: Option<String>,
    /// The candles; a run's own dataset when `None`.
    pub dataset: Option<Dataset>,
    /// First open time; the run's test split, or the whole dataset, when `None`.
    pub from: Option<String>,
    /// Just after the last open time.
    pub to: Option<String>,
    /// Costs.
    pub costs: CostOptions,
    /// Folder for the report's files; none are written when `None`.
    pub out: Option<PathBuf>,
}

/// A back-test and where its report is.
#[derive(Debug, Serialize)]
pub struct BacktestDone {
    /// The judgement.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Folder of the report.
    pub report: Option<String>,
}

impl BacktestRequest {
    /// Runs it and writes the report.
    ///
    /// # Errors
    /// When run, rule, dataset or period do not fit, or the report cannot be written.
    pub fn run(self, workspace: &Workspace) -> Result<BacktestDone, JobError> {
        let (candles, evaluation) = match (&self.run, &self.strategy) {
            (Some(run), None) => self.judge_run(workspace, run)?,
            (None, Some(rule)) => self.judge_rule(workspace, rule)?,
            _ => return Err(JobError::Input("name a run, or a rule with --strategy, but not both".to_owned())),
        };
        let mut report = None;
        if let (Some(out), false) = (&self.out, workspace.dry_run) {
            report::write(out, &report::files(&evaluation, &candles))?;
            report = Some(out.display().to_string());
        }
        Ok(BacktestDone { evaluation, report })
    }

    fn judge_run(&self, workspace: &Workspace, prefix: &str) -> Result<(Candles, Evaluation), JobError> {
        let mut run = LoadedRun::load(workspace, prefix)?;
        let own_period = self.dataset.is_none() && self.from.is_none() && self.to.is_none();
        let candles = match &self.dataset {
            None if own_period => run.candles(workspace)?,
            None => load_dataset(workspace, &run.config.dataset)?,
            Some(dataset) if dataset.timeframe != run.config.dataset.timeframe => {
                return Err(JobError::Input(format!(
                    "the run was trained on {} candles, {dataset} has others: choose a dataset of that timeframe",
                    run.config.dataset.timeframe
                )));
            }
            Some(dataset) => load_dataset(workspace, dataset)?,
        };
        let range = if own_period { run.pins.split.test() } else { self.period(&candles, &run)? };
        run.pins.rules = self.costs.apply(&run.pins.rules);
        let evaluation = evaluate_run(workspace, &run, &candles, range)?;
        Ok((candles, evaluation))
    }

    /// The period asked for: by default from the start of the run's test split (on its
    /// own dataset) or from the first candle whose features are complete.
    fn period(&self, candles: &Candles, run: &LoadedRun) -> Result<Range<usize>, JobError> {
        let same_dataset = self.dataset.as_ref().is_none_or(|dataset| *dataset == run.config.dataset);
        let warm_up = run.pins.features.warm_up()?;
        let from = match &self.from {
            Some(text) => user_time("--from", text)?,
            None if same_dataset => run.pins.test_from_ms,
            None => i64::MIN,
        };
        let to = self.to.as_ref().map_or(Ok(i64::MAX), |text| user_time("--to", text))?;
        let range = candles.range(from, to);
        Ok(range.start.max(warm_up).min(range.end)..range.end)
    }

    fn judge_rule(&self, workspace: &Workspace, rule: &str) -> Result<(Candles, Evaluation), JobError> {
        let strategy: Strategy =
            rule.parse().map_err(|error: assay_sim::StrategyError| JobError::Input(error.to_string()))?;
        let Some(dataset) = &self.dataset else {
            return Err(JobError::Input("--strategy needs --dataset, such as binance/BTC-USDT/1h".to_owned()));
        };
        let candles = load_dataset(workspace, dataset)?;
        let from = self.from.as_ref().map_or(Ok(i64::MIN), |text| user_time("--from", text))?;
        let to = self.to.as_ref().map_or(Ok(i64::MAX), |text| user_time("--to", text))?;
        let market = &dataset.market;
        let (tick, step) = tick_and_step(&market.to_string(), instrument(market), self.costs.tick, self.costs.step)?;
        let rules = self.costs.apply(&Rules { step, ..Rules::new(tick) });
        let range = candles.range(from, to);
        check_period(&candles, &range)?;
        let mut decider = strategy.decider();
        workspace.progress.stage("back-test");
        let result = backtest(&candles, &rules, range.clone(), |view| decider.decide(view))?;
        let subject = Subject::rule(strategy.to_string());
        let evaluation = evaluate(workspace, subject, &candles, range, &rules, result)?;
        Ok((candles, evaluation))
    }
}

/// Judges a run's policy on the candles at `range`, under the rules of its pins.
///
/// # Errors
/// When the policy cannot decide somewhere in the range, or as [`evaluate`].
pub fn evaluate_run(
    workspace: &Workspace,
    run: &LoadedRun,
    candles: &Candles,
    range: Range<usize>,
) -> Result<Evaluation, JobError> {
    check_period(candles, &range)?;
    let lookahead = check_lookahead(run, candles, range.end)?;
    let mut decider = PolicyDecider::new(run.strategy()?, candles, range.clone())?;
    let rules = run.pins.rules.clone();
    let result = backtest(candles, &rules, range.clone(), |view| decider.decide(view))?;
    decider.finish()?;
    let seen = run.pins.split.train().start..run.pins.split.validation().end;
    let same_dataset = candles.dataset() == run.config.dataset;
    let in_sample = range.end.min(seen.end).saturating_sub(range.start.max(seen.start));
    let subject = Subject {
        name: format!("{} {}", run.config.algorithm.name().to_uppercase(), short_id(&run.summary.run_id)),
        run_id: Some(run.summary.run_id.clone()),
        weights_hash: Some(run.weights_hash),
        config_hash: Some(run.pins.config_hash),
        feature_hash: Some(run.pins.feature_hash),
    };
    let mut evaluation = evaluate(workspace, subject, candles, range, &rules, result)?;
    evaluation.lookahead = Some(lookahead);
    evaluation.in_sample_candles = if same_dataset { in_sample } else { 0 };
    Ok(evaluation)
}

fn check_period(candles: &Candles, range: &Range<usize>) -> Result<(), JobError> {
    if range.is_empty() || range.end > candles.len() {
        let dataset = candles.dataset();
        let known = candles.len().checked_sub(1).map_or_else(
            || "it is empty".to_owned(),
            |last| format!("it has candles from {}", period_text(candles.open_time_ms[0], candles.close_time_ms(last))),
        );
        return Err(JobError::Input(format!(
            "{dataset} has no candles in that period ({known}): choose --from before --to and inside it"
        )));
    }
    Ok(())
}

/// Recomputes the run's features on truncated candles; a feature that changes has seen
/// the future, and no result that uses it is shown.
fn check_lookahead(run: &LoadedRun, candles: &Candles, end: usize) -> Result<Lookahead, JobError> {
    let spec = &run.pins.features;
    spec.check()?;
    let known = candles.slice(end.saturating_sub(LOOKAHEAD_CANDLES)..end);
    let cuts = lookahead::cuts(known.len(), LOOKAHEAD_CUTS);
    let build = |candles: &Candles| FeatureTable::build(candles, spec).expect("the columns were checked");
    let found = lookahead::check(&known, build, &cuts);
    found.map_err(|leak| JobError::Check(format!("look-ahead: {leak}")))?;
    Ok(Lookahead { cuts: cuts.len() })
}
