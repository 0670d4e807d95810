//! Policies: from one row of raw features and the account to a target position.
//!
//! The same function serves training's evaluation, the back-test, signals and audit.

use assay_types::{Hash, InputScaling, Target};

use crate::error::ModelError;
use crate::kernels::Isa;
use crate::mlp::Mlp;
use crate::safetensors::to_safetensors;
use crate::workspace::Workspace;

/// Names of the two inputs that follow the feature columns: the position (−1, 0, 1)
/// and the unrealised return of the open position as a share of its entry value.
pub const ACCOUNT_INPUTS: [&str; 2] = ["position", "unrealised_return"];

/// Order of the three logits of a discrete policy.
pub const TARGETS: [Target; 3] = [Target::Long, Target::Flat, Target::Short];

/// A scalar action above it is long, below its negative short, else flat.
pub const SCALAR_THRESHOLD: f32 = 1.0 / 3.0;

/// What the network's outputs mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// Three logits in the order of [`TARGETS`]; the largest decides, the first of equal ones.
    Discrete,
    /// One number; its hyperbolic tangent is the action in (−1, 1), see [`SCALAR_THRESHOLD`].
    Scalar,
}

impl Head {
    /// Outputs the network must have.
    #[must_use]
    pub const fn outputs(self) -> usize {
        match self {
            Self::Discrete => TARGETS.len(),
            Self::Scalar => 1,
        }
    }

    /// The decision that `outputs` of the network stand for.
    ///
    /// # Panics
    /// When there are fewer outputs than the head has.
    #[must_use]
    pub fn decide(self, isa: Isa, outputs: &[f32]) -> Decision {
        match self {
            Self::Discrete => {
                let logits = [outputs[0], outputs[1], outputs[2]];
                let mut best = 0;
                for index in 1..logits.len() {
                    if logits[index] > logits[best] {
                        best = index;
                    }
                }
                let others = logits.iter().enumerate().filter(|(index, _)| *index != best);
                let second = others.map(|(_, logit)| *logit).fold(f32::NEG_INFINITY, f32::max);
                Decision { target: TARGETS[best], logits, margin: logits[best] - second }
            }
            Self::Scalar => {
                let mut action = [outputs[0]];
                isa.tanh(&mut action);
                let action = action[0];
                let margin = (action - SCALAR_THRESHOLD).abs().min((action + SCALAR_THRESHOLD).abs());
                Decision { target: scalar_target(action), logits: [action, 0.0, 0.0], margin }
            }
        }
    }
}

/// The target of a scalar action in [−1, 1].
#[must_use]
pub fn scalar_target(action: f32) -> Target {
    if action > SCALAR_THRESHOLD {
        Target::Long
    } else if action < -SCALAR_THRESHOLD {
        Target::Short
    } else {
        Target::Flat
    }
}

/// What a policy decides, and how clearly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The position to hold.
    pub target: Target,
    /// Discrete: the logits in the order of [`TARGETS`]. Scalar: the action, then zeros.
    pub logits: [f32; 3],
    /// Discrete: the largest logit less the second. Scalar: the distance of the action
    /// to the nearer threshold. Another runtime agrees where this exceeds 2e-5 (R5).
    pub margin: f32,
}

/// A network with everything it takes to use it: the columns it reads, their scaling
/// and the meaning of its outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    columns: Vec<String>,
    scaling: InputScaling,
    network: Mlp,
    head: Head,
    isa: Isa,
}

impl Policy {
    /// Puts a policy together. The network reads the scaled feature `columns` in their
    /// order and then [`ACCOUNT_INPUTS`].
    ///
    /// # Errors
    /// [`ModelError::Policy`] when names, scaling, network and head do not fit together.
    pub fn new(columns: Vec<String>, scaling: InputScaling, network: Mlp, head: Head) -> Result<Self, ModelError> {
        let error = |text: String| Err(ModelError::Policy(text));
        let count = columns.len();
        if scaling.offset.len() != count || scaling.factor.len() != count {
            let scaled = scaling.offset.len();
            return error(format!(
                "{count} feature columns but a scaling of {scaled}: use the scaling fitted with them"
            ));
        }
        let inputs = count + ACCOUNT_INPUTS.len();
        if network.inputs() != inputs {
            let found = network.inputs();
            return error(format!("a network of {found} inputs where {count} columns and the account need {inputs}"));
        }
        if network.outputs() != head.outputs() {
            let (found, needed) = (network.outputs(), head.outputs());
            return error(format!("a network of {found} outputs where the policy needs {needed}"));
        }
        if !network.values().iter().all(|value| value.is_finite()) {
            return error("the network holds a weight that is not finite".into());
        }
        let mut names: Vec<&str> = columns.iter().map(String::as_str).chain(ACCOUNT_INPUTS).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1] || pair[0].is_empty()) {
            return error(format!("the input name `{}` is empty or used twice", pair[0]));
        }
        Ok(Self { columns, scaling, network, head, isa: Isa::detect() })
    }

    /// The same policy on other instructions; its decisions are the same.
    #[must_use]
    pub const fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = isa;
        self
    }

    /// Names of the feature columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The scaling of the feature columns.
    #[must_use]
    pub const fn scaling(&self) -> &InputScaling {
        &self.scaling
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> &Mlp {
        &self.network
    }

    /// The meaning of the network's outputs.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The weights as a safetensors file: tensors `actor.{layer}.weight` ([outputs,
    /// inputs]) and `actor.{layer}.bias` in name order, no metadata.
    #[must_use]
    pub fn weights(&self) -> Vec<u8> {
        to_safetensors(&self.network.tensors("actor"))
    }

    /// SHA-256 of [`Self::weights`]: the identity of the model (R1).
    #[must_use]
    pub fn weights_hash(&self) -> Hash {
        Hash::of(&self.weights())
    }

    /// Decides from one row of raw (unscaled) features and the account's
    /// [`ACCOUNT_INPUTS`]. The same row gives the same bits everywhere.
    ///
    /// # Panics
    /// When `raw` has another length than [`Self::columns`].
    #[must_use]
    pub fn act(&self, raw: &[f64], account: [f32; 2]) -> Decision {
        let mut inputs = vec![0.0; self.columns.len() + account.len()];
        let (features, rest) = inputs.split_at_mut(self.columns.len());
        self.scaling.apply(raw, features);
        rest.copy_from_slice(&account);
        self.decide(&inputs)
    }

    /// Decides from features that are scaled already.
    ///
    /// # Panics
    /// When `scaled` has another length than [`Self::columns`].
    #[must_use]
    pub fn act_scaled(&self, scaled: &[f32], account: [f32; 2]) -> Decision {
        assert_eq!(scaled.len(), self.columns.len(), "one scaled value per column");
        let mut inputs = Vec::with_capacity(scaled.len() + account.len());
        inputs.extend_from_slice(scaled);
        inputs.extend_from_slice(&account);
        self.decide(&inputs)
    }

    fn decide(&self, inputs: &[f32]) -> Decision {
        let mut space = Workspace::forward_only(&self.network, 1);
        self.network.forward(self.isa, inputs, 1, &mut space);
        self.head.decide(self.isa, space.outputs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Activation;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("feature_{i}")).collect()
    }

    fn linear(outputs: usize) -> Mlp {
        let mut network = Mlp::new(&[4, outputs], Activation::Tanh).unwrap();
        let weight: Vec<f32> = (0..outputs).flat_map(|o| [0.0, o as f32, 0.0, 1.0]).collect();
        network.set_layer(0, &weight, &vec![0.0; outputs]).unwrap();
        network
    }

    #[test]
    fn the_largest_logit_decides_and_the_first_of_equal_ones() {
        let policy = Policy::new(names(2), InputScaling::identity(2), linear(3), Head::Discrete).unwrap();
        let decision = policy.act(&[9.0, 2.0], [1.0, 0.5]);
        assert_eq!((decision.target, decision.logits, decision.margin), (Target::Short, [0.5, 2.5, 4.5], 2.0));
        assert_eq!(policy.act(&[0.0, -1.0], [0.0, 0.0]).target, Target::Long);
        let tie = policy.act(&[0.0, 0.0], [0.0, 0.0]);
        assert_eq!((tie.target, tie.margin), (Target::Long, 0.0));
        assert_eq!(policy.act_scaled(&[9.0, 2.0], [1.0, 0.5]), decision);
    }

    #[test]
    fn a_scalar_action_has_two_thresholds() {
        let policy = Policy::new(names(2), InputScaling::identity(2), linear(1), Head::Scalar).unwrap();
        for (unrealised, target) in
            [(2.0, Target::Long), (0.3, Target::Flat), (-0.3, Target::Flat), (-1.0, Target::Short)]
        {
            assert_eq!(policy.act(&[0.0, 0.0], [0.0, unrealised]).target, target);
        }
        let decision = policy.act(&[0.0, 0.0], [0.0, 0.0]);
        assert!((decision.margin - 1.0 / 3.0).abs() < 1e-7);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let bad = [
            Policy::new(names(3), InputScaling::identity(2), linear(3), Head::Discrete),
            Policy::new(names(3), InputScaling::identity(3), linear(3), Head::Discrete),
            Policy::new(names(2), InputScaling::identity(2), linear(3), Head::Scalar),
            Policy::new(vec!["position".into(), "b".into()], InputScaling::identity(2), linear(3), Head::Discrete),
        ];
        assert!(bad.iter().all(|policy| matches!(policy, Err(ModelError::Policy(_)))));
        let mut network = linear(3);
        network.set_layer(0, &[f32::NAN; 12], &[0.0; 3]).unwrap();
        assert!(Policy::new(names(2), InputScaling::identity(2), network, Head::Discrete).is_err());
    }

    #[test]
    fn the_weights_hash_is_of_the_file_and_reads_back() {
        let policy = Policy::new(names(2), InputScaling::identity(2), linear(3), Head::Discrete).unwrap();
        assert_eq!(policy.weights_hash(), Hash::of(&policy.weights()));
        let tensors = crate::safetensors::from_safetensors(&policy.weights()).unwrap();
        assert_eq!(&Mlp::from_tensors(&tensors, "actor", Activation::Tanh).unwrap(), policy.network());
    }

    #[test]
    fn raw_values_are_scaled_first() {
        let scaling = InputScaling { offset: vec![0.0, 100.0], factor: vec![1.0, 0.5] };
        let policy = Policy::new(names(2), scaling, linear(3), Head::Discrete).unwrap();
        assert_eq!(policy.act(&[0.0, 104.0], [0.0, 0.0]).logits, [0.0, 2.0, 4.0]);
    }
}
