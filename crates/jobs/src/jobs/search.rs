//! Hyper-parameter search: many short-lived trainings judged on the validation split,
//! then one real run of the best config.

use std::path::Path;

use assay_model::Isa;
use assay_store::{read, write_atomic};
use assay_train::search::{Decision, Outcome, Sampler, Search as Trials, default_space};
use assay_train::{Session, TrainConfig, TrainError};
use assay_types::Hash;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::JobError;
use crate::jobs::prepare::{Prepared, prepare};
use crate::jobs::train::{Train, Trained, training_set};
use crate::progress::Advance;
use crate::workspace::Workspace;

/// What to search.
#[derive(Debug, Clone)]
pub struct Search {
    /// The config to vary.
    pub config: Value,
    /// Trials in all, those of an earlier, interrupted search included.
    pub trials: u32,
}

/// A finished search.
#[derive(Debug, Serialize)]
pub struct Searched {
    /// Names the search: the same config and data continue it.
    pub search_id: String,
    /// Every trial.
    pub trials: Vec<SearchTrial>,
    /// Number of the best trial.
    pub best: Option<usize>,
    /// File that records the trials.
    pub record: String,
    /// The run of the best config, judged on the test split once; `None` for a dry run.
    #[serde(flatten)]
    pub run: Option<Trained>,
}

/// One trial.
#[derive(Debug, Clone, Serialize)]
pub struct SearchTrial {
    /// Its number, from 0.
    pub number: usize,
    /// The keys it varied.
    pub keys: Map<String, Value>,
    /// Best return on the validation split; `None` when it was never judged.
    pub validation_return: Option<f64>,
    /// `completed`, `pruned` or the reason why it failed.
    pub outcome: String,
}

impl Search {
    /// Runs the trials that are still missing, then trains the best config.
    ///
    /// # Errors
    /// When the config does not fit, no trial succeeds, or a write fails; finished
    /// trials are kept and the same call goes on.
    pub fn run(self, workspace: &Workspace) -> Result<Searched, JobError> {
        let prepared = prepare(workspace, &self.config)?;
        let id = Hash::of_json(&json!({ "run": prepared.run_id, "search": "search@1" })).to_string()[..32].to_owned();
        let path = workspace.home.path().join("searches").join(format!("{id}.json"));
        if workspace.dry_run {
            return Ok(Searched { search_id: id, trials: Vec::new(), best: None, record: text(&path), run: None });
        }
        let _lock = workspace.home.lock(&format!("search {id}"))?;
        let mut trials = stored(workspace, &path, &prepared.config)?;
        let scaled = prepared.features.table.scaled(&prepared.features.scaling, 0..prepared.candles.len());
        while trials.trials().len() < self.trials as usize {
            let (number, config) = trials.propose()?;
            workspace.progress.stage(&format!("trial {} of {}", number + 1, self.trials));
            let result = one_trial(workspace, &prepared, &scaled, &config, number, &mut trials);
            workspace.go_on()?;
            if let Some(result) = result {
                trials.finish(number, result.map_err(|error| error.to_string()));
            }
            write_atomic(&path, &serde_json::to_vec_pretty(&trials).expect("plain data"))?;
        }
        let listed = list(&trials);
        let best = trials.best().ok_or_else(|| {
            let first = listed.first().map_or("there are no trials", |trial| trial.outcome.as_str());
            JobError::Input(format!("no trial of the search was completed ({first}); {} records them", path.display()))
        })?;
        let mut config = prepared.config.to_value();
        for (key, value) in &best.keys {
            config[key] = value.clone();
        }
        let best = Some(best.number);
        let run = Train { config, resume: true, asked: false, again: false }.run(workspace)?;
        Ok(Searched { search_id: id, trials: listed, best, record: text(&path), run: Some(run) })
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The search kept at `path`, without a trial that a kill left unfinished; else a new one.
fn stored(workspace: &Workspace, path: &Path, config: &TrainConfig) -> Result<Trials, JobError> {
    if path.exists() {
        match serde_json::from_slice::<Trials>(&read(path)?) {
            Ok(trials) => return Ok(trials),
            Err(error) => {
                let aside = path.with_extension("damaged.json");
                write_atomic(&aside, &read(path)?)?;
                let (path, aside) = (path.display(), aside.display());
                workspace.progress.note(&format!("{path}: damaged ({error}); kept as {aside}, the search starts over"));
            }
        }
    }
    Ok(Trials::new(config.clone(), default_space(config.algorithm), Sampler::Parzen, config.seed)?)
}

/// Trains one config to the end, or until it is pruned (then `None`: it is recorded).
fn one_trial(
    workspace: &Workspace,
    prepared: &Prepared,
    scaled: &[f32],
    config: &TrainConfig,
    number: usize,
    trials: &mut Trials,
) -> Option<Result<f64, TrainError>> {
    let set = training_set(prepared, scaled);
    let session = Session::new(&set, config, config.seed, workspace.threads, Isa::detect());
    let mut session = match session {
        Ok(session) => session,
        Err(error) => return Some(Err(error)),
    };
    while !session.is_over() && !workspace.progress.is_cancelled() {
        let step = match session.advance() {
            Ok(step) => step,
            Err(error) => return Some(Err(error)),
        };
        if let Some(score) = step.validation_return {
            workspace.progress.advance(&Advance {
                done: step.stats.timesteps.min(prepared.total_timesteps),
                total: prepared.total_timesteps,
                unit: "steps",
                figures: vec![("validation_return", score)],
                ..Advance::default()
            });
            if trials.report(number, score) == Decision::Prune {
                return None;
            }
        }
    }
    Some(session.best().map(|best| best.0).ok_or(TrainError::Set("the validation split is empty".into())))
}

fn list(trials: &Trials) -> Vec<SearchTrial> {
    let best = |reports: &[f64]| reports.iter().copied().reduce(f64::max);
    trials
        .trials()
        .iter()
        .map(|trial| SearchTrial {
            number: trial.number,
            keys: trial.keys.clone(),
            validation_return: best(&trial.reports),
            outcome: match &trial.outcome {
                Outcome::Completed(_) => "completed".to_owned(),
                Outcome::Pruned => "pruned".to_owned(),
                Outcome::Running => "running".to_owned(),
                Outcome::Failed(reason) => reason.clone(),
            },
        })
        .collect()
}
