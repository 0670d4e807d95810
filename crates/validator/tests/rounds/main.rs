//! Rounds over real HTTP miners and real databases.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests of an edge")]

mod follow;
mod hostile;
mod live;
mod many;
mod market;
mod miners;
mod processes;
mod stores;
mod world;
