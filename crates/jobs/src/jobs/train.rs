//! Training runs: from a config to a policy with everything that proves it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use assay_model::{Isa, Policy};
use assay_registry::ContentId;
use assay_store::{RunFolder, RunSummary};
use assay_train::{Session, SessionStep, TrainingSet, UpdateStats};
use assay_types::Hash;
use serde::Serialize;
use serde_json::Value;

use crate::error::JobError;
use crate::jobs::backtest::evaluate_run;
use crate::jobs::evaluate::Evaluation;
use crate::jobs::prepare::{Prepared, TRAIN_VERSION, prepare};
use crate::jobs::runs::{LoadedRun, Pins, policy_file};
use crate::progress::Advance;
use crate::report;
use crate::workspace::{Workspace, now_ms};

/// Rows that the training curves have at most, beside those of checkpoints.
const CURVE_ROWS: u64 = 2_000;
/// Progress is told at most this often.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
const CHECKPOINT: &str = "checkpoint.bin";
const CURVES: &str = "curves.csv";
const CURVES_HEAD: &str = "timesteps,updates,mean_reward,policy_loss,value_loss,entropy,explained_variance,approx_kl,\
                           clip_fraction,entropy_coefficient,validation_return\n";

/// What to train.
#[derive(Debug, Clone)]
pub struct Train {
    /// The keys of the config.
    pub config: Value,
    /// Whether to go on from the last checkpoint.
    pub resume: bool,
    /// Whether a user asked for exactly this, and should hear when there is nothing to
    /// go on from.
    pub asked: bool,
    /// Whether to train a finished run again, to see that it gives the same weights.
    pub again: bool,
}

/// What training gave.
#[derive(Debug, Clone, Serialize)]
pub struct Trained {
    /// The run.
    pub run_id: String,
    /// What it is trained on.
    pub dataset: String,
    /// Hash of the full config.
    pub config_hash: Hash,
    /// Hash of the candles used.
    pub data_hash: Hash,
    /// Name of the feature set.
    pub feature_hash: Hash,
    /// Hash of the weights file; `None` for a dry run.
    pub weights_hash: Option<Hash>,
    /// Environment steps of the run.
    pub timesteps: u64,
    /// Environment steps of this attempt per second, learning included; `None` when
    /// nothing was trained.
    pub steps_per_second: Option<f64>,
    /// Return on the validation split of the chosen checkpoint.
    pub validation_return: Option<f64>,
    /// Environment steps of the chosen checkpoint.
    pub chosen_at: Option<u64>,
    /// Content ids of the artefacts by file name.
    pub artefacts: BTreeMap<String, String>,
    /// Folder of the run.
    pub path: String,
    /// Whether the run was there already.
    pub already_done: bool,
    /// Whether only the ids were computed.
    pub dry_run: bool,
    /// The judgement on the test split; `None` for a dry run.
    pub evaluation: Option<Value>,
    /// The same, for this process.
    #[serde(skip)]
    pub judged: Option<Box<Evaluation>>,
}

impl Train {
    /// Trains, or resumes, and judges the policy on the test split.
    ///
    /// # Errors
    /// When the config, the data or the checkpoint do not fit, or a write fails; what
    /// was trained up to the last checkpoint is kept.
    pub fn run(self, workspace: &Workspace) -> Result<Trained, JobError> {
        let prepared = prepare(workspace, &self.config)?;
        self.run_prepared(workspace, &prepared)
    }

    /// [`Train::run`] on what is prepared already.
    ///
    /// # Errors
    /// As there.
    pub fn run_prepared(&self, workspace: &Workspace, prepared: &Prepared) -> Result<Trained, JobError> {
        let folder = workspace.home.runs().folder(&prepared.run_id);
        let before = folder.summary().ok();
        let done = before.as_ref().and_then(|summary| summary.weights_hash.clone());
        if workspace.dry_run {
            return Ok(outcome(prepared, &folder, None, done.is_some()));
        }
        if done.is_some() && !self.again {
            workspace.progress.note(&format!("run {} is done already; --again trains it anew", prepared.run_id));
            return already_done(workspace, prepared, &folder);
        }
        let _lock = folder.lock()?;
        if let Some(expected) = done {
            return train_again(workspace, prepared, &folder, &expected);
        }
        let has_checkpoint = folder.file(CHECKPOINT).exists();
        if has_checkpoint && !self.resume && !self.again {
            let steps = before.map_or(0, |summary| summary.timesteps);
            return Err(JobError::Input(format!(
                "run {} was interrupted after {steps} steps: add --resume to go on, or --again to start over",
                prepared.run_id
            )));
        }
        if self.resume && !has_checkpoint && self.asked {
            workspace.progress.note("there is no checkpoint to resume: starting from the beginning");
        }
        train(workspace, prepared, &folder, has_checkpoint && self.resume, before.as_ref())
    }
}

/// Trains a finished run anew, beside it, and compares: the run itself is not touched.
fn train_again(
    workspace: &Workspace,
    prepared: &Prepared,
    folder: &RunFolder,
    expected: &str,
) -> Result<Trained, JobError> {
    let scaled = scaled(prepared);
    let set = training_set(prepared, &scaled);
    workspace.progress.stage("train again");
    let mut session = Session::new(&set, &prepared.config, prepared.config.seed, workspace.threads, Isa::detect())?;
    let mut pace = Pace::start(0);
    while !session.is_over() {
        workspace.go_on()?;
        let step = session.advance()?;
        pace.tell(workspace, prepared.total_timesteps, &step);
    }
    let found = policy(prepared, &session)?.weights_hash().to_string();
    if expected != found {
        return Err(JobError::Check(format!(
            "run {} gave weights {found} now and {expected} before: it is not reproducible; the run is as it was",
            prepared.run_id
        )));
    }
    workspace.progress.note("trained again: the weights are the same to the bit");
    let steps_per_second = pace.per_second(session.trainer().timesteps());
    Ok(Trained { steps_per_second, ..already_done(workspace, prepared, folder)? })
}

/// Scaled features of every candle, row by row.
fn scaled(prepared: &Prepared) -> Vec<f32> {
    prepared.features.table.scaled(&prepared.features.scaling, 0..prepared.candles.len())
}

/// What a trainer may read: train and validation, never the test split.
pub(crate) fn training_set<'a>(prepared: &'a Prepared, scaled: &'a [f32]) -> TrainingSet<'a> {
    TrainingSet {
        candles: &prepared.candles,
        features: scaled,
        columns: prepared.features.table.names().len(),
        train: prepared.split.train(),
        validation: prepared.split.validation(),
        rules: prepared.rules.clone(),
        reward: prepared.config.reward,
    }
}

/// The policy that the session has chosen.
fn policy(prepared: &Prepared, session: &Session<'_>) -> Result<Policy, JobError> {
    let columns = prepared.features.table.names().to_vec();
    let head = session.trainer().head();
    Ok(Policy::new(columns, prepared.features.scaling.clone(), session.network(), head)?)
}

fn outcome(
    prepared: &Prepared,
    folder: &RunFolder,
    evaluation: Option<Box<Evaluation>>,
    already_done: bool,
) -> Trained {
    Trained {
        run_id: prepared.run_id.clone(),
        dataset: prepared.config.dataset.to_string(),
        config_hash: prepared.config_hash,
        data_hash: prepared.data_hash,
        feature_hash: prepared.features.hash,
        weights_hash: None,
        timesteps: 0,
        steps_per_second: None,
        validation_return: None,
        chosen_at: None,
        artefacts: BTreeMap::new(),
        path: folder.path().display().to_string(),
        already_done,
        dry_run: evaluation.is_none() && !already_done,
        evaluation: evaluation.as_ref().map(|e| serde_json::to_value(e).expect("an evaluation is plain data")),
        judged: evaluation,
    }
}

/// A finished run, judged again from its weights.
fn already_done(workspace: &Workspace, prepared: &Prepared, folder: &RunFolder) -> Result<Trained, JobError> {
    let run = LoadedRun::load(workspace, &prepared.run_id)?;
    let evaluation = evaluate_run(workspace, &run, &prepared.candles, prepared.split.test())?;
    let artefacts = serde_json::from_slice(&folder.read("artefacts.json")?).unwrap_or_default();
    let trained = outcome(prepared, folder, Some(Box::new(evaluation)), true);
    let (weights_hash, timesteps) = (Some(run.weights_hash), run.summary.timesteps);
    Ok(Trained { weights_hash, timesteps, artefacts, ..trained })
}

fn train(
    workspace: &Workspace,
    prepared: &Prepared,
    folder: &RunFolder,
    resume: bool,
    before: Option<&RunSummary>,
) -> Result<Trained, JobError> {
    let config = &prepared.config;
    let scaled = scaled(prepared);
    let set = training_set(prepared, &scaled);
    let (isa, threads, seed) = (Isa::detect(), workspace.threads, config.seed);
    let mut session = if resume {
        Session::resume(&folder.read(CHECKPOINT)?, &set, config, seed, threads, isa).map_err(|error| {
            let path = folder.file(CHECKPOINT).display().to_string();
            JobError::Check(format!("{path}: {error}; --again starts the run over"))
        })?
    } else {
        Session::new(&set, config, seed, threads, isa)?
    };
    let mut record = Record::open(workspace, prepared, folder, before, &session, resume)?;
    let mut steps = Pace::start(session.trainer().timesteps());
    while !session.is_over() {
        let step = session.advance()?;
        record.add(&step);
        steps.tell(workspace, prepared.total_timesteps, &step);
        let is_cancelled = workspace.progress.is_cancelled() && !step.is_over;
        if step.is_checkpoint || is_cancelled {
            record.checkpoint(&session)?;
        }
        if is_cancelled {
            return Err(JobError::Cancelled);
        }
    }
    let (timesteps, best) = (session.trainer().timesteps(), session.best());
    let steps_per_second = steps.per_second(timesteps);
    let policy = policy(prepared, &session)?;
    // On a million candles these are large, and judging needs room of its own.
    drop(session);
    drop(scaled);
    let (evaluation, artefacts) = finish(workspace, prepared, folder, &policy, &mut record)?;
    let trained = outcome(prepared, folder, Some(Box::new(evaluation)), false);
    Ok(Trained {
        weights_hash: Some(policy.weights_hash()),
        timesteps,
        steps_per_second,
        validation_return: best.map(|best| best.0),
        chosen_at: best.map(|best| best.1),
        artefacts,
        ..trained
    })
}

/// Writes the policy, judges it on the test split, and keeps every artefact by content.
fn finish(
    workspace: &Workspace,
    prepared: &Prepared,
    folder: &RunFolder,
    policy: &Policy,
    record: &mut Record<'_>,
) -> Result<(Evaluation, BTreeMap<String, String>), JobError> {
    let (weights, weights_hash) = (policy.weights(), policy.weights_hash());
    let properties = [
        ("config_hash", prepared.config_hash.to_string()),
        ("data_hash", prepared.data_hash.to_string()),
        ("feature_hash", prepared.features.hash.to_string()),
        ("scaler", prepared.features.stream.spec.scaler.id().to_owned()),
        ("weights_hash", weights_hash.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let mut files: Vec<(&'static str, Vec<u8>)> = vec![
        ("weights.safetensors", weights),
        ("policy.json", policy_file(policy, prepared.config.activation)),
        ("policy.onnx", policy.to_onnx(&properties)),
        ("stream.json", serde_json::to_vec(&prepared.features.stream).expect("plain data")),
        ("data_hash.txt", format!("{}\n", prepared.data_hash).into_bytes()),
        ("feature_hash.txt", format!("{}\n", prepared.features.hash).into_bytes()),
    ];
    for (name, content) in &files {
        folder.write(name, content)?;
    }
    record.summary.weights_hash = Some(weights_hash.to_string());
    record.summary.status = "done".to_owned();
    let run = LoadedRun {
        folder: folder.clone(),
        summary: record.summary.clone(),
        config: prepared.config.clone(),
        pins: pins(prepared),
        policy: policy.clone(),
        weights_hash,
    };
    workspace.progress.stage("back-test");
    let evaluation = evaluate_run(workspace, &run, &prepared.candles, prepared.split.test())?;
    files.extend(report::files(&evaluation, &prepared.candles));
    for name in ["config.json", "pins.json", CURVES] {
        files.push((name, folder.read(name)?));
    }
    report::write(folder.path(), &files)?;
    let mut artefacts = BTreeMap::new();
    for (name, content) in &files {
        let hash = workspace.home.objects().put(content)?;
        artefacts.insert((*name).to_owned(), ContentId::from_hash(hash).to_string());
    }
    let listed = serde_json::to_vec_pretty(&artefacts).expect("plain data");
    folder.write("artefacts.json", &listed)?;
    record.summary.artefacts_hash = Some(Hash::of(&listed).to_string());
    record.summary.equity_hash = Some(evaluation.equity_hash.to_string());
    record.summary.final_equity = Some(evaluation.final_equity.to_string());
    // Written last: it says that everything else is there.
    folder.set_summary(&record.summary)?;
    // The run is complete; a left-over checkpoint only takes space.
    let _ = std::fs::remove_file(folder.file(CHECKPOINT));
    Ok((evaluation, artefacts))
}

fn pins(prepared: &Prepared) -> Pins {
    let test = prepared.split.test();
    Pins {
        config_hash: prepared.config_hash,
        data_hash: prepared.data_hash,
        feature_hash: prepared.features.hash,
        train_version: TRAIN_VERSION.to_owned(),
        features: prepared.features.stream.spec.clone(),
        split: prepared.split.clone(),
        test_from_ms: prepared.candles.open_time_ms[test.start],
        test_to_ms: prepared.candles.close_time_ms(test.end - 1),
        rules: prepared.rules.clone(),
        total_timesteps: prepared.total_timesteps,
    }
}

/// What a run writes while it trains.
struct Record<'a> {
    folder: &'a RunFolder,
    summary: RunSummary,
    curves: String,
    total: u64,
    last_row: u64,
}

impl<'a> Record<'a> {
    fn open(
        workspace: &Workspace,
        prepared: &Prepared,
        folder: &'a RunFolder,
        before: Option<&RunSummary>,
        session: &Session<'_>,
        resume: bool,
    ) -> Result<Self, JobError> {
        workspace.progress.stage("train");
        let timesteps = session.trainer().timesteps();
        let summary = RunSummary {
            run_id: prepared.run_id.clone(),
            status: "training".to_owned(),
            attempts: before.map_or(0, |summary| summary.attempts) + 1,
            algorithm: prepared.config.algorithm.name().to_owned(),
            dataset: prepared.config.dataset.to_string(),
            seed: prepared.config.seed,
            created_at_ms: before.map_or_else(now_ms, |summary| summary.created_at_ms),
            timesteps,
            weights_hash: None,
            equity_hash: None,
            final_equity: None,
            artefacts_hash: None,
        };
        folder.remove_temporary_files();
        let pretty = |value: &Value| serde_json::to_vec_pretty(value).expect("plain data");
        folder.write("config.json", &pretty(&prepared.config.to_value()))?;
        folder.write("pins.json", &pretty(&serde_json::to_value(pins(prepared)).expect("plain data")))?;
        folder.set_summary(&summary)?;
        let curves =
            if resume { rows_until(&folder.read_to_string(CURVES)?, timesteps) } else { CURVES_HEAD.to_owned() };
        let total = prepared.total_timesteps.max(1);
        Ok(Self { folder, summary, curves, total, last_row: curve_mark(timesteps, total) })
    }

    /// Adds a row when a checkpoint or the next of [`CURVE_ROWS`] marks is reached. The
    /// marks depend on the step count alone, so a resumed run has the same rows.
    fn add(&mut self, step: &SessionStep) {
        let stats = &step.stats;
        let row = curve_mark(stats.timesteps, self.total);
        if row > self.last_row || step.is_checkpoint {
            self.last_row = row;
            let _ = writeln!(self.curves, "{}", curve_row(stats, step.validation_return));
        }
    }

    /// Keeps the session: curves first, then the checkpoint they reach.
    fn checkpoint(&mut self, session: &Session<'_>) -> Result<(), JobError> {
        self.folder.write(CURVES, self.curves.as_bytes())?;
        self.folder.write(CHECKPOINT, &session.checkpoint())?;
        self.summary.timesteps = session.trainer().timesteps();
        self.folder.set_summary(&self.summary)?;
        Ok(())
    }
}

/// The last of the [`CURVE_ROWS`] marks that `timesteps` of `total` reached.
const fn curve_mark(timesteps: u64, total: u64) -> u64 {
    timesteps.saturating_mul(CURVE_ROWS) / total
}

fn curve_row(stats: &UpdateStats, validation_return: Option<f64>) -> String {
    let cell = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    [
        stats.timesteps.to_string(),
        stats.updates.to_string(),
        stats.mean_reward.to_string(),
        cell(stats.policy_loss),
        cell(stats.value_loss),
        cell(stats.entropy),
        cell(stats.explained_variance),
        cell(stats.approx_kl),
        cell(stats.clip_fraction),
        cell(stats.entropy_coefficient),
        cell(validation_return),
    ]
    .join(",")
}

/// The head and the rows of `curves` up to `timesteps`.
fn rows_until(curves: &str, timesteps: u64) -> String {
    let keep = |line: &&str| {
        let first = line.split(',').next().unwrap_or_default();
        first.parse::<u64>().map_or(true, |steps| steps <= timesteps)
    };
    curves.lines().filter(keep).fold(String::new(), |text, line| text + line + "\n")
}

/// How fast this attempt is.
struct Pace {
    started: Instant,
    told: Option<Instant>,
    from: u64,
}

impl Pace {
    fn start(from: u64) -> Self {
        Self { started: Instant::now(), told: None, from }
    }

    fn per_second(&self, timesteps: u64) -> Option<f64> {
        let (steps, seconds) = (timesteps - self.from, self.started.elapsed().as_secs_f64());
        (steps > 0 && seconds > 0.0).then(|| steps as f64 / seconds)
    }

    fn tell(&mut self, workspace: &Workspace, total: u64, step: &SessionStep) {
        let finished = step.is_over;
        if self.told.is_some_and(|told| told.elapsed() < PROGRESS_INTERVAL) && !finished {
            return;
        }
        self.told = Some(Instant::now());
        let stats = &step.stats;
        let per_second = self.per_second(stats.timesteps);
        let left = total.saturating_sub(stats.timesteps) as f64;
        let figures = [
            ("reward", Some(stats.mean_reward)),
            ("policy_loss", stats.policy_loss),
            ("value_loss", stats.value_loss),
            ("explained_variance", stats.explained_variance),
            ("entropy", stats.entropy),
            ("validation_return", step.validation_return),
        ];
        workspace.progress.advance(&Advance {
            done: stats.timesteps.min(total),
            total,
            unit: "steps",
            per_second,
            seconds_left: per_second.map(|rate| left / rate),
            figures: figures.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        });
    }
}
