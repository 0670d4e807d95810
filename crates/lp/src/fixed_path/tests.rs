//! Fixed-path simulation against the re-executed one and against arithmetic by hand.

use assay_amm::PoolKind;
use assay_amm::concentrated::{PositionKey, amount1_delta, sqrt_price_at_tick};
use assay_amm::event::{Event, LiquidityEvent, Located, Place, SwapEvent};
use assay_amm::kind::{Slipstream, UniswapV3};
use proptest::prelude::*;

use super::*;
use crate::job::{FeeRule, PoolRule};
use crate::participant::Participant;

const LIQUIDITY: u128 = 1_000_000_000_000_000_000_000_000;
const FEE_PIPS: u32 = 3_000;

fn price(tick: i32) -> U256 {
    sqrt_price_at_tick(tick).unwrap()
}

fn rule(kind: PoolKind) -> PoolRule {
    PoolRule { kind, tick_spacing: 10, fee: FeeRule::Pips(FEE_PIPS), unstaked_fee_pips: None }
}

/// A pool that logs what happens to it, one event a block from block 1 on.
struct Recorder {
    pool: ReplayPool,
    events: Vec<Located>,
}

impl Recorder {
    /// At tick 5 with liquidity from −10,000 to 10,000.
    fn new(kind: PoolKind) -> Self {
        let core = Core::new(10, price(5)).unwrap();
        let pool = match kind {
            PoolKind::Slipstream => {
                ReplayPool::Slipstream(Slipstream::new(core, Some(FEE_PIPS), Some(100_000)).unwrap())
            }
            _ => ReplayPool::V3(UniswapV3::new(core, FEE_PIPS, false).unwrap()),
        };
        let mut recorder = Self { pool, events: Vec::new() };
        recorder.change(-10_000, 10_000, LIQUIDITY as i128);
        recorder
    }

    fn log(&mut self, event: Event) {
        let block = self.events.len() as u64 + 1;
        self.events.push(Located { place: Place { block, tx_index: 0, log_index: 0 }, line: block, event });
    }

    fn change(&mut self, tick_lower: i32, tick_upper: i32, delta: i128) {
        let owner = Some(U256::from(7));
        let key = PositionKey {
            owner: if matches!(self.pool, ReplayPool::V3(_)) { U256::from(7) } else { U256::ZERO },
            tick_lower,
            tick_upper,
        };
        let liquidity = delta.unsigned_abs();
        if delta > 0 {
            let amounts = self.pool.mint(key, liquidity).unwrap();
            self.log(Event::Mint(LiquidityEvent { owner, tick_lower, tick_upper, liquidity, amounts }));
        } else {
            let amounts = self.pool.burn(key, liquidity).unwrap();
            self.log(Event::Burn(LiquidityEvent { owner, tick_lower, tick_upper, liquidity, amounts }));
        }
    }

    fn swap(&mut self, zero_for_one: bool, amount: Amount, limit: U256) {
        let context = Context { timestamp: 0, fee: Fee::Pool };
        let swapped = self.pool.swap_if(zero_for_one, amount, limit, &context, |_| true).unwrap();
        self.log(Event::Swap(SwapEvent {
            zero_for_one,
            amount_in: swapped.amount_in,
            amount_out: swapped.amount_out,
            sqrt_price_x96: swapped.sqrt_price_x96,
            liquidity: swapped.liquidity,
            tick: swapped.tick(),
            fee_pips: Some(FEE_PIPS),
            mode: None,
        }));
    }

    /// The market after the first event, and what was asked for afterwards.
    fn market(&self, kind: PoolKind) -> (Market, Vec<Recorded>) {
        let mut market = Market::created(rule(kind), price(5)).unwrap();
        market.apply(&self.events[0]).unwrap();
        let start = market.clone();
        let recorded = self.events[1..].iter().filter_map(|event| market.apply(event).unwrap()).collect();
        assert_eq!(market.mismatches(), 0);
        (start, recorded)
    }
}

fn rich() -> Amounts {
    [U256::ONE << 120; 2].into()
}

fn fixed(market: &Market, recorded: &[Recorded], ranges: &[(i32, i32, u128)]) -> FixedPathResult {
    let mut path = FixedPath::start(market, 1, rich()).unwrap();
    for (lower, upper, liquidity) in ranges {
        path.place(*lower, *upper, *liquidity).unwrap();
    }
    path.apply(recorded).unwrap();
    path.result().unwrap()
}

/// One swap from tick 5 to tick 300 crosses the range 100 … 200. What it pays there follows
/// from the curve; judging the whole swap by where it starts or ends gives nothing at all,
/// and by where it starts gives three times too much to the range −100 … 100.
#[test]
fn one_swap_through_a_range_pays_for_its_part_only() {
    let mut recorder = Recorder::new(PoolKind::UniswapV3);
    recorder.swap(false, Amount::In(U256::ONE << 200), price(300));
    let (market, recorded) = recorder.market(PoolKind::UniswapV3);
    let own = LIQUIDITY / 1_000;
    let share = |fee: U256| integer::mul_div(fee, U256::from(own), U256::from(LIQUIDITY + own)).unwrap();
    let fee_between = |from, to| {
        let kept = U256::from(PIPS - FEE_PIPS);
        integer::mul_div_up(amount1_delta(price(from), price(to), LIQUIDITY, true), U256::from(FEE_PIPS), kept).unwrap()
    };
    let whole = share(fee_between(5, 300));
    for (range, inside, shortcut) in [((100, 200), (100, 200), U256::ZERO), ((-100, 100), (5, 100), whole)] {
        let result = fixed(&market, &recorded, &[(range.0, range.1, own)]);
        let by_hand = share(fee_between(inside.0, inside.1));
        let [fee0, fee1] = result.fees.pair();
        assert_eq!(fee0, U256::ZERO);
        assert!(by_hand.abs_diff(fee1) <= U256::ONE, "{range:?}: {fee1}, by hand {by_hand}");
        assert!(shortcut.abs_diff(fee1) * U256::from(2) > fee1, "{range:?}: the shortcut's {shortcut} is near {fee1}");
    }
}

/// The range gave its token 0 for token 1, and nobody brought the one or took the other.
#[test]
fn what_the_range_turned_over_is_named() {
    let mut recorder = Recorder::new(PoolKind::UniswapV3);
    recorder.swap(false, Amount::In(U256::ONE << 200), price(300));
    let (market, recorded) = recorder.market(PoolKind::UniswapV3);
    let own = LIQUIDITY / 1_000;
    let result = fixed(&market, &recorded, &[(100, 200, own)]);
    let sold = market.pool().unwrap().core().amounts(100, 200, own as i128).unwrap()[0];
    let bought = amount1_delta(price(100), price(200), own, false);
    assert_eq!(result.unfunded_flow, [(false, sold), (true, bought)]);
    assert_eq!(result.principal.pair(), [U256::ZERO, bought]);
    assert_eq!(result.inventory.pair(), [rich().amount0 - sold, rich().amount1]);
}

/// Two positions in one range share as one of their sum does.
#[test]
fn own_positions_share_among_themselves() {
    let mut recorder = Recorder::new(PoolKind::UniswapV3);
    recorder.swap(true, Amount::In(U256::from(LIQUIDITY / 100)), Core::furthest_limit(true));
    let (market, recorded) = recorder.market(PoolKind::UniswapV3);
    let both = fixed(&market, &recorded, &[(-50, 50, LIQUIDITY / 2), (-50, 50, LIQUIDITY / 2)]);
    let one = fixed(&market, &recorded, &[(-50, 50, LIQUIDITY)]);
    assert!(one.fees.amount0 - both.fees.amount0 <= U256::ONE, "{} {}", one.fees, both.fees);
    assert!(one.fees.amount0 > U256::ZERO);
    assert_eq!(one.skipped, 0);
}

#[test]
fn what_cannot_be_placed_is_refused() {
    let recorder = Recorder::new(PoolKind::UniswapV3);
    let (market, _) = recorder.market(PoolKind::UniswapV3);
    let mut path = FixedPath::start(&market, 1, Amounts::ZERO).unwrap();
    for (lower, upper, liquidity) in [(10, 10, 1), (0, 10, 0), (0, 10, 1_000_000), (20, 33, 1)] {
        assert!(path.place(lower, upper, liquidity).is_err(), "{lower} … {upper}, {liquidity}");
    }
    assert!(path.result().unwrap().principal.is_zero());
}

#[derive(Debug, Clone)]
enum Act {
    Swap { zero_for_one: bool, out: bool, size: u128 },
    Change { lower: i32, width: i32, add: bool },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (any::<bool>(), any::<bool>(), LIQUIDITY / 100_000..LIQUIDITY / 50)
            .prop_map(|(zero_for_one, out, size)| Act::Swap { zero_for_one, out, size }),
        1 => (-20..20_i32, 1..10_i32, any::<bool>()).prop_map(|(lower, width, add)| Act::Change { lower, width, add }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A position of a billionth of the pool does not move it, so both simulations must give
    /// the same fees and principal up to the billionth and to rounding, whatever others do
    /// at the same ticks.
    #[test]
    fn a_tiny_position_earns_what_re_execution_gives(
        acts in prop::collection::vec(act(), 1..30),
        lower in -30..30_i32,
        width in 1..20_i32,
        slipstream in any::<bool>(),
    ) {
        let kind = if slipstream { PoolKind::Slipstream } else { PoolKind::UniswapV3 };
        let mut recorder = Recorder::new(kind);
        let mut open = Vec::new();
        for act in acts {
            match act {
                Act::Swap { zero_for_one, out, size } => {
                    let size = U256::from(size);
                    let amount = if out { Amount::Out(size) } else { Amount::In(size) };
                    let bound = price(if zero_for_one { -5_000 } else { 5_000 });
                    let price = recorder.pool.core().sqrt_price_x96;
                    if if zero_for_one { price > bound } else { price < bound } {
                        recorder.swap(zero_for_one, amount, bound);
                    }
                }
                Act::Change { lower, width, add: true } => {
                    let range = (lower * 10, (lower + width) * 10);
                    recorder.change(range.0, range.1, (LIQUIDITY / 3) as i128);
                    open.push(range);
                }
                Act::Change { .. } => {
                    if let Some((lower, upper)) = open.pop() {
                        recorder.change(lower, upper, -((LIQUIDITY / 3) as i128));
                    }
                }
            }
        }
        let (market, recorded) = recorder.market(kind);
        let (lower, upper) = (lower * 10, (lower + width) * 10);
        let tokens = Amounts::from([U256::from(LIQUIDITY / 1_000_000_000_000); 2]);
        let desired = DesiredPosition {
            tick_lower: lower, tick_upper: upper, allocation0: tokens.amount0, allocation1: tokens.amount1, confidence: None,
        };
        let mut participant = Participant::new(market.round_pool(1).unwrap(), tokens, 1).unwrap();
        participant.rebalance(std::slice::from_ref(&desired), false, Some(FEE_PIPS), 1).unwrap();
        participant.apply(&recorded).unwrap();
        let mut path = FixedPath::start(&market, 1, tokens).unwrap();
        path.rebalance(&[desired]).unwrap();
        path.apply(&recorded).unwrap();

        let holdings = participant.holdings().unwrap();
        let result = path.result().unwrap();
        prop_assert_eq!(result.skipped, 0);
        prop_assert_eq!(path.core().sqrt_price_x96, recorder.pool.core().sqrt_price_x96);
        for token in 0..2 {
            let (own, theirs) = (result.fees.pair()[token], holdings.owed.pair()[token]);
            let allowed = U256::from(30) + theirs / U256::from(1_000_000);
            prop_assert!(own.abs_diff(theirs) <= allowed, "token {token}: {own}, re-executed {theirs}");
            let (own, theirs) = (result.principal.pair()[token], holdings.principal.pair()[token]);
            let allowed = U256::from(30) + tokens.amount0 / U256::from(100_000);
            prop_assert!(own.abs_diff(theirs) <= allowed, "token {token}: {own}, re-executed {theirs}");
            let (gained, flow) = result.unfunded_flow[token];
            let before = tokens.pair()[token];
            let after = result.inventory.pair()[token] + result.principal.pair()[token];
            prop_assert_eq!((after >= before, after.abs_diff(before)), (gained, flow));
        }
    }
}
