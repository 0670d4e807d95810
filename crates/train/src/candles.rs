//! Candles as environments: where episodes start, what is observed, and what a step pays.

use std::ops::Range;

use assay_model::TARGETS;
use assay_sim::{Environment, EnvironmentState};
use assay_types::Target;

use crate::checkpoint::{Reader, Writer};
use crate::environments::{Environments, Outcome};
use crate::error::TrainError;
use crate::rng::Rng;
use crate::set::TrainingSet;

/// `n_envs` environments over the training range.
#[derive(Debug, Clone)]
pub struct CandleEnvironments<'a> {
    set: TrainingSet<'a>,
    environments: Vec<Environment<'a>>,
    rngs: Vec<Rng>,
    episode_steps: Option<usize>,
    reward_scale: f64,
}

impl<'a> CandleEnvironments<'a> {
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

    /// Takes `target` in environment `index`; as [`Environments::step`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn step_to(&mut self, index: usize, target: Target, last: &mut [f32]) -> Result<Outcome, TrainError> {
        let transition = self.environments[index].step(target)?;
        if transition.end.is_some() {
            self.observe(index, last);
            let range = self.next_range(index, self.set.train.start);
            self.environments[index].reset(range)?;
        }
        Ok(Outcome { reward: (transition.reward * self.reward_scale) as f32, end: transition.end })
    }
}

impl Environments for CandleEnvironments<'_> {
    fn count(&self) -> usize {
        self.environments.len()
    }

    fn inputs(&self) -> usize {
        self.set.inputs()
    }

    fn actions(&self) -> usize {
        TARGETS.len()
    }

    /// The candle's scaled features, then the position and its unrealised return.
    #[inline]
    fn observe(&self, index: usize, out: &mut [f32]) {
        let environment = &self.environments[index];
        let (features, account) = out.split_at_mut(self.set.columns);
        features.copy_from_slice(self.set.row(environment.index()));
        account.copy_from_slice(&environment.account_inputs());
    }

    #[inline]
    fn step(&mut self, index: usize, action: usize, last: &mut [f32]) -> Result<Outcome, TrainError> {
        self.step_to(index, TARGETS[action], last)
    }

    fn save(&self, writer: &mut Writer) {
        writer.u64(self.environments.len() as u64);
        for (environment, rng) in self.environments.iter().zip(&self.rngs) {
            writer.u64(rng.state());
            writer.bytes(&serde_json::to_vec(&environment.state()).expect("the state is plain data"));
        }
    }

    fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
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
