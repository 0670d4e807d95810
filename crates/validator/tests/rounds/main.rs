//! Rounds over real HTTP miners and real databases.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests of an edge")]

mod branches;
mod follow;
mod hostile;
mod live;
mod many;
mod market;
mod miners;
mod processes;
mod python;
mod stores;
mod vault;
mod world;
