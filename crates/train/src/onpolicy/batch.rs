//! The gradient steps on one roll-out, on one thread or with the critic on a second.

use assay_model::{Isa, clip_scale};

use super::Settings;
use super::exchange::Exchange;
use super::learner::{CHUNK, Learner};
use super::loss::{LogProbabilities, PolicyLoss, PolicyRows, PolicySums, value_slopes};
use super::rollout::RollOut;
use crate::rng::Rng;
use crate::stats::UpdateStats;

/// Rows to learn from, passes included, below which starting a second thread costs
/// more than it gives.
const LEAST_FOR_TWO_THREADS: usize = 1_024;

/// Takes every gradient step that `settings` asks for.
#[expect(clippy::too_many_arguments, reason = "the parts of one learner")]
pub fn learn(
    settings: &Settings,
    roll_out: &RollOut,
    actor: &mut Learner,
    critic: &mut Learner,
    shuffles: &mut Rng,
    threads: usize,
    isa: Isa,
    stats: &mut UpdateStats,
) {
    let rows = roll_out.rows();
    let mut orders: Vec<Vec<u32>> = Vec::with_capacity(settings.n_epochs);
    for _ in 0..settings.n_epochs {
        let mut order: Vec<u32> = (0..rows as u32).collect();
        if settings.batch_size < rows {
            shuffles.shuffle(&mut order);
        }
        orders.push(order);
    }
    let batches: Vec<&[u32]> = orders.iter().flat_map(|order| order.chunks_exact(settings.batch_size)).collect();
    let mut policy = PolicySide::new(settings, roll_out, actor, isa);
    let mut value = ValueSide { settings, roll_out, learner: critic, isa, sum: 0.0 };
    if threads >= 2 && rows * settings.n_epochs >= LEAST_FOR_TWO_THREADS {
        let exchange = Exchange::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _guard = exchange.guard();
                for (round, batch) in batches.iter().enumerate() {
                    let own = value.gradient(batch);
                    let other = exchange.swap(1, round as u32, own);
                    value.step(other + own);
                }
            });
            let _guard = exchange.guard();
            for (round, batch) in batches.iter().enumerate() {
                let own = policy.gradient(batch);
                let other = exchange.swap(0, round as u32, own);
                policy.step(own + other);
            }
        });
    } else {
        for batch in &batches {
            let sum_squares = policy.gradient(batch) + value.gradient(batch);
            policy.step(sum_squares);
            value.step(sum_squares);
        }
    }
    let count = (batches.len() * settings.batch_size) as f64;
    stats.policy_loss = Some(policy.sums.loss / count);
    stats.entropy = Some(policy.sums.entropy / count);
    stats.value_loss = Some(value.sum / count);
    if settings.clip_range.is_some() {
        stats.approx_kl = Some(policy.sums.kl / count);
        stats.clip_fraction = Some(policy.sums.clipped / count);
    }
}

/// The actor's half of a gradient step.
struct PolicySide<'a> {
    settings: &'a Settings,
    roll_out: &'a RollOut,
    learner: &'a mut Learner,
    isa: Isa,
    log: LogProbabilities,
    actions: Vec<u8>,
    old: Vec<f32>,
    advantages: Vec<f32>,
    sums: PolicySums,
}

impl<'a> PolicySide<'a> {
    fn new(settings: &'a Settings, roll_out: &'a RollOut, learner: &'a mut Learner, isa: Isa) -> Self {
        let log = LogProbabilities::new(learner.network.outputs(), settings.batch_size);
        let (actions, old, advantages) = (Vec::new(), Vec::new(), Vec::new());
        Self { settings, roll_out, learner, isa, log, actions, old, advantages, sums: PolicySums::default() }
    }

    fn gradient(&mut self, batch: &[u32]) -> f32 {
        let Self { settings, roll_out, learner, isa, log, actions, old, advantages, sums } = self;
        actions.clear();
        actions.extend(batch.iter().map(|row| roll_out.actions[*row as usize]));
        old.clear();
        old.extend(batch.iter().map(|row| roll_out.log_probabilities[*row as usize]));
        advantages.clear();
        advantages.extend(batch.iter().map(|row| roll_out.advantages[*row as usize]));
        if settings.normalize_advantage {
            normalize(advantages);
        }
        let share = 1.0 / batch.len() as f32;
        let loss = PolicyLoss { clip_range: settings.clip_range, ent_coef: settings.ent_coef, share };
        learner.gradient(*isa, &roll_out.observations, batch, |from, outputs, stride, gradient| {
            let range = from..from + outputs.len() / stride;
            log.compute(*isa, outputs, stride, range.len());
            let rows = PolicyRows {
                actions: &actions[range.clone()],
                old: &old[range.clone()],
                advantages: &advantages[range],
            };
            loss.slopes(*isa, log, rows, stride, gradient, sums);
        })
    }

    fn step(&mut self, sum_squares: f32) {
        let scale = clip_scale(sum_squares, self.settings.max_grad_norm);
        self.learner.step(self.isa, self.settings.learning_rate, scale);
    }
}

/// The critic's half of a gradient step.
struct ValueSide<'a> {
    settings: &'a Settings,
    roll_out: &'a RollOut,
    learner: &'a mut Learner,
    isa: Isa,
    sum: f64,
}

impl ValueSide<'_> {
    fn gradient(&mut self, batch: &[u32]) -> f32 {
        let Self { settings, roll_out, learner, isa, sum } = self;
        let weight = settings.vf_coef / batch.len() as f32;
        let mut returns = [0.0; CHUNK];
        learner.gradient(*isa, &roll_out.observations, batch, |from, outputs, stride, gradient| {
            let count = outputs.len() / stride;
            for (target, row) in returns.iter_mut().zip(&batch[from..from + count]) {
                *target = roll_out.returns[*row as usize];
            }
            *sum += value_slopes(outputs, stride, &returns[..count], weight, gradient);
        })
    }

    fn step(&mut self, sum_squares: f32) {
        let scale = clip_scale(sum_squares, self.settings.max_grad_norm);
        self.learner.step(self.isa, self.settings.learning_rate, scale);
    }
}

/// Shifts to mean 0 and scales to standard deviation 1 (n − 1), as PyTorch's `std` has it.
fn normalize(values: &mut [f32]) {
    let count = values.len() as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let square = |value: &f32| (f64::from(*value) - mean) * (f64::from(*value) - mean);
    let deviation = (values.iter().map(square).sum::<f64>() / (count - 1.0)).sqrt();
    let (mean, factor) = (mean as f32, (1.0 / (deviation + 1e-8)) as f32);
    values.iter_mut().for_each(|value| *value = (*value - mean) * factor);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_numbers_have_mean_zero_and_deviation_one() {
        let mut values = [1.0, 2.0, 3.0, 6.0];
        normalize(&mut values);
        let mean = values.iter().sum::<f32>() / 4.0;
        let variance = values.iter().map(|v| v * v).sum::<f32>() / 3.0;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5);
        let mut flat = [2.0; 3];
        normalize(&mut flat);
        assert_eq!(flat, [0.0; 3]);
    }
}
