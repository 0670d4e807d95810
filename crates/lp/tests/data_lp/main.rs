//! Rounds over the recorded history of a real pool, and recorded requests of foreign programs.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests read recorded data and time themselves")]

mod history;
mod protocol;
mod speed;
