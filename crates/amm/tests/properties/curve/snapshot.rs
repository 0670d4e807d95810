//! Curve state files: what is read, and what is refused with which words.

use crate::cases;
use assay_amm::kind::curve_stable::Generation;
use assay_amm::snapshot::{decode, decode_blocks};
use assay_amm::{AmmError, Context, Pool, PoolKind, Proof, U256};
use proptest::prelude::*;

const PLAIN: &str = r#"{
    "kind": "curve-plain", "generation": "three-pool", "block": 7, "timestamp": 1770494987,
    "tokens": [{"address": "0xa", "symbol": "DAI", "decimals": 18}, {"address": "0xb", "symbol": "USDC", "decimals": 6}],
    "balances": ["27137121100372139339642768", 27662471158553],
    "a_coefficient": 4000, "initial_a": 5000, "future_a": 4000, "initial_a_time": 1751893283, "future_a_time": 1752497111,
    "fee": 1500000, "admin_fee": 10000000000, "lp_token_total_supply": "54000000000000000000000000"
}"#;

const LENDING: &str = r#"{
    "kind": "curve-lending", "generation": "compound", "use_lending": [true, true],
    "tokens": [{"address": "0xa", "symbol": "cDAI", "decimals": 8}, {"address": "0xb", "symbol": "cUSDC", "decimals": 8}],
    "balances": [100000000000000, 110000000000000],
    "rates": ["220000000000000000000000000", "230000000000000000000000000"],
    "a_coefficient": 450, "a_ramps": false, "fee": 4000000, "admin_fee": 5000000000
}"#;

const META: &str = r#"{
    "kind": "curve-meta", "timestamp": 1779371039,
    "tokens": [{"address": "0xa", "symbol": "GUSD", "decimals": 2}, {"address": "0xb", "symbol": "3Crv", "decimals": 18}],
    "tokens_underlying": [{"address": "0xa", "symbol": "GUSD", "decimals": 2}, {"address": "0xc", "symbol": "DAI", "decimals": 18},
        {"address": "0xd", "symbol": "USDC", "decimals": 6}],
    "balances": [482480500, "4895706447799365607933400"],
    "a_coefficient": 100, "a_ramps": false, "fee": 4000000, "admin_fee": 5000000000,
    "base_price": "cached", "base_virtual_price": "1039823717209616949", "base_cache_updated": 1779370859,
    "base_pool": {
        "generation": "three-pool",
        "tokens": [{"address": "0xc", "decimals": 18}, {"address": "0xd", "decimals": 6}],
        "balances": ["28423476414243036265898717", 28303161369733],
        "a_coefficient": 4000, "a_ramps": false, "fee": 1500000, "admin_fee": 10000000000,
        "lp_token_total_supply": "54000000000000000000000000"
    }
}"#;

const NG: &str = r#"{
    "kind": "curve-ng", "balances": ["1000000000000000000000000", 1000000000000, 1200000000000],
    "rates": ["1000000000000000000", "1050000000000000000000000000000", "1000000000000000000000000000000"],
    "a_coefficient": 200, "a_ramps": false, "fee": 1000000, "admin_fee": 5000000000,
    "offpeg_fee_multiplier": 20000000000, "lp_token_total_supply": "3200000000000000000000000"
}"#;

const TWO: &str = r#"{
    "kind": "curve-crypto-two", "generation": "pair",
    "tokens": [{"address": "0xa", "symbol": "WETH", "decimals": 18}, {"address": "0xb", "symbol": "CRV", "decimals": 18}],
    "balances": ["5000000000000000000000", "10000000000000000000000000"],
    "a_coefficient": 400000, "gamma": 145000000000000, "a_ramps": false,
    "d": "10000000000000000000000", "price_scale": ["500000000000000"],
    "mid_fee": 26000000, "out_fee": 45000000, "fee_gamma": 230000000000000
}"#;

const THREE: &str = r#"{
    "kind": "curve-crypto-three", "generation": "first-tricrypto",
    "tokens": [{"address": "0xa", "symbol": "USDT", "decimals": 6}, {"address": "0xb", "symbol": "WBTC", "decimals": 8},
        {"address": "0xc", "symbol": "WETH", "decimals": 18}],
    "balances": [87415844442, 129348722, "43137143734068899114"],
    "a_coefficient": 3645, "gamma": 69999999999999, "a_ramps": false,
    "d": "286349051375261364933634", "price_scale": ["75804766119084417938595", "2345740822056210128261"],
    "mid_fee": 4000000, "out_fee": 40000000, "fee_gamma": 10000000000000000
}"#;

const BLOCKS: &str = r#"{
    "immutable": {
        "tokens": [{"address": "0xa", "symbol": "RAI", "decimals": 18}, {"address": "0xb", "symbol": "3Crv", "decimals": 18}],
        "fee": 4000000, "admin_fee": 5000000000,
        "base_pool": {"tokens": [{"address": "0xc", "decimals": 18}, {"address": "0xd", "decimals": 6}],
            "fee": 1000000, "admin_fee": 5000000000, "generation": "three-pool"}
    },
    "states": {
        "10": {"balances": ["1000000000000000000000", "2000000000000000000000"], "a_coefficient": 100,
            "block_timestamp": 1703352888, "initial_a": 10000, "future_a": 10000, "initial_a_time": 0, "future_a_time": 0,
            "base_virtual_price": "1028613014616190268", "base_cache_updated": 1703134055, "redemption_price": "2826835393788173919",
            "base_balances": ["74961333991675863544647866", 73692008646223], "base_a": 2000, "base_initial_a": 2000,
            "base_future_a": 2000, "base_initial_a_time": 0, "base_future_a_time": 0,
            "base_lp_token_total_supply": "140000000000000000000000000"},
        "9": {"balances": ["1000000000000000000000", "2000000000000000000000"], "a_coefficient": 100,
            "block_timestamp": 1703352876, "initial_a": 10000, "future_a": 10000, "initial_a_time": 0, "future_a_time": 0,
            "base_virtual_price": "1028613014616190268", "base_cache_updated": 1703134055, "redemption_price": "2826835393788173919",
            "base_balances": ["74961333991675863544647866", 73692008646223], "base_a": 2000, "base_initial_a": 2000,
            "base_future_a": 2000, "base_initial_a_time": 0, "base_future_a_time": 0,
            "base_lp_token_total_supply": "140000000000000000000000000"}
    }
}"#;

const ALL: [(&str, PoolKind, Proof); 6] = [
    (PLAIN, PoolKind::CurvePlain, Proof::Contract),
    (LENDING, PoolKind::CurveLending, Proof::Unproven),
    (META, PoolKind::CurveMeta, Proof::Contract),
    (NG, PoolKind::CurveNg, Proof::Unproven),
    (TWO, PoolKind::CurveCryptoTwo, Proof::Unproven),
    (THREE, PoolKind::CurveCryptoThree, Proof::Contract),
];

#[test]
fn every_kind_is_read_and_quotes() {
    for (text, kind, proof) in ALL {
        let snapshot = decode(text).unwrap();
        assert_eq!((snapshot.pool.kind(), snapshot.pool.proof()), (kind, proof));
        let quote = snapshot.pool.quote_exact_in(0, 1, U256::from(1_000_000_000), &Context::at(1_779_371_039)).unwrap();
        assert_eq!(quote.amount_in, U256::from(1_000_000_000));
    }
    let snapshots = decode_blocks(BLOCKS).unwrap();
    assert_eq!(snapshots.iter().map(|snapshot| snapshot.block).collect::<Vec<_>>(), [Some(9), Some(10)]);
    assert_eq!(snapshots[1].timestamp, Some(1_703_352_888));
}

#[test]
fn a_generation_without_recorded_answers_is_unproven() {
    let text = PLAIN
        .replace("three-pool", "staked-ether")
        .replace("5000,", "500000,")
        .replace("\"future_a\": 4000,", "\"future_a\": 400000,");
    let Pool::CurvePlain(pool) = decode(&text).unwrap().pool else { panic!("{text}") };
    assert_eq!(pool.generation, Generation::StakedEther);
    assert_eq!(Pool::CurvePlain(pool).proof(), Proof::Unproven);
}

#[test]
fn what_no_contract_could_hold_is_refused() {
    let cases = [
        (PLAIN, "\"generation\": \"three-pool\"", "\"generation\": \"four-pool\"", "no generation"),
        (PLAIN, "\"generation\": \"three-pool\",", "", "generation is missing"),
        (PLAIN, "\"generation\": \"three-pool\"", "\"generation\": \"next-generation\"", "rates are missing"),
        (PLAIN, "\"generation\": \"three-pool\"", "\"generation\": \"compound\"", "no curve-plain"),
        (PLAIN, "\"a_coefficient\": 4000", "\"a_coefficient\": 4001", "its ramp gives 4000"),
        (PLAIN, "\"future_a\": 4000,", "", "belong together"),
        (PLAIN, "\"fee\": 1500000", "\"fee\": 10000000000", "fee of 10000000000 is not below"),
        (PLAIN, "\"fee\": 1500000,", "", "missing field `fee`"),
        (PLAIN, ", 27662471158553]", "]", "rates are missing"),
        (PLAIN, "27662471158553", "-1", "negative"),
        (PLAIN, "27662471158553", "1.5", "not an integer"),
        (PLAIN, "\"decimals\": 6", "\"decimals\": 40", "at most 36"),
        (PLAIN, "\"54000000000000000000000000\"", "0", "supply is zero"),
        (LENDING, "\"220000000000000000000000000\", ", "", "1 rates for 2 tokens"),
        (LENDING, "\"220000000000000000000000000\"", "0", "rate of token 0 is zero"),
        (LENDING, "\"a_coefficient\": 450", "\"a_coefficient\": 0", "A of 0"),
        (LENDING, "\"a_ramps\": false, ", "", "a_ramps: false"),
        (META, "\"base_cache_updated\": 1779370859,", "", "base_cache_updated are missing"),
        (META, "\"base_price\": \"cached\"", "\"base_price\": \"often\"", "neither live nor cached"),
        (
            META,
            "\"lp_token_total_supply\": \"54000000000000000000000000\"",
            "\"base_price\": null",
            "lacks lp_token_total_supply",
        ),
        (META, "\"base_pool\": {", "\"base_pool\": {\"base_pool\": {},", "has a base_pool"),
        (META, "\"kind\": \"curve-meta\"", "\"kind\": \"curve-meta\", \"generation\": \"compound\"", "follow template"),
        (NG, "\"kind\": \"curve-ng\"", "\"kind\": \"curve-ng\", \"generation\": \"template\"", "no off-peg fee"),
        (TWO, "\"generation\": \"pair\"", "\"generation\": \"tricrypto\"", "tricrypto has 3"),
        (TWO, "\"d\": \"10000000000000000000000\"", "\"d\": 0", "is zero"),
        (TWO, "\"gamma\": 145000000000000", "\"gamma\": 1", "outside the contract's range"),
        (TWO, "\"a_ramps\": false,", "", "a_ramps: false"),
        (THREE, "curve-crypto-three", "curve-crypto-two", "no curve-crypto-two"),
        (THREE, "\"out_fee\": 40000000", "\"out_fee\": 10000000000", "is not below"),
        (THREE, "\"decimals\": 6", "\"decimals\": 19", "at most 18"),
    ];
    for (text, from, to, expected) in cases {
        assert!(text.contains(from), "{from}");
        let error = decode(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn times_that_are_not_known_are_asked_for() {
    let ramping = PLAIN.replace("1752497111", "1952497111").replace("\"timestamp\": 1770494987,", "");
    let plain = decode(&ramping).unwrap();
    let amount = U256::from(1_000_000_000);
    assert!(matches!(plain.pool.quote_exact_in(0, 1, amount, &plain.context()), Err(AmmError::Missing(_))));
    // Half way between the two.
    let Pool::CurvePlain(pool) = &plain.pool else { panic!("{}", plain.pool.kind()) };
    let middle = Context::at((1_751_893_283 + 1_952_497_111) / 2);
    assert_eq!(pool.amplification.at(&middle), Ok(U256::from(4_500)));
    assert!(matches!(pool.amplification.at(&Context::at(1_751_893_282)), Err(AmmError::Underflow { .. })));

    let meta = decode(META).unwrap();
    assert!(matches!(meta.pool.quote_exact_in(0, 1, amount, &Context::at(0)), Err(AmmError::Missing(_))));
}

/// The cache of the base's price serves ten minutes, and a swap after them renews it.
#[test]
fn the_cached_price_expires() {
    let Pool::CurveMeta(mut meta) = decode(META).unwrap().pool else { panic!("no meta pool") };
    let cached = U256::from(1_039_823_717_209_616_949_u64);
    let (last, first) = (Context::at(1_779_370_859 + 600), Context::at(1_779_370_859 + 601));
    let live = meta.base().virtual_price(&first).unwrap();
    assert_ne!(live, cached);
    assert_eq!(meta.base_virtual_price(&last), Ok(cached));
    assert_eq!(meta.base_virtual_price(&first), Ok(live));
    meta.swap_exact_in(0, 1, U256::from(1_000), &last).unwrap();
    assert_eq!(meta.base_virtual_price(&last), Ok(cached));
    meta.swap_exact_in(0, 1, U256::from(1_000), &first).unwrap();
    assert_eq!(meta.base_virtual_price(&last), Ok(live));
}

/// A CryptoSwap swap moves an oracle that no state file has.
#[test]
fn crypto_swaps_are_refused() {
    for text in [TWO, THREE] {
        let snapshot = decode(text).unwrap();
        let mut moved = snapshot.pool.clone();
        let amount = U256::from(1_000_000);
        assert!(matches!(moved.swap_exact_in(0, 1, amount, &snapshot.context()), Err(AmmError::Missing(_))));
        assert!(matches!(moved.swap_exact_out(0, 1, amount, &snapshot.context()), Err(AmmError::Missing(_))));
        assert_eq!(moved, snapshot.pool);
    }
}

proptest! {
    #![proptest_config(cases(3000))]

    /// Damaged files answer or refuse; what is read never panics at quoting.
    #[test]
    fn no_text_panics(index in 0_usize..7, cuts in prop::collection::vec((0_usize..2_000, 0_usize..40, "[0-9\",:{}\\[\\]a-z_.-]{0,24}"), 1..4)) {
        let mut text = [PLAIN, LENDING, META, NG, TWO, THREE, BLOCKS][index].to_owned();
        for (place, length, new) in cuts {
            let place = place.min(text.len());
            text.replace_range(place..(place + length).min(text.len()), &new);
        }
        let mut snapshots: Vec<_> = decode(&text).into_iter().collect();
        snapshots.extend(decode_blocks(&text).into_iter().flatten());
        for snapshot in snapshots {
            let context = snapshot.context();
            let _ = snapshot.pool.quote_exact_in(0, 1, U256::from(1_000_000), &context);
            let _ = snapshot.pool.quote_exact_out(0, 1, U256::from(1_000_000), &context);
            let _ = snapshot.pool.marginal_price(0, 1, &context);
            let _ = snapshot.pool.max_in(0, 1, &context);
        }
    }

    /// Numbers of every size in every field.
    #[test]
    fn no_number_panics(index in 0_usize..6, place in 0_usize..60, value in prop_oneof![
        Just("0".to_owned()), Just("1".to_owned()), "[1-9][0-9]{0,78}", Just("null".to_owned()),
    ]) {
        let text = ALL[index].0;
        let numbers: Vec<(usize, usize)> = text
            .char_indices()
            .filter(|(at, c)| c.is_ascii_digit() && !text[..*at].ends_with(|c: char| c.is_ascii_alphanumeric()))
            .map(|(at, _)| (at, text[at..].find(|c: char| !c.is_ascii_digit()).unwrap()))
            .collect();
        let (at, length) = numbers[place % numbers.len()];
        let mut text = text.to_owned();
        text.replace_range(at..at + length, &value);
        if let Ok(snapshot) = decode(&text) {
            let context = Context::at(1_779_371_039);
            for (token_in, token_out) in [(0, 1), (1, 0)] {
                for amount in [U256::ONE, U256::from(1_000_000_000), U256::MAX] {
                    let _ = snapshot.pool.quote_exact_in(token_in, token_out, amount, &context);
                    let _ = snapshot.pool.clone().swap_exact_in(token_in, token_out, amount, &context);
                }
                let _ = snapshot.pool.quote_exact_out(token_in, token_out, U256::from(1_000_000), &context);
                let _ = snapshot.pool.marginal_price(token_in, token_out, &context);
                let _ = snapshot.pool.max_in(token_in, token_out, &context);
            }
        }
    }
}
