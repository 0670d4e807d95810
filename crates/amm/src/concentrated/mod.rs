//! What the concentrated-liquidity kinds share: ticks, square-root prices, the walk of a
//! swap and the positions.

mod change;
mod core;
mod ledger;
mod logarithm;
mod position;
mod sqrt_price;
mod step;
mod tick_math;
mod ticks;

pub use self::core::{Core, Swapped, TracedStep};
pub use position::{Position, PositionKey};
pub use sqrt_price::{amount0_delta, amount1_delta, next_price_from_input, next_price_from_output};
pub use step::{Amount, PIPS};
pub use tick_math::{
    MAX_SQRT_PRICE, MAX_TICK, MIN_SQRT_PRICE, MIN_TICK, max_liquidity_per_tick, sqrt_price_at_tick, tick_at_sqrt_price,
};
pub use ticks::{Tick, Ticks, check_tick};

pub(crate) use self::core::{Book, NoBook, Walk, max_in, whole};
pub(crate) use ledger::{Ledger, ProtocolPart, growth_of, settle_growth};
pub(crate) use position::low_128;
pub(crate) use step::Booking;
