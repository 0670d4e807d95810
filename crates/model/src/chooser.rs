//! A network that chooses one of several actions: what policies are outside the signals
//! lane, where names and scaling belong to the environment.

use assay_types::Hash;

use crate::error::ModelError;
use crate::kernels::{Activation, Isa};
use crate::mlp::Mlp;
use crate::safetensors::{from_safetensors, to_safetensors};
use crate::workspace::Workspace;

/// Prefix of the names of the tensors.
const TENSORS: &str = "actor";

/// A network with one output per action; the largest decides, the first of equal ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Chooser {
    network: Mlp,
    isa: Isa,
}

/// An action, and how clearly it was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Its index.
    pub action: usize,
    /// The largest output less the second.
    pub margin: f32,
}

impl Chooser {
    /// A chooser among `actions` that reads `inputs` numbers.
    ///
    /// # Errors
    /// [`ModelError::Policy`] when the network has other sizes or weights that are not finite.
    pub fn new(network: Mlp, inputs: usize, actions: usize) -> Result<Self, ModelError> {
        let found = (network.inputs(), network.outputs());
        if found != (inputs, actions) || actions < 2 {
            let (has, gives) = found;
            return Err(ModelError::Policy(format!(
                "a network of {has} inputs and {gives} outputs where {inputs} and {actions} are needed"
            )));
        }
        if !network.values().iter().all(|value| value.is_finite()) {
            return Err(ModelError::Policy("the network holds a weight that is not finite".into()));
        }
        Ok(Self { network, isa: Isa::detect() })
    }

    /// Reads what [`Self::weights`] wrote.
    ///
    /// # Errors
    /// [`ModelError`] for bytes that are no such weights.
    pub fn from_weights(
        bytes: &[u8],
        activation: Activation,
        inputs: usize,
        actions: usize,
    ) -> Result<Self, ModelError> {
        Self::new(Mlp::from_tensors(&from_safetensors(bytes)?, TENSORS, activation)?, inputs, actions)
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> &Mlp {
        &self.network
    }

    /// The weights as a safetensors file, as those of a [`crate::Policy`].
    #[must_use]
    pub fn weights(&self) -> Vec<u8> {
        to_safetensors(&self.network.tensors(TENSORS))
    }

    /// SHA-256 of [`Self::weights`]: the identity of the model (R1).
    #[must_use]
    pub fn weights_hash(&self) -> Hash {
        Hash::of(&self.weights())
    }

    /// Chooses. The same observation gives the same choice everywhere.
    ///
    /// # Panics
    /// When `observation` is not of as many numbers as the network reads.
    #[must_use]
    pub fn choose(&self, observation: &[f32]) -> Choice {
        let mut space = Workspace::forward_only(&self.network, 1);
        self.network.forward(self.isa, observation, 1, &mut space);
        let outputs = &space.outputs()[..self.network.outputs()];
        let mut best = 0;
        for (action, output) in outputs.iter().enumerate() {
            if *output > outputs[best] {
                best = action;
            }
        }
        let others = outputs.iter().enumerate().filter(|(action, _)| *action != best);
        let second = others.map(|(_, output)| *output).fold(f32::NEG_INFINITY, f32::max);
        Choice { action: best, margin: outputs[best] - second }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_output_is_chosen_and_weights_read_back() {
        let mut network = Mlp::new(&[2, 20], Activation::Relu).unwrap();
        let weight: Vec<f32> = (0..20).flat_map(|action| [f32::from(u8::from(action == 17)), 0.5]).collect();
        let mut bias = vec![0.0; 20];
        bias[3] = 1.0;
        network.set_layer(0, &weight, &bias).unwrap();
        let chooser = Chooser::new(network.clone(), 2, 20).unwrap();
        assert_eq!(chooser.choose(&[3.0, 1.0]), Choice { action: 17, margin: 2.0 });
        assert_eq!(chooser.choose(&[1.0, 0.0]), Choice { action: 3, margin: 0.0 });
        let read = Chooser::from_weights(&chooser.weights(), Activation::Relu, 2, 20).unwrap();
        assert_eq!((&read, read.weights_hash()), (&chooser, Hash::of(&chooser.weights())));
        for (inputs, actions) in [(3, 20), (2, 19)] {
            assert!(Chooser::from_weights(&chooser.weights(), Activation::Relu, inputs, actions).is_err());
        }
        network.set_layer(0, &[f32::NAN; 40], &bias).unwrap();
        assert!(Chooser::new(network, 2, 20).is_err());
    }
}
