//! A policy at rest: its weights in one file, and in another what turns them into a policy.

use assay_model::{Activation, Head, Mlp, ModelError, Policy, from_safetensors};
use assay_types::InputScaling;
use serde::{Deserialize, Serialize};

/// Prefix of the names of the tensors that [`Policy::weights`] writes.
const TENSORS: &str = "actor";

/// What turns weights into a policy: the `policy.json` of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyFile {
    columns: Vec<String>,
    scaling: InputScaling,
    head: Head,
    activation: Activation,
}

impl PolicyFile {
    /// Of `policy`, whose hidden layers have `activation`.
    #[must_use]
    pub fn of(policy: &Policy, activation: Activation) -> Self {
        Self { columns: policy.columns().to_vec(), scaling: policy.scaling().clone(), head: policy.head(), activation }
    }

    /// The policy with the weights of a safetensors file.
    ///
    /// # Errors
    /// [`ModelError`] when they are damaged or of another shape.
    pub fn policy(self, weights: &[u8]) -> Result<Policy, ModelError> {
        let network = Mlp::from_tensors(&from_safetensors(weights)?, TENSORS, self.activation)?;
        Policy::new(self.columns, self.scaling, network, self.head)
    }
}
