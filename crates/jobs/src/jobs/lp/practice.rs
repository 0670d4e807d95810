//! The validator's own simulator for a miner's maker: recorded rounds, no registration,
//! nothing kept.

use std::path::PathBuf;

use assay_lp::record::AnswerRecord;
use assay_lp::{Job, RoundRecord};
use serde::Serialize;

use crate::error::JobError;
use crate::jobs::lp::events::Source;
use crate::jobs::lp::job_file::read_job;
use crate::jobs::lp::miners::{Miner, read_miners};
use crate::jobs::lp::round::{First, RoundShown, Runner, first_round};
use crate::jobs::lp::scores::{Sums, Total};
use crate::workspace::Workspace;

/// The strategy that every miner is compared with.
pub(super) const HOLD: &str = "hold";

/// What to practise.
#[derive(Debug, Clone)]
pub struct PracticeRequest {
    /// The job file.
    pub job: PathBuf,
    /// The pool's history.
    pub source: Source,
    /// The miner.
    pub miner: String,
    /// The first round.
    pub first: First,
    /// How many rounds, from 1.
    pub rounds: u64,
}

/// Practice, done.
#[derive(Debug, Serialize)]
pub struct Practised {
    /// The job.
    pub job_id: String,
    /// The miner.
    pub miner: String,
    /// `practice`: no reputation moves.
    pub mode: &'static str,
    /// Every round with what the miner answered.
    pub rounds: Vec<PractisedRound>,
    /// The miner and holding over all rounds.
    pub scores: Vec<Total>,
}

/// A round of practice.
#[derive(Debug, Serialize)]
pub struct PractisedRound {
    /// The round with its scores.
    #[serde(flatten)]
    pub round: RoundShown,
    /// What became of each question to the miner.
    pub answers: Vec<AnswerRecord>,
}

impl PracticeRequest {
    /// Runs the rounds; nothing is written.
    ///
    /// # Errors
    /// [`JobError`] saying what cannot be used and how to get on.
    pub fn run(self, workspace: &Workspace) -> Result<Practised, JobError> {
        let job = read_job(&self.job)?;
        let (miner, mut miners) = with_hold(&self.miner, &job)?;
        workspace.progress.stage("practice");
        let mut runner = Runner::open(&job, &self.source, workspace)?;
        let first = first_round(&runner, self.first, self.rounds, &self.source.events)?;
        let (mut rounds, mut sums) = (Vec::new(), Vec::new());
        for number in first..first.saturating_add(self.rounds) {
            workspace.go_on()?;
            let record = runner.round_of(number, &mut miners)?;
            Sums::add(&mut sums, &record).map_err(|error| super::failed(&record.round_id, &error))?;
            let round = RoundShown::of(&record, None)?;
            rounds.push(PractisedRound { round, answers: answers(&record, &miner) });
        }
        let (job_id, mode) = (job.job_id.clone(), assay_lp::Mode::Practice.name());
        Ok(Practised { job_id, miner, mode, rounds, scores: Sums::totals(&sums) })
    }
}

/// One miner's name, and it beside holding in the order of rounds.
pub(super) fn with_hold(miner: &str, job: &Job) -> Result<(String, Vec<Miner>), JobError> {
    let alone = read_miners(miner, job)?;
    let [one] = alone.as_slice() else {
        return Err(JobError::Input(format!("--miner {miner}: name one miner; `assay lp round` takes several")));
    };
    let name = one.name();
    let mut pair = alone;
    if name != HOLD {
        pair.extend(read_miners(HOLD, job)?);
        pair.sort_by_key(Miner::name);
    }
    Ok((name, pair))
}

fn answers(record: &RoundRecord, miner: &str) -> Vec<AnswerRecord> {
    let own = record.miners.iter().find(|other| other.miner == miner);
    own.map(|miner| miner.answers.clone()).unwrap_or_default()
}
