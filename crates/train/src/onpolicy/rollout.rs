//! Roll-outs: what the current policy met, the values of it, and the advantages.

use assay_model::{Isa, Mlp, Workspace};
use assay_sim::End;

use super::loss::LogProbabilities;
use crate::environments::Environments;
use crate::error::TrainError;
use crate::rng::Rng;

/// Rows of observations that are valued at once.
const CHUNK: usize = 64;

/// `n_steps` steps of every environment. Row `t · n_envs + e` is step `t` of environment `e`.
#[derive(Debug)]
pub struct RollOut {
    n_steps: usize,
    n_envs: usize,
    width: usize,
    /// One observation per row, then what each environment observes after the last step.
    pub observations: Vec<f32>,
    /// Number of the action.
    pub actions: Vec<u8>,
    /// Logarithm of the probability the action had.
    pub log_probabilities: Vec<f32>,
    rewards: Vec<f32>,
    /// Whether the row's step ended an episode.
    ends: Vec<bool>,
    /// Rows whose episode was cut off, and what was observed then.
    truncated: Vec<usize>,
    last_observations: Vec<f32>,
    values: Vec<f32>,
    /// Generalised advantages.
    pub advantages: Vec<f32>,
    /// Advantage + value: what the critic learns.
    pub returns: Vec<f32>,
}

impl RollOut {
    /// Room for a roll-out of observations of `width` numbers.
    pub fn new(n_steps: usize, n_envs: usize, width: usize) -> Self {
        let rows = n_steps * n_envs;
        Self {
            n_steps,
            n_envs,
            width,
            observations: vec![0.0; (rows + n_envs) * width],
            actions: vec![0; rows],
            log_probabilities: vec![0.0; rows],
            rewards: vec![0.0; rows],
            ends: vec![false; rows],
            truncated: Vec::new(),
            last_observations: Vec::new(),
            values: vec![0.0; rows + n_envs],
            advantages: vec![0.0; rows],
            returns: vec![0.0; rows],
        }
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.n_steps * self.n_envs
    }

    /// Lets `actor` act in all environments side by side.
    pub fn collect(
        &mut self,
        environments: &mut impl Environments,
        actor: &Mlp,
        rng: &mut Rng,
        isa: Isa,
    ) -> Result<(), TrainError> {
        let (n_envs, width) = (self.n_envs, self.width);
        let mut space = Workspace::forward_only(actor, n_envs);
        let mut log_probabilities = LogProbabilities::new(actor.outputs(), n_envs);
        let mut last = vec![0.0; width];
        self.truncated.clear();
        self.last_observations.clear();
        for step in 0..=self.n_steps {
            let first = step * n_envs;
            let observations = &mut self.observations[first * width..][..n_envs * width];
            for (environment, observation) in observations.chunks_exact_mut(width).enumerate() {
                environments.observe(environment, observation);
            }
            if step == self.n_steps {
                break;
            }
            actor.forward(isa, observations, n_envs, &mut space);
            log_probabilities.compute(isa, space.outputs(), space.stride(), n_envs);
            for environment in 0..n_envs {
                let row = first + environment;
                let action = log_probabilities.sample(environment, rng.uniform() as f32);
                self.actions[row] = action as u8;
                self.log_probabilities[row] = log_probabilities.of(environment, action);
                let outcome = environments.step(environment, action, &mut last)?;
                self.rewards[row] = outcome.reward;
                self.ends[row] = outcome.end.is_some();
                if outcome.end == Some(End::Truncated) {
                    self.truncated.push(row);
                    self.last_observations.extend_from_slice(&last);
                }
            }
        }
        Ok(())
    }

    /// Values every observation and computes advantages (Schulman et al. 2016). An
    /// episode that was cut off goes on with the value of its last observation; one
    /// that terminated has nothing to come.
    pub fn value(&mut self, critic: &Mlp, isa: Isa, gamma: f32, gae_lambda: f32) {
        let mut space = Workspace::forward_only(critic, CHUNK);
        let mut predict = |observations: &[f32], values: &mut [f32]| {
            for (rows, out) in observations.chunks(CHUNK * self.width).zip(values.chunks_mut(CHUNK)) {
                critic.forward(isa, rows, out.len(), &mut space);
                let stride = space.stride();
                out.iter_mut().enumerate().for_each(|(row, value)| *value = space.outputs()[row * stride]);
            }
        };
        predict(&self.observations, &mut self.values);
        let mut last_values = vec![0.0; self.truncated.len()];
        predict(&self.last_observations, &mut last_values);
        // What came after the cut is added to the step's reward once.
        let mut rewards = self.rewards.clone();
        for (row, value) in self.truncated.iter().zip(&last_values) {
            rewards[*row] += gamma * value;
        }
        for environment in 0..self.n_envs {
            let mut advantage = 0.0;
            for step in (0..self.n_steps).rev() {
                let row = step * self.n_envs + environment;
                let goes_on = if self.ends[row] { 0.0 } else { 1.0 };
                let next = self.values[row + self.n_envs];
                let delta = rewards[row] + gamma * next * goes_on - self.values[row];
                advantage = delta + gamma * gae_lambda * goes_on * advantage;
                self.advantages[row] = advantage;
                self.returns[row] = advantage + self.values[row];
            }
        }
    }

    /// Mean reward of a row.
    pub fn mean_reward(&self) -> f64 {
        self.rewards.iter().map(|reward| f64::from(*reward)).sum::<f64>() / self.rows() as f64
    }

    /// How much of the returns' variance the values explain.
    pub fn explained_variance(&self) -> Option<f64> {
        let count = self.rows() as f64;
        let variance = |number: &dyn Fn(usize) -> f64| {
            let mean = (0..self.rows()).map(number).sum::<f64>() / count;
            (0..self.rows()).map(|row| (number(row) - mean) * (number(row) - mean)).sum::<f64>() / count
        };
        let returns = variance(&|row| f64::from(self.returns[row]));
        let rest = variance(&|row| f64::from(self.returns[row]) - f64::from(self.values[row]));
        (returns > 0.0).then(|| 1.0 - rest / returns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_model::Activation;

    /// A critic that gives the first number of the observation.
    fn critic() -> Mlp {
        let mut network = Mlp::new(&[2, 1], Activation::Tanh).unwrap();
        network.set_layer(0, &[1.0, 0.0], &[0.0]).unwrap();
        network
    }

    #[test]
    fn advantages_follow_the_definition_at_both_kinds_of_end() {
        let mut roll_out = RollOut::new(4, 1, 2);
        let values = [0.5_f32, -0.25, 1.0, 2.0, 3.0];
        values.iter().enumerate().for_each(|(row, value)| roll_out.observations[row * 2] = *value);
        roll_out.rewards = vec![1.0, 2.0, -1.0, 0.5];
        // Row 1 is cut off where the value is 10; row 2 terminates.
        roll_out.ends = vec![false, true, true, false];
        roll_out.truncated = vec![1];
        roll_out.last_observations = vec![10.0, 0.0];
        let (gamma, lambda) = (0.9_f32, 0.8_f32);
        roll_out.value(&critic(), Isa::detect(), gamma, lambda);
        let third = 0.5 + gamma * 3.0 - 2.0;
        let second = -1.0 - 1.0;
        let first = 2.0 + gamma * 10.0 + 0.25;
        let zeroth = 1.0 + gamma * -0.25 - 0.5 + gamma * lambda * first;
        for (found, expected) in roll_out.advantages.iter().zip([zeroth, first, second, third]) {
            assert!((found - expected).abs() < 1e-5, "{:?}", roll_out.advantages);
        }
        assert!((roll_out.returns[1] - (first - 0.25)).abs() < 1e-5);
        assert_eq!(roll_out.mean_reward(), 0.625);
        assert!(roll_out.explained_variance().unwrap() < 1.0);
    }
}
