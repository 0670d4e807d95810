//! The contract's own test vectors for Slipstream swaps: fifteen pools, sixteen swaps each,
//! with nothing, everything and half of the liquidity staked.

mod matrix;
mod rounding;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Read};

use crate::oracle::{self, Ask, Outcome, Prices, Rule, big, from};
use assay_amm::concentrated::{Amount, Core, PositionKey};
use assay_amm::kind::Slipstream;
use assay_amm::{AmmError, Context, U256};
use matrix::{SETUPS, SWAPS, Setup, Staking, Swap, root};
use num_bigint::BigInt;
use rounding::Rounding;
use serde_json::value::RawValue;

const TRADER: U256 = U256::from_limbs([1, 0, 0, 0]);
const GAUGE: U256 = U256::from_limbs([2, 0, 0, 0]);

/// One recorded case: digits of numbers, texts without quotes.
type Case = BTreeMap<String, String>;

fn read_cases(file: &str) -> BTreeMap<String, Case> {
    let path = crate::recorded::data("liquidity/slipstream-swap-assert-vectors.json.tar.xz");
    let compressed = fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut archive = Vec::new();
    lzma_rs::xz_decompress(&mut BufReader::new(compressed), &mut archive).unwrap();
    let text = member(&archive, file);
    let cases: BTreeMap<String, BTreeMap<String, Box<RawValue>>> = serde_json::from_str(&text).unwrap();
    let plain = |value: Box<RawValue>| value.get().trim_matches('"').to_owned();
    cases
        .into_iter()
        .map(|(name, case)| (name, case.into_iter().map(|(field, value)| (field, plain(value))).collect()))
        .collect()
}

/// The text of a file in a tar archive: headers of 512 bytes, with the name first and the
/// size in octal at 124.
fn member(archive: &[u8], name: &str) -> String {
    let mut rest = archive;
    while rest.len() >= 512 {
        let (header, body) = rest.split_at(512);
        let own: String = header[..100].iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect();
        let octal: String =
            header[124..136].iter().map(|byte| char::from(*byte)).filter(char::is_ascii_digit).collect();
        let size = usize::from_str_radix(&octal, 8).unwrap_or(0);
        if own.trim_start_matches("./") == name {
            let mut text = String::new();
            (&body[..size]).read_to_string(&mut text).unwrap();
            return text;
        }
        rest = &body[size.div_ceil(512) * 512..];
    }
    panic!("no {name} in the archive");
}

/// A pool of the engine, the same of the oracle, and the tokens minted into it.
struct Pools {
    ours: Slipstream,
    oracle: oracle::Pool,
    minted: [BigInt; 2],
}

fn build(setup: &Setup, prices: &Prices, staking: Staking) -> Pools {
    let unstaked_fee_pips = match staking {
        Staking::Half { unstaked_fee_pips } => unstaked_fee_pips,
        _ => 0,
    };
    let price: U256 = setup.price().to_string().parse().unwrap();
    let core = Core::new(setup.spacing, price).unwrap();
    let mut ours = Slipstream::new(core, Some(setup.fee_pips), Some(unstaked_fee_pips)).unwrap();
    ours.gauge = Some(GAUGE);
    let mut oracle = oracle::Pool::new(prices, setup.spacing, setup.price());
    let mut minted = [big(0), big(0)];
    for (range, liquidity, staked) in setup.positions(prices, staking) {
        let amounts = oracle.amounts(prices, range, &liquidity, true);
        oracle.add(range, &liquidity, staked);
        let liquidity: i128 = liquidity.try_into().unwrap();
        let key = PositionKey { owner: TRADER, tick_lower: range[0], tick_upper: range[1] };
        let paid = ours.mint(key, liquidity.unsigned_abs()).unwrap();
        assert_eq!(paid.map(from), amounts, "{}: the tokens of a mint", setup.name);
        if staked {
            ours.stake(key, liquidity).unwrap();
        }
        for token in 0..2 {
            minted[token] += &amounts[token];
        }
    }
    assert_eq!(from(U256::from(ours.staked_liquidity)), oracle.staked);
    Pools { ours, oracle, minted }
}

/// What a case says after a swap, in the file's names.
fn fields(pools: &Pools, swap: &Swap, outcome: &Outcome) -> BTreeMap<&'static str, BigInt> {
    let (paid, received) = (outcome.amount_in.clone(), -&outcome.amount_out);
    let [amount0, amount1] = if swap.zero_for_one { [paid, received] } else { [received, paid] };
    let of = |value: &BigInt, token0: bool| if token0 == swap.zero_for_one { value.clone() } else { big(0) };
    BTreeMap::from([
        ("amount0Before", pools.minted[0].clone()),
        ("amount1Before", pools.minted[1].clone()),
        ("amount0Delta", amount0),
        ("amount1Delta", amount1),
        ("feeGrowthGlobal0X128Delta", of(&outcome.growth, true)),
        ("feeGrowthGlobal1X128Delta", of(&outcome.growth, false)),
        ("gaugeFeesToken0", of(&outcome.aside, true)),
        ("gaugeFeesToken1", of(&outcome.aside, false)),
        ("poolPriceBeforeX96", pools.oracle.price.clone()),
        ("poolPriceAfterX96", outcome.price.clone()),
        ("tickBefore", big(pools.oracle.tick)),
        ("tickAfter", big(outcome.tick)),
    ])
}

/// Token 1 per token 0 of the whole swap, times 10^39 and towards zero.
fn execution_price(fields: &BTreeMap<&'static str, BigInt>) -> String {
    let (amount0, amount1) = (&fields["amount0Delta"], &fields["amount1Delta"]);
    if *amount0 != big(0) {
        return (-(amount1 * big(10).pow(39) / amount0)).to_string();
    }
    if *amount1 == big(0) { "NaN" } else { "-Infinity" }.to_owned()
}

/// Runs a swap in the engine and in the oracle, and checks that they agree in everything.
fn run(setup: &Setup, pools: &Pools, swap: &Swap, prices: &Prices) -> Result<(Outcome, Slipstream), AmmError> {
    let token_in = usize::from(!swap.zero_for_one);
    let amount = swap.amount.map_or((U256::ONE << 255) - U256::ONE, U256::from);
    let limit: U256 = match swap.limit {
        Some((above, below)) => root(above, below).to_string().parse().unwrap(),
        None => Core::furthest_limit(swap.zero_for_one),
    };
    let asked = if swap.exact_in { Amount::In(amount) } else { Amount::Out(amount) };
    let quoted = pools.ours.quote_limited(token_in, 1 - token_in, asked, limit, &Context::default());
    let mut after = pools.ours.clone();
    let swapped = after.swap_limited(token_in, 1 - token_in, asked, limit, &Context::default());
    assert_eq!(quoted, swapped, "{} {}", setup.name, swap.name);
    let swapped = match swapped {
        Ok(swapped) => swapped,
        Err(error) => {
            assert_eq!(after, pools.ours, "a refused swap moves nothing");
            return Err(error);
        }
    };
    let ask = Ask {
        zero_for_one: swap.zero_for_one,
        exact_in: swap.exact_in,
        amount: from(amount),
        limit: from(limit),
        fee_pips: setup.fee_pips,
        rule: Rule::Slipstream { unstaked_fee_pips: pools.ours.unstaked_fee_pips().unwrap() },
    };
    let outcome = pools.oracle.swap(prices, &ask);
    let expected = Outcome {
        amount_in: from(swapped.amount_in),
        amount_out: from(swapped.amount_out),
        remaining: from(swapped.remaining),
        price: from(after.core.sqrt_price_x96),
        tick: after.core.tick,
        liquidity: big(after.core.liquidity),
        staked: big(after.staked_liquidity),
        growth: from(after.core.fee_growth_x128[token_in]),
        aside: big(after.gauge_fees[token_in]),
        fees: outcome.fees.clone(),
        steps: outcome.steps,
    };
    assert_eq!(expected, outcome, "{} {}: the engine on the left, the oracle on the right", setup.name, swap.name);
    assert_eq!(after.core.fee_growth_x128[1 - token_in], U256::ZERO);
    assert_eq!(after.gauge_fees[1 - token_in], 0);
    Ok((outcome, after))
}

/// The comparison of one file: fields that differ, by name, with the worst difference.
#[derive(Default)]
struct Table {
    cases: usize,
    refused: usize,
    exact: usize,
    differing: BTreeMap<&'static str, (usize, BigInt)>,
}

/// A field of a case that is not the contract's.
#[derive(Clone, Copy)]
struct Deviation<'a> {
    setup: &'a Setup,
    swap: &'a Swap,
    pools: &'a Pools,
    outcome: &'a Outcome,
    field: &'a str,
    recorded: &'a BigInt,
    ours: &'a BigInt,
}

fn compare(file: &str, staking: Staking, mut explain: impl FnMut(&Deviation)) -> Table {
    let cases = read_cases(file);
    let prices = Prices::new();
    let mut table = Table::default();
    for setup in &SETUPS {
        let pools = build(setup, &prices, staking);
        for swap in &SWAPS {
            let name = format!("{}_{}", setup.name, swap.name);
            let case = cases.get(&name).unwrap_or_else(|| panic!("{file}: no case {name}"));
            table.cases += 1;
            let number = |field: &str| -> BigInt { case[field].parse().unwrap_or_else(|_| panic!("{name} {field}")) };
            match run(setup, &pools, swap, &prices) {
                Err(AmmError::PriceLimit { .. }) => {
                    assert!(case["swapError"].ends_with("revert SPL"), "{name}: {case:?}");
                    table.refused += 1;
                    assert_eq!(number("poolPriceBefore"), pools.oracle.price);
                    assert_eq!(number("tickBefore"), big(pools.oracle.tick));
                    let off = |token: usize, field| (number(field) - &pools.minted[token]).magnitude().clone();
                    let off = off(0, "poolBalance0").max(off(1, "poolBalance1"));
                    assert!(off <= u8::from(staking != Staking::Nothing).into(), "{name}: balances off by {off}");
                    table.exact += 1;
                }
                Err(error) => panic!("{name}: {error}"),
                Ok((outcome, _)) => {
                    let ours = fields(&pools, swap, &outcome);
                    assert_eq!(case.len(), ours.len() + 1, "{name}: a field is not compared");
                    let mut exact = true;
                    for (field, ours) in &ours {
                        let recorded = number(field);
                        if recorded != *ours {
                            exact = false;
                            let worst = table.differing.entry(field).or_default();
                            worst.0 += 1;
                            let off = BigInt::from((&recorded - ours).magnitude().clone());
                            worst.1 = worst.1.clone().max(off);
                            let (pools, outcome, recorded) = (&pools, &outcome, &recorded);
                            explain(&Deviation { setup, swap, pools, outcome, field, recorded, ours });
                        }
                    }
                    let price = &case["executionPrice"];
                    assert_eq!(*price, execution_price(&ours), "{name}");
                    table.exact += usize::from(exact);
                }
            }
        }
    }
    assert_eq!(cases.len(), table.cases, "{file}: every case is a pool and a swap of the matrix");
    crate::recorded::say(&format!(
        "{file:<44} {} cases, {} refused as the contract does, {} exact, {} within rounding",
        table.cases,
        table.refused,
        table.exact,
        table.cases - table.exact
    ));
    for (field, (count, worst)) in &table.differing {
        crate::recorded::say(&format!("  {field:<26} {count:>3} differ, worst {worst:<22} {}", rounding::rule(field)));
    }
    table
}

fn staked_file(file: &str, rounding: &Rounding) -> Table {
    let prices = Prices::new();
    compare(file, rounding.staking, |deviation| rounding.explain(&prices, deviation))
}

#[test]
fn nothing_staked_is_exact() {
    let table = compare("swap_assert.json", Staking::Nothing, |deviation| {
        let Deviation { setup, swap, field, recorded, ours, .. } = deviation;
        panic!("{} {} {field}: recorded {recorded}, ours {ours}", setup.name, swap.name);
    });
    assert_eq!((table.cases, table.refused, table.exact), (240, 50, 240));
}

#[test]
fn everything_staked() {
    let staking = Staking::Everything;
    let rounding = Rounding { staking, gauge_per_step: (1, 1), growth_per_step: (0, 1) };
    let table = staked_file("swap_assert_all_staked.json", &rounding);
    assert_eq!((table.cases, table.refused, table.exact), (240, 50, 192));
}

#[test]
fn half_staked() {
    let staking = Staking::Half { unstaked_fee_pips: 0 };
    let rounding = Rounding { staking, gauge_per_step: (3, 2), growth_per_step: (1, 2) };
    let table = staked_file("swap_assert_partially_staked.json", &rounding);
    assert_eq!((table.cases, table.refused, table.exact), (240, 50, 81));
}

#[test]
fn half_staked_with_a_fee_on_the_rest() {
    let staking = Staking::Half { unstaked_fee_pips: 125_000 };
    let rounding = Rounding { staking, gauge_per_step: (39, 16), growth_per_step: (7, 16) };
    let table = staked_file("swap_assert_partially_staked_with_fee.json", &rounding);
    assert_eq!((table.cases, table.refused, table.exact), (240, 50, 58));
}

/// Staking is booked virtually: it moves no token and no liquidity of the pool, and undoing
/// it leaves nothing but empty entries.
#[test]
fn staking_and_unstaking() {
    let prices = Prices::new();
    for setup in &SETUPS {
        let before = build(setup, &prices, Staking::Nothing).ours;
        let mut pool = before.clone();
        let keys: Vec<PositionKey> = pool.core.positions.keys().copied().collect();
        for key in &keys {
            let all = i128::try_from(pool.core.positions[key].liquidity).unwrap();
            let held = PositionKey { owner: GAUGE, ..*key };
            let in_range = key.tick_lower <= pool.core.tick && pool.core.tick < key.tick_upper;
            let (core, staked) = (pool.core.liquidity, pool.staked_liquidity);
            assert!(pool.stake(*key, all + 1).is_err(), "more than the holder has");
            assert!(pool.stake(*key, -1).is_err(), "more than the gauge has");
            pool.stake(*key, all - 1).unwrap();
            assert_eq!(pool.core.liquidity, core, "staking is not burning");
            let now = if in_range { staked + (all - 1).unsigned_abs() } else { staked };
            assert_eq!(pool.staked_liquidity, now, "only liquidity in range counts");
            assert_eq!(pool.core.positions[key].liquidity, 1);
            assert_eq!(pool.core.positions[&held].liquidity, (all - 1).unsigned_abs());
        }
        let mut nets = BTreeMap::<i32, i128>::new();
        for (key, position) in pool.core.positions.iter().filter(|(key, _)| key.owner == GAUGE) {
            let staked = i128::try_from(position.liquidity).unwrap();
            *nets.entry(key.tick_lower).or_default() += staked;
            *nets.entry(key.tick_upper).or_default() -= staked;
        }
        assert_eq!(pool.staked_net, nets, "{}", setup.name);
        for key in &keys {
            let staked = pool.core.positions[&PositionKey { owner: GAUGE, ..*key }].liquidity;
            pool.stake(*key, -i128::try_from(staked).unwrap()).unwrap();
        }
        assert!(pool.staked_net.values().all(|net| *net == 0));
        assert_eq!(pool.staked_liquidity, 0);
        pool.staked_net.clear();
        pool.core.positions.retain(|key, _| key.owner != GAUGE);
        assert_eq!(pool, before, "{}", setup.name);
    }
    let mut without = build(&SETUPS[0], &prices, Staking::Nothing).ours;
    without.gauge = None;
    let key = *without.core.positions.keys().next().unwrap();
    assert!(matches!(without.stake(key, 1), Err(AmmError::Missing(_))), "there is no gauge");
}

/// The fees of a swap are paid out whole: to the gauge what `collect_gauge_fees` gives, to
/// the unstaked position what it collects; the pool keeps the unit that the gauge leaves and
/// less than two units of rounding per step.
#[test]
fn fees_reach_gauge_and_holders() {
    let prices = Prices::new();
    let mut swaps = 0;
    for setup in &SETUPS {
        let pools = build(setup, &prices, Staking::Half { unstaked_fee_pips: 125_000 });
        for swap in &SWAPS {
            let Ok((outcome, mut pool)) = run(setup, &pools, swap, &prices) else { continue };
            let token_in = usize::from(!swap.zero_for_one);
            let keys: Vec<PositionKey> = pool.core.positions.keys().copied().collect();
            let mut earned = big(0);
            for key in keys {
                pool.burn(key, 0).unwrap();
                let collected = pool.collect(&key, [u128::MAX; 2]);
                assert_eq!(collected[1 - token_in], 0, "fees come in the token paid");
                assert!(key.owner == TRADER || collected == [0; 2], "staked positions earn none");
                earned += collected[token_in];
            }
            let gauge = pool.gauge_fees[token_in];
            let paid = pool.collect_gauge_fees();
            if gauge > 1 {
                assert_eq!((paid[token_in], pool.gauge_fees[token_in]), (gauge - 1, 1), "one unit stays");
                assert_eq!(pool.collect_gauge_fees()[token_in], 1, "the contract says one and pays nothing");
                assert_eq!(pool.gauge_fees[token_in], 1);
            }
            let lost = &outcome.fees - &earned - gauge;
            let bound: BigInt = big(outcome.steps) + pool.core.positions.len();
            assert!(big(0) <= lost && lost <= bound, "{} {}: {lost} of {}", setup.name, swap.name, outcome.fees);
            swaps += 1;
        }
    }
    assert_eq!(swaps, 190);
}
