//! What concentrated-liquidity pools log, and its decoders: tables of decoded events (CSV
//! or JSON lines) and raw logs.

mod fields;
mod gauge;
mod log;
mod raw_log;
mod reader;

pub use fields::Row;
pub use gauge::{FeeEvent, FeeEventKind, GaugeEvent};
pub use log::{BlockHeader, Logged, RawLog};
pub use raw_log::decode_log;
pub use reader::{EventFormat, Events, read_csv, read_json_lines};

use ruint::aliases::U256;

/// Place of an event in its chain; events of a file must ascend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Block number.
    pub block: u64,
    /// Index of the transaction in the block.
    pub tx_index: u64,
    /// Index of the log in the block, or of the event in its transaction.
    pub log_index: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "block {}, transaction {}, log {}", self.block, self.tx_index, self.log_index)
    }
}

/// An event with its place and its line in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where in the chain.
    pub place: Place,
    /// Line of the file, from 1.
    pub line: u64,
    /// What happened.
    pub event: Event,
}

/// How a swap was asked for, where the record says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapMode {
    /// An exact input was used up.
    ExactIn,
    /// An exact output was reached.
    ExactOut,
    /// The swap stopped at its price limit.
    PriceLimit,
}

impl SwapMode {
    /// The name in files: `ein`, `eout` or `lim`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ExactIn => "ein",
            Self::ExactOut => "eout",
            Self::PriceLimit => "lim",
        }
    }
}

/// What a pool logged about a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwapEvent {
    /// Whether token 0 was paid in.
    pub zero_for_one: bool,
    /// Paid in, in units.
    pub amount_in: U256,
    /// Paid out, in units.
    pub amount_out: U256,
    /// Square-root price after the swap.
    pub sqrt_price_x96: U256,
    /// Liquidity in range after the swap.
    pub liquidity: u128,
    /// Tick after the swap.
    pub tick: i32,
    /// Fee of this swap in millionths, where the record says it.
    pub fee_pips: Option<u32>,
    /// How it was asked for, where the record says it.
    pub mode: Option<SwapMode>,
}

/// A change of a position's liquidity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiquidityEvent {
    /// The owner as a number, where the record says it.
    pub owner: Option<U256>,
    /// First tick of the range.
    pub tick_lower: i32,
    /// First tick above the range.
    pub tick_upper: i32,
    /// Liquidity added or taken out.
    pub liquidity: u128,
    /// Tokens that move with it, in units.
    pub amounts: [U256; 2],
}

/// What a pool logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The first price.
    Initialize {
        /// Square-root price.
        sqrt_price_x96: U256,
        /// Its tick, where the record says it.
        tick: Option<i32>,
    },
    /// Liquidity added.
    Mint(LiquidityEvent),
    /// Liquidity taken out, or with none a touch of the position.
    Burn(LiquidityEvent),
    /// Owed tokens paid out.
    Collect {
        /// The owner as a number, where the record says it.
        owner: Option<U256>,
        /// First tick of the range.
        tick_lower: i32,
        /// First tick above the range.
        tick_upper: i32,
        /// Tokens paid, in units.
        amounts: [U256; 2],
    },
    /// A swap.
    Swap(SwapEvent),
    /// A flash loan.
    Flash {
        /// Tokens lent, in units.
        amounts: [U256; 2],
        /// Tokens paid on top, in units.
        paid: [U256; 2],
    },
    /// A new protocol fee (V3's divisors or Pancake's parts in 10,000).
    SetFeeProtocol {
        /// For token 0 and token 1.
        parts: [u32; 2],
    },
    /// Fees paid out to a Slipstream gauge.
    CollectGauge {
        /// Tokens paid, in units.
        amounts: [U256; 2],
    },
    /// Protocol fees paid out.
    CollectProtocol {
        /// Tokens paid, in units.
        amounts: [U256; 2],
    },
}

impl Event {
    /// The name in files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Initialize { .. } => "initialize",
            Self::Mint(_) => "mint",
            Self::Burn(_) => "burn",
            Self::Collect { .. } => "collect",
            Self::Swap(_) => "swap",
            Self::Flash { .. } => "flash",
            Self::SetFeeProtocol { .. } => "set_fee_protocol",
            Self::CollectGauge { .. } => "collect_gauge",
            Self::CollectProtocol { .. } => "collect_protocol",
        }
    }
}

/// A line that is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct EventError {
    /// Line of the file, from 1.
    pub line: u64,
    /// What is wrong, with the value.
    pub reason: String,
}
