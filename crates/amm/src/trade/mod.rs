//! Trading over pools: slippage, routes of any kind and the size of an arbitrage.
//!
//! [`route`] chains exact integer quotes; [`sizing`] finds the best integer input of a
//! constant-product cycle with a proof; [`slippage`] and [`multi_hop`] say what a trade
//! loses against the price; [`calculator`] takes the same questions in decimal figures, for
//! people who ask with round ones. Other files help these.

pub mod calculator;
mod decimal;
mod moebius;
pub mod multi_hop;
pub mod route;
pub mod sizing;
pub mod slippage;

pub use route::{Hop, Route, RouteQuote};
pub use sizing::{Leg, Sizing, Terms, Trade, optimal_input};
