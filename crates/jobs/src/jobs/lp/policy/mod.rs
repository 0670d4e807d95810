//! Trained miners: a network that chooses ranges, with the memory that it needs.

pub mod environments;
pub mod held_out;
pub mod learn;
pub mod train;

use std::path::Path;

use assay_lp::environment::{ACTIONS, Action, ENVIRONMENT_RULE, INPUTS, Limits, Observer};
use assay_lp::{Job, RebalanceAnswer, RebalanceQuery};
use assay_model::{Activation, Chooser};
use assay_store::{read, read_to_string};
use assay_types::Hash;
use serde::{Deserialize, Serialize};

use crate::error::JobError;

/// How a trained miner is written: this and its folder.
pub const PREFIX: &str = "policy:";
/// The weights.
pub const WEIGHTS: &str = "weights.safetensors";
/// What turns the weights into a miner.
pub const POLICY: &str = "policy.json";
/// Digits of the weights' hash in a miner's name.
const NAME_DIGITS: usize = 16;

/// What turns weights into a miner, in [`POLICY`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Version of observations and actions.
    pub rule: String,
    /// Names of the actions in the order of the outputs.
    pub actions: Vec<String>,
    /// Numbers of an observation.
    pub inputs: usize,
    /// Non-linearity of the network.
    pub activation: Activation,
    /// What the policy knew of its job.
    pub limits: Limits,
    /// SHA-256 of [`WEIGHTS`].
    pub weights_hash: Hash,
}

impl PolicyFile {
    /// The file of a chooser that was trained within `limits`.
    #[must_use]
    pub fn of(chooser: &Chooser, activation: Activation, limits: Limits) -> Self {
        let actions = ACTIONS.iter().copied().map(Action::name).collect();
        let weights_hash = chooser.weights_hash();
        Self { rule: ENVIRONMENT_RULE.to_owned(), actions, inputs: INPUTS, activation, limits, weights_hash }
    }
}

/// A trained miner.
#[derive(Debug, Clone)]
pub struct PolicyMiner {
    name: String,
    chooser: Chooser,
    limits: Limits,
    observer: Observer,
}

impl PolicyMiner {
    /// A chooser at work within `limits`.
    #[must_use]
    pub fn new(chooser: Chooser, limits: Limits) -> Self {
        let name = format!("{PREFIX}{}", &chooser.weights_hash().to_string()[..NAME_DIGITS]);
        Self { name, chooser, limits, observer: Observer::new(limits) }
    }

    /// The miner in a folder that training wrote.
    ///
    /// # Errors
    /// [`JobError::Input`] when the folder holds none, or one of another version;
    /// [`JobError::Check`] when its weights are not those that were written.
    pub fn open(folder: &Path) -> Result<Self, JobError> {
        let at = |name: &str| folder.join(name).display().to_string();
        let text = read_to_string(&folder.join(POLICY))
            .map_err(|error| JobError::Input(format!("{error}: give a folder that `assay lp train` wrote")))?;
        let file: PolicyFile = serde_json::from_str(&text)
            .map_err(|error| JobError::Input(format!("{}: the policy does not read: {error}", at(POLICY))))?;
        let expected: Vec<String> = ACTIONS.iter().copied().map(Action::name).collect();
        if (file.rule.as_str(), file.inputs, &file.actions) != (ENVIRONMENT_RULE, INPUTS, &expected) {
            let rule = &file.rule;
            let text =
                format!("{}: it is of rule `{rule}`, this program has {ENVIRONMENT_RULE}: train it again", at(POLICY));
            return Err(JobError::Input(text));
        }
        let weights = read(&folder.join(WEIGHTS))?;
        let found = Hash::of(&weights);
        if found != file.weights_hash {
            let expected = file.weights_hash;
            return Err(JobError::Check(format!("{}: SHA-256 {found}, not {expected}: restore the file", at(WEIGHTS))));
        }
        let chooser = Chooser::from_weights(&weights, file.activation, INPUTS, ACTIONS.len());
        Ok(Self::new(chooser.map_err(|error| JobError::Input(format!("{}: {error}", at(WEIGHTS))))?, file.limits))
    }

    /// The miner with the constraints of a job, which its questions do not show.
    #[must_use]
    pub fn for_job(self, job: &Job) -> Self {
        let (max_rebalances, min_tick_width) = (job.constraints.max_rebalances, job.constraints.min_tick_width);
        Self::new(self.chooser, Limits { max_rebalances, min_tick_width, ..self.limits })
    }

    /// Its name in records: `policy:` and the first digits of the weights' hash.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the weights file.
    #[must_use]
    pub fn weights_hash(&self) -> Hash {
        self.chooser.weights_hash()
    }

    /// Answers a question.
    pub fn answer(&mut self, query: &RebalanceQuery) -> RebalanceAnswer {
        match self.observer.observe(query) {
            Some(observation) => {
                let action = ACTIONS[self.chooser.choose(&observation).action];
                self.observer.answer(query, action, &self.name)
            }
            None => RebalanceAnswer::refuse("the question has a price, tokens or a tick spacing out of range"),
        }
    }
}
