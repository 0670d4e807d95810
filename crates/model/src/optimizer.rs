//! Optimisers: Adam and RMSprop over all weights of one network.

use crate::error::ModelError;
use crate::kernels::{AdamStep, Block, Isa, RmsPropStep};
use crate::mlp::Mlp;
use crate::workspace::Gradients;

/// The factor that brings a gradient's global norm down to `max_norm`: PyTorch's
/// `min(1, max_norm / (norm + 1e-6))`. `sum_squares` is the sum over all networks.
#[must_use]
pub fn clip_scale(sum_squares: f32, max_norm: f32) -> f32 {
    (max_norm / (sum_squares.sqrt() + 1e-6)).min(1.0)
}

/// Adam (Kingma & Ba 2015) with β₁ 0.9 and β₂ 0.999.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    first: Vec<Block>,
    second: Vec<Block>,
    decay1: f64,
    decay2: f64,
    epsilon: f32,
}

impl Adam {
    /// A fresh optimiser for `network`; Stable-Baselines3 has ε 1e-5 for PPO and 1e-8 elsewhere.
    #[must_use]
    pub fn new(network: &Mlp, epsilon: f32) -> Self {
        let zeros = Gradients::new(network).values;
        Self { first: zeros.clone(), second: zeros, decay1: 1.0, decay2: 1.0, epsilon }
    }

    /// Moves the weights of `network` by one step of `learning_rate` against
    /// `gradients` times `scale` (1, or [`clip_scale`]).
    ///
    /// # Panics
    /// When `gradients` or `network` has another shape than the optimiser.
    pub fn update(&mut self, isa: Isa, network: &mut Mlp, gradients: &Gradients, learning_rate: f64, scale: f32) {
        const BETA1: f64 = 0.9;
        const BETA2: f64 = 0.999;
        assert_eq!(gradients.values.len(), self.first.len(), "gradients of this network");
        self.decay1 *= BETA1;
        self.decay2 *= BETA2;
        let step = AdamStep {
            scale,
            beta1: BETA1 as f32,
            beta2: BETA2 as f32,
            rate: (learning_rate / (1.0 - self.decay1)) as f32,
            root: (1.0 / (1.0 - self.decay2).sqrt()) as f32,
            epsilon: self.epsilon,
        };
        isa.adam(step, &gradients.values, &mut self.first, &mut self.second, network.blocks_mut());
    }

    /// Everything a checkpoint needs: both moments, and β₁ and β₂ to the power of the steps taken.
    #[must_use]
    pub fn state(&self) -> (&[f32], &[f32], [f64; 2]) {
        (Block::flat(&self.first), Block::flat(&self.second), [self.decay1, self.decay2])
    }

    /// Restores what [`Self::state`] gave.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when a count differs.
    pub fn set_state(&mut self, first: &[f32], second: &[f32], decay: [f64; 2]) -> Result<(), ModelError> {
        copy(first, &mut self.first)?;
        copy(second, &mut self.second)?;
        [self.decay1, self.decay2] = decay;
        Ok(())
    }
}

/// RMSprop without momentum, as PyTorch defines it.
#[derive(Debug, Clone, PartialEq)]
pub struct RmsProp {
    square: Vec<Block>,
    alpha: f32,
    epsilon: f32,
}

impl RmsProp {
    /// A fresh optimiser for `network`; Stable-Baselines3's A2C has α 0.99 and ε 1e-5.
    #[must_use]
    pub fn new(network: &Mlp, alpha: f32, epsilon: f32) -> Self {
        Self { square: Gradients::new(network).values, alpha, epsilon }
    }

    /// Moves the weights of `network` by one step of `learning_rate` against
    /// `gradients` times `scale` (1, or [`clip_scale`]).
    ///
    /// # Panics
    /// When `gradients` or `network` has another shape than the optimiser.
    pub fn update(&mut self, isa: Isa, network: &mut Mlp, gradients: &Gradients, learning_rate: f64, scale: f32) {
        assert_eq!(gradients.values.len(), self.square.len(), "gradients of this network");
        let step = RmsPropStep { scale, alpha: self.alpha, rate: learning_rate as f32, epsilon: self.epsilon };
        isa.rms_prop(step, &gradients.values, &mut self.square, network.blocks_mut());
    }

    /// The running mean of squares, for a checkpoint.
    #[must_use]
    pub fn state(&self) -> &[f32] {
        Block::flat(&self.square)
    }

    /// Restores what [`Self::state`] gave.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when the count differs.
    pub fn set_state(&mut self, square: &[f32]) -> Result<(), ModelError> {
        copy(square, &mut self.square)
    }
}

fn copy(from: &[f32], into: &mut [Block]) -> Result<(), ModelError> {
    let into = Block::flat_mut(into);
    if from.len() != into.len() {
        return Err(ModelError::Shape { what: "the optimiser".into(), found: from.len(), expected: into.len() });
    }
    into.copy_from_slice(from);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Activation;

    #[test]
    fn steps_follow_the_formulas() {
        let mut network = Mlp::new(&[1, 1], Activation::Tanh).unwrap();
        let mut gradients = Gradients::new(&network);
        let mut adam = Adam::new(&network, 1e-8);
        let (mut m, mut v, mut w) = (0.0_f64, 0.0_f64, 0.0_f64);
        let (mut power1, mut power2) = (1.0_f64, 1.0_f64);
        for gradient in [0.5_f64, -0.25, 2.0, 0.0, 1e-3] {
            Block::flat_mut(&mut gradients.values)[0] = gradient as f32;
            adam.update(Isa::detect(), &mut network, &gradients, 0.01, 1.0);
            (m, v) = (0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient * gradient);
            (power1, power2) = (power1 * 0.9, power2 * 0.999);
            w -= 0.01 * (m / (1.0 - power1)) / ((v / (1.0 - power2)).sqrt() + 1e-8);
            assert!((f64::from(network.layer(0).0[0]) - w).abs() < 1e-6);
        }
        let mut network = Mlp::new(&[1, 1], Activation::Tanh).unwrap();
        let mut rms = RmsProp::new(&network, 0.99, 1e-5);
        let (mut v, mut w) = (0.0_f64, 0.0_f64);
        for gradient in [0.5_f64, -0.25, 2.0] {
            Block::flat_mut(&mut gradients.values)[0] = gradient as f32;
            rms.update(Isa::detect(), &mut network, &gradients, 0.001, 0.5);
            v = 0.99 * v + 0.01 * gradient * gradient * 0.25;
            w -= 0.001 * gradient * 0.5 / (v.sqrt() + 1e-5);
            assert!((f64::from(network.layer(0).0[0]) - w).abs() < 1e-6);
        }
        assert_eq!(clip_scale(0.01, 0.5), 1.0);
        assert!((clip_scale(4.0, 0.5) - 0.25).abs() < 1e-6);
    }

    #[test]
    fn a_restored_optimiser_goes_on_as_before() {
        let mut network = Mlp::new(&[2, 3], Activation::Tanh).unwrap();
        let mut gradients = Gradients::new(&network);
        Block::flat_mut(&mut gradients.values)[..3].copy_from_slice(&[0.1, 0.2, -0.3]);
        let mut adam = Adam::new(&network, 1e-5);
        adam.update(Isa::detect(), &mut network, &gradients, 0.01, 1.0);
        let mut copy = Adam::new(&network, 1e-5);
        let (first, second, decay) = adam.state();
        copy.set_state(first, second, decay).unwrap();
        let mut other = network.clone();
        adam.update(Isa::detect(), &mut network, &gradients, 0.01, 1.0);
        copy.update(Isa::detect(), &mut other, &gradients, 0.01, 1.0);
        assert_eq!(network, other);
        assert!(copy.set_state(&[0.0], &[], [1.0; 2]).is_err());
    }
}
