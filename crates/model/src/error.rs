//! What can go wrong with networks, weights and policies.

/// Why a network, a weights file or a policy is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Layer sizes no network can have.
    #[error("layer sizes {0:?} are no network: give at least inputs and outputs, each from 1 to 65536")]
    Sizes(Vec<usize>),
    /// Numbers that do not fit the layer they are for.
    #[error("{what} has {found} numbers where {expected} are needed")]
    Shape {
        /// Which part.
        what: String,
        /// How many numbers there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Bytes that are no safetensors file of single-precision tensors.
    #[error("not a safetensors file of F32 tensors: {0}")]
    Safetensors(String),
    /// A weights file whose tensors are not those of the network.
    #[error("the weights have no tensor `{0}`: they belong to another network")]
    MissingTensor(String),
    /// A weight that is NaN or infinite.
    #[error("tensor `{0}` holds a number that is not finite")]
    NotFinite(String),
    /// Parts of a policy that do not belong together.
    #[error("{0}")]
    Policy(String),
}
