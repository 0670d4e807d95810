//! The words every other crate speaks: fixed-point money, candles, markets, hashes,
//! time, signals and their signatures.
//!
//! Nothing here knows how a strategy works or where data are kept; this crate
//! depends on no other crate of the workspace.

mod candle;
mod fixed;
mod hash;
mod market;
mod scaling;
mod secret;
mod signal;
mod signature;
pub mod time;
mod timeframe;
mod trade;

pub use candle::{Candle, CandleError, Candles, Gap, MAX_PRICE};
pub use ed25519_dalek::SigningKey;
pub use fixed::{
    DecimalError, MONEY_SCALE, Money, PRICE_SCALE, Price, Qty, format_scaled, from_f64_scaled, parse_scaled,
};
pub use hash::{Hash, HashError, Hasher, canonical_json};
pub use market::{DEFAULT_FEE_PPM, Dataset, Instrument, Market, MarketError, instrument};
pub use scaling::{InputScaling, SCALED_LIMIT};
pub use secret::Secret;
pub use signal::{Action, FillRule, ReceivedSignal, Signal, SignalHeader, SignalMode, Target};
pub use signature::{SignatureError, public_key_text, sign, sign_bytes, verify, verify_bytes};
pub use timeframe::{Timeframe, TimeframeError};
pub use trade::{TakerSide, Trade};
