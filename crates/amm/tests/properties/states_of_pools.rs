//! State files of Balancer and Solidly pools and of pairs: what is read, and what is refused.

use assay_amm::snapshot::decode;
use assay_amm::{Context, Pool, PoolKind, Proof, U256};
use proptest::prelude::*;

const WEIGHTED: &str = r#"{"tokens": [{"address": "0xa", "symbol": "A", "decimals": 18}, {"address": "0xb", "decimals": 6}],
    "balances": ["3008102220163638974", 6289667028], "fee": "9/10000",
    "weights": [500000000000000000, 500000000000000000], "pow_version": "v1"}"#;

const STABLE: &str = r#"{"balances": [83498638933194391, 101943423934693947], "fee": "1/2500", "amp": 50000,
    "resolved_scaling_factors": [1226470562881593452, 1000000000000000000], "bpt_idx": null, "invariant_version": 2}"#;

const COMPOSABLE: &str = r#"{"balances": [3000000000000000000, 2596148429267414000000000000000000, 3000000000000000000],
    "tokens": [{"address": "0xa", "decimals": 18}, {"address": "0xb", "decimals": 18}, {"address": "0xc", "decimals": 18}],
    "swap_fee": 50000000000000, "amp_ramp": {"start": 1000000, "end": 2000000, "start_time": 10, "end_time": 20},
    "resolved_rates": [1000000000000000000, 1000000000000000000, 1100000000000000000], "bpt_idx": 1, "invariant_version": 1,
    "rate_expires": [4102444800, 4102444800, 4102444800],
    "pool_token": {"factory_version": 2, "total_supply": "2596148429267420300000000000000000", "last_join_exit_amp": 1000000,
        "last_join_exit_invariant": "6290000000000000000", "protocol_swap_fee": 500000000000000000,
        "protocol_yield_fee": 500000000000000000, "old_rates": [1000000000000000000, 1090000000000000000],
        "yield_fee_exempt": [false, false]}}"#;

const SOLIDLY: &str = r#"{"stable": true, "fee_raw": 30, "dex": "aerodrome-v2-stable",
    "token0": {"address": "0xa", "decimals": 18}, "token1": {"address": "0xb", "decimals": 6},
    "reserves_token0": 50505815806501471698332, "reserves_token1": 35728582212}"#;

const PAIR: &str =
    r#"{"reserves_token0": 12282455599528885, "reserves_token1": 22045620, "fee_numer": 25, "fee_denom": 10000}"#;

const ALL: [(&str, PoolKind); 5] = [
    (WEIGHTED, PoolKind::BalancerWeighted),
    (STABLE, PoolKind::BalancerStable),
    (COMPOSABLE, PoolKind::BalancerComposableStable),
    (SOLIDLY, PoolKind::SolidlyStable),
    (PAIR, PoolKind::UniswapV2),
];

#[test]
fn kinds_are_recognised_and_quoted() {
    for (text, kind) in ALL {
        let snapshot = decode(text).unwrap();
        assert_eq!(snapshot.pool.kind(), kind);
        let named = text.replacen('{', &format!("{{\"kind\": \"{kind}\", "), 1);
        assert_eq!(decode(&named).unwrap(), snapshot);
        let context = Context::at(15);
        for token_in in 0..snapshot.pool.token_count() {
            for token_out in (0..snapshot.pool.token_count()).filter(|token| *token != token_in) {
                let amount = U256::from(1_000_000);
                let quote = snapshot.pool.quote_exact_in(token_in, token_out, amount, &context).unwrap();
                assert_eq!(quote.amount_in, amount, "{kind} {token_in} {token_out}");
            }
        }
    }
    let volatile = SOLIDLY.replace("true", "false");
    assert_eq!(decode(&volatile).unwrap().pool.kind(), PoolKind::SolidlyVolatile);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let cases = [
        (WEIGHTED, r#""weights": [500000000000000000,"#, r#""weights": [400000000000000000,"#, "sum to"),
        (WEIGHTED, r#""weights": [500000000000000000,"#, r#""weights": ["#, "balances"),
        (WEIGHTED, "9/10000", "1/1", "the swap fee"),
        (WEIGHTED, "9/10000", "1/3", "18 decimals"),
        (WEIGHTED, "9/10000", "1/0", "18 decimals"),
        (WEIGHTED, "9/10000", "free", "3/1000"),
        (WEIGHTED, r#""fee": "9/10000""#, r#""fee": "9/10000", "swap_fee": 1"#, "either fee"),
        (WEIGHTED, r#""v1""#, r#""v3""#, "pow_version"),
        (WEIGHTED, r#", "decimals": 6"#, "", "decimals"),
        (WEIGHTED, r#""decimals": 6"#, r#""decimals": 60"#, "decimals"),
        (WEIGHTED, "6289667028", "-1", "negative"),
        (WEIGHTED, "6289667028", "6.5", "not an integer"),
        (WEIGHTED, "6289667028", "5192296858534827628530496329220096", "above"),
        (STABLE, r#""amp": 50000"#, r#""amp": 1"#, "amplification"),
        (
            STABLE,
            r#""amp": 50000"#,
            r#""amp": 50000, "amp_ramp": {"start": 1, "end": 1, "start_time": 1, "end_time": 1}"#,
            "either amp",
        ),
        (STABLE, r#""invariant_version": 2"#, r#""invariant_version": 3"#, "invariant_version"),
        (STABLE, "[1226470562881593452, ", "[0, ", "scaling factor"),
        (STABLE, "[1226470562881593452, ", "[", "scaling factors"),
        (STABLE, r#""bpt_idx": null"#, r#""bpt_idx": 2"#, "tokens"),
        (STABLE, r#"{"balances""#, r#"{"kind": "balancer-composable-stable", "balances""#, "bpt_idx"),
        (COMPOSABLE, r#""end_time": 20"#, r#""end_time": 5"#, "ramp"),
        (COMPOSABLE, r#""yield_fee_exempt": [false, false]"#, r#""yield_fee_exempt": [false]"#, "yield_fee_exempt"),
        (
            COMPOSABLE,
            r#""protocol_swap_fee": 500000000000000000"#,
            r#""protocol_swap_fee": 1000000000000000000"#,
            "protocol",
        ),
        (COMPOSABLE, r#""last_join_exit_amp": 1000000"#, r#""last_join_exit_amp": 0"#, "amplification"),
        (COMPOSABLE, r#""rate_expires": [4102444800, "#, r#""rate_expires": ["#, "expiries"),
        (SOLIDLY, r#""fee_raw": 30"#, r#""fee_raw": 10000"#, "fee"),
        (SOLIDLY, "aerodrome-v2-stable", "somewhere", "solver"),
        (SOLIDLY, r#", "decimals": 6"#, "", "decimals"),
        (SOLIDLY, r#"{"stable""#, r#"{"kind": "solidly-volatile", "stable""#, "contradicts"),
        (PAIR, r#""fee_denom": 10000"#, r#""fee_denom": 25"#, "fee"),
        (PAIR, r#", "fee_denom": 10000"#, "", "fee_numer"),
        (PAIR, "22045620", "5192296858534827628530496329220096", "above"),
    ];
    for (text, from, to, reason) in cases {
        assert!(text.contains(from), "{from}");
        let error = decode(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(reason), "{to}: {error}");
    }
}

#[test]
fn a_solver_without_recorded_answers_is_unproven() {
    let unproven = SOLIDLY.replace(r#""dex": "aerodrome-v2-stable""#, r#""solver": "solidly""#);
    assert_eq!(decode(&unproven).unwrap().pool.proof(), Proof::Unproven);
    assert_eq!(decode(SOLIDLY).unwrap().pool.proof(), Proof::Contract);
    assert_eq!(decode(WEIGHTED).unwrap().pool.proof(), Proof::Contract);
}

/// Quotes every pair both ways, for the sake of what might panic.
fn exercise(pool: &Pool, amount: U256) {
    for token_in in 0..pool.token_count().min(3) {
        for token_out in 0..pool.token_count().min(3) {
            for timestamp in [0, 12] {
                let context = Context::at(timestamp);
                let _ = pool.clone().swap_exact_in(token_in, token_out, amount, &context);
                let _ = pool.clone().swap_exact_out(token_in, token_out, amount, &context);
                let _ = pool.marginal_price(token_in, token_out, &context);
            }
        }
    }
}

proptest! {
    #![proptest_config(crate::cases(3_000))]

    #[test]
    fn damaged_files_never_panic(which in 0..5_usize, cut in any::<(u16, u8)>(), with in "[0-9\"\\[\\]{}:,.-]{0,3}", amount in any::<[u64; 4]>()) {
        let text = ALL[which].0;
        let start = usize::from(cut.0) % text.len();
        let end = (start + usize::from(cut.1 % 4)).min(text.len());
        let damaged = [&text[..start], &with, &text[end..]].concat();
        if let Ok(snapshot) = decode(&damaged) {
            exercise(&snapshot.pool, U256::from_limbs(amount) >> (amount[0] % 256) as usize);
        }
    }

    #[test]
    fn any_number_in_a_file_never_panics(which in 0..5_usize, place in any::<u16>(), number in any::<[u64; 4]>(), amount in any::<[u64; 4]>()) {
        let text = ALL[which].0;
        let digits: Vec<(usize, &str)> = text
            .match_indices(|letter: char| letter.is_ascii_digit())
            .filter(|(start, _)| !text[..*start].ends_with(|letter: char| letter.is_ascii_alphanumeric()))
            .collect();
        let start = digits[usize::from(place) % digits.len()].0;
        let length = text[start..].find(|letter: char| !letter.is_ascii_digit()).unwrap_or(0);
        let number = U256::from_limbs(number) >> (number[0] % 256) as usize;
        let changed = [&text[..start], &number.to_string(), &text[start + length..]].concat();
        if let Ok(snapshot) = decode(&changed) {
            exercise(&snapshot.pool, U256::from_limbs(amount) >> (amount[0] % 256) as usize);
        }
    }
}
