//! The recorded answers of Curve contracts at real blocks, equal to the wei.
use std::collections::BTreeMap;
use std::path::PathBuf;

use assay_amm::kind::curve_crypto::CryptoGeneration;
use assay_amm::kind::curve_stable::liquidity::Direction;
use assay_amm::snapshot::{self, Snapshot};
use assay_amm::{Pool, U256};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::recorded::Tally;

#[derive(Deserialize)]
struct Answers {
    entries: BTreeMap<String, Answer>,
}

#[derive(Deserialize)]
struct Answer {
    value: Box<RawValue>,
}

fn folder() -> PathBuf {
    let data = std::env::var("ASSAY_TEST_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned());
    PathBuf::from(data).join("arbitrage/quotes")
}

fn read(path: &str) -> String {
    let path = folder().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn state(name: &str) -> String {
    read(&format!("states/chain_data/1/{name}.json"))
}

fn answers(name: &str) -> BTreeMap<String, U256> {
    let text = read(&format!("answers/tests/curve/test_curve_onchain_parity/{name}.json"));
    let answers: Answers = serde_json::from_str(&text).unwrap();
    answers.entries.into_iter().map(|(question, answer)| (question, number(answer.value.get()))).collect()
}

fn number(text: &str) -> U256 {
    U256::from_str_radix(text, 10).unwrap()
}

/// The answer of the contract's function that the question names.
fn ask(snapshot: &Snapshot, function: &str, argument: &str, amount: U256) -> U256 {
    let context = snapshot.context();
    let index = |argument: &str| argument.strip_prefix("i=").unwrap().parse::<usize>().unwrap();
    let underlying = |name: &str| snapshot.underlying.iter().position(|token| token.symbol == name).unwrap();
    match (function, &snapshot.pool) {
        ("get_dy", pool) => {
            let (from, to) = argument.split_once("->").unwrap();
            let (from, to) = (snapshot.token(from).unwrap(), snapshot.token(to).unwrap());
            pool.quote_exact_in(from, to, amount, &context).unwrap().amount_out
        }
        ("get_dy_underlying", Pool::CurveMeta(pool)) => {
            let (from, to) = argument.split_once("->").unwrap();
            pool.quote_underlying_exact_in(underlying(from), underlying(to), amount, &context).unwrap().amount_out
        }
        ("calc_token_amount", Pool::CurvePlain(pool)) => {
            let (direction, token) = argument.split_once('|').unwrap();
            assert_eq!(direction, "deposit");
            let mut amounts = vec![U256::ZERO; pool.token_count()];
            amounts[index(token)] = amount;
            pool.calc_token_amount(&amounts, Direction::Deposit, &context).unwrap()
        }
        ("calc_withdraw_one_coin", Pool::CurvePlain(pool)) => {
            pool.calc_withdraw_one_coin(amount, index(argument), &context).unwrap()
        }
        (function, pool) => panic!("{function} of a {}", pool.kind()),
    }
}

/// How every recorded answer of a Curve contract compares, by kind and function.
pub fn tallies() -> Vec<Tally> {
    let one = |name: &str| vec![snapshot::decode(&state(name)).unwrap()];
    let files = [
        ("test_curve_tripool_get_dy", one("curve_tripool_block_24407242")),
        ("test_curve_tripool_calc_withdraw_and_token_amount", one("curve_tripool_block_24407242")),
        ("test_curve_tricrypto_get_dy", one("curve_tricrypto_block_24407242")),
        ("test_curve_metapool_get_dy", one("curve_metapool_rai_3crv_block_25144000")),
        (
            "test_curve_metapool_multiblock_get_dy",
            snapshot::decode_blocks(&state("curve_metapool_rai_3crv_multiblock_18850030_18850480")).unwrap(),
        ),
    ];
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for (file, snapshots) in &files {
        for (question, expected) in answers(file) {
            let mut parts: Vec<&str> = question.split('|').skip(1).collect();
            let amount = number(parts.pop().unwrap());
            let block = parts.last().and_then(|part| part.strip_prefix("blk")).map(|block| block.parse().unwrap());
            if block.is_some() {
                parts.pop();
            }
            let snapshot = match block {
                Some(block) => snapshots.iter().find(|snapshot| snapshot.block == Some(block)).unwrap(),
                None => &snapshots[0],
            };
            let got = ask(snapshot, parts[0], &parts[1..].join("|"), amount);
            let family = format!("{} {}", snapshot.pool.kind(), parts[0]);
            tallies.entry(family.clone()).or_insert_with(|| Tally::new(&family)).compare(&question, expected, got);
        }
    }
    tallies.into_values().collect()
}

/// The same pool under the rules of its successor, which count A in smaller units and work
/// D out anew: the answers stay, so the iteration finds the D that the contract kept.
#[test]
fn a_fresh_invariant_gives_the_recorded_answers() {
    let mut snapshot = snapshot::decode(&state("curve_tricrypto_block_24407242")).unwrap();
    let Pool::CurveCryptoThree(pool) = &mut snapshot.pool else { panic!("{}", snapshot.pool.kind()) };
    pool.generation = CryptoGeneration::Tricrypto;
    pool.shape.a = pool.shape.a.map(|a| a * U256::from(100));
    pool.shape.times = [0, 1];
    pool.d = U256::ONE;
    for (question, expected) in answers("test_curve_tricrypto_get_dy") {
        let parts: Vec<&str> = question.split('|').collect();
        assert_eq!(ask(&snapshot, parts[1], parts[2], number(parts[3])), expected, "{question}");
    }
}

#[derive(Deserialize)]
struct Prices {
    virtual_price: Box<RawValue>,
}

#[derive(Deserialize)]
struct WithBase {
    base_pool: Prices,
}

#[derive(Deserialize)]
struct ByBlock {
    states: BTreeMap<String, OwnPrice>,
}

#[derive(Deserialize)]
struct OwnPrice {
    base_virtual_price_own: Box<RawValue>,
}

/// The virtual prices beside the states are the contracts' too.
#[test]
fn every_recorded_virtual_price_is_equal() {
    let text = state("curve_tripool_block_24407242");
    let plain = snapshot::decode(&text).unwrap();
    let Pool::CurvePlain(pool) = &plain.pool else { panic!("{}", plain.pool.kind()) };
    let recorded: Prices = serde_json::from_str(&text).unwrap();
    assert_eq!(pool.virtual_price(&plain.context()).unwrap(), number(recorded.virtual_price.get()));

    let base_price = |snapshot: &Snapshot| {
        let Pool::CurveMeta(pool) = &snapshot.pool else { panic!("{}", snapshot.pool.kind()) };
        pool.base().virtual_price(&snapshot.context()).unwrap()
    };
    let text = state("curve_metapool_rai_3crv_block_25144000");
    let recorded: WithBase = serde_json::from_str(&text).unwrap();
    assert_eq!(base_price(&snapshot::decode(&text).unwrap()), number(recorded.base_pool.virtual_price.get()));

    let text = state("curve_metapool_rai_3crv_multiblock_18850030_18850480");
    let recorded: ByBlock = serde_json::from_str(&text).unwrap();
    let snapshots = snapshot::decode_blocks(&text).unwrap();
    assert_eq!(snapshots.len(), 16);
    for (snapshot, recorded) in snapshots.iter().zip(recorded.states.values()) {
        assert_eq!(base_price(snapshot), number(recorded.base_virtual_price_own.get()), "{:?}", snapshot.block);
    }
}
