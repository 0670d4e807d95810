//! Networks and policies.
pub mod kernels;
