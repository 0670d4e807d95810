//! A recorded day of a real pool through both databases, and how fast.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may panic, and read files and the clock")]

#[path = "database/both.rs"]
mod both;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

use assay_amm::PoolKind;
use assay_amm::event::{BlockHeader, Event, Located, Place, RawLog, read_csv};
use assay_store::database::{PoolEventsReader, PoolEventsWriter, PoolRow};
use ruint::aliases::U256;

use crate::both::both;

const RAW_DAY: &str = "liquidity/uniswapv3-eth-usdc-weth-500-0x88e6-2024-01-05.rawlogs.csv.xz";
const POOL: [u8; 20] = [0x88; 20];
const CHAIN: u64 = 1;

/// The day as text.
fn text() -> Vec<u8> {
    let folder = std::env::var("ASSAY_TEST_DATA").expect("set ASSAY_TEST_DATA to the folder of real data");
    let mut text = Vec::new();
    let file = File::open(Path::new(&folder).join(RAW_DAY)).unwrap();
    lzma_rs::xz_decompress(&mut BufReader::new(file), &mut text).unwrap();
    text
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    hex::decode_to_slice(text.trim_start_matches("0x"), &mut bytes).unwrap();
    bytes
}

/// The recording has no block hashes: a block's number stands for its hash.
fn hash(block: u64) -> [u8; 32] {
    U256::from(block).to_be_bytes()
}

fn raw_logs(text: &[u8]) -> (Vec<BlockHeader>, Vec<RawLog>) {
    let mut headers = Vec::new();
    let mut logs = Vec::new();
    for record in csv::Reader::from_reader(text).records() {
        let record = record.unwrap();
        let [block, _, tx_hash, tx_index, log_index, topics, data] = std::array::from_fn(|index| &record[index]);
        let number: u64 = block.parse().unwrap();
        // Seconds of the day: the date is the same in all rows.
        let clock: Vec<u64> =
            record[1].split_once(' ').unwrap().1.split(':').map(|part| part.parse().unwrap()).collect();
        let timestamp = 1_704_412_800 + clock[0] * 3600 + clock[1] * 60 + clock[2];
        headers.push(BlockHeader { number, hash: hash(number), timestamp });
        let words = topics.split(['\'', '[', ']', ',', ' ', '"']).filter(|word| word.starts_with("0x"));
        logs.push(RawLog {
            place: Place { block: number, tx_index: tx_index.parse().unwrap(), log_index: log_index.parse().unwrap() },
            block_hash: hash(number),
            tx_hash: bytes(tx_hash),
            address: POOL,
            topics: words.map(|word| U256::from_str_radix(&word[2..], 16).unwrap()).collect(),
            data: hex::decode(data.trim_start_matches("0x")).unwrap(),
        });
    }
    (headers, logs)
}

/// The same rows in another order: by a hash of their place.
fn shuffle(logs: &mut [RawLog]) {
    logs.sort_by_key(|log| (log.place.block * 1_000_003 + log.place.log_index).wrapping_mul(0x9e37_79b9_7f4a_7c15));
}

fn same(found: &[Located], expected: &[Located]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((found.place, found.event), (expected.place, expected.event));
    }
}

#[tokio::test]
async fn the_recorded_day_is_stored_in_order_and_once() {
    let text = text();
    let mut expected: Vec<Located> = read_csv(text.as_slice()).unwrap().map(Result::unwrap).collect();
    expected.sort_by_key(|event| event.place);
    let (headers, mut logs) = raw_logs(&text);
    shuffle(&mut logs);
    assert!(!logs.is_sorted_by_key(|log| log.place));
    let (first, last) = (expected[0].place.block, expected[expected.len() - 1].place.block);
    for empty in both() {
        let name = if empty.is_postgres() { "PostgreSQL" } else { "SQLite" };
        let writer = PoolEventsWriter::open(&empty.location).await.unwrap();
        let kind = PoolKind::UniswapV3;
        let pool = PoolRow {
            chain_id: CHAIN,
            pool: POOL,
            kind,
            tokens: None,
            tick_spacing: Some(10),
            fee_pips: Some(500),
            contracts: vec![],
        };
        writer.put_pool(&pool).await.unwrap();
        let reader = PoolEventsReader::open(&empty.location).await.unwrap();
        let read = async || reader.events(CHAIN, POOL, first..=last).await.unwrap();

        let begin = Instant::now();
        let done = writer.ingest(CHAIN, POOL, first..=last, &headers, &logs).await.unwrap();
        println!("{name}: {:.0} logs/s stored", logs.len() as f64 / begin.elapsed().as_secs_f64());
        assert_eq!((done.events, done.skipped.len(), done.foreign.len()), (6_234, 0, 0));
        let begin = Instant::now();
        let events = read().await;
        println!("{name}: {:.0} events/s read", events.len() as f64 / begin.elapsed().as_secs_f64());
        same(&events, &expected);
        let count = |is: fn(&Event) -> bool| events.iter().filter(|located| is(&located.event)).count();
        assert_eq!(count(|event| matches!(event, Event::Swap(_))), 6_046);
        assert_eq!(count(|event| matches!(event, Event::Mint(_))), 54);
        assert_eq!(count(|event| matches!(event, Event::Burn(_))), 69);
        assert_eq!(count(|event| matches!(event, Event::Collect { .. })), 65);

        let again = writer.ingest(CHAIN, POOL, first..=last, &headers, &logs).await.unwrap();
        assert_eq!((again.events, again.new_events), (6_234, 0));
        same(&read().await, &expected);

        let middle = expected[3_000].place.block;
        let deleted = writer.roll_back(CHAIN, POOL, middle).await.unwrap();
        assert_eq!(deleted, expected.iter().filter(|event| event.place.block > middle).count() as u64);
        let rest: Vec<RawLog> = logs.iter().filter(|log| log.place.block > middle).cloned().collect();
        writer.ingest(CHAIN, POOL, middle + 1..=last, &headers, &rest).await.unwrap();
        same(&read().await, &expected);
        writer.roll_back(CHAIN, POOL, first - 1).await.unwrap();

        // As an indexer does it: 100 blocks at a time, each its own transaction.
        let begin = Instant::now();
        for from in (first..=last).step_by(100) {
            let range = from..=last.min(from + 99);
            let part: Vec<RawLog> = logs.iter().filter(|log| range.contains(&log.place.block)).cloned().collect();
            let mut known: Vec<BlockHeader> =
                headers.iter().filter(|header| range.contains(&header.number)).copied().collect();
            let end = BlockHeader { number: *range.end(), hash: hash(*range.end()), timestamp: 0 };
            if known.iter().all(|header| header.number != end.number) {
                known.push(end);
            }
            writer.ingest(CHAIN, POOL, range, &known, &part).await.unwrap();
        }
        println!(
            "{name}: {:.0} logs/s stored, 100 blocks at a time",
            logs.len() as f64 / begin.elapsed().as_secs_f64()
        );
        same(&read().await, &expected);
    }
}
