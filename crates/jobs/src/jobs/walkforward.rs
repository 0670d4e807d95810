//! Walk-forward: train on the past, test on what follows, move on.

use assay_features::{Split, SplitDates};
use assay_lake::ALL_TIME;
use assay_sim::{Fold, FoldWindow, folds};
use assay_train::TrainConfig;
use assay_types::time::format_utc;
use serde::Serialize;
use serde_json::Value;

use crate::error::JobError;
use crate::jobs::prepare::{feature_spec, prepare};
use crate::jobs::train::Train;
use crate::workspace::Workspace;

/// Which folds.
#[derive(Debug, Clone)]
pub struct WalkForward {
    /// The config that every fold is trained with; its dates are replaced.
    pub config: Value,
    /// Number of folds.
    pub folds: usize,
    /// What a fold trains on.
    pub window: FoldWindow,
}

/// All folds and what they come to together.
#[derive(Debug, Clone, Serialize)]
pub struct WalkedForward {
    /// One entry per fold.
    pub folds: Vec<WalkedFold>,
    /// The folds' test returns compounded; `None` when one is undefined.
    pub compounded_return: Option<f64>,
    /// The same for buy-and-hold.
    pub buy_and_hold_return: Option<f64>,
    /// Folds whose test return was above zero.
    pub profitable: usize,
}

/// One fold.
#[derive(Debug, Clone, Serialize)]
pub struct WalkedFold {
    /// Its run.
    pub run_id: String,
    /// Train period.
    pub train: [String; 2],
    /// Test period.
    pub test: [String; 2],
    /// Equity hash of the test.
    pub equity_hash: Option<String>,
    /// Equity at the end of the test.
    pub final_equity: Option<String>,
    /// Test metrics.
    pub metrics: Value,
}

impl WalkForward {
    /// Trains and judges every fold; folds that are done already are not trained again.
    ///
    /// # Errors
    /// When the data are too short for the folds, or a fold fails.
    pub fn run(self, workspace: &Workspace) -> Result<WalkedForward, JobError> {
        let config = TrainConfig::from_value(&self.config)?;
        let candles = workspace.lake.load(&config.dataset, ALL_TIME)?;
        let warm_up = feature_spec(&config)?.warm_up()?;
        // No purge here: the split of each fold leaves the validation part, itself purged,
        // between what is trained on and the test.
        let ranges = folds(warm_up..candles.len(), self.folds, 0, self.window)?;
        let mut walked = Vec::new();
        for (index, Fold { train, test }) in ranges.into_iter().enumerate() {
            workspace.go_on()?;
            workspace.progress.stage(&format!("fold {} of {}", index + 1, self.folds));
            let dates = SplitDates {
                train_start_ms: candles.open_time_ms[train.start],
                test_start_ms: candles.open_time_ms[test.start],
                test_end_ms: candles.close_time_ms(test.end - 1),
            };
            // Says at once which fold is too short, rather than after training others.
            Split::by_dates(&candles, dates, warm_up, config.allow_gaps).map_err(|error| {
                JobError::Input(format!("fold {} of {}: {error}; or use fewer folds", index + 1, self.folds))
            })?;
            let mut value = self.config.clone();
            for (key, ms) in [
                ("train_start", dates.train_start_ms),
                ("test_start", dates.test_start_ms),
                ("test_end", dates.test_end_ms),
            ] {
                value[key] = format_utc(ms).into();
            }
            let prepared = prepare(workspace, &value)?;
            let job = Train { config: value, resume: true, asked: false, again: false };
            let trained = job.run_prepared(workspace, &prepared)?;
            let judged = trained.judged.as_deref();
            let period = |from: i64, to: i64| [format_utc(from), format_utc(to)];
            walked.push(WalkedFold {
                run_id: trained.run_id,
                train: period(dates.train_start_ms, dates.test_start_ms),
                test: period(dates.test_start_ms, dates.test_end_ms),
                equity_hash: judged.map(|e| e.equity_hash.to_string()),
                final_equity: judged.map(|e| e.final_equity.to_string()),
                metrics: judged.map_or(Value::Null, |e| serde_json::to_value(&e.metrics).expect("plain data")),
            });
        }
        let growth = |name: &str| walked.iter().map(|fold| Some(1.0 + fold.metrics[name].as_f64()?)).product();
        let compounded: Option<f64> = growth("total_return");
        let hold: Option<f64> = growth("buy_and_hold_return");
        Ok(WalkedForward {
            compounded_return: compounded.map(|growth| growth - 1.0),
            buy_and_hold_return: hold.map(|growth| growth - 1.0),
            profitable: walked.iter().filter(|f| f.metrics["total_return"].as_f64().is_some_and(|r| r > 0.0)).count(),
            folds: walked,
        })
    }
}
