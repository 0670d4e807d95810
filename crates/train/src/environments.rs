//! The environments of a run, side by side: where episodes start, what is observed,
//! and what a step pays.

use std::ops::Range;

use assay_sim::{End, Environment, EnvironmentState};
use assay_types::Target;

use crate::checkpoint::{Reader, Writer};
use crate::error::TrainError;
use crate::rng::Rng;
use crate::set::TrainingSet;

/// What one environment answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The reward times `reward_scale`.
    pub reward: f32,
    /// Set when the episode ended; the environment has then started its next one.
    pub end: Option<End>,
}

/// `n_envs` environments over the training range.
#[derive(Debug, Clone)]
pub struct Environments<'a> {
    set: TrainingSet<'a>,
    environments: Vec<Environment<'a>>,
    rngs: Vec<Rng>,
    episode_steps: Option<usize>,
    reward_scale: f64,
}

impl<'a> Environments<'a> {
    /// Environment `i` starts at offset `i / count` of the training range and at its
    /// start from the second episode on; with `episode_steps` every episode has that
    /// many steps (or as many as the range) and starts anywhere.
    ///
    /// # Errors
    /// [`TrainError`] when the set does not fit together.
    pub fn new(
        set: &TrainingSet<'a>,
        count: usize,
        episode_steps: Option<usize>,
        reward_scale: f64,
        rng: &Rng,
    ) -> Result<Self, TrainError> {
        set.check()?;
        let mut all = Self {
            set: set.clone(),
            environments: Vec::with_capacity(count),
            rngs: (0..count).map(|index| rng.fork(index as u64)).collect(),
            episode_steps,
            reward_scale,
        };
        for index in 0..count {
            let mut environment = Environment::new(set.candles, &set.rules, set.reward)?;
            let first = set.train.start + index * (set.train.len() - 1) / count;
            environment.reset(all.next_range(index, first))?;
            all.environments.push(environment);
        }
        Ok(all)
    }

    /// Number of environments.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.environments.len()
    }

    /// Numbers in one observation.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.set.inputs()
    }

    fn next_range(&mut self, index: usize, start: usize) -> Range<usize> {
        let train = self.set.train.clone();
        let Some(steps) = self.episode_steps else { return start..train.end };
        let steps = steps.min(train.len() - 1);
        let start = train.start + self.rngs[index].below(train.len() - steps);
        start..start + steps + 1
    }

    /// The candle that environment `index` observes.
    #[inline]
    #[must_use]
    pub fn candle(&self, index: usize) -> usize {
        self.environments[index].index()
    }

    /// Writes what environment `index` observes: the candle's scaled features, then
    /// the position and its unrealised return.
    ///
    /// # Panics
    /// When `out` is not of [`Self::inputs`] numbers.
    #[inline]
    pub fn observe(&self, index: usize, out: &mut [f32]) {
        let environment = &self.environments[index];
        let (features, account) = out.split_at_mut(self.set.columns);
        features.copy_from_slice(self.set.row(environment.index()));
        account.copy_from_slice(&environment.account_inputs());
    }

    /// Takes `target` in environment `index`. When the episode ends, what was observed
    /// at its last close is written to `last`, and the next episode starts.
    ///
    /// # Errors
    /// [`TrainError::Sim`] when the ledger overflows.
    #[inline]
    pub fn step(&mut self, index: usize, target: Target, last: &mut [f32]) -> Result<Outcome, TrainError> {
        let transition = self.environments[index].step(target)?;
        if transition.end.is_some() {
            self.observe(index, last);
            let range = self.next_range(index, self.set.train.start);
            self.environments[index].reset(range)?;
        }
        Ok(Outcome { reward: (transition.reward * self.reward_scale) as f32, end: transition.end })
    }

    /// Writes the state of every environment and its random stream.
    pub fn save(&self, writer: &mut Writer) {
        writer.u64(self.environments.len() as u64);
        for (environment, rng) in self.environments.iter().zip(&self.rngs) {
            writer.u64(rng.state());
            writer.bytes(&serde_json::to_vec(&environment.state()).expect("the state is plain data"));
        }
    }

    /// Restores what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError`] when the bytes belong to another set or number of environments.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        let (found, own) = (reader.usize()?, self.environments.len());
        if found != own {
            return Err(TrainError::Checkpoint(format!("it has {found} environments, the config {own}")));
        }
        for (environment, rng) in self.environments.iter_mut().zip(&mut self.rngs) {
            *rng = Rng::from_state(reader.u64()?);
            let state: EnvironmentState = serde_json::from_slice(reader.bytes()?)
                .map_err(|error| TrainError::Checkpoint(format!("an environment does not read: {error}")))?;
            environment.restore(&state)?;
        }
        Ok(())
    }
}
