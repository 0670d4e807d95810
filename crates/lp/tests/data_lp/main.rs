//! Rounds over the recorded history of a real pool.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests read recorded data and time themselves")]

mod history;
mod speed;
