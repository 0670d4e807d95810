//! The whole history of a real Slipstream pool, with fee growth, every event compared
//! with the record, in processor seconds of the thread. Reading the file is not timed.

use std::fs::File;

use assay_amm::concentrated::Core;
use assay_amm::event::{Located, read_csv};
use assay_amm::kind::Slipstream;
use assay_amm::replay::{Replay, ReplayPool};

use crate::data;
use crate::measure::processor_seconds;

const HISTORY: &str = "liquidity/velodrome-slipstream-op-weth-op-cl200-0x1e60272c.events.csv.gz";
const FIRST_PRICE: &str = "2258127719792565547181614648221";
const RUNS: usize = 15;

pub fn run() {
    let path = data::path(HISTORY);
    let file = flate2::read::GzDecoder::new(File::open(&path).expect("a file that exists opens"));
    let events: Result<Vec<Located>, _> = read_csv(file).expect("a table of events").collect();
    let events = events.expect("every line is an event");
    let mut rates: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = processor_seconds();
            let replay = replay(&events);
            let seconds = processor_seconds() - start;
            assert_eq!(replay.counts().mismatches, 0, "{:?}", replay.mismatches().first());
            assert_eq!(replay.pool().core().sqrt_price_x96.to_string(), "3432731807116075811665117858459");
            events.len() as f64 / seconds
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!(
        "{}",
        serde_json::json!({
            "case": "replay",
            "events": events.len(),
            "events_per_second_best": rates[RUNS - 1],
            "events_per_second_median": rates[RUNS / 2],
            "path": path.to_string_lossy(),
            "sqrt_price_x96": FIRST_PRICE,
            "tick_spacing": 200,
        })
    );
}

fn replay(events: &[Located]) -> Replay {
    let core = Core::new(200, FIRST_PRICE.parse().expect("a number")).expect("a price in range");
    let pool = Slipstream::new(core, Some(3000), Some(100_000)).expect("fees in range");
    let mut replay = Replay::new(ReplayPool::Slipstream(pool));
    for event in events {
        replay.apply(event).expect("an event of this pool");
    }
    replay
}
