//! The pool kinds, one file or folder each.
//!
//! Every kind is a struct with the same methods: `token_count`, `quote_exact_in`,
//! `quote_exact_out`, `swap_exact_in`, `swap_exact_out`, `marginal_price` and `max_in`,
//! each taking the indices of the token paid in and of the token received.

mod checked;
pub mod curve_crypto;
pub mod curve_meta;
pub mod curve_stable;
mod search;
pub mod uniswap_v2;

pub use curve_crypto::CurveCrypto;
pub use curve_meta::CurveMeta;
pub use curve_stable::CurveStable;
pub use uniswap_v2::UniswapV2;
