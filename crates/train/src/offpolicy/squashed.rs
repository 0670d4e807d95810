//! The squashed Gaussian of SAC: `action = tanh(u)`, `u = mean + σ · ε`, its log-density
//! and the gradient of both (Haarnoja et al. 2018, appendix C).
//!
//! ε is given, so that a batch is a function of its inputs (the reparameterisation).

use assay_model::kernels::Isa;

/// The logarithm of σ is clamped to this range; outside it has no gradient.
pub const LOG_STD_RANGE: [f32; 2] = [-20.0, 2.0];
/// Added to `1 − action²` before its logarithm.
const SQUASH_EPSILON: f32 = 1e-6;
/// ½ ln 2π.
const HALF_LN_TWO_PI: f32 = 0.918_938_5;

/// A batch of sampled actions with what their gradient needs.
#[derive(Debug, Clone, Default)]
pub struct Squashed {
    /// The actions, in (−1, 1).
    pub action: Vec<f32>,
    /// The logarithm of each action's density.
    pub log_prob: Vec<f32>,
    /// σ · ε where σ is inside its range.
    spread: Vec<f32>,
    /// Whether σ is inside its range: 1 or 0.
    inside: Vec<f32>,
}

impl Squashed {
    /// Samples one action for each row.
    ///
    /// `heads` holds the network's outputs, `stride` numbers a row: the mean first,
    /// ln σ second. `noise` holds one standard normal number a row.
    pub fn sample(&mut self, isa: Isa, heads: &[f32], stride: usize, noise: &[f32]) {
        let rows = noise.len();
        for values in [&mut self.action, &mut self.log_prob, &mut self.spread, &mut self.inside] {
            values.resize(rows, 0.0);
        }
        let [low, high] = LOG_STD_RANGE;
        for (row, head) in heads.chunks_exact(stride).take(rows).enumerate() {
            let log_std = head[1];
            self.inside[row] = if (low..=high).contains(&log_std) { 1.0 } else { 0.0 };
            self.spread[row] = log_std.clamp(low, high);
        }
        self.log_prob.copy_from_slice(&self.spread);
        isa.exp(&mut self.spread);
        for (row, head) in heads.chunks_exact(stride).take(rows).enumerate() {
            self.spread[row] *= noise[row];
            self.action[row] = head[0] + self.spread[row];
        }
        isa.tanh(&mut self.action);
        // ln(1 − a² + 1e-6) takes the place of the action for a moment in `room`.
        let mut room: Vec<f32> = self.action.iter().map(|action| squash_room(*action)).collect();
        isa.ln(&mut room);
        for (row, value) in self.log_prob.iter_mut().enumerate() {
            *value = -0.5 * noise[row] * noise[row] - *value - HALF_LN_TWO_PI - room[row];
        }
    }

    /// The gradient of `Σ action_slope · action + log_prob_slope · log_prob` with
    /// respect to the heads, written to the first two numbers of each row of
    /// `gradient`.
    pub fn gradient(&self, action_slope: &[f32], log_prob_slope: f32, gradient: &mut [f32], stride: usize) {
        for (row, out) in gradient.chunks_exact_mut(stride).take(self.action.len()).enumerate() {
            let action = self.action[row];
            let slope = 1.0 - action * action;
            let by_u = action_slope[row] * slope + log_prob_slope * (2.0 * action * slope / squash_room(action));
            out[0] = by_u;
            out[1] = self.inside[row] * (by_u * self.spread[row] - log_prob_slope);
        }
    }
}

fn squash_room(action: f32) -> f32 {
    (1.0 - action * action) + SQUASH_EPSILON
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISE: [f32; 6] = [0.3, -1.2, 2.0, 0.0, -0.7, 0.05];
    const HEADS: [f32; 12] = [0.1, -0.5, -0.8, 0.2, 0.4, -1.5, 1.0, 0.7, -1.6, -0.1, 0.2, 2.5];

    /// The definition, in double precision and written the plain way.
    fn exact(mean: f64, log_std: f64, noise: f64) -> (f64, f64) {
        let std = libm::exp(log_std.clamp(-20.0, 2.0));
        let u = mean + std * noise;
        let action = libm::tanh(u);
        let z = (u - mean) / std;
        let normal = -0.5 * z * z - libm::log(std) - 0.5 * libm::log(2.0 * std::f64::consts::PI);
        (action, normal - libm::log(1.0 - action * action + 1e-6))
    }

    #[test]
    fn actions_and_densities_follow_the_definition_on_every_instruction_set() {
        let mut first: Option<Squashed> = None;
        for isa in Isa::available() {
            let mut batch = Squashed::default();
            batch.sample(isa, &HEADS, 2, &NOISE);
            for row in 0..NOISE.len() {
                let (mean, log_std) = (HEADS[2 * row], HEADS[2 * row + 1]);
                let (action, log_prob) = exact(f64::from(mean), f64::from(log_std), f64::from(NOISE[row]));
                assert!((f64::from(batch.action[row]) - action).abs() < 1e-6, "row {row}");
                let tolerance = 2e-6 / (1.0 - action * action);
                assert!((f64::from(batch.log_prob[row]) - log_prob).abs() < tolerance.max(1e-5), "row {row}");
            }
            let expected = first.get_or_insert_with(|| batch.clone());
            assert_eq!(expected.action, batch.action);
            assert_eq!(expected.log_prob, batch.log_prob);
        }
    }

    #[test]
    fn the_density_integrates_to_one() {
        // Over a = tanh(mean + σ ε) with the density's own logarithm.
        let (mean, log_std) = (0.3_f32, -0.7_f32);
        let noises: Vec<f32> = (-40_000..=40_000_i32).map(|i| i as f32 * 1e-4).collect();
        let heads: Vec<f32> = noises.iter().flat_map(|_| [mean, log_std]).collect();
        let mut batch = Squashed::default();
        batch.sample(Isa::detect(), &heads, 2, &noises);
        let mut total = 0.0;
        for row in 1..noises.len() {
            let width = f64::from(batch.action[row]) - f64::from(batch.action[row - 1]);
            total += width * libm::exp(f64::from(batch.log_prob[row]));
        }
        assert!((total - 1.0).abs() < 1e-3, "{total}");
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        let slopes = [0.7_f32, -0.2, 1.3, -0.9, 0.4, 0.5];
        let weight = 0.35;
        let mut batch = Squashed::default();
        batch.sample(Isa::detect(), &HEADS, 2, &NOISE);
        let mut gradient = vec![0.0; HEADS.len()];
        batch.gradient(&slopes, weight, &mut gradient, 2);
        let loss = |row: usize, mean: f64, log_std: f64| {
            let (action, log_prob) = exact(mean, log_std, f64::from(NOISE[row]));
            f64::from(slopes[row]) * action + f64::from(weight) * log_prob
        };
        for row in 0..NOISE.len() {
            let (mean, log_std) = (f64::from(HEADS[2 * row]), f64::from(HEADS[2 * row + 1]));
            let h = 1e-5;
            let by_mean = (loss(row, mean + h, log_std) - loss(row, mean - h, log_std)) / (2.0 * h);
            let by_log_std = (loss(row, mean, log_std + h) - loss(row, mean, log_std - h)) / (2.0 * h);
            for (found, expected) in [(gradient[2 * row], by_mean), (gradient[2 * row + 1], by_log_std)] {
                assert!(
                    (f64::from(found) - expected).abs() < 1e-4 * expected.abs().max(1.0),
                    "row {row}: {found} {expected}"
                );
            }
        }
        assert_eq!(gradient[11], 0.0, "beyond the clamp there is no slope");
    }
}
