//! The binary as its users meet it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the tests run processes and read what they wrote; a panic is how a test fails"
)]

mod layout;
mod one_server;
mod onnx;
mod served;
mod support;

mod backtest;
mod bad_input;
mod canaries;
mod data;
mod demo;
mod disk;
mod doctor;
mod features;
mod first_start;
mod follow;
mod fuzz;
mod jobs;
mod jobs_remote;
mod live;
mod live_metrics;
mod lp;
mod models;
mod outcomes;
mod pool;
mod pool_index;
mod python;
mod resume;
mod series;
mod signals;
mod stop;
mod up;
