//! Rounds over real HTTP miners and real databases.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests of an edge")]

mod follow;
mod market;
mod miners;
mod world;
