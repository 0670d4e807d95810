//! Losses of the policy and of the values, with their slopes.

use assay_model::Isa;

/// Logarithms of the probabilities of each action, for some rows of logits; kept
/// action by action so that the rows are worked on together.
#[derive(Debug, Clone)]
pub struct LogProbabilities {
    actions: usize,
    rows: usize,
    /// [action][row]
    log: Vec<f32>,
    probability: Vec<f32>,
    sum: Vec<f32>,
    ratio: Vec<f32>,
}

impl LogProbabilities {
    /// Room for `rows` rows of `actions`.
    pub fn new(actions: usize, rows: usize) -> Self {
        let zeros = vec![0.0; rows * actions];
        let (sum, ratio) = (vec![0.0; rows], Vec::with_capacity(rows));
        Self { actions, rows, log: zeros.clone(), probability: zeros, sum, ratio }
    }

    /// Computes them from `count` rows of logits that are `stride` apart.
    pub fn compute(&mut self, isa: Isa, logits: &[f32], stride: usize, count: usize) {
        // The signals lane's three targets are known while compiling, so its loops unroll.
        match self.actions {
            3 => self.compute_of(3, isa, logits, stride, count),
            actions => self.compute_of(actions, isa, logits, stride, count),
        }
    }

    #[inline(always)]
    fn compute_of(&mut self, actions: usize, isa: Isa, logits: &[f32], stride: usize, count: usize) {
        self.rows = count;
        let log = &mut self.log[..count * actions];
        for (row, logits) in logits.chunks_exact(stride).take(count).enumerate() {
            let logits = &logits[..actions];
            let largest = logits[1..].iter().fold(logits[0], |largest, logit| largest.max(*logit));
            logits.iter().enumerate().for_each(|(action, logit)| log[action * count + row] = logit - largest);
        }
        let probability = &mut self.probability[..count * actions];
        probability.copy_from_slice(log);
        isa.exp(probability);
        let sum = &mut self.sum[..count];
        for row in 0..count {
            let first = probability[row];
            sum[row] = (1..actions).fold(first, |sum, action| sum + probability[action * count + row]);
        }
        for action in probability.chunks_exact_mut(count) {
            action.iter_mut().zip(&*sum).for_each(|(p, sum)| *p /= sum);
        }
        isa.ln(sum);
        for action in log.chunks_exact_mut(count) {
            action.iter_mut().zip(&*sum).for_each(|(log, sum)| *log -= sum);
        }
    }

    /// The logarithm for `action` in `row`.
    pub fn of(&self, row: usize, action: usize) -> f32 {
        self.log[action * self.rows + row]
    }

    fn probability(&self, row: usize, action: usize) -> f32 {
        self.probability[action * self.rows + row]
    }

    /// The action in `row` that `uniform` in [0, 1] falls on.
    pub fn sample(&self, row: usize, uniform: f32) -> usize {
        let mut below = 0.0;
        let before_last = (0..self.actions - 1).filter(|action| {
            below += self.probability(row, *action);
            uniform >= below
        });
        before_last.count()
    }
}

/// One row's share of the policy's numbers, summed over a minibatch.
#[derive(Debug, Clone, Copy, Default)]
pub struct PolicySums {
    /// Σ of the loss without the entropy term.
    pub loss: f64,
    /// Σ of entropies.
    pub entropy: f64,
    /// Σ (ratio − 1) − ln ratio.
    pub kl: f64,
    /// Rows whose ratio left the clip range.
    pub clipped: f64,
}

/// What the policy's loss needs besides the logits, in the order of the rows.
#[derive(Debug, Clone, Copy)]
pub struct PolicyRows<'a> {
    /// Actions taken.
    pub actions: &'a [u8],
    /// Their log-probabilities when they were taken.
    pub old: &'a [f32],
    /// Advantages, normalised already where that is asked for.
    pub advantages: &'a [f32],
}

/// Numbers of the policy's loss.
#[derive(Debug, Clone, Copy)]
pub struct PolicyLoss {
    /// PPO's ε; `None`: the plain policy gradient of A2C.
    pub clip_range: Option<f32>,
    /// Weight of the entropy.
    pub ent_coef: f32,
    /// One over the rows of the minibatch.
    pub share: f32,
}

impl PolicyLoss {
    /// Writes the slope of the loss with respect to each logit to `gradient` (rows of
    /// `stride`) and adds to `sums`.
    pub fn slopes(
        self,
        isa: Isa,
        log: &mut LogProbabilities,
        rows: PolicyRows,
        stride: usize,
        gradient: &mut [f32],
        sums: &mut PolicySums,
    ) {
        match log.actions {
            3 => self.slopes_of(3, isa, log, rows, stride, gradient, sums),
            actions => self.slopes_of(actions, isa, log, rows, stride, gradient, sums),
        }
    }

    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "those of `slopes` and the number of actions")]
    fn slopes_of(
        self,
        actions: usize,
        isa: Isa,
        log: &mut LogProbabilities,
        rows: PolicyRows,
        stride: usize,
        gradient: &mut [f32],
        sums: &mut PolicySums,
    ) {
        let count = rows.actions.len();
        let mut ratio = std::mem::take(&mut log.ratio);
        ratio.clear();
        ratio.extend((0..count).map(|row| log.of(row, usize::from(rows.actions[row])) - rows.old[row]));
        if self.clip_range.is_some() {
            sums.kl -= ratio.iter().map(|difference| f64::from(*difference)).sum::<f64>();
            isa.exp(&mut ratio);
        }
        for row in 0..count {
            let action = usize::from(rows.actions[row]);
            let advantage = rows.advantages[row];
            let slope = match self.clip_range {
                Some(clip) => {
                    let ratio = ratio[row];
                    let held = ratio.clamp(1.0 - clip, 1.0 + clip);
                    let (free, clipped) = (advantage * ratio, advantage * held);
                    sums.loss -= f64::from(free.min(clipped));
                    sums.kl += f64::from(ratio - 1.0);
                    sums.clipped += f64::from(u8::from((ratio - 1.0).abs() > clip));
                    if free <= clipped { -free } else { 0.0 }
                }
                None => {
                    sums.loss -= f64::from(advantage * log.of(row, action));
                    -advantage
                }
            };
            let product = |j: usize| log.probability(row, j) * log.of(row, j);
            let entropy = -(1..actions).fold(product(0), |sum, j| sum + product(j));
            sums.entropy += f64::from(entropy);
            for (j, out) in gradient[row * stride..][..actions].iter_mut().enumerate() {
                let (p, l) = (log.probability(row, j), log.of(row, j));
                let chosen = if j == action { 1.0 } else { 0.0 };
                *out = self.share * (slope * (chosen - p) + self.ent_coef * p * (l + entropy));
            }
        }
        log.ratio = ratio;
    }
}

/// Writes the slope of `weight · mean (value − return)²` to `gradient`; gives Σ (value − return)².
pub fn value_slopes(outputs: &[f32], stride: usize, returns: &[f32], weight: f32, gradient: &mut [f32]) -> f64 {
    let mut sum = 0.0;
    for (row, target) in returns.iter().enumerate() {
        let difference = outputs[row * stride] - target;
        sum += f64::from(difference * difference);
        gradient[row * stride] = 2.0 * weight * difference;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_probabilities(logits: [f64; 3]) -> [f64; 3] {
        let sum: f64 = logits.iter().map(|z| libm::exp(*z)).sum();
        logits.map(|z| z - libm::log(sum))
    }

    /// The loss of one row in double precision, from its definition.
    fn loss(logits: [f64; 3], action: usize, old: f64, advantage: f64, clip: Option<f64>, ent_coef: f64) -> f64 {
        let log = log_probabilities(logits);
        let entropy: f64 = -log.iter().map(|l| l * libm::exp(*l)).sum::<f64>();
        let surrogate = match clip {
            Some(clip) => {
                let ratio = libm::exp(log[action] - old);
                (advantage * ratio).min(advantage * ratio.clamp(1.0 - clip, 1.0 + clip))
            }
            None => advantage * log[action],
        };
        -surrogate - ent_coef * entropy
    }

    #[test]
    fn slopes_are_those_of_the_definition() {
        let cases =
            [([0.3, -1.2, 0.9], 2, -0.7, 1.5), ([0.3, -1.2, 0.9], 1, -1.0, -2.0), ([2.0, 0.0, 0.1], 0, -1.5, 0.8)];
        for clip in [Some(0.2), None] {
            for (logits, action, old, advantage) in cases {
                let mut log = LogProbabilities::new(3, 1);
                let mut row = [0.0_f32; 16];
                logits.iter().zip(&mut row).for_each(|(z, out)| *out = *z as f32);
                log.compute(Isa::detect(), &row, 16, 1);
                let rows = PolicyRows { actions: &[action as u8], old: &[old as f32], advantages: &[advantage as f32] };
                let (mut gradient, mut sums) = ([0.0; 16], PolicySums::default());
                let settings = PolicyLoss { clip_range: clip.map(|c| c as f32), ent_coef: 0.05, share: 0.5 };
                settings.slopes(Isa::detect(), &mut log, rows, 16, &mut gradient, &mut sums);
                for j in 0..3 {
                    let at = |step: f64| {
                        let mut moved = logits;
                        moved[j] += step;
                        loss(moved, action, old, advantage, clip, 0.05)
                    };
                    let expected = 0.5 * (at(1e-5) - at(-1e-5)) / 2e-5;
                    assert!(
                        (f64::from(gradient[j]) - expected).abs() < 1e-5,
                        "{clip:?} {j}: {} {expected}",
                        gradient[j]
                    );
                }
                let entropy = f64::from(sums.entropy as f32);
                assert!((sums.loss - 0.05 * entropy - loss(logits, action, old, advantage, clip, 0.05)).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn samples_have_the_probabilities() {
        let mut log = LogProbabilities::new(3, 1);
        let mut row = [0.0_f32; 16];
        row[..3].copy_from_slice(&[libm::logf(0.2), libm::logf(0.5), libm::logf(0.3)]);
        log.compute(Isa::detect(), &row, 16, 1);
        let drawn: Vec<usize> = [0.0, 0.19, 0.21, 0.69, 0.71, 1.0].iter().map(|u| log.sample(0, *u)).collect();
        assert_eq!(drawn, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn value_slopes_are_those_of_the_squares() {
        let mut gradient = [0.0; 32];
        let mut outputs = [0.0; 32];
        (outputs[0], outputs[16]) = (1.0, -2.0);
        let sum = value_slopes(&outputs, 16, &[0.5, 1.0], 0.25, &mut gradient);
        assert_eq!((sum, gradient[0], gradient[16]), (9.25, 0.25, -1.5));
    }
}
