//! Real pool histories through the engine.

mod common;

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::time::Instant;

use assay_amm::Context;
use assay_amm::U256;
use assay_amm::concentrated::{Amount, Core, Swapped};
use assay_amm::event::{Event, Located, SwapEvent, read_csv};
use assay_amm::kind::{Slipstream, UniswapV3};
use assay_amm::replay::{Replay, ReplayPool};

const HISTORY: &str = "liquidity/velodrome-slipstream-op-weth-op-cl200-0x1e60272c.events.csv.gz";
const RAW_DAY: &str = "liquidity/uniswapv3-eth-usdc-weth-500-0x88e6-2024-01-05.rawlogs.csv.xz";

fn history() -> Vec<Located> {
    let file = flate2::read::GzDecoder::new(File::open(common::data(HISTORY)).unwrap());
    read_csv(file).unwrap().map(Result::unwrap).collect()
}

fn slipstream() -> Replay {
    let price = "2258127719792565547181614648221".parse().unwrap();
    let pool = Slipstream::new(Core::new(200, price).unwrap(), Some(3000), Some(100_000)).unwrap();
    Replay::new(ReplayPool::Slipstream(pool))
}

#[test]
fn every_event_of_the_slipstream_history_is_exact() {
    let events = history();
    let mut replay = slipstream();
    let start = Instant::now();
    for event in &events {
        replay.apply(event).unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    let counts = replay.counts();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = counts.events as f64 / seconds;
    common::say(&format!("Slipstream history: {} events, {rate:.0} a second", counts.events));
    assert_eq!(replay.mismatches(), []);
    assert_eq!((counts.events, counts.swaps, counts.mints, counts.burns), (159_360, 141_107, 9_516, 8_737));
    assert_eq!(counts.modes, [137_603, 2_759, 745]);
    assert_eq!(replay.fee_changes(), []);
    let core = replay.pool().core();
    assert_eq!(core.sqrt_price_x96.to_string(), "3432731807116075811665117858459");
    assert_eq!((core.tick, core.liquidity, core.ticks.len()), (75_379, 82_696_101_105_165_102_513_143, 63));
}

/// Without the recorded fees and modes the engine finds both by itself.
#[test]
fn fees_and_modes_of_the_history_are_inferred() {
    let mut replay = slipstream();
    for mut event in history() {
        if let Event::Swap(swap) = &mut event.event {
            (swap.fee_pips, swap.mode) = (None, None);
        }
        replay.apply(&event).unwrap();
    }
    assert_eq!(replay.counts().mismatches, 0);
    let changes: Vec<_> = replay.fee_changes().iter().map(|change| (change.from_pips, change.to_pips)).collect();
    assert_eq!(changes, [(Some(3000), 500)]);
    assert!(replay.fee_changes()[0].place.block >= 120_487_238);
}
