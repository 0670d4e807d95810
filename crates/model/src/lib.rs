//! Networks and policies: one inference for training, back-test, signals and audit.
//!
//! Weights, their safetensors file and hash, the forward and backward passes on own
//! kernels ([`kernels`]), optimisers, and the policy with its scaler and its ONNX
//! graph. Nothing here knows markets, accounts or how a policy is trained.

mod chooser;
mod error;
pub mod kernels;
mod mlp;
mod narrow;
mod onnx;
mod optimizer;
mod policy;
mod safetensors;
mod workspace;

pub use chooser::{Choice, Chooser};
pub use error::ModelError;
pub use kernels::{Activation, Isa};
pub use mlp::{Mlp, Want};
pub use optimizer::{Adam, RmsProp, clip_scale};
pub use policy::{ACCOUNT_INPUTS, Decision, Head, Policy, SCALAR_THRESHOLD, TARGETS, scalar_target};
pub use safetensors::{Tensor, from_safetensors, to_safetensors};
pub use workspace::{Gradients, Workspace};
