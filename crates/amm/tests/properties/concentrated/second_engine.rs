//! Random swaps beside the engine on unbounded integers: every field, to the unit.

use assay_amm::concentrated::Amount;
use assay_amm::{AmmError, Context, Pool};
use num_bigint::BigInt;
use proptest::prelude::*;

use super::pools::{Ask, Family, GAUGE, Spec, any_ask, any_spec, core};
use crate::cases;
use crate::oracle::{self, Outcome, Prices, Rule, big, from, wrapped};

/// The same pool for the second engine.
pub fn twin(pool: &Pool, prices: &Prices) -> oracle::Pool {
    let core = core(pool);
    let mut twin = oracle::Pool::new(prices, core.tick_spacing(), from(core.sqrt_price_x96));
    // One tick below the price's own after a downward swap that ended on a tick.
    twin.tick = core.tick;
    for (key, position) in core.positions.iter().filter(|(_, position)| position.liquidity > 0) {
        twin.add([key.tick_lower, key.tick_upper], &big(position.liquidity), key.owner == GAUGE);
    }
    twin
}

fn rule(pool: &Pool, spec: &Spec, token_in: usize) -> (Rule, u32) {
    match pool {
        Pool::UniswapV4(pool) => {
            let protocol_pips = pool.protocol_fee_pips()[token_in];
            let lp = pool.lp_fee_pips();
            // The providers' fee is taken of what the protocol's leaves, their product rounded down.
            let fee = protocol_pips + lp - u32::try_from(u64::from(protocol_pips) * u64::from(lp) / 1_000_000).unwrap();
            (Rule::V4 { protocol_pips, lp_fee_pips: lp }, fee)
        }
        Pool::Slipstream(pool) => {
            (Rule::Slipstream { unstaked_fee_pips: pool.unstaked_fee_pips().unwrap() }, pool.fee_pips().unwrap())
        }
        Pool::UniswapV3(pool) => match pool.protocol_fee() {
            assay_amm::kind::uniswap_v3::ProtocolFee::Divisor(parts) => {
                (Rule::V3 { divisor: parts[token_in] }, spec.fee_pips)
            }
            assay_amm::kind::uniswap_v3::ProtocolFee::PerTenThousand(parts) => {
                (Rule::Pancake { parts: parts[token_in] }, spec.fee_pips)
            }
        },
        other => panic!("{other:?}"),
    }
}

fn aside(pool: &Pool, token: usize) -> BigInt {
    match pool {
        Pool::UniswapV3(pool) => big(pool.protocol_owed[token]),
        Pool::UniswapV4(pool) => from(pool.protocol_owed[token]),
        Pool::Slipstream(pool) => big(pool.gauge_fees[token]),
        other => panic!("{other:?}"),
    }
}

fn check(spec: &Spec, asks: &[Ask], prices: &Prices) -> Result<usize, TestCaseError> {
    let mut pool = spec.build();
    let mut compared = 0;
    for ask in asks {
        let token_in = ask.token_in();
        let before = pool.clone();
        let Some(limit) = ask.limit(core(&before)) else { continue };
        let (rule, fee_pips) = rule(&before, spec, token_in);
        let swapped = match pool.swap_limited(token_in, 1 - token_in, ask.amount, limit, &Context::default()) {
            Ok(swapped) => swapped,
            // What does not fit 256 bits on the way, and exact outputs at a fee of the whole input.
            Err(AmmError::Overflow { .. } | AmmError::FeeRange { .. }) => {
                prop_assert_eq!(&pool, &before);
                continue;
            }
            // Amounts above what the square root's 160 bits can express; the contract reverts.
            Err(AmmError::InsufficientReserve { .. } | AmmError::NoLiquidity(_)) => continue,
            Err(error) => return Err(TestCaseError::fail(format!("{ask:?}: {error}"))),
        };
        let outcome = twin(&before, prices).swap(
            prices,
            &oracle::Ask {
                zero_for_one: ask.zero_for_one,
                exact_in: matches!(ask.amount, Amount::In(_)),
                amount: from(ask.amount.value()),
                limit: from(limit),
                fee_pips,
                rule,
            },
        );
        // The contracts' registers: growth wraps at 256 bits, what is put aside at their width.
        let bits = if spec.family == Family::V4 { 256 } else { 128 };
        let after = core(&pool);
        let growth = from(after.fee_growth_x128[token_in]) - from(core(&before).fee_growth_x128[token_in]);
        let ours = Outcome {
            amount_in: from(swapped.amount_in),
            amount_out: from(swapped.amount_out),
            remaining: from(swapped.remaining),
            price: from(after.sqrt_price_x96),
            tick: after.tick,
            liquidity: big(after.liquidity),
            staked: match &pool {
                Pool::Slipstream(pool) => big(pool.staked_liquidity),
                _ => big(0),
            },
            growth: wrapped(&growth, 256),
            aside: wrapped(&(aside(&pool, token_in) - aside(&before, token_in)), bits),
            fees: outcome.fees.clone(),
            steps: outcome.steps,
        };
        let outcome =
            Outcome { growth: wrapped(&outcome.growth, 256), aside: wrapped(&outcome.aside, bits), ..outcome };
        prop_assert_eq!(ours, outcome, "{:?}: ours on the left", ask);
        prop_assert_eq!(after.fee_growth_x128[1 - token_in], core(&before).fee_growth_x128[1 - token_in]);
        compared += 1;
    }
    Ok(compared)
}

#[test]
fn swaps_are_those_of_the_second_engine() {
    let prices = Prices::new();
    let mut runner = proptest::test_runner::TestRunner::new(cases(400));
    let total = std::cell::Cell::new(0);
    runner
        .run(&(any_spec(), prop::collection::vec(any_ask(126), 1..6)), |(spec, asks)| {
            total.set(total.get() + check(&spec, &asks, &prices)?);
            Ok(())
        })
        .unwrap();
    assert!(total.get() > 1000, "only {} swaps were compared", total.get());
}
