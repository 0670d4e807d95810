//! A minibatch of transitions, drawn and laid out for the networks.

use super::replay::ReplayBuffer;
use crate::rng::Rng;
use assay_model::ACCOUNT_INPUTS;

/// Scaled features of every bar, row-major, as the networks read them.
#[derive(Debug, Clone, Copy)]
pub struct Features<'a> {
    values: &'a [f32],
    columns: usize,
}

impl<'a> Features<'a> {
    /// `values` holds rows of `columns` numbers.
    ///
    /// # Panics
    /// When `values` does not consist of whole rows.
    #[must_use]
    pub fn new(values: &'a [f32], columns: usize) -> Self {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "whole rows of features");
        Self { values, columns }
    }

    /// Number of rows.
    #[must_use]
    pub const fn bars(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Features of one bar.
    #[inline]
    #[must_use]
    pub fn row(&self, bar: usize) -> &'a [f32] {
        &self.values[bar * self.columns..][..self.columns]
    }

    /// Numbers in an observation: the features and the account.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.columns + ACCOUNT_INPUTS.len()
    }

    /// Writes the observation of `bar` with `account` to the start of `out`.
    #[inline]
    pub fn observe(&self, bar: usize, account: [f32; 2], out: &mut [f32]) {
        let (features, rest) = out.split_at_mut(self.columns);
        features.copy_from_slice(self.row(bar));
        rest[..account.len()].copy_from_slice(&account);
    }
}

/// Transitions drawn from the buffer. A *pair* is an observation followed by an action,
/// what a critic reads.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Observations, one row each.
    pub observations: Vec<f32>,
    /// Observations with the action that was taken.
    pub pairs: Vec<f32>,
    /// What was paid.
    pub rewards: Vec<f32>,
    /// 1 where something followed, 0 where the episode terminated.
    pub continues: Vec<f32>,
    /// The observations that followed.
    pub next_observations: Vec<f32>,
    /// The observations that followed, with room for an action.
    pub next_pairs: Vec<f32>,
}

impl Batch {
    /// Draws `rows` transitions with replacement, each equally likely.
    ///
    /// # Panics
    /// When the buffer is empty or holds bars that the features lack.
    pub fn draw(&mut self, rng: &mut Rng, replay: &ReplayBuffer, features: Features, rows: usize) {
        let inputs = features.inputs();
        self.observations.resize(rows * inputs, 0.0);
        self.next_observations.resize(rows * inputs, 0.0);
        self.pairs.resize(rows * (inputs + 1), 0.0);
        self.next_pairs.resize(rows * (inputs + 1), 0.0);
        self.rewards.resize(rows, 0.0);
        self.continues.resize(rows, 0.0);
        for row in 0..rows {
            let transition = replay.get(rng.below(replay.len()));
            let bar = transition.bar as usize;
            let observation = &mut self.observations[row * inputs..][..inputs];
            features.observe(bar, transition.account, observation);
            let pair = &mut self.pairs[row * (inputs + 1)..][..=inputs];
            pair[..inputs].copy_from_slice(observation);
            pair[inputs] = transition.action;
            let observation = &mut self.next_observations[row * inputs..][..inputs];
            features.observe(bar + 1, transition.next_account, observation);
            self.next_pairs[row * (inputs + 1)..][..inputs].copy_from_slice(observation);
            self.rewards[row] = transition.reward;
            self.continues[row] = if transition.terminated { 0.0 } else { 1.0 };
        }
    }

    /// Puts `actions` in place of the actions of the pairs.
    pub fn replace_actions(&mut self, actions: &[f32]) {
        place(&mut self.pairs, actions);
    }

    /// Completes the pairs that followed with `actions`.
    pub fn set_next_actions(&mut self, actions: &[f32]) {
        place(&mut self.next_pairs, actions);
    }
}

fn place(pairs: &mut [f32], actions: &[f32]) {
    let width = pairs.len() / actions.len();
    for (pair, action) in pairs.chunks_exact_mut(width).zip(actions) {
        pair[width - 1] = *action;
    }
}

#[cfg(test)]
mod tests {
    use super::super::replay::Transition;
    use super::*;

    #[test]
    fn rows_are_the_transitions_and_the_bar_after_them() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let features = Features::new(&values, 2);
        let mut replay = ReplayBuffer::new(8);
        for bar in 0..5 {
            let value = bar as f32;
            replay.push(Transition {
                bar,
                account: [1.0, value],
                action: 0.1 * value,
                reward: value,
                next_account: [-1.0, value],
                terminated: bar == 4,
            });
        }
        let mut batch = Batch::default();
        batch.draw(&mut Rng::new(1), &replay, features, 64);
        batch.set_next_actions(&[0.25; 64]);
        let mut seen = [false; 5];
        for row in 0..64 {
            let value = batch.rewards[row];
            seen[value as usize] = true;
            let now = [2.0 * value, 2.0 * value + 1.0, 1.0, value];
            let next = [2.0 * value + 2.0, 2.0 * value + 3.0, -1.0, value];
            assert_eq!(batch.observations[row * 4..][..4], now);
            assert_eq!(batch.pairs[row * 5..][..4], now);
            assert_eq!(batch.pairs[row * 5 + 4], 0.1 * value);
            assert_eq!(batch.next_observations[row * 4..][..4], next);
            assert_eq!(batch.next_pairs[row * 5..][..4], next);
            assert_eq!(batch.next_pairs[row * 5 + 4], 0.25);
            assert_eq!(batch.continues[row], if value == 4.0 { 0.0 } else { 1.0 });
        }
        assert_eq!(seen, [true; 5]);
    }
}
