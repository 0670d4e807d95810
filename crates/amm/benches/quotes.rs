//! Time of quotes, conversions and replay on recorded pools, one JSON line per row:
//! nanoseconds (minimum and median of batches) or events per second.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads files and clocks and prints")]

use std::hint::black_box;
use std::time::Instant;

use assay_amm::concentrated::{Core, MAX_TICK, MIN_TICK, sqrt_price_at_tick, tick_at_sqrt_price};
use assay_amm::event::{Located, read_csv};
use assay_amm::kind::{Slipstream, UniswapV2};
use assay_amm::replay::{Replay, ReplayPool};
use assay_amm::{Context, Pool, U256, snapshot};

const BATCHES: usize = 21;

fn data(path: &str) -> String {
    let root = std::env::var("ASSAY_TEST_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned());
    format!("{root}/{path}")
}

/// Nanoseconds per call: minimum and median over batches of `calls`.
fn time(calls: usize, mut run: impl FnMut(usize)) -> (f64, f64) {
    let mut batches: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let start = Instant::now();
            for call in 0..calls {
                run(call);
            }
            start.elapsed().as_secs_f64() * 1e9 / calls as f64
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    (batches[0], batches[BATCHES / 2])
}

fn print(row: &str, (minimum, median): (f64, f64)) {
    println!(r#"{{"row": "{row}", "minimum_ns": {minimum:.2}, "median_ns": {median:.2}}}"#);
}

fn main() {
    let context = Context::default();
    let pair = UniswapV2::new([16_231_137_593, 2_571_336_301_536_722_443_178], 3, 1000).expect("a real state");
    print(
        "constant product",
        time(100_000, |call| {
            let amount = U256::from(100_000_000 + call as u64);
            black_box(black_box(&pair).quote_exact_in(0, 1, black_box(amount), &context).expect("it quotes"));
        }),
    );
    let pair =
        UniswapV2::new([49_004_342_271_321_512_345_678, 91_336_301_536_722_443_178_123], 3, 1000).expect("a state");
    print(
        "constant product, 18 and 18 decimals",
        time(100_000, |call| {
            let amount = U256::from(1_000_000_000_000_000_000 + call as u64);
            black_box(black_box(&pair).quote_exact_in(0, 1, black_box(amount), &context).expect("it quotes"));
        }),
    );
    let text =
        std::fs::read_to_string(data("arbitrage/quotes/states/chain_data/1/uniswap_v3_wbtc_weth_block_24407242.json"))
            .expect("the folder of real data");
    let Pool::UniswapV3(pool) = snapshot::decode(&text).expect("a real state").pool else { panic!("a V3 pool") };
    for (row, token_in, amount) in [
        ("V3, 1e5 satoshi in", 0, 100_000_u128),
        ("V3, 1 WETH in", 1, 1_000_000_000_000_000_000),
        ("V3, 1 WBTC in", 0, 100_000_000),
        ("V3, 1000 WETH in", 1, 1_000_000_000_000_000_000_000),
        ("V3, 100 WBTC in", 0, 10_000_000_000),
    ] {
        let amount = U256::from(amount);
        print(
            row,
            time(2000, |call| {
                let amount = black_box(amount) + U256::from(call as u64);
                black_box(
                    black_box(&pool).quote_exact_in(token_in, 1 - token_in, amount, &context).expect("it quotes"),
                );
            }),
        );
    }
    println!(r#"{{"row": "V3 with {} ticks", "bytes": {}}}"#, pool.core.ticks.len(), pool.core.bytes());
    let ticks: Vec<i32> = (0..10_000).map(|n: i32| MIN_TICK + n.wrapping_mul(7919).rem_euclid(MAX_TICK * 2)).collect();
    // Between the prices of two ticks, as almost every price is.
    let prices: Vec<U256> = ticks
        .iter()
        .map(|tick| {
            let price = |tick| sqrt_price_at_tick(tick).expect("in range");
            (price(*tick) + price(*tick + 1)) >> 1
        })
        .collect();
    print(
        "tick to price",
        time(ticks.len(), |call| {
            black_box(sqrt_price_at_tick(black_box(ticks[call])).expect("in range"));
        }),
    );
    print(
        "price to tick",
        time(prices.len(), |call| {
            black_box(tick_at_sqrt_price(black_box(prices[call])).expect("in range"));
        }),
    );
    replay();
}

fn replay() {
    let path = data("liquidity/velodrome-slipstream-op-weth-op-cl200-0x1e60272c.events.csv.gz");
    let file = flate2::read::GzDecoder::new(std::fs::File::open(path).expect("the folder of real data"));
    let events: Vec<Located> = read_csv(file).expect("a header").collect::<Result<_, _>>().expect("events");
    let price = "2258127719792565547181614648221".parse().expect("digits");
    let mut best = 0.0_f64;
    for _ in 0..7 {
        let core = Core::new(200, price).expect("in range");
        let pool = Slipstream::new(core, Some(3000), Some(100_000)).expect("fees in range");
        let mut replay = Replay::new(ReplayPool::Slipstream(pool));
        let start = Instant::now();
        for event in &events {
            replay.apply(event).expect("it replays");
        }
        assert_eq!(replay.counts().mismatches, 0, "every event exact");
        best = best.max(events.len() as f64 / start.elapsed().as_secs_f64());
    }
    println!(r#"{{"row": "Slipstream history", "events_per_second": {best:.0}}}"#);
}
