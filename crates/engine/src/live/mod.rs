//! Strategies on a market that goes on: one desk per series of candles, with time as an
//! argument. Where candles come from and where signals go is left to others.

mod desk;
mod gate;
mod limits;

pub use desk::{Desk, Member, MemberState, Said, Timing};
pub use gate::{Breach, UsedLimits, day_of_close};
pub use limits::{Limits, Loosened, loosen_phrase, publish_phrase};
