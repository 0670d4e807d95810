//! `assay lp train`: a miner learned from a pool's recorded history, chosen by rounds it was
//! not trained on, and judged on the last ones, which nothing before has read.

use std::path::{Path, PathBuf};

use assay_lp::Job;
use assay_lp::environment::{ENVIRONMENT_RULE, Limits, RecordedRound};
use assay_store::{Trial, read, write_atomic};
use assay_train::OnPolicyConfig;
use assay_types::Hash;
use serde::Serialize;
use serde_json::{Value, json};

use super::held_out::{HeldOut, Verdict, judge};
use super::learn::{Learned, Learning, Lesson};
use super::{POLICY, PREFIX, PolicyFile, PolicyMiner, WEIGHTS};
use crate::error::JobError;
use crate::jobs::lp::events::{History, Source};
use crate::jobs::lp::failed;
use crate::jobs::lp::job_file::read_job;
use crate::jobs::lp::round::Runner;
use crate::jobs::prepare::TRAIN_VERSION;
use crate::workspace::{Workspace, now_ms};

/// Rounds that are kept in memory at most.
const MAX_KEPT_ROUNDS: u64 = 50_000;
/// Fewest rounds that can be split into three.
const LEAST_ROUNDS: u64 = 10;
/// Digits of an id that name a folder.
const ID_DIGITS: usize = 32;
const CHECKPOINT: &str = "checkpoint.bin";
const CONFIG: &str = "config.json";
const CURVE: &str = "curve.csv";
const RESULT: &str = "held_out.json";

/// What to train.
#[derive(Debug, Clone)]
pub struct LpTrainRequest {
    /// The job file.
    pub job: PathBuf,
    /// The pool's history.
    pub source: Source,
    /// Keys of the learner.
    pub config: Value,
    /// Folder for the policy instead of the home's.
    pub out: Option<PathBuf>,
    /// Whether to go on from the last checkpoint.
    pub resume: bool,
    /// Whether to train a finished policy again, to see that it gives the same weights.
    pub again: bool,
}

/// First and last number of some rounds.
pub type Span = [u64; 2];

/// Which rounds are for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spans {
    /// Trained on: 64 % of the history.
    pub train: Span,
    /// They choose the checkpoint: the next 16 %.
    pub validation: Span,
    /// They judge: the last 20 %.
    pub held_out: Span,
}

impl Spans {
    /// The last fifth is held out; of the rest, the last fifth validates (R3).
    fn of(first: u64, last: u64) -> Result<Self, JobError> {
        let count = last - first + 1;
        if count < LEAST_ROUNDS {
            let text =
                format!("the events hold {count} whole rounds of the job: training needs {LEAST_ROUNDS} or more");
            return Err(JobError::Input(text));
        }
        let held_out = last + 1 - count.div_ceil(5);
        let kept = held_out - first;
        if kept > MAX_KEPT_ROUNDS {
            let text = format!("{kept} rounds to learn from are more than {MAX_KEPT_ROUNDS}: give a later genesis");
            return Err(JobError::Input(text));
        }
        let validation = held_out - kept.div_ceil(5);
        Ok(Self { train: [first, validation - 1], validation: [validation, held_out - 1], held_out: [held_out, last] })
    }
}

/// A trained miner and its judgement.
#[derive(Debug, Serialize)]
pub struct LpTrained {
    /// First 16 bytes of SHA-256 over config, rounds and code version.
    pub policy_id: String,
    /// The job.
    pub job_id: String,
    /// Hash of the full config.
    pub config_hash: Hash,
    /// Hash of the rounds that were learned from and chosen by.
    pub data_hash: Hash,
    /// Hash of the weights file; `None` for a dry run.
    pub weights_hash: Option<Hash>,
    /// Name of the miner in records; `None` for a dry run.
    pub miner: Option<String>,
    /// Folder of the policy: `policy:PATH` is the miner.
    pub path: String,
    /// Which rounds were for what.
    pub rounds: Spans,
    /// Environment steps taken; `None` when nothing was trained now.
    pub timesteps: Option<u64>,
    /// Environment steps per second, learning and validation included.
    pub steps_per_second: Option<f64>,
    /// Mean validation score beyond holding of the chosen checkpoint.
    pub validation_over_hold: Option<f64>,
    /// Steps before the chosen checkpoint.
    pub chosen_at: Option<u64>,
    /// The policy and every built-in strategy on the held-out rounds, best first.
    pub held_out: Vec<HeldOut>,
    /// What they say of the policy against holding; `None` for a dry run.
    pub verdict: Option<Verdict>,
    /// Policies that were judged on rounds of this period so far.
    pub trials: Option<usize>,
    /// Whether the policy was there already.
    pub already_done: bool,
    /// `practice`: no reputation moves.
    pub mode: &'static str,
}

/// What identifies a policy before it is trained.
struct Plan {
    config: OnPolicyConfig,
    limits: Limits,
    spans: Spans,
    whole_config: Value,
    config_hash: Hash,
    data_hash: Hash,
    policy_id: String,
    folder: PathBuf,
}

impl LpTrainRequest {
    /// Trains, or resumes, and judges the policy on the held-out rounds.
    ///
    /// # Errors
    /// [`JobError`] when job, config, events or checkpoint cannot be used, or a write fails.
    pub fn run(self, workspace: &Workspace) -> Result<LpTrained, JobError> {
        let job = read_job(&self.job)?;
        let config = OnPolicyConfig::from_value(&with_defaults(self.config.clone()))?;
        workspace.progress.stage("events");
        let span = History::span(&self.source.events)?;
        let mut runner = Runner::open(&job, &self.source, workspace)?;
        let limits = Limits::of(&job, runner.clock().seconds);
        let (first, last) = runner.whole_rounds(span)?;
        let spans = Spans::of(first, last)?;
        let train = take(&mut runner, spans.train)?;
        let validation = take(&mut runner, spans.validation)?;
        let plan = self.plan(workspace, &job, config, limits, spans, [&train, &validation]);
        if workspace.dry_run {
            return Ok(outcome(&job, &plan));
        }
        let _lock = workspace.home.lock(&format!("policy {}", plan.policy_id))?;
        let lesson = Lesson { job: &job, limits, train: &train, validation: &validation };
        let (miner, learned) = self.policy(workspace, &plan, lesson)?;
        drop((train, validation));
        workspace.progress.stage("held-out rounds");
        let [from, to] = spans.held_out;
        let (held_out, verdict, ratio) = judge(&mut runner, &job, &miner, from..=to)?;
        let trials = record_trial(workspace, &job, spans.held_out, miner.name(), ratio)?;
        let mut trained = outcome(&job, &plan);
        trained.weights_hash = Some(miner.weights_hash());
        trained.miner = Some(miner.name().to_owned());
        trained.already_done = learned.is_none();
        trained.timesteps = learned.as_ref().map(|learned| learned.timesteps);
        trained.steps_per_second = learned.as_ref().map(|learned| learned.steps_per_second);
        trained.validation_over_hold = learned.as_ref().map(|learned| learned.validation_over_hold);
        trained.chosen_at = learned.as_ref().map(|learned| learned.chosen_at);
        (trained.held_out, trained.verdict, trained.trials) = (held_out, Some(verdict), Some(trials));
        let result = serde_json::to_vec_pretty(&trained).expect("a result is plain data");
        write_atomic(&plan.folder.join(RESULT), &result)?;
        Ok(trained)
    }

    fn plan(
        &self,
        workspace: &Workspace,
        job: &Job,
        config: OnPolicyConfig,
        limits: Limits,
        spans: Spans,
        rounds: [&[RecordedRound]; 2],
    ) -> Plan {
        let whole_config = json!({ "learner": config.to_value(), "job": job, "limits": limits, "rounds": spans });
        let config_hash = Hash::of_json(&whole_config);
        let data_hash = Hash::of_json(&json!(rounds.map(RecordedRound::fingerprint)));
        let identity = json!({
            "config_hash": config_hash, "data_hash": data_hash, "train": TRAIN_VERSION, "rule": ENVIRONMENT_RULE,
        });
        let policy_id = Hash::of_json(&identity).to_string()[..ID_DIGITS].to_owned();
        let folder = self.out.clone().unwrap_or_else(|| workspace.home.path().join("policies").join(&policy_id));
        Plan { config, limits, spans, whole_config, config_hash, data_hash, policy_id, folder }
    }

    /// The policy: the one that is there, or a new one.
    fn policy(
        &self,
        workspace: &Workspace,
        plan: &Plan,
        lesson: Lesson<'_>,
    ) -> Result<(PolicyMiner, Option<Learned>), JobError> {
        let id = &plan.policy_id;
        let before = match self.known(plan)? {
            Some(known) if !self.again => {
                workspace.progress.note(&format!("policy {id} is done already; --again trains it anew"));
                return Ok((known, None));
            }
            known => known,
        };
        let checkpoint = plan.folder.join(CHECKPOINT);
        let interrupted = before.is_none() && checkpoint.exists();
        if interrupted && !self.resume && !self.again {
            let text = format!("policy {id} was interrupted: add --resume to go on, or --again to start over");
            return Err(JobError::Input(text));
        }
        let bytes = if interrupted && self.resume { Some(read(&checkpoint)?) } else { None };
        let mut learning = Learning::start(lesson, &plan.config, workspace.threads, bytes.as_deref())?;
        workspace.progress.stage("train");
        while !learning.is_over() {
            if learning.advance(workspace.progress)? && before.is_none() {
                write_atomic(&checkpoint, &learning.checkpoint())?;
            }
        }
        let learned = learning.finish()?;
        let found = learned.chooser.weights_hash();
        if let Some(before) = before {
            let expected = before.weights_hash();
            if found != expected {
                return Err(JobError::Check(format!(
                    "policy {id} gave weights {found} now and {expected} before: it is not reproducible; it is as it was"
                )));
            }
            workspace.progress.note("trained again: the weights are the same to the bit");
        } else {
            write(plan, &learned)?;
            // The policy is complete; a left-over checkpoint only takes space.
            let _ = std::fs::remove_file(&checkpoint);
        }
        Ok((PolicyMiner::new(learned.chooser.clone(), plan.limits), Some(learned)))
    }

    /// The finished policy in the folder, when it is this one.
    fn known(&self, plan: &Plan) -> Result<Option<PolicyMiner>, JobError> {
        if !plan.folder.join(POLICY).exists() {
            return Ok(None);
        }
        let config: Value = serde_json::from_slice(&read(&plan.folder.join(CONFIG))?).unwrap_or_default();
        if Hash::of_json(&config) != plan.config_hash {
            let folder = plan.folder.display();
            return Err(JobError::Input(format!("--out {folder}: another policy is there; give another folder")));
        }
        PolicyMiner::open(&plan.folder).map(Some)
    }
}

/// This lane's defaults over the learner's: every step of a round counts the same, so that
/// rewards sum to the score.
fn with_defaults(mut config: Value) -> Value {
    if let Some(keys) = config.as_object_mut() {
        keys.entry("algorithm").or_insert("ppo".into());
        keys.entry("gamma").or_insert(1.0.into());
    }
    config
}

fn take(runner: &mut Runner<'_>, [first, last]: Span) -> Result<Vec<RecordedRound>, JobError> {
    let mut rounds = Vec::new();
    for number in first..=last {
        let beyond = || JobError::Input(format!("round {number}: its blocks lie beyond the events"));
        let plan = runner.plan(number).ok_or_else(beyond)?;
        runner.history.skip_to(plan.start.number)?;
        let events = runner.history.take_to(plan.end.number)?.ok_or_else(beyond)?;
        let taken = RecordedRound::take(&plan, &mut runner.history.market, &events);
        rounds.push(taken.map_err(|error| failed(&format!("round {number}"), &error))?);
    }
    Ok(rounds)
}

/// `policy.json` comes last: it says that everything else is there.
fn write(plan: &Plan, learned: &Learned) -> Result<(), JobError> {
    let file = PolicyFile::of(&learned.chooser, plan.config.activation, plan.limits);
    let pretty = |value: &Value| serde_json::to_vec_pretty(value).expect("plain data");
    let at = |name: &str| plan.folder.join(name);
    write_atomic(&at(WEIGHTS), &learned.chooser.weights())?;
    write_atomic(&at(CONFIG), &pretty(&plan.whole_config))?;
    write_atomic(&at(CURVE), learned.curve.as_bytes())?;
    write_atomic(&at(POLICY), &pretty(&json!(file)))?;
    Ok(())
}

/// Writes the look at the held-out rounds down before it is shown (R3); gives all looks at
/// them so far.
fn record_trial(
    workspace: &Workspace,
    job: &Job,
    [from, to]: Span,
    subject: &str,
    ratio: Option<f64>,
) -> Result<usize, JobError> {
    let dataset = format!("rounds/{}", job.job_id);
    let ms = |number: u64| {
        let seconds = job.round_duration_seconds.saturating_mul(number).saturating_add(job.genesis);
        i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000)
    };
    let (from_ms, to_ms) = (ms(from), ms(to.saturating_add(1)));
    let subject = subject.to_owned();
    let trial = Trial { dataset, from_ms, to_ms, subject, sharpe_per_bar: ratio, at_ms: now_ms() };
    let trials = workspace.home.trials();
    trials.record(&trial)?;
    Ok(trials.on(&trial.dataset, from_ms, to_ms)?.len().max(1))
}

fn outcome(job: &Job, plan: &Plan) -> LpTrained {
    LpTrained {
        policy_id: plan.policy_id.clone(),
        job_id: job.job_id.clone(),
        config_hash: plan.config_hash,
        data_hash: plan.data_hash,
        weights_hash: None,
        miner: None,
        path: shown(&plan.folder),
        rounds: plan.spans,
        timesteps: None,
        steps_per_second: None,
        validation_over_hold: None,
        chosen_at: None,
        held_out: Vec::new(),
        verdict: None,
        trials: None,
        already_done: false,
        mode: assay_lp::Mode::Practice.name(),
    }
}

fn shown(folder: &Path) -> String {
    folder.display().to_string()
}

/// How the miner in a folder is written.
#[must_use]
pub fn miner_argument(path: &str) -> String {
    format!("{PREFIX}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_round_is_for_two_things() {
        let spans = Spans::of(100, 199).unwrap();
        assert_eq!((spans.train, spans.validation, spans.held_out), ([100, 163], [164, 179], [180, 199]));
        let spans = Spans::of(0, 9).unwrap();
        assert_eq!((spans.train, spans.validation, spans.held_out), ([0, 5], [6, 7], [8, 9]));
        assert!(Spans::of(3, 11).is_err() && Spans::of(0, 100_000).is_err());
    }
}
