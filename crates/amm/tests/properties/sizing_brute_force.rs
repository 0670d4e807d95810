//! Sizing against every input there is, on pools small enough to try them all, and
//! against windows around the answer on large ones.

use assay_amm::kind::UniswapV2;
use assay_amm::trade::{Leg, Sizing, Terms, Trade, optimal_input};
use assay_amm::{Context, U256};
use proptest::prelude::*;

/// A pair, the token paid in, and nothing else.
type Hop = (UniswapV2, usize);

fn legs(cycle: &[Hop]) -> Vec<Leg<'_>> {
    cycle.iter().map(|(pool, token_in)| Leg { pool, token_in: *token_in }).collect()
}

/// The chained quotes of the contracts; `None` when one of them reverts.
fn output(cycle: &[Hop], input: u128) -> Option<u128> {
    let mut amount = U256::from(input);
    for (pool, token_in) in cycle {
        amount = pool.quote_exact_in(*token_in, 1 - token_in, amount, &Context::default()).ok()?.amount_out;
    }
    Some(amount.to())
}

/// Profit after loan fee and fixed cost; may be negative.
fn profit(cycle: &[Hop], terms: &Terms, input: u128) -> Option<i128> {
    let fee = (input * u128::from(terms.loan_fee)).div_ceil(u128::from(terms.loan_fee_denominator));
    let cost = (input + fee + terms.fixed_cost).cast_signed();
    Some(output(cycle, input)?.cast_signed() - cost)
}

fn size(cycle: &[Hop], terms: &Terms) -> Sizing {
    optimal_input(&legs(cycle), terms).unwrap()
}

/// The trade's figures are the contracts' own.
fn consistent(cycle: &[Hop], terms: &Terms, trade: &Trade) {
    let input = trade.amount_in.to::<u128>();
    assert_eq!(Some(trade.amount_out.to::<u128>()), output(cycle, input));
    assert_eq!(profit(cycle, terms, input), Some(trade.profit.to::<u128>().cast_signed()));
    assert_eq!(trade.amount_out, trade.amount_in + trade.loan_fee + U256::from(terms.fixed_cost) + trade.profit);
    assert!(terms.max_in.is_none_or(|limit| input <= limit) && !trade.profit.is_zero());
}

fn against_all_inputs(cycle: &[Hop], terms: &Terms, inputs: std::ops::RangeInclusive<u128>) {
    let best = inputs.filter_map(|input| profit(cycle, terms, input)).max().unwrap_or(0).max(0);
    let found = size(cycle, &Terms { candidates: u32::MAX, ..*terms });
    assert!(found.certified);
    let earned = found.trade.map_or(0, |trade| trade.profit.to::<u128>().cast_signed());
    assert_eq!(earned, best, "{cycle:?} {terms:?} {found:?}");
    assert_eq!(found.profit_bound, U256::from(best.cast_unsigned()));
    if let Some(trade) = &found.trade {
        consistent(cycle, terms, trade);
    }
    // A short search finds no more, and never claims less than the truth as its bound.
    for candidates in 1..=3 {
        let short = size(cycle, &Terms { candidates, ..*terms });
        assert!(short.profit_bound >= U256::from(best.cast_unsigned()) && short.candidates <= candidates);
        assert!(!short.certified || short.profit_bound == found.profit_bound);
        if let Some(trade) = &short.trade {
            consistent(cycle, terms, trade);
        }
    }
}

fn hop(largest: u128) -> impl Strategy<Value = Hop> {
    let fee = prop_oneof![Just((3, 1000)), Just((25, 10_000)), Just((0, 1)), (0_u32..=400, 401_u32..=1000)];
    (1..=largest, 1..=largest, fee, 0_usize..2)
        .prop_map(|(a, b, (fee, whole), token)| (UniswapV2::new([a, b], fee, whole).unwrap(), token))
}

fn terms(cost: u128, largest: u128) -> impl Strategy<Value = Terms> {
    let fee = prop_oneof![Just((0, 1)), Just((9, 10_000)), (0_u32..=30, 31_u32..=1000)];
    (fee, prop_oneof![Just(0), 0..=cost], proptest::option::weighted(0.3, 0..=largest)).prop_map(
        |((loan_fee, loan_fee_denominator), fixed_cost, max_in)| Terms {
            loan_fee,
            loan_fee_denominator,
            fixed_cost,
            max_in,
            candidates: 256,
        },
    )
}

proptest! {
    #![proptest_config(crate::cases(1_500))]

    /// Four times the largest reserve is beyond any peak that pays: the output of a cycle
    /// is below a reserve.
    #[test]
    fn every_input_of_small_pools(cycle in prop::collection::vec(hop(60), 2..=4), terms in terms(3, 60)) {
        against_all_inputs(&cycle, &terms, 1..=terms.max_in.unwrap_or(60));
    }

    #[test]
    fn every_input_of_medium_pools(cycle in prop::collection::vec(hop(5_000), 2..=4), terms in terms(40, 5_000)) {
        against_all_inputs(&cycle, &terms, 1..=terms.max_in.unwrap_or(5_000));
    }

    /// One token of few units among tokens of many, as dollars of six decimals among ether.
    #[test]
    fn every_input_when_one_token_is_coarse(
        (fine, coarse) in (2_000_u128..=5_000, 3_u128..=40),
        (in_scale, out_scale) in (500_u128..=1500, 500_u128..=1500),
        fees in (0_u32..=5, 0_u32..=5),
        terms in terms(20, 5_000),
    ) {
        let first = UniswapV2::new([fine, coarse], fees.0, 1000).unwrap();
        let second = UniswapV2::new([coarse * in_scale / 1000 + 1, fine * out_scale / 1000 + 1], fees.1, 1000).unwrap();
        against_all_inputs(&[(first, 0), (second, 0)], &terms, 1..=terms.max_in.unwrap_or(8_000));
    }
}

/// Cycles whose prices differ by up to a few percent, with reserves of real sizes.
fn large_cycle() -> impl Strategy<Value = Vec<Hop>> {
    let leg = (20_u32..=84, any::<u64>(), prop_oneof![Just((3, 1000)), Just((25, 10_000)), Just((30, 10_000))]);
    (prop::collection::vec(leg, 2..=4), 40_u32..=84, 1_000_u128..=1_080).prop_map(|(legs, base_bits, edge)| {
        let reserve = |bits: u32, low: u64| (1_u128 << bits) + u128::from(low) % (1_u128 << bits);
        let amounts: Vec<u128> = legs.iter().map(|(bits, low, _)| reserve(*bits, *low)).collect();
        let base = reserve(base_bits, legs[0].1.rotate_left(17));
        let count = legs.len();
        (0..count)
            .map(|index| {
                // Pools i holds token i against token i + 1, at one price but for the edge.
                let reserve_in = if index == 0 { base } else { amounts[index] };
                let reserve_out = if index + 1 == count { base / 1_000 * edge } else { amounts[index + 1] };
                let (fee, whole) = legs[index].2;
                (UniswapV2::new([reserve_in, reserve_out], fee, whole).unwrap(), 0)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(crate::cases(1_000))]

    #[test]
    fn windows_around_the_answer_on_large_pools(cycle in large_cycle(), loan_fee in 0_u32..=9) {
        let terms = Terms { loan_fee, loan_fee_denominator: 10_000, candidates: 2_000, ..Terms::default() };
        let found = size(&cycle, &terms);
        let Some(trade) = found.trade else {
            // No trade: nothing pays at any scale.
            for bits in 0..112 {
                prop_assert!(profit(&cycle, &terms, 1 << bits).is_none_or(|profit| profit <= 0));
            }
            return Ok(());
        };
        consistent(&cycle, &terms, &trade);
        prop_assert!(trade.profit <= found.profit_bound);
        let (centre, earned) = (trade.amount_in.to::<u128>(), trade.profit.to::<u128>().cast_signed());
        let bound = found.profit_bound.to::<u128>().cast_signed();
        for distance in (1..200).chain((8..110).map(|bits| 1_u128 << bits)) {
            for input in [centre.checked_add(distance), centre.checked_sub(distance)].into_iter().flatten() {
                let other = profit(&cycle, &terms, input).unwrap_or(i128::MIN);
                prop_assert!(other <= bound, "{input}: {other} above the bound {bound}");
                prop_assert!(!found.certified || other <= earned, "{input}: {other} above {earned}");
            }
        }
    }
}

#[test]
fn reserves_at_the_limit_of_the_contract() {
    let largest = (1_u128 << 112) - 1;
    let cycle = [
        (UniswapV2::new([largest - 1_000, largest], 0, 1).unwrap(), 0),
        (UniswapV2::new([largest / 2, largest], 0, u32::MAX / 2).unwrap(), 0),
        (UniswapV2::new([largest / 3, largest], 1, u32::MAX).unwrap(), 0),
        (UniswapV2::new([7, largest], 0, 1).unwrap(), 0),
    ];
    // The first pair has room for a thousand more units: that is the best input.
    let found = size(&cycle, &Terms::default());
    assert!(found.certified);
    assert_eq!(found.trade.unwrap().amount_in, U256::from(1_000));
    consistent(&cycle, &Terms::default(), &found.trade.unwrap());
}

/// A pair in the middle that has room for a thousand units more: every input that sends
/// it at most those is allowed, the next one is not.
#[test]
fn room_in_the_middle_of_the_cycle() {
    let largest = (1_u128 << 112) - 1;
    let cycle = [
        (UniswapV2::new([50_000, 500_000], 3, 1000).unwrap(), 0),
        (UniswapV2::new([largest - 1_000, largest], 3, 1000).unwrap(), 0),
        (UniswapV2::new([100_000, 50_000], 3, 1000).unwrap(), 0),
    ];
    against_all_inputs(&cycle, &Terms::default(), 1..=20_000);
    let input = size(&cycle, &Terms::default()).trade.unwrap().amount_in.to();
    let beyond = (input..input + 1_000).find(|input| output(&cycle[..1], *input).unwrap() > 1_000).unwrap();
    assert!(output(&cycle, beyond - 1).is_some() && output(&cycle, beyond).is_none());
}

/// A largest input lowers the bound as well, so the very first candidate is next to it.
#[test]
fn a_largest_input_bounds_the_profit_there() {
    let unit = 1_000_000_000_000_000_000_u128;
    let cycle = [
        (UniswapV2::new([5_000 * unit, 7_000_000 * unit + 1], 3, 1000).unwrap(), 0),
        (UniswapV2::new([6_000_000 * unit + 7, 5_000 * unit], 3, 1000).unwrap(), 0),
    ];
    for max_in in (1..=20).map(|units| units * unit + 12_345_678_901) {
        let terms =
            Terms { max_in: Some(max_in), loan_fee: 9, loan_fee_denominator: 10_000, fixed_cost: 0, candidates: 1 };
        let found = size(&cycle, &terms);
        let trade = found.trade.unwrap();
        consistent(&cycle, &terms, &trade);
        assert!(found.profit_bound - trade.profit <= U256::from(2), "{found:?}");
        assert!(trade.amount_in + U256::from(10) >= U256::from(max_in), "{found:?}");
    }
}

#[test]
fn what_cannot_be_sized_is_refused() {
    let pool = UniswapV2::new([1_000, 1_000], 3, 1000).unwrap();
    let empty = UniswapV2::new([0, 1_000], 3, 1000).unwrap();
    let leg = |pool, token_in| Leg { pool, token_in };
    let reason = |legs: &[Leg<'_>], terms: &Terms| optimal_input(legs, terms).unwrap_err().to_string();
    let plain = Terms::default();
    assert!(reason(&[], &plain).contains("needs pairs"));
    assert!(reason(&[leg(&pool, 0), leg(&pool, 1)], &plain).contains("traded before"));
    assert!(reason(&[leg(&pool, 2)], &plain).contains("no pair of tokens 2"));
    assert!(reason(&[leg(&empty, 0)], &plain).contains("no liquidity"));
    let whole = Terms { loan_fee: 10, loan_fee_denominator: 10, ..plain };
    assert!(reason(&[leg(&pool, 0)], &whole).contains("not below 10"));
}
