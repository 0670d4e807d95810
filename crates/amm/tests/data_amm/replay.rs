//! Real pool histories through the engine.

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
    let file = flate2::read::GzDecoder::new(File::open(crate::recorded::data(HISTORY)).unwrap());
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
    crate::recorded::say(&format!("Slipstream history: {} events, {rate:.0} a second", counts.events));
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

/// One day of a pool whose ticks are not recorded: each swap is run from the state the
/// swap before it logged, and what cannot come out is classified.
#[test]
fn a_raw_day_is_exact_or_classified() {
    let mut decompressed = Vec::new();
    lzma_rs::xz_decompress(&mut BufReader::new(File::open(crate::recorded::data(RAW_DAY)).unwrap()), &mut decompressed)
        .unwrap();
    let mut events: Vec<Located> = read_csv(Cursor::new(decompressed)).unwrap().map(Result::unwrap).collect();
    events.sort_by_key(|event| event.place);
    let swaps = events.iter().filter(|event| matches!(event.event, Event::Swap(_))).count();
    assert_eq!((events.len(), swaps), (6_234, 6_046));

    let mut classes = std::collections::BTreeMap::new();
    let mut unexplained = Vec::new();
    let mut before: Option<SwapEvent> = None;
    // What mints and burns since the last swap changed of the liquidity in range.
    let mut change_in_range = 0_i128;
    for located in &events {
        let swap = match &located.event {
            Event::Swap(swap) => *swap,
            Event::Mint(change) | Event::Burn(change) => {
                let sign = if matches!(located.event, Event::Mint(_)) { 1 } else { -1 };
                if before.is_some_and(|swap| (change.tick_lower..change.tick_upper).contains(&swap.tick)) {
                    change_in_range += sign * i128::try_from(change.liquidity).unwrap();
                }
                continue;
            }
            _ => continue,
        };
        if let Some(before) = before.replace(swap) {
            match classify(&before, &swap, change_in_range) {
                Some(class) => *classes.entry(class).or_insert(0_usize) += 1,
                None => unexplained.push(located.line),
            }
        }
        change_in_range = 0;
    }
    for (class, count) in &classes {
        crate::recorded::say(&format!("Raw day: {count:>5} pairs {class}"));
    }
    assert_eq!(unexplained, Vec::<u64>::new(), "lines of unexplained swaps");
    assert_eq!(classes.values().sum::<usize>(), 6_045);
    assert!(classes["exact"] >= 4_708, "{classes:?}");
}

/// How the swap follows from the state that the one before it left.
fn classify(before: &SwapEvent, swap: &SwapEvent, change_in_range: i128) -> Option<&'static str> {
    let liquidity = before.liquidity.checked_add_signed(change_in_range).unwrap();
    let mut core = Core::new(10, before.sqrt_price_x96).unwrap();
    (core.tick, core.liquidity) = (before.tick, liquidity);
    let pool = UniswapV3::new(core, 500, false).unwrap();
    let run = |amount, limit| {
        let token_in = usize::from(!swap.zero_for_one);
        pool.quote_limited(token_in, 1 - token_in, amount, limit, &Context::default())
    };
    let same = |swapped: Swapped| {
        let ours = (swapped.amount_in, swapped.amount_out, swapped.sqrt_price_x96, swapped.tick());
        ours == (swap.amount_in, swap.amount_out, swap.sqrt_price_x96, swap.tick) && swapped.liquidity == swap.liquidity
    };
    let furthest = Core::furthest_limit(swap.zero_for_one);
    let all = Amount::In((U256::ONE << 255) - U256::ONE);
    if run(Amount::In(swap.amount_in), furthest).is_ok_and(same) {
        Some(if change_in_range == 0 { "exact" } else { "exact after a mint or burn in range" })
    } else if run(Amount::Out(swap.amount_out), furthest).is_ok_and(same) {
        Some("exact, asked for by output")
    } else if run(all, swap.sqrt_price_x96).is_ok_and(same) {
        Some("exact, stopped at its price limit")
    } else {
        // Liquidity that no mint or burn changed has crossed a tick whose net the day does not show.
        (swap.liquidity != liquidity).then_some("across a tick of unknown liquidity")
    }
}
