//! Sizing on recorded pools: random cycles, the arbitrages of three mainnet blocks and
//! two paths that failed in the field.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use assay_amm::kind::UniswapV2;
use assay_amm::trade::{Hop, Leg, Route, Sizing, Terms, optimal_input};
use assay_amm::{Context, Pool, U256};
use serde::Deserialize;

fn folder(below: &str) -> PathBuf {
    crate::recorded::data("arbitrage").join(below)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn size(cycle: &[(UniswapV2, usize)], candidates: u32) -> Sizing {
    let legs: Vec<Leg<'_>> = cycle.iter().map(|(pool, token_in)| Leg { pool, token_in: *token_in }).collect();
    optimal_input(&legs, &Terms { candidates, ..Terms::default() }).unwrap()
}

/// What the contracts pay for an input, whole units from pair to pair.
fn chain(cycle: &[(UniswapV2, usize)], input: u128) -> u128 {
    cycle.iter().fold(input, |amount, (pool, token_in)| {
        let quote = pool.quote_exact_in(*token_in, 1 - token_in, U256::from(amount), &Context::default());
        quote.map_or(0, |quote| quote.amount_out.to())
    })
}

#[derive(Deserialize)]
struct RandomCycle {
    pool_states: std::collections::BTreeMap<String, RandomPool>,
    expected_optimal_input: u128,
    expected_profit: u128,
    profit_tolerance_bps: u128,
}

#[derive(Deserialize)]
struct RandomPool {
    reserves_token0: u128,
    reserves_token1: u128,
}

/// The files record an expected input and profit of zero throughout. Zero is a floor that
/// every sizing must hold, so the optimum is checked against neighbours and a search of
/// its own as well.
#[test]
fn random_cycles_are_never_sized_worse() {
    let (mut files, mut cycles, mut paying) = (0, 0, 0);
    let names = std::fs::read_dir(folder("quotes/random-cycles")).unwrap();
    for path in names.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !["random_v2_pair_", "random_multi_pool_cycle_", "simple_v2_arb_"].iter().any(|kind| name.starts_with(kind))
        {
            continue;
        }
        files += 1;
        let recorded: RandomCycle = read(&path);
        assert_eq!(recorded.expected_optimal_input, 0, "{name}");
        let pools: Vec<UniswapV2> = recorded
            .pool_states
            .values()
            .map(|pool| UniswapV2::new([pool.reserves_token0, pool.reserves_token1], 3, 1000).unwrap())
            .collect();
        let mut best = 0;
        for first in 0..pools.len() {
            for second in (0..pools.len()).filter(|second| *second != first) {
                let cycle = [(pools[first].clone(), 0), (pools[second].clone(), 1)];
                let found = size(&cycle, u32::MAX);
                assert!(found.certified, "{name}");
                cycles += 1;
                let earned = found.trade.map_or(0, |trade| trade.profit.to::<u128>());
                best = best.max(earned);
                let (searched, input) = ternary_search(&cycle);
                assert!(earned >= searched, "{name}: {earned}, a plain search finds {searched} at {input}");
                if let Some(trade) = found.trade {
                    // Every input within ten thousand, each by the contracts' quotes.
                    let centre = trade.amount_in.to::<u128>();
                    for input in centre.saturating_sub(10_000).max(1)..=centre + 10_000 {
                        assert!(chain(&cycle, input) <= input + earned, "{name}: {input} beats {centre}");
                    }
                }
            }
        }
        let least = recorded.expected_profit - recorded.expected_profit * recorded.profit_tolerance_bps / 10_000;
        assert!(best >= least, "{name}: {best} below {least}");
        paying += usize::from(best > 0);
    }
    assert_eq!((files, cycles), (152, 504));
    assert_eq!(paying, 152, "every recorded pair of pools differs in price by more than its fees");
}

/// The best of a ternary search on the true, jagged profit.
fn ternary_search(cycle: &[(UniswapV2, usize)]) -> (u128, u128) {
    let profit = |input: u128| chain(cycle, input).cast_signed() - input.cast_signed();
    let (mut low, mut high) = (1_u128, 31_622_776_601_u128);
    while high - low > 2 {
        let third = (high - low) / 3;
        if profit(low + third) < profit(high - third) { low += third } else { high -= third }
    }
    let best = (low..=high).max_by_key(|input| profit(*input)).unwrap();
    (profit(best).max(0).cast_unsigned(), best)
}

#[derive(Deserialize)]
struct Block {
    swaps: Vec<Swap>,
    arbs: Vec<Arbitrage>,
}

#[derive(Deserialize)]
struct Swap {
    tx: String,
    kind: String,
    pair: String,
    token0: Option<String>,
    token1: Option<String>,
    pre0: Option<u128>,
    pre1: Option<u128>,
}

#[derive(Deserialize)]
struct Arbitrage {
    tx: String,
    token: String,
    kinds: Vec<String>,
    pairs: Vec<String>,
    amount_in: u128,
    amount_out: u128,
    gross: i128,
}

/// The pairs of an arbitrage in order, in their states before it, with their token addresses.
fn pairs(block: &Block, arbitrage: &Arbitrage) -> Vec<(UniswapV2, [String; 2])> {
    let swaps: HashMap<&str, &Swap> = block
        .swaps
        .iter()
        .filter(|swap| swap.tx == arbitrage.tx && swap.kind == "v2")
        .map(|swap| (swap.pair.as_str(), swap))
        .collect();
    let pair = |address: &String| {
        let swap = swaps[address.as_str()];
        let pool = UniswapV2::new([swap.pre0.unwrap(), swap.pre1.unwrap()], 3, 1000).unwrap();
        (pool, [swap.token0.clone().unwrap(), swap.token1.clone().unwrap()])
    };
    arbitrage.pairs.iter().map(pair).collect()
}

/// Gives each pair its direction; `None` when the tokens do not chain back to the start.
fn directed(pairs: &[(UniswapV2, [String; 2])], start: &str) -> Option<Vec<(UniswapV2, usize)>> {
    let mut held = start;
    let mut cycle = Vec::new();
    for (pool, tokens) in pairs {
        let token_in = tokens.iter().position(|token| token == held)?;
        held = &tokens[1 - token_in];
        cycle.push((pool.clone(), token_in));
    }
    (held == start).then_some(cycle)
}

#[test]
fn arbitrages_that_happened_are_sized_at_or_above_the_searcher() {
    // Block, searcher's gross, and the best published over the same pairs, in wei. The
    // published figures of the first block round the peak of the curve down; in between,
    // a path through dollars of six decimals hides an input that leaves more.
    let known: [(u32, i128, u128, u128); 4] = [
        (10_921_991, 75_317_031_585_685_456, 75_323_452_901_241_567, 75_323_454_958_903_959),
        (10_921_991, 157_125_793_357_081_168, 157_125_794_397_191_191, 157_125_794_397_191_191),
        (12_412_732, 79_252_697_025_622_854, 79_252_697_025_622_854, 79_252_697_025_622_854),
        (12_483_198, 22_137_247_799_616_742, 22_137_247_799_616_742, 22_137_247_799_616_742),
    ];
    for (number, gross, published, optimum) in known {
        let block: Block = read(&folder(&format!("blocks/{number}.json")));
        let arbitrage = block.arbs.iter().find(|arbitrage| arbitrage.gross == gross).unwrap();
        let cycle = directed(&pairs(&block, arbitrage), &arbitrage.token).unwrap();
        // The trade as it happened pays its gross at the contracts' quotes.
        assert_eq!(chain(&cycle, arbitrage.amount_in), arbitrage.amount_out);
        let found = size(&cycle, 100_000);
        let trade = found.trade.unwrap();
        assert!(found.certified, "block {number}: {found:?}");
        assert!(trade.profit >= U256::from(published), "block {number}: {found:?}");
        assert_eq!(trade.profit, U256::from(optimum), "block {number}: {found:?}");
        assert_eq!(chain(&cycle, trade.amount_in.to()), (trade.amount_in + trade.profit).to::<u128>());
        let quick = size(&cycle, Terms::default().candidates);
        assert!(quick.trade.unwrap().profit.to::<u128>().cast_signed() >= gross, "block {number}");
    }
}

/// Every constant-product arbitrage of every block that replays is sized at or above what
/// the searcher took. The one that does not is an artefact of the record: its pairs chain
/// by token, but the first pays another trade's amount.
#[test]
fn every_constant_product_cycle_of_the_blocks() {
    let (mut sized, mut refused, mut certified) = (0, Vec::new(), 0);
    let mut names: Vec<_> = std::fs::read_dir(folder("blocks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|path| path.extension().is_some_and(|kind| kind == "json")) {
        let block: Block = read(path);
        for arbitrage in block.arbs.iter().filter(|arbitrage| arbitrage.kinds.iter().all(|kind| kind == "v2")) {
            let cycle = directed(&pairs(&block, arbitrage), &arbitrage.token);
            let chained = cycle.filter(|cycle| chain(cycle, arbitrage.amount_in) == arbitrage.amount_out);
            let Some(cycle) = chained else {
                refused.push(arbitrage.tx[..10].to_owned());
                continue;
            };
            let found = size(&cycle, 100_000);
            let earned = found.trade.map_or(0, |trade| trade.profit.to::<u128>().cast_signed());
            assert!(earned >= arbitrage.gross, "{}: {earned} below {}", arbitrage.tx, arbitrage.gross);
            certified += u32::from(found.certified);
            sized += 1;
        }
    }
    assert_eq!((sized, certified), (4, 4));
    assert_eq!(refused, ["0x4b34b6ed"]);
}

#[derive(Deserialize)]
struct Failure {
    recorded_solve: RecordedSolve,
    pools: HashMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct RecordedSolve {
    #[serde(deserialize_with = "assay_amm::integer::json::deserialize")]
    v2_input: U256,
    #[serde(deserialize_with = "assay_amm::integer::json::deserialize")]
    v2_predicted: U256,
    #[serde(deserialize_with = "assay_amm::integer::json::deserialize")]
    v2_actual: U256,
}

/// Paths whose last hop was sized on a continuous curve: it promised the output of one
/// unit more than arrives, and the pair reverted. A route hands the last hop the whole
/// units it receives, so it promises what the pair pays.
#[test]
fn paths_that_failed_in_the_field_chain_whole_units() {
    for (file, key) in
        [("path110302_v3v4v2_block25711761.json", "v2_2"), ("path182449_v4v4v2_block25731019.json", "v2_c")]
    {
        let recorded: Failure = read(&folder(&format!("quotes/states/{file}")));
        let state = &recorded.pools[key];
        let reserve = |name: &str| state[name].as_str().unwrap().parse::<u128>().unwrap();
        let pair = UniswapV2::new([reserve("reserve0"), reserve("reserve1")], 3, 1000).unwrap();
        let solve = recorded.recorded_solve;
        let pool = Pool::UniswapV2(pair.clone());
        let (paid, received) = (state["token1"].as_str().unwrap(), state["token0"].as_str().unwrap());
        let hop = Hop { pool: &pool, token_in: 1, token_out: 0, paid, received, context: Context::default() };
        let route = Route::new(vec![hop]).unwrap();
        assert_eq!(route.quote_exact_in(solve.v2_input).unwrap().amount_out, solve.v2_actual, "{file}");
        // The promise needs one unit more than the hop before delivers.
        let one_more = solve.v2_input + U256::ONE;
        assert_eq!(route.quote_exact_in(one_more).unwrap().amount_out, solve.v2_predicted, "{file}");
        assert_eq!(route.quote_exact_out(solve.v2_predicted).unwrap().amount_in, one_more, "{file}");
        assert!(solve.v2_predicted > solve.v2_actual);
        // Behind any first hop, the last is fed what that hop pays: on the way from 58 to
        // 59 units the route never promises the output of a unit that does not arrive.
        let first = Pool::UniswapV2(UniswapV2::new([7_654_321_000_000, 9_876_543_210], 3, 1000).unwrap());
        let start = Hop { pool: &first, token_in: 0, token_out: 1, paid: "start", received: paid, ..hop };
        let both = Route::new(vec![start, hop]).unwrap();
        for input in (1_000_000_000_u64..1_000_100_000).step_by(97) {
            let quote = both.quote_exact_in(U256::from(input)).unwrap();
            let delivered = first.quote_exact_in(0, 1, U256::from(input), &Context::default()).unwrap().amount_out;
            let paid_out = pair.quote_exact_in(1, 0, delivered, &Context::default()).unwrap().amount_out;
            assert_eq!((quote.hops[1].amount_in, quote.amount_out), (delivered, paid_out));
        }
    }
}
