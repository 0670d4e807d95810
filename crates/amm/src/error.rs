//! Why a pool refuses: the contract's own reasons, with the values that led to them.

use ruint::aliases::U256;

/// A quote, swap or change of liquidity that the contract would revert, or a state that
/// cannot be quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmmError {
    /// A swap of nothing.
    #[error("the amount is zero")]
    ZeroAmount,
    /// An intermediate result leaves the width the contract computes in.
    #[error("{what} overflows {bits} bits")]
    Overflow {
        /// What was computed, with the values in it.
        what: String,
        /// Width the contract gives it.
        bits: u32,
    },
    /// An intermediate result falls below zero, which the contract's unsigned integers refuse.
    #[error("{what} falls below zero")]
    Underflow {
        /// What was computed, with the values in it.
        what: String,
    },
    /// The pool holds no liquidity to trade against.
    #[error("the pool has no liquidity: {0}")]
    NoLiquidity(String),
    /// The liquidity ends before the whole amount is traded.
    #[error("not enough liquidity: {remaining} of {amount} could not be traded")]
    LiquidityExhausted {
        /// The amount asked for.
        amount: U256,
        /// What was left of it at the end of the liquidity.
        remaining: U256,
    },
    /// More is taken out than the pool holds.
    #[error("{amount} of token {token} are asked for, the pool can give less than {available}")]
    InsufficientReserve {
        /// Index of the token.
        token: usize,
        /// The amount asked for.
        amount: U256,
        /// What bounds it.
        available: U256,
    },
    /// A reserve would leave the width the contract stores.
    #[error("the reserve of token {token} would be {value}, above {limit}")]
    ReserveOverflow {
        /// Index of the token.
        token: usize,
        /// The reserve it would have.
        value: U256,
        /// The largest the contract stores.
        limit: U256,
    },
    /// The same token twice, or an index the pool has no token for.
    #[error("no pair of tokens {token_in} and {token_out} in a pool of {count}")]
    TokenPair {
        /// Index of the token paid in.
        token_in: usize,
        /// Index of the token received.
        token_out: usize,
        /// Tokens of the pool.
        count: usize,
    },
    /// An amount beyond a bound that the contract checks.
    #[error("{what} is {value}, {limit} is the limit")]
    Limit {
        /// What was checked.
        what: &'static str,
        /// Its value.
        value: U256,
        /// The bound.
        limit: U256,
    },
    /// A square-root price that the swap cannot move to.
    #[error("the price limit {limit} is not between the price {price} and the bound {bound} of this direction")]
    PriceLimit {
        /// The limit asked for, as a 64.96-bit square root.
        limit: U256,
        /// The pool's square-root price.
        price: U256,
        /// The lowest or highest square-root price of the kind.
        bound: U256,
    },
    /// A tick out of range, off the spacing or in the wrong order.
    #[error("tick {tick}: {reason}")]
    Tick {
        /// The tick.
        tick: i32,
        /// What is wrong with it.
        reason: String,
    },
    /// A swap that leaves the ticks the state knows.
    #[error("the swap leaves the ticks {low} … {high} that the state knows: load the ticks beyond them")]
    UnknownTicks {
        /// The lowest known tick.
        low: i32,
        /// The highest known tick.
        high: i32,
    },
    /// Liquidity above what a tick may carry, or taken below zero.
    #[error("liquidity of {place}: {reason}")]
    Liquidity {
        /// Tick or position.
        place: String,
        /// What is wrong with it, with the values.
        reason: String,
    },
    /// A fee outside the range of the kind.
    #[error("a fee of {fee} is not below {limit}")]
    FeeRange {
        /// The fee, in the kind's unit.
        fee: u64,
        /// The first value that is refused.
        limit: u64,
    },
    /// The iteration of an invariant does not settle, as in the contract.
    #[error("{what} does not converge")]
    NoConvergence {
        /// What was iterated, with the values.
        what: String,
    },
    /// A field that this kind needs and the state lacks.
    #[error("the state lacks {0}; without it the answer would be a guess")]
    Missing(&'static str),
    /// A state no contract can be in.
    #[error("the pool state is wrong: {0}")]
    State(String),
    /// A path that cannot be traded in one transaction.
    #[error("hop {hop} of the route: {reason}")]
    Route {
        /// Index of the hop.
        hop: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The operation does not exist in this kind's contract.
    #[error("{kind} has no {operation}")]
    Unsupported {
        /// Name of the kind.
        kind: &'static str,
        /// The operation.
        operation: &'static str,
    },
}
