//! The AMM engine against the deployed contracts: the same random operations on both,
//! the same amounts, states and refusals after each.
//!
//! `ASSAY_FUZZ_OPERATIONS` sets the number of operations per kind; without it a short run.
//! Everything follows from the seed, which a failure prints.

#![allow(clippy::unwrap_used, reason = "a test helper that fails fails its test")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "reads how long it may run and prints what it did")]

mod concentrated;
mod fuzz;
mod pair;
mod singleton;
mod terrain;
mod vault;
