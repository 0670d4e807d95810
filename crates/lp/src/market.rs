//! The pool as it really was: recorded events through the exact engine, and what each of
//! them asked for, so that it can be asked again in another pool.

use assay_amm::concentrated::{Amount, Core, PositionKey};
use assay_amm::event::{Event, Located, Place, SwapMode};
use assay_amm::kind::{Slipstream, UniswapV3};
use assay_amm::replay::{Replay, ReplayPool};
use assay_amm::{PoolKind, U256};

use crate::error::LpError;
use crate::job::{FeeRule, PoolRule};

/// What someone asked of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// A swap.
    Swap {
        /// Whether token 0 is paid in.
        zero_for_one: bool,
        /// What is fixed.
        amount: Amount,
        /// Where it stops.
        sqrt_price_limit_x96: U256,
        /// The fee in millionths.
        fee_pips: Option<u32>,
        /// Whether this gives the recorded outcome in the recorded pool; otherwise it goes
        /// to the recorded price.
        exact: bool,
    },
    /// Liquidity added (above zero) or taken out.
    Liquidity {
        /// First tick of the range.
        tick_lower: i32,
        /// First tick above the range.
        tick_upper: i32,
        /// The change.
        delta: i128,
    },
    /// A flash loan.
    Flash {
        /// Tokens lent.
        amounts: [U256; 2],
        /// Tokens paid on top.
        paid: [U256; 2],
        /// The fee in millionths.
        fee_pips: Option<u32>,
    },
    /// A new protocol fee.
    ProtocolFee([u32; 2]),
}

/// A request with its place, and the price that the recorded pool had after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Where in the chain.
    pub place: Place,
    /// What was asked.
    pub request: Request,
    /// The recorded pool's square-root price afterwards.
    pub sqrt_price_x96: U256,
}

/// The recorded pool, moved on event by event.
#[derive(Debug, Clone)]
pub struct Market {
    rule: PoolRule,
    replay: Option<Replay>,
}

/// Owner under which all recorded positions of a range are kept in a round's pools.
const OTHERS: U256 = U256::ZERO;

impl Market {
    /// A pool before its first event.
    #[must_use]
    pub fn new(rule: PoolRule) -> Self {
        Self { rule, replay: None }
    }

    /// A pool created at a price, for records that leave its creation out.
    ///
    /// # Errors
    /// A price out of range.
    pub fn created(rule: PoolRule, sqrt_price_x96: U256) -> Result<Self, LpError> {
        let pool = empty_pool(&rule, sqrt_price_x96)?;
        Ok(Self { rule, replay: Some(Replay::new(pool)) })
    }

    /// Takes the next event; gives what it asked for, unless it asked for nothing that
    /// moves the pool.
    ///
    /// # Errors
    /// An event out of order, or one that the pool could not have logged.
    pub fn apply(&mut self, located: &Located) -> Result<Option<Recorded>, LpError> {
        if let (None, Event::Initialize { sqrt_price_x96, .. }) = (&self.replay, &located.event) {
            self.replay = Some(Replay::new(empty_pool(&self.rule, *sqrt_price_x96)?));
        }
        let Some(replay) = &mut self.replay else { return Err(LpError::NoPool { block: located.place.block }) };
        replay.apply(located)?;
        let request = match &located.event {
            Event::Swap(swap) => {
                let intent = replay.last_intent().ok_or(LpError::Overflow { what: "a swap without intent" })?;
                let furthest = Core::furthest_limit(intent.zero_for_one);
                let all = Amount::In((U256::ONE << 255) - U256::ONE);
                let (amount, limit) = match intent.mode {
                    _ if !intent.exact => (all, swap.sqrt_price_x96),
                    SwapMode::ExactIn => (Amount::In(swap.amount_in), furthest),
                    SwapMode::ExactOut => (Amount::Out(swap.amount_out), furthest),
                    SwapMode::PriceLimit => (all, swap.sqrt_price_x96),
                };
                Some(Request::Swap {
                    zero_for_one: intent.zero_for_one,
                    amount,
                    sqrt_price_limit_x96: limit,
                    fee_pips: intent.fee_pips,
                    exact: intent.exact,
                })
            }
            Event::Mint(change) | Event::Burn(change) if change.liquidity > 0 => {
                let delta = i128::try_from(change.liquidity).map_err(|_| LpError::Overflow { what: "liquidity" })?;
                Some(Request::Liquidity {
                    tick_lower: change.tick_lower,
                    tick_upper: change.tick_upper,
                    delta: if matches!(located.event, Event::Mint(_)) { delta } else { -delta },
                })
            }
            Event::Flash { amounts, paid } => {
                Some(Request::Flash { amounts: *amounts, paid: *paid, fee_pips: replay.fee_pips() })
            }
            Event::SetFeeProtocol { parts } => Some(Request::ProtocolFee(*parts)),
            _ => None,
        };
        let sqrt_price_x96 = replay.pool().core().sqrt_price_x96;
        Ok(request.map(|request| Recorded { place: located.place, request, sqrt_price_x96 }))
    }

    /// Events that did not come out as recorded so far.
    #[must_use]
    pub fn mismatches(&self) -> u64 {
        self.replay.as_ref().map_or(0, |replay| replay.counts().mismatches)
    }

    /// The fee of the latest swap, or the pool's own, in millionths, when one is known.
    #[must_use]
    pub fn fee_pips(&self) -> Option<u32> {
        self.replay.as_ref().and_then(Replay::fee_pips)
    }

    /// The recorded pool.
    #[must_use]
    pub fn pool(&self) -> Option<&ReplayPool> {
        self.replay.as_ref().map(Replay::pool)
    }

    /// Where the latest event was.
    #[must_use]
    pub fn last_place(&self) -> Option<Place> {
        self.replay.as_ref().and_then(Replay::last_place)
    }

    /// A copy for a round: recorded positions joined by range, what they are owed left out,
    /// the round's unstaked fee set.
    ///
    /// # Errors
    /// A pool without a price, or a fee out of range.
    pub fn round_pool(&self, block: u64) -> Result<ReplayPool, LpError> {
        let mut pool = self.pool().ok_or(LpError::NoPool { block })?.clone();
        let core = pool.core_mut();
        let mut ranges = std::collections::BTreeMap::<(i32, i32), u128>::new();
        for (key, position) in std::mem::take(&mut core.positions) {
            if position.liquidity > 0 {
                let sum = ranges.entry((key.tick_lower, key.tick_upper)).or_default();
                *sum = sum.checked_add(position.liquidity).ok_or(LpError::Overflow { what: "liquidity" })?;
            }
        }
        for ((tick_lower, tick_upper), liquidity) in ranges {
            let fee_growth_inside_x128 = core.fee_growth_inside(tick_lower, tick_upper);
            let position = assay_amm::concentrated::Position { liquidity, fee_growth_inside_x128, owed: [0; 2] };
            core.positions.insert(others(tick_lower, tick_upper), position);
        }
        match &mut pool {
            ReplayPool::V3(pool) => pool.protocol_owed = [0; 2],
            ReplayPool::Slipstream(pool) => {
                pool.gauge_fees = [0; 2];
                let set = pool.set_unstaked_fee(self.rule.unstaked_fee_pips());
                set.map_err(|source| LpError::Engine { what: "the unstaked fee", source })?;
            }
        }
        Ok(pool)
    }
}

/// The key of all recorded liquidity in a range.
pub(crate) const fn others(tick_lower: i32, tick_upper: i32) -> PositionKey {
    PositionKey { owner: OTHERS, tick_lower, tick_upper }
}

fn empty_pool(rule: &PoolRule, sqrt_price_x96: U256) -> Result<ReplayPool, LpError> {
    let engine = |source| LpError::Engine { what: "a new pool", source };
    let core = Core::new(rule.tick_spacing, sqrt_price_x96).map_err(engine)?;
    let fee_pips = match rule.fee {
        FeeRule::Pips(pips) => Some(pips),
        FeeRule::Events => None,
    };
    Ok(match rule.kind {
        PoolKind::Slipstream => {
            let pool = Slipstream::new(core, fee_pips, Some(rule.unstaked_fee_pips())).map_err(engine)?;
            ReplayPool::Slipstream(pool)
        }
        kind => {
            let fee_pips = fee_pips.unwrap_or_default();
            ReplayPool::V3(UniswapV3::new(core, fee_pips, kind == PoolKind::PancakeV3).map_err(engine)?)
        }
    })
}
