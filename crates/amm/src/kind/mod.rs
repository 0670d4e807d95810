//! The pool kinds, one file or folder each.
//!
//! Every kind is a struct with the same methods: `token_count`, `quote_exact_in`,
//! `quote_exact_out`, `swap_exact_in`, `swap_exact_out`, `marginal_price` and `max_in`,
//! each taking the indices of the token paid in and of the token received.

pub mod balancer;
pub mod balancer_stable;
pub mod balancer_weighted;
mod checked;
pub mod curve_crypto;
pub mod curve_meta;
pub mod curve_stable;
mod fault;
mod search;
pub mod slipstream;
pub mod solidly;
pub mod uniswap_v2;
pub mod uniswap_v3;
pub mod uniswap_v4;

pub use balancer_stable::BalancerStable;
pub use balancer_weighted::BalancerWeighted;
pub use curve_crypto::CurveCrypto;
pub use curve_meta::CurveMeta;
pub use curve_stable::CurveStable;
pub use slipstream::Slipstream;
pub use solidly::Solidly;
pub use uniswap_v2::UniswapV2;
pub use uniswap_v3::UniswapV3;
pub use uniswap_v4::UniswapV4;
