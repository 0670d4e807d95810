//! Times the 27 raw columns that TA-Lib has too, and the default feature table, over
//! one million generated candles; prints one JSON line.
//!
//! `cargo bench -p assay-features --bench indicators -- [--repeat N] [--dump FILE]`.
//! The peer, `benches/peers/talib_columns.py`, makes the same candles; with `--compare
//! FILE` it also reads the dumped columns and gives the largest difference.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark reads the clock and prints")]

use std::io::Write as _;
use std::time::Instant;

use assay_features::{Bar, Bars, FeatureSpec, FeatureTable, raw_columns};
use assay_types::{Candle, Candles, Market, Price, Qty, Timeframe};

const CANDLES: usize = 1_000_000;

/// The shared formula: a 64-bit linear congruential generator, its upper 31 bits.
struct Draws(u64);

impl Draws {
    fn next(&mut self, below: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % below).cast_signed()
    }
}

/// A random walk in cents with volume in ten-thousandths, one candle a minute.
fn candles() -> Candles {
    let mut draws = Draws(1);
    let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").expect("a valid name"), Timeframe::M1);
    let mut close = 3_000_000_i64;
    for index in 0..CANDLES {
        let open = close;
        close = (open + draws.next(2_001) - 1_000).max(100_000);
        let price = |cents: i64| Price(i128::from(cents) * 10_i128.pow(Price::SCALE - 2));
        candles.push(Candle {
            open_time_ms: index as i64 * Timeframe::M1.ms(),
            open: price(open),
            close: price(close),
            high: price(open.max(close) + draws.next(500)),
            low: price(open.min(close) - draws.next(500)),
            volume: Qty(i128::from(draws.next(1_000_000)) * 10_i128.pow(Qty::SCALE - 4)),
        });
    }
    candles
}

/// Seconds this thread spent on a processor, where the system tells.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

/// The least wall and processor seconds of `repeat` runs.
fn best(repeat: usize, mut run: impl FnMut()) -> (f64, Option<f64>) {
    let mut least: (f64, Option<f64>) = (f64::INFINITY, None);
    for _ in 0..repeat {
        let (wall, cpu) = (Instant::now(), cpu_seconds());
        run();
        least.0 = least.0.min(wall.elapsed().as_secs_f64());
        if let (Some(start), Some(end)) = (cpu, cpu_seconds()) {
            least.1 = Some(least.1.map_or(end - start, |cpu| cpu.min(end - start)));
        }
    }
    least
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let repeat = option("--repeat").and_then(|text| text.parse().ok()).unwrap_or(15);
    let candles = candles();
    let bars = Bars::from(&candles);
    let mut table = Vec::new();
    let (wall_s, cpu_s) = best(repeat, || raw_columns(&bars, &mut table));
    let spec = FeatureSpec::default();
    let (features_wall_s, features_cpu_s) = best(3, || {
        let built = FeatureTable::build(&candles, &spec).expect("the default columns exist");
        assert_eq!(built.len(), CANDLES);
    });
    if let Some(path) = option("--dump") {
        let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("the dump can be written"));
        for value in table.iter().flatten() {
            file.write_all(&value.to_le_bytes()).expect("the dump can be written");
        }
    }
    let last: Bar = bars.get(CANDLES - 1);
    println!(
        "{}",
        serde_json::json!({
            "bench": "indicators", "candles": CANDLES, "columns": table.len(), "repeat": repeat,
            "wall_s": wall_s, "cpu_s": cpu_s, "last_close": last.close,
            "features": { "columns": spec.columns.len(), "wall_s": features_wall_s, "cpu_s": features_cpu_s },
        })
    );
}
