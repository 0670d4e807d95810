//! Damaged state files are errors, never panics; what still reads is quoted without one.

use crate::damage::{damage, damaged};
use assay_amm::{Context, U256, snapshot};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// One or more states of every family that `snapshot` reads. A new family adds its own.
const SAMPLES: [&str; 5] = [
    r#"{"kind": "uniswap-v2", "block": 12412732, "timestamp": 1620766000,
        "reserves_token0": "42091913151800330961670", "reserves_token1": 1827023676933994067435, "fee": "3/1000",
        "tokens": [{"address": "0x87d7", "symbol": "T0", "decimals": 18}, {"address": "0xc02a"}]}"#,
    r#"{"block_timestamp": 7, "reserves_token0": 12, "reserves_token1": "5192296858534827628530496329220095",
        "fee_token0": "25/10000", "fee_token1": "30/10000", "token0": {"address": "0x1"}, "token1": {"address": "0x2"}}"#,
    r#"{"kind": "uniswap-v3", "tick_spacing": 60, "sqrt_price_x96": "79228162514264337593543950336", "tick": 0, "liquidity": 3000000000000,
        "fee": 3000, "fee_protocol": [4, 0], "ticks": [{"tick": -120, "liquidity_gross": 3000000000000, "liquidity_net": 3000000000000},
        {"tick": 180, "liquidity_gross": "3000000000000", "liquidity_net": "-3000000000000"}]}"#,
    r#"{"kind": "uniswap-v4", "scalars": {"tick_spacing": 10, "sqrt_price_x96": 79267784519130042428790663799, "tick": 10,
        "liquidity": "7000000", "lp_fee": 500, "protocol_fee_zero_for_one": 1000, "protocol_fee_one_for_zero": 0}, "tick_data": {"20": [7000000, -7000000],
        "-20": {"liquidity_gross": 5000000, "liquidity_net": 5000000}, "15000": [1, 1], "887270": [1, -1], "0": [2000000, 2000000]}}"#,
    r#"{"kind": "slipstream", "tick_spacing": 200, "sqrt_price_x96": 79228162514264337593543950336, "tick": 0, "liquidity": 9,
        "fee": 450, "unstaked_fee_pips": 100000, "ticks": [{"tick": -887200, "liquidity_gross": 9, "liquidity_net": 9},
        {"tick": 887200, "liquidity_gross": 9, "liquidity_net": -9}]}"#,
];

/// Asks everything of whatever can be read. True when the text is a state.
fn survives(text: &str) -> bool {
    let Ok(state) = snapshot::decode(text) else { return false };
    let count = state.pool.token_count();
    for name in ["0", "T0", "", "0x1", "99999999999999999999"] {
        let _ = state.token(name);
    }
    for (token_in, token_out) in [(0, 1), (1, 0), (0, 0), (count, 0), (0, usize::MAX)] {
        for amount in [U256::ZERO, U256::ONE, U256::ONE << 64, U256::ONE << 111, U256::MAX] {
            for context in [state.context(), Context::default()] {
                let _ = state.pool.quote_exact_in(token_in, token_out, amount, &context);
                let _ = state.pool.quote_exact_out(token_in, token_out, amount, &context);
                let _ = state.pool.clone().swap_exact_in(token_in, token_out, amount, &context);
                let _ = state.pool.clone().swap_exact_out(token_in, token_out, amount, &context);
                let _ = state.pool.marginal_price(token_in, token_out, &context);
                let _ = state.pool.max_in(token_in, token_out, &context);
            }
        }
    }
    true
}

#[test]
fn the_samples_are_states() {
    for sample in SAMPLES {
        assert!(survives(sample), "{:?}", snapshot::decode(sample).err());
    }
}

/// Every prefix, so that every field is once the one that is cut.
#[test]
fn every_truncation_is_refused() {
    for sample in SAMPLES {
        for end in (0..sample.len()).filter(|end| sample.is_char_boundary(*end)) {
            assert!(!survives(&sample[..end]), "{}", &sample[..end]);
        }
    }
}

/// Most damages are refused and some leave a state: both ways out are exercised.
#[test]
fn damages_are_survived() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cases = (0..SAMPLES.len(), prop::collection::vec(damage(), 1..=3));
    let (mut read, mut refused) = (0, 0);
    for _ in 0..9_000 {
        let (sample, damages) = cases.new_tree(&mut runner).unwrap().current();
        if survives(&damaged(SAMPLES[sample], &damages)) { read += 1 } else { refused += 1 }
    }
    assert!(read > 300 && refused > 1_000, "{read} read, {refused} refused");
}
