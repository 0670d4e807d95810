//! Noise on the actions of a deterministic policy while it explores.

use super::normals::fill_normals;
use crate::checkpoint::{Reader, Writer};
use crate::error::TrainError;
use crate::rng::Rng;

/// Which noise is added to an action before it is clamped to [−1, 1].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum ActionNoise {
    /// None: Stable-Baselines3's default.
    #[default]
    None,
    /// Independent normal numbers.
    Normal {
        /// Standard deviation.
        sigma: f64,
    },
    /// A process that returns to zero (Uhlenbeck & Ornstein 1930), θ 0.15 and steps of
    /// 0.01, started again with each episode.
    OrnsteinUhlenbeck {
        /// Standard deviation of its driving noise.
        sigma: f64,
    },
}

const THETA: f64 = 0.15;
const STEP: f64 = 0.01;

/// The noise of one environment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseProcess {
    noise: ActionNoise,
    value: f64,
}

impl NoiseProcess {
    /// The process at rest.
    #[must_use]
    pub const fn new(noise: ActionNoise) -> Self {
        Self { noise, value: 0.0 }
    }

    /// `action` with the next noise, clamped.
    pub fn disturb(&mut self, action: f32, rng: &mut Rng) -> f32 {
        let mut normal = [0.0];
        match self.noise {
            ActionNoise::None => return action,
            ActionNoise::Normal { sigma } => {
                fill_normals(rng, &mut normal);
                self.value = sigma * f64::from(normal[0]);
            }
            ActionNoise::OrnsteinUhlenbeck { sigma } => {
                fill_normals(rng, &mut normal);
                self.value += -THETA * self.value * STEP + sigma * STEP.sqrt() * f64::from(normal[0]);
            }
        }
        (action + self.value as f32).clamp(-1.0, 1.0)
    }

    /// Starts again, at the end of an episode.
    pub const fn reset(&mut self) {
        self.value = 0.0;
    }

    /// Writes where the process stands.
    pub fn save(&self, writer: &mut Writer) {
        writer.f64(self.value);
    }

    /// Restores what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] when the bytes end too early.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        self.value = reader.f64()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(noise: ActionNoise, steps: usize) -> (f64, f64) {
        let (mut process, mut rng) = (NoiseProcess::new(noise), Rng::new(1));
        let values: Vec<f64> = (0..steps).map(|_| f64::from(process.disturb(0.0, &mut rng))).collect();
        let squares: f64 = values.iter().map(|value| value * value).sum();
        let products: f64 = values.windows(2).map(|pair| pair[0] * pair[1]).sum();
        ((squares / steps as f64).sqrt(), products / squares)
    }

    #[test]
    fn each_noise_has_its_spread_and_memory() {
        let (deviation, memory) = spread(ActionNoise::Normal { sigma: 0.1 }, 50_000);
        assert!((deviation - 0.1).abs() < 0.003 && memory.abs() < 0.02);
        let (deviation, memory) = spread(ActionNoise::OrnsteinUhlenbeck { sigma: 0.1 }, 500_000);
        let expected = 0.1 * STEP.sqrt() / (1.0_f64 - (1.0 - THETA * STEP) * (1.0 - THETA * STEP)).sqrt();
        assert!((deviation / expected - 1.0).abs() < 0.25, "{deviation} {expected}");
        assert!((memory - (1.0 - THETA * STEP)).abs() < 0.001);
        assert_eq!(NoiseProcess::new(ActionNoise::None).disturb(0.5, &mut Rng::new(1)), 0.5);
        assert_eq!(NoiseProcess::new(ActionNoise::Normal { sigma: 100.0 }).disturb(0.0, &mut Rng::new(1)).abs(), 1.0);
    }
}
