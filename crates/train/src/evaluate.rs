//! How good a policy is on the validation split, and what follows from it: which
//! checkpoint is the best, and when to stop. The test split is never read here (R3).

use std::ops::Range;

use assay_model::{Head, Isa, Mlp, Workspace};
use assay_sim::Environment;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::set::TrainingSet;

/// What a policy did over a range when it always took its likeliest action.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Last equity over initial cash, less 1.
    pub final_return: f64,
    /// Mean reward of a step, without `reward_scale`.
    pub mean_reward: f64,
    /// How often the target changed.
    pub changes: u64,
    /// Steps taken: one less than the candles, or fewer when the equity was lost.
    pub steps: u64,
}

/// Rolls `network` over `range` once, deterministically, under the set's rules.
///
/// # Errors
/// [`TrainError`] when the range has fewer than two candles, the network does not
/// fit the set, or the ledger overflows.
pub fn evaluate(
    network: &Mlp,
    head: Head,
    set: &TrainingSet,
    range: Range<usize>,
    isa: Isa,
) -> Result<Evaluation, TrainError> {
    if network.inputs() != set.inputs() || network.outputs() != head.outputs() {
        return Err(TrainError::Set(format!(
            "a network of {} inputs and {} outputs where {} and {} are needed",
            network.inputs(),
            network.outputs(),
            set.inputs(),
            head.outputs()
        )));
    }
    let mut environment = Environment::new(set.candles, &set.rules, set.reward)?;
    environment.reset(range)?;
    let mut space = Workspace::forward_only(network, 1);
    let mut inputs = vec![0.0; set.inputs()];
    let mut last = assay_types::Target::Flat;
    let (mut rewards, mut changes, mut steps) = (0.0, 0, 0);
    loop {
        let (features, account) = inputs.split_at_mut(set.columns);
        features.copy_from_slice(set.row(environment.index()));
        account.copy_from_slice(&environment.account_inputs());
        network.forward(isa, &inputs, 1, &mut space);
        let target = head.decide(isa, space.outputs()).target;
        changes += u64::from(target != last);
        last = target;
        let transition = environment.step(target)?;
        rewards += transition.reward;
        steps += 1;
        if transition.end.is_some() {
            break;
        }
    }
    let equity = environment.simulation().equity().to_f64();
    let final_return = equity / set.rules.cash.to_f64() - 1.0;
    Ok(Evaluation { final_return, mean_reward: rewards / steps as f64, changes, steps })
}

/// Chooses the best checkpoint by its validation result and says when to stop.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Checkpoints without a better one after which to stop; `None`: never.
    pub patience: Option<u64>,
    /// The best validation return so far.
    pub best_return: Option<f64>,
    /// The update it was reached at.
    pub best_update: u64,
    /// Checkpoints since.
    pub since_best: u64,
}

/// What a new checkpoint means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// It is the best so far and should be kept.
    pub is_best: bool,
    /// The run should stop.
    pub stop: bool,
}

impl Selection {
    /// No checkpoint yet.
    #[must_use]
    pub fn new(patience: Option<u64>) -> Self {
        Self { patience, ..Self::default() }
    }

    /// Judges the checkpoint of `update` by its `final_return` on validation; of equal
    /// ones the first is the best.
    pub fn judge(&mut self, update: u64, final_return: f64) -> Verdict {
        let is_best = self.best_return.is_none_or(|best| final_return > best);
        if is_best {
            (self.best_return, self.best_update, self.since_best) = (Some(final_return), update, 0);
        } else {
            self.since_best += 1;
        }
        Verdict { is_best, stop: self.patience.is_some_and(|patience| self.since_best >= patience) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_best_is_kept_and_patience_runs_out() {
        let mut selection = Selection::new(Some(2));
        let verdicts: Vec<(bool, bool)> = [0.1, 0.3, 0.3, 0.2]
            .into_iter()
            .enumerate()
            .map(|(update, result)| selection.judge(update as u64, result))
            .map(|verdict| (verdict.is_best, verdict.stop))
            .collect();
        assert_eq!(verdicts, [(true, false), (true, false), (false, false), (false, true)]);
        assert_eq!((selection.best_update, selection.best_return), (1, Some(0.3)));
        assert!(!Selection::new(None).judge(0, -1.0).stop);
    }
}
