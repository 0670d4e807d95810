//! Rounds at work: the block clock asks the miners, the engine re-executes, records and
//! reputation are kept, and the winner's decisions reach the executor.

#![allow(clippy::disallowed_methods, reason = "an edge: clock, network and database")]
