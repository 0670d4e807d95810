//! The weight of SAC's entropy: fixed, or learnt so that the entropy stays near a
//! target (Haarnoja et al. 2018b, section 5).

use crate::checkpoint::{Reader, Writer};
use crate::error::TrainError;

/// How much entropy is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Temperature {
    log: f64,
    learnt: Option<Learnt>,
}

#[derive(Debug, Clone, PartialEq)]
struct Learnt {
    target_entropy: f64,
    first: f64,
    second: f64,
    decay: [f64; 2],
}

impl Temperature {
    /// A weight that stays.
    #[must_use]
    pub fn fixed(value: f64) -> Self {
        Self { log: libm::log(value), learnt: None }
    }

    /// A weight that starts at `initial` and keeps the entropy near `target_entropy`.
    #[must_use]
    pub fn learnt(initial: f64, target_entropy: f64) -> Self {
        let learnt = Learnt { target_entropy, first: 0.0, second: 0.0, decay: [1.0; 2] };
        Self { log: libm::log(initial), learnt: Some(learnt) }
    }

    /// The weight.
    #[must_use]
    pub fn value(&self) -> f32 {
        libm::exp(self.log) as f32
    }

    /// One Adam step of the logarithm on `−log α · mean(log π + target entropy)`.
    pub fn update(&mut self, log_probs: &[f32], learning_rate: f64) {
        const BETA: [f64; 2] = [0.9, 0.999];
        let Some(state) = &mut self.learnt else { return };
        let sum: f64 = log_probs.iter().map(|value| f64::from(*value)).sum();
        let gradient = -(sum / log_probs.len() as f64 + state.target_entropy);
        state.first = BETA[0] * state.first + (1.0 - BETA[0]) * gradient;
        state.second = BETA[1] * state.second + (1.0 - BETA[1]) * gradient * gradient;
        state.decay = [state.decay[0] * BETA[0], state.decay[1] * BETA[1]];
        let first = state.first / (1.0 - state.decay[0]);
        let second = state.second / (1.0 - state.decay[1]);
        self.log -= learning_rate * first / (second.sqrt() + 1e-8);
    }

    /// Writes the weight and its optimiser.
    pub fn save(&self, writer: &mut Writer) {
        writer.f64(self.log);
        if let Some(state) = &self.learnt {
            [state.first, state.second, state.decay[0], state.decay[1]].into_iter().for_each(|value| writer.f64(value));
        }
    }

    /// Restores what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] when the bytes end too early.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        self.log = reader.f64()?;
        if let Some(state) = &mut self.learnt {
            state.first = reader.f64()?;
            state.second = reader.f64()?;
            state.decay = [reader.f64()?, reader.f64()?];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_below_the_target_makes_it_worth_more() {
        let mut temperature = Temperature::learnt(1.0, -1.0);
        assert_eq!(temperature.value(), 1.0);
        // Entropy −2 is below the target of −1, entropy 0 above.
        temperature.update(&[2.0; 8], 3e-4);
        assert!((f64::from(temperature.value()) - libm::exp(3e-4)).abs() < 1e-6);
        for _ in 0..100 {
            temperature.update(&[0.0; 8], 3e-4);
        }
        assert!(temperature.value() < 1.0);
        let mut fixed = Temperature::fixed(0.25);
        fixed.update(&[2.0; 8], 3e-4);
        assert!((fixed.value() - 0.25).abs() < 1e-7);
    }
}
