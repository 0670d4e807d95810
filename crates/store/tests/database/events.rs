//! What pools logged: in order, once, without gaps.

use assay_amm::PoolKind;
use assay_amm::event::{Event, Logged, RawLog, SwapMode};
use assay_store::database::{
    Contract, ContractRole, Cursor, DatabaseError, PoolEventsReader, PoolEventsWriter, PoolRow,
};

use crate::both::{Empty, both};
use crate::samples::*;

pub fn pool() -> PoolRow {
    PoolRow {
        chain_id: CHAIN,
        pool: POOL,
        kind: PoolKind::Slipstream,
        tokens: Some([[1; 20], [2; 20]]),
        tick_spacing: Some(100),
        fee_pips: None,
        contracts: vec![
            Contract { address: GAUGE, role: ContractRole::Gauge },
            Contract { address: MODULE, role: ContractRole::SwapFeeModule },
        ],
    }
}

pub async fn open(empty: &Empty) -> (PoolEventsWriter, PoolEventsReader) {
    let writer = PoolEventsWriter::open(&empty.location).await.unwrap();
    writer.put_pool(&pool()).await.unwrap();
    (writer, PoolEventsReader::open(&empty.location).await.unwrap())
}

fn every_kind() -> Vec<RawLog> {
    let own = i64::from_be_bytes([0, 0, 0, 0, 0, 0, 0, 9]);
    vec![
        log(10, 0, POOL, INITIALIZE, &[], &[1 << 50, -3]),
        log(10, 1, POOL, MINT, &[own, -200, 300], &[1, 500, 6, 7]),
        log(10, 5, POOL, SWAP, &[1, 2], &[-90, 100, 1 << 51, 500, -2]),
        log(10, 12, POOL, SWAP, &[1, 2], &[90, -100, 1 << 50, 500, -3]),
        log(11, 0, POOL, FLASH, &[1, 2], &[10, 11, 12, 13]),
        log(11, 1, POOL, SET_FEE_PROTOCOL, &[], &[0, 0, 4, 5]),
        log(11, 2, POOL, COLLECT_FEES, &[3], &[14, 15]),
        log(11, 3, POOL, COLLECT_PROTOCOL, &[3, 4], &[16, 17]),
        log(12, 0, POOL, BURN, &[own, -200, 300], &[500, 5, 6]),
        log(12, 1, POOL, COLLECT, &[own, -200, 300], &[9, 5, 6]),
    ]
}

#[tokio::test]
async fn every_event_comes_back_as_decoded() {
    for empty in both() {
        let (writer, reader) = open(&empty).await;
        assert_eq!(reader.pool(CHAIN, POOL).await.unwrap(), Some(pool()));
        assert_eq!(reader.pools(CHAIN).await.unwrap(), [POOL]);
        let logs = every_kind();
        let done = writer.ingest(CHAIN, POOL, 10..=12, &headers(0, 10..=12), &logs).await.unwrap();
        assert_eq!((done.events, done.new_events), (10, 10));
        let events = reader.events(CHAIN, POOL, 10..=12).await.unwrap();
        let decoded: Vec<Event> = logs
            .iter()
            .map(|log| match log.decode().unwrap() {
                Logged::Pool(event) => event,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(events.iter().map(|event| event.event).collect::<Vec<_>>(), decoded);
        assert_eq!(
            events.iter().map(|event| event.place).collect::<Vec<_>>(),
            logs.iter().map(|log| log.place).collect::<Vec<_>>()
        );
        assert_eq!(events.iter().map(|event| event.line).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
        assert_eq!(reader.events(CHAIN, POOL, 11..=11).await.unwrap().len(), 4);
        assert_eq!(reader.headers(CHAIN, 0..=99).await.unwrap(), headers(0, 10..=12));
        let at = header(0, 11).timestamp;
        assert_eq!(reader.first_header_at(CHAIN, at - 1).await.unwrap(), Some(header(0, 11)));
        assert_eq!(reader.first_header_at(CHAIN, at + 3).await.unwrap(), None);
        let cursor = Cursor { first_block: 10, last_block: 12, last_hash: Some(hash(0, 12)) };
        assert_eq!(reader.cursor(CHAIN, POOL).await.unwrap(), Some(cursor));
    }
}

#[tokio::test]
async fn gauges_and_fee_modules_speak_for_their_pool_alone() {
    for empty in both() {
        let (writer, reader) = open(&empty).await;
        let mut mine = log(10, 3, MODULE, CUSTOM_FEE_SET, &[0, 420], &[]);
        mine.topics[1] = ruint::aliases::U256::from_be_slice(&POOL);
        let logs = vec![
            log(10, 0, GAUGE, DEPOSIT, &[7, 8, 9], &[]),
            log(10, 1, GAUGE, CLAIM_FEES, &[7], &[1, 2]),
            log(10, 2, GAUGE, WITHDRAW, &[7, 8, 9], &[]),
            mine,
            log(10, 4, MODULE, CUSTOM_FEE_SET, &[5, 420], &[]),
            log(10, 5, MODULE, SECONDS_AGO_SET, &[600], &[]),
            // Anybody can log a deposit, or a swap; a gauge is no pool and a pool no gauge.
            log(10, 6, [0xdd; 20], DEPOSIT, &[7, 8, 9], &[]),
            log(10, 7, [0xdd; 20], SWAP, &[1, 2], &[-90, 100, 1 << 51, 500, -2]),
            log(10, 8, GAUGE, SWAP, &[1, 2], &[-90, 100, 1 << 51, 500, -2]),
            log(10, 9, POOL, DEPOSIT, &[7, 8, 9], &[]),
            log(10, 10, POOL, &"12".repeat(32), &[], &[]),
            log(10, 11, POOL, &"12".repeat(32), &[], &[]),
        ];
        let done = writer.ingest(CHAIN, POOL, 10..=10, &headers(0, 10..=10), &logs).await.unwrap();
        assert_eq!(done.events, 4);
        let skipped: Vec<(&str, u64)> = done.skipped.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        let unknown = format!("0x{}", "12".repeat(32));
        let expected = [(unknown.as_str(), 2), ("ClaimFees", 1), ("custom_fee_set", 1), ("deposit", 1), ("swap", 1)];
        assert_eq!(skipped, expected);
        assert_eq!(done.foreign.into_iter().collect::<Vec<_>>(), [(format!("0x{}", "dd".repeat(20)), 2)]);
        let gauge = reader.gauge_events(CHAIN, POOL, 10..=10).await.unwrap();
        assert_eq!(gauge.iter().map(|row| row.event.deposit).collect::<Vec<_>>(), [true, false]);
        assert_eq!((gauge[0].contract, gauge[0].event.user[19], gauge[0].event.liquidity), (GAUGE, 7, 9));
        let fees = reader.fee_events(CHAIN, POOL, 10..=10).await.unwrap();
        let found: Vec<_> = fees.iter().map(|fee| (fee.event.kind.name(), fee.event.pool, fee.event.value)).collect();
        let word = |value: u64| Some(ruint::aliases::U256::from(value));
        assert_eq!(found, [("custom_fee_set", Some(POOL), word(420)), ("seconds_ago_set", None, word(600))]);
        assert_eq!(reader.events(CHAIN, POOL, 10..=10).await.unwrap(), []);
    }
}

#[tokio::test]
async fn any_order_and_any_cut_gives_the_same() {
    for empty in both() {
        let (writer, reader) = open(&empty).await;
        let mut logs: Vec<RawLog> =
            (10..30).flat_map(|block| [swap(block, 11), swap(block, 2), swap(block, 0)]).collect();
        logs.reverse();
        logs.push(logs[5].clone());
        let between = |from: u64, to: u64| -> Vec<RawLog> {
            logs.iter().filter(|log| (from..=to).contains(&log.place.block)).cloned().collect()
        };
        for (from, to, events, new) in
            [(10, 14, 15, 15), (15, 15, 3, 3), (12, 20, 27, 15), (10, 29, 60, 27), (10, 29, 60, 0)]
        {
            let done = writer.ingest(CHAIN, POOL, from..=to, &headers(0, from..=to), &between(from, to)).await.unwrap();
            assert_eq!((done.events, done.new_events), (events, new), "{from} to {to}");
        }
        let events = reader.events(CHAIN, POOL, 10..=29).await.unwrap();
        assert_eq!(events.len(), 60);
        assert!(events.windows(2).all(|pair| pair[0].place < pair[1].place));
        // An inner range again leaves the cursor where it is.
        writer.ingest(CHAIN, POOL, 12..=13, &headers(0, 12..=13), &between(12, 13)).await.unwrap();
        assert_eq!(reader.cursor(CHAIN, POOL).await.unwrap().unwrap().last_hash, Some(hash(0, 29)));
        assert_eq!(reader.events(CHAIN, POOL, 10..=29).await.unwrap(), events);
        // Earlier blocks can be added where they meet the indexed ones.
        writer.ingest(CHAIN, POOL, 5..=9, &headers(0, 9..=9), &[]).await.unwrap();
        assert_eq!(reader.cursor(CHAIN, POOL).await.unwrap().unwrap().first_block, 5);
    }
}

#[tokio::test]
async fn a_range_that_is_refused_changes_nothing() {
    for empty in both() {
        let (writer, reader) = open(&empty).await;
        writer.ingest(CHAIN, POOL, 10..=12, &headers(0, 10..=12), &every_kind()).await.unwrap();
        let before = (reader.cursor(CHAIN, POOL).await.unwrap(), reader.events(CHAIN, POOL, 10..=12).await.unwrap());
        let mut twin = swap(13, 0);
        twin.data[31] ^= 1;
        let mut short = swap(13, 0);
        short.data.truncate(32);
        let refusals: [(&str, _, _, Vec<RawLog>); 10] = [
            ("gap", 14..=15, headers(0, 14..=15), vec![]),
            ("gap", 1..=8, headers(0, 1..=8), vec![]),
            ("no header of block 13", 13..=14, headers(0, 14..=14), vec![swap(13, 0)]),
            ("no header of block 14", 13..=14, headers(0, 13..=13), vec![]),
            ("was reorganised", 13..=13, headers(1, 13..=13), vec![swap(13, 0)]),
            ("was reorganised", 12..=13, headers(1, 12..=13), vec![]),
            ("outside 13 to 13", 13..=13, headers(0, 12..=13), vec![swap(12, 50)]),
            ("two different logs", 13..=13, headers(0, 13..=13), vec![swap(13, 0), twin]),
            ("1 words of data", 13..=13, headers(0, 13..=13), vec![swap(13, 1), short]),
            ("left logs out", 10..=13, headers(0, 10..=13), every_kind()[2..].to_vec()),
        ];
        for (reason, range, headers, logs) in refusals {
            let error = writer.ingest(CHAIN, POOL, range, &headers, &logs).await.unwrap_err();
            assert!(error.to_string().contains(reason) && !error.is_retryable(), "{reason}: {error}");
        }
        let error = writer.ingest(CHAIN, GAUGE, 1..=1, &headers(0, 1..=1), &[]).await.unwrap_err();
        assert!(matches!(error, DatabaseError::UnknownPool { .. }), "{error}");
        let after = (reader.cursor(CHAIN, POOL).await.unwrap(), reader.events(CHAIN, POOL, 10..=12).await.unwrap());
        assert_eq!(before, after);
        assert_eq!(reader.headers(CHAIN, 0..=99).await.unwrap(), headers(0, 10..=12));

        for range in [9..=10, 12..=13, 20..=30] {
            let error = reader.events(CHAIN, POOL, range).await.unwrap_err();
            assert!(error.to_string().contains("10 to 12 are"), "{error}");
        }
        assert!(matches!(
            reader.events(CHAIN, GAUGE, 1..=1).await,
            Err(DatabaseError::NotIndexed { indexed: None, .. })
        ));
    }
}

#[tokio::test]
async fn a_reorganised_range_is_replaced() {
    for empty in both() {
        let (writer, reader) = open(&empty).await;
        let other = [0xee; 20];
        writer.put_pool(&PoolRow { pool: other, ..pool() }).await.unwrap();
        let logs: Vec<RawLog> = (10..20).map(|block| swap(block, 1)).collect();
        writer.ingest(CHAIN, POOL, 10..=19, &headers(0, 10..=19), &logs).await.unwrap();
        writer.ingest(CHAIN, other, 10..=19, &headers(0, 10..=19), &[]).await.unwrap();
        let first = reader.events(CHAIN, POOL, 10..=19).await.unwrap();

        assert_eq!(writer.roll_back(CHAIN, POOL, 14).await.unwrap(), 5);
        assert_eq!(writer.roll_back(CHAIN, POOL, 14).await.unwrap(), 0);
        let cursor = Cursor { first_block: 10, last_block: 14, last_hash: Some(hash(0, 14)) };
        assert_eq!(reader.cursor(CHAIN, POOL).await.unwrap(), Some(cursor));
        assert_eq!(reader.events(CHAIN, POOL, 10..=14).await.unwrap(), first[..5]);
        assert!(matches!(reader.events(CHAIN, POOL, 10..=15).await, Err(DatabaseError::NotIndexed { .. })));
        assert_eq!(reader.headers(CHAIN, 0..=99).await.unwrap(), headers(0, 10..=14));

        let mut moved = swap(16, 4);
        moved.block_hash = hash(1, 16);
        writer.ingest(CHAIN, POOL, 15..=19, &headers(1, 15..=19), &[moved]).await.unwrap();
        assert_eq!(reader.events(CHAIN, POOL, 10..=19).await.unwrap().len(), 6);
        // The other pool was indexed on the branch that is gone.
        let error = writer.ingest(CHAIN, other, 19..=20, &headers(0, 19..=20), &[]).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Reorganised { block: 19, .. }), "{error}");

        assert_eq!(writer.roll_back_chain(CHAIN, 14).await.unwrap(), 1);
        assert_eq!(reader.cursor(CHAIN, other).await.unwrap(), Some(cursor));
        writer.ingest(CHAIN, POOL, 15..=19, &headers(0, 15..=19), &logs[5..]).await.unwrap();
        assert_eq!(reader.events(CHAIN, POOL, 10..=19).await.unwrap(), first);
        assert_eq!(writer.roll_back(CHAIN, POOL, 3).await.unwrap(), 10);
        assert_eq!(reader.cursor(CHAIN, POOL).await.unwrap(), None);
    }
}

#[tokio::test]
async fn decoded_events_keep_their_fee_and_mode() {
    let text = "block,tx_index,log_index,kind,amount0,amount1,sqrt_price_x96,liquidity,tick,fee_pips,swap_mode\n\
                10,0,4,swap,5,-6,99,7,-1,430,eout\n\
                10,1,1,swap,-5,6,99,7,-1,,\n";
    let events: Vec<_> = assay_amm::event::read_csv(text.as_bytes()).unwrap().map(Result::unwrap).collect();
    for empty in both() {
        let (writer, reader) = open(&empty).await;
        writer.ingest_events(CHAIN, POOL, 10..=10, &headers(0, 10..=10), &events).await.unwrap();
        let found = reader.events(CHAIN, POOL, 10..=10).await.unwrap();
        assert_eq!(found.iter().map(|event| event.event).collect::<Vec<_>>(), [events[0].event, events[1].event]);
        let Event::Swap(swap) = found[0].event else { panic!("{found:?}") };
        assert_eq!((swap.fee_pips, swap.mode), (Some(430), Some(SwapMode::ExactOut)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_neither_lose_nor_double() {
    for empty in both() {
        let (writer, reader) = open(&empty).await;
        let second = PoolEventsWriter::open(&empty.location).await.unwrap();
        let tasks = (0..6).map(|n| {
            let writer = if n % 2 == 0 { writer.clone() } else { second.clone() };
            tokio::spawn(async move {
                let logs: Vec<RawLog> = (10..60).flat_map(|block| [swap(block, 1), swap(block, 2)]).collect();
                writer.ingest(CHAIN, POOL, 10..=59, &headers(0, 10..=59), &logs).await.unwrap().new_events
            })
        });
        let mut new_events = 0;
        for task in tasks.collect::<Vec<_>>() {
            new_events += task.await.unwrap();
        }
        assert_eq!(new_events, 100);
        assert_eq!(reader.events(CHAIN, POOL, 10..=59).await.unwrap().len(), 100);
    }
}
