//! Rounds over the databases of the product: pool events as the indexer stores them, jobs on
//! PostgreSQL, practice beside earnings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use assay_amm::PoolKind;
use assay_amm::event::BlockHeader;
use assay_lp::replay::{Plan, Tape, replay_round};
use assay_lp::weights::TOTAL_WEIGHT;
use assay_lp::{BlockTimes, Entrant, Job, Market, RebalanceAnswer, Reply, RoundType};
use assay_store::database::{
    DatabaseLocation, JobsDatabase, MinerRow, Participation, PoolEventsReader, PoolEventsWriter, PoolRow, RoundMode,
};
use assay_testkit::postgres::Postgres;
use assay_validator::executor::{ExecutorError, VaultRound};
use assay_validator::{
    Clock, DatabaseSource, EventSource as _, Executor as _, PaperExecutor, SourceError, store_practice, weigh,
};

use crate::market::{GENESIS, blocks, events, job, position};
use crate::miners::{Miner, holds, honest, wants};
use crate::world::{World, source, stepped};

/// The market is fifteen times as fast as its blocks' times.
const FACTOR: u32 = 15;

fn wide() -> Vec<assay_lp::DesiredPosition> {
    vec![position(-2_000, 2_000, 900_000_000, 900_000_000)]
}

/// Stores each block when its time has come, as an indexer that follows the chain does.
async fn index(location: &DatabaseLocation, clock: Clock, job: &Job, rounds: u64) {
    let writer = PoolEventsWriter::open(location).await.unwrap();
    let mut pool = [0; 20];
    pool[19] = 2;
    let row = PoolRow {
        chain_id: job.chain_id,
        pool,
        kind: PoolKind::UniswapV3,
        tokens: None,
        tick_spacing: Some(job.pool.tick_spacing),
        fee_pips: Some(3_000),
        contracts: Vec::new(),
    };
    writer.put_pool(&row).await.unwrap();
    let (blocks, events) = (blocks(job, rounds), events(job, rounds));
    let mut hold = clock.hold();
    let mut next = 0;
    while next < blocks.len() {
        hold.sleep_until(blocks[next].timestamp * 1_000).await;
        let there = blocks.partition_point(|block| block.timestamp * 1_000 <= clock.now_ms()).max(next + 1);
        // Blocks without events have no header but the last, as with an indexer that is thrifty.
        let range = blocks[next].number..=blocks[there - 1].number;
        let logs: Vec<_> = events.iter().filter(|event| range.contains(&event.place.block)).cloned().collect();
        let headers: Vec<BlockHeader> = blocks[next..there]
            .iter()
            .filter(|block| block.number == *range.end() || logs.iter().any(|log| log.place.block == block.number))
            .map(|block| BlockHeader { number: block.number, hash: hash(block.number), timestamp: block.timestamp })
            .collect();
        writer.ingest_events(job.chain_id, pool, range, &headers, &logs).await.unwrap();
        next = there;
    }
}

fn hash(block: u64) -> [u8; 32] {
    let mut hash = [3; 32];
    hash[..8].copy_from_slice(&block.to_be_bytes());
    hash
}

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}

/// A round from the pool-events database has the record of the same round from the list.
async fn follows_the_events_database(events_db: DatabaseLocation, world: World, job: Job) {
    let clock = Clock::fast(now_ms() + 500, blocks(&job, 1)[0].timestamp * 1_000, FACTOR);
    // The tables must be there before a reader opens them.
    PoolEventsWriter::open(&events_db).await.unwrap().close().await;
    let reader = PoolEventsReader::open(&events_db).await.unwrap();
    let source = Arc::new(DatabaseSource::new(reader, clock.clone(), 2, Duration::from_millis(10)));
    let reports = Arc::clone(&world.reports);
    let stored = async move {
        let stored = |report: &assay_validator::Report| matches!(report, assay_validator::Report::Stored { .. });
        while !reports.lock().unwrap().iter().any(stored) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let work = assay_validator::run(world.database.clone(), source, world.settings(), stored);
    let (done, ()) = tokio::join!(
        async { tokio::time::timeout(Duration::from_secs(60), work).await },
        index(&events_db, clock, &job, 1)
    );
    done.unwrap_or_else(|_| panic!("{:#?}", world.reports())).unwrap();
    let followed = world.record(&job.round_id(RoundType::Evaluation, 0)).await;

    let other = World::at(world.location.clone(), tempfile::tempdir().unwrap(), &[], &[]).await;
    let listed = {
        let folder = tempfile::tempdir().unwrap();
        let location = DatabaseLocation::Sqlite(folder.path().join("jobs.db"));
        let listed = World::at(location, folder, std::slice::from_ref(&job), &[]).await;
        for miner in other.database.miners().await.unwrap() {
            listed.database.put_miner(&miner).await.unwrap();
        }
        listed.run(crate::world::source(stepped(&job), &job, 1)).await;
        listed.record(&job.round_id(RoundType::Evaluation, 0)).await
    };
    assert_eq!(followed.hash(), listed.hash());
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_follow_the_pool_events_database() {
    let job = Job { evaluation_interval_blocks: 25, ..job("indexed") };
    let miners = [honest(1, wants(wide())).await, honest(2, holds()).await];
    let folder = tempfile::tempdir().unwrap();
    let events_db = DatabaseLocation::Sqlite(folder.path().join("events.db"));
    let world = World::new(std::slice::from_ref(&job), &[&miners[0], &miners[1]]).await;
    follows_the_events_database(events_db, world, job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_on_postgresql() {
    let server = Postgres::start();
    let job = Job { evaluation_interval_blocks: 25, ..job("postgres") };
    let miners = [honest(1, wants(wide())).await, honest(2, holds()).await];
    let location: DatabaseLocation = server.database().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let world = World::at(location, folder, std::slice::from_ref(&job), &[&miners[0], &miners[1]]).await;
    follows_the_events_database(server.database().parse().unwrap(), world, job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn practice_never_touches_reputation() {
    let job = job("practice");
    let miner = honest(1, wants(wide())).await;
    let world = World::new(std::slice::from_ref(&job), &[&miner]).await;
    world.run(source(stepped(&job), &job, 1)).await;
    let state = |database: JobsDatabase| async move {
        let round = database.round("practice_evaluation_0", RoundMode::Follow).await.unwrap();
        let days = database.participation("practice", &miner.key, "2025-01-01").await.unwrap();
        (
            database.scores("practice", RoundMode::Follow).await.unwrap(),
            days,
            round,
            weigh(&database, GENESIS).await.unwrap(),
        )
    };
    let before = state(world.database.clone()).await;

    let times = BlockTimes::Recorded(blocks(&job, 1));
    let plan = Plan::of(&job, RoundType::Evaluation, 0, &times).unwrap();
    let events = events(&job, 1);
    let entrant = Entrant {
        miner: before.0[0].miner.clone(),
        registered_at: 1_000,
        built_in: false,
        authenticated: true,
        combined_before: 0,
    };
    let mut market = Market::new(job.pool.clone());
    let record = replay_round(&job, &plan, &mut market, &mut Tape::new(&events), vec![entrant], |_, queries| {
        queries.iter().map(|_| Some(Reply::Answer(RebalanceAnswer::positions(wide())))).collect()
    })
    .unwrap();
    store_practice(&world.database, &record, 1).await.unwrap();
    let own = world.database.scores("practice", RoundMode::Practice).await.unwrap();
    assert_eq!((own.len(), own[0].scored_rounds), (1, 1));
    assert!(world.database.round("practice_evaluation_0", RoundMode::Practice).await.unwrap().is_some());
    // The record of a round that counts is no practice.
    assert!(store_practice(&world.database, &world.record("practice_evaluation_0").await, 1).await.is_err());
    let database = world.database.clone();
    let days = database.participation("practice", &own[0].miner, "2025-01-01").await.unwrap();
    let round = database.round("practice_evaluation_0", RoundMode::Follow).await.unwrap();
    let scores = database.scores("practice", RoundMode::Follow).await.unwrap();
    assert_eq!((scores, days, round, weigh(&database, GENESIS).await.unwrap()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_go_to_the_top_eligible_miner_of_each_job() {
    let jobs = [job("first"), job("second")];
    let miners = [honest(1, wants(wide())).await, honest(2, holds()).await];
    let world = World::new(&jobs, &[&miners[0], &miners[1]]).await;
    world.run(source(stepped(&jobs[0]), &jobs[0], 2)).await;
    let nobody = weigh(&world.database, GENESIS).await.unwrap();
    assert_eq!((nobody.weights.burnt, nobody.weights.by_miner.len()), (TOTAL_WEIGHT, 0));
    assert!(nobody.jobs[0].missing[0].contains("0 of 7 days"));

    let days = |job: &str, miner: &Miner| -> Vec<Participation> {
        let day = |day| Participation {
            job_id: job.into(),
            miner: miner.key.clone(),
            date: format!("2025-10-{day:02}"),
            offered: 2,
            answered: 1,
            refused: 0,
        };
        (2..=8).map(day).collect()
    };
    let [first, second] = &miners;
    let set = [days("first", first), days("first", second), days("second", second)].concat();
    world.database.set_participation(&set).await.unwrap();
    let weighing = weigh(&world.database, GENESIS).await.unwrap();
    let tops: BTreeMap<_, _> =
        weighing.jobs.iter().map(|job| (job.job_id.as_str(), job.top.clone().unwrap())).collect();
    assert_eq!((&tops["first"].0, &tops["second"].0), (&first.key, &second.key));
    let (of_first, of_second) = (tops["first"].1, tops["second"].1);
    assert!(of_first > of_second && of_second > 0);
    let by_miner = &weighing.weights.by_miner;
    assert_eq!(by_miner.values().map(|weight| u32::from(*weight)).sum::<u32>(), u32::from(TOTAL_WEIGHT));
    assert!(by_miner[&first.key] > by_miner[&second.key]);

    // Unsigned answers never count for live rounds or weights.
    let row = world.database.miners().await.unwrap().into_iter().find(|row| row.miner == first.key).unwrap();
    world.database.put_miner(&MinerRow { wire: "axon-v10".into(), ..row }).await.unwrap();
    let barred = weigh(&world.database, GENESIS).await.unwrap();
    assert_eq!(barred.weights.by_miner.keys().collect::<Vec<_>>(), [&second.key]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganised_chain_is_noticed_and_missing_times_are_named() {
    let job = job("branch");
    let folder = tempfile::tempdir().unwrap();
    let location = DatabaseLocation::Sqlite(folder.path().join("events.db"));
    let writer = PoolEventsWriter::open(&location).await.unwrap();
    let mut pool = [0; 20];
    pool[19] = 2;
    let (kind, tick_spacing) = (PoolKind::UniswapV3, Some(job.pool.tick_spacing));
    let row = PoolRow { chain_id: 8453, pool, kind, tokens: None, tick_spacing, fee_pips: None, contracts: Vec::new() };
    writer.put_pool(&row).await.unwrap();
    let header = |block: u64, timestamp: u64, branch: u8| BlockHeader { number: block, hash: [branch; 32], timestamp };
    writer.ingest_events(8453, pool, 10..=20, &[header(20, 1_040, 1)], &[]).await.unwrap();
    let reader = PoolEventsReader::open(&location).await.unwrap();
    let source = DatabaseSource::new(reader, Clock::system(), 2, Duration::from_millis(5));
    let mut hold = source.clock().hold();
    let first = source.next(&job, None, &mut hold).await.unwrap().unwrap();
    assert_eq!(first.blocks, [assay_lp::BlockTime { number: 20, timestamp: 1_040 }]);

    writer.ingest_events(8453, pool, 21..=23, &[header(23, 1_046, 1)], &[]).await.unwrap();
    let second = source.next(&job, Some(20), &mut hold).await.unwrap().unwrap();
    let times: Vec<u64> = second.blocks.iter().map(|block| block.timestamp).collect();
    assert_eq!((times, second.blocks[0].number), (vec![1_042, 1_044, 1_046], 21));

    writer.ingest_events(8453, pool, 24..=26, &[header(26, 1_053, 1)], &[]).await.unwrap();
    let holes = source.next(&job, Some(23), &mut hold).await.unwrap_err();
    assert!(holes.to_string().contains("blocks 24 to 25"), "{holes}");

    writer.roll_back(8453, pool, 21).await.unwrap();
    writer.ingest_events(8453, pool, 22..=24, &[header(23, 1_046, 2), header(24, 1_048, 2)], &[]).await.unwrap();
    let branch = source.next(&job, Some(23), &mut hold).await.unwrap_err();
    assert!(matches!(branch, SourceError::Reorganised { block: 23 }), "{branch}");
    // A block that this source never gave may be of any branch.
    let unknown = source.next(&job, Some(22), &mut hold).await.unwrap_err();
    assert!(matches!(unknown, SourceError::Reorganised { block: 22 }), "{unknown}");
}

/// On paper a vault begins anew on the branch that won.
#[tokio::test(flavor = "multi_thread")]
async fn paper_forgets_what_was_filled_on_a_branch_that_is_gone() {
    let job = job("paper-branch");
    let folder = tempfile::tempdir().unwrap();
    let location = DatabaseLocation::Sqlite(folder.path().join("events.db"));
    let writer = PoolEventsWriter::open(&location).await.unwrap();
    let mut pool = [0; 20];
    pool[19] = 2;
    let (kind, tick_spacing) = (PoolKind::UniswapV3, Some(job.pool.tick_spacing));
    let row = PoolRow { chain_id: 8453, pool, kind, tokens: None, tick_spacing, fee_pips: None, contracts: Vec::new() };
    writer.put_pool(&row).await.unwrap();
    let (blocks, events) = (blocks(&job, 1), events(&job, 1));
    let ingest = async |range: std::ops::RangeInclusive<usize>, branch: u8| {
        let blocks = &blocks[range];
        let numbers = blocks[0].number..=blocks[blocks.len() - 1].number;
        let logs: Vec<_> = events.iter().filter(|event| numbers.contains(&event.place.block)).cloned().collect();
        let headers: Vec<_> = blocks
            .iter()
            .map(|block| BlockHeader { number: block.number, hash: [branch; 32], timestamp: block.timestamp })
            .collect();
        writer.ingest_events(8453, pool, numbers, &headers, &logs).await.unwrap();
    };
    ingest(0..=30, 1).await;
    let reader = PoolEventsReader::open(&location).await.unwrap();
    let source = DatabaseSource::new(reader, Clock::system(), 2, Duration::from_millis(5));
    let paper = PaperExecutor::new(Arc::new(source), [job.clone()]);
    let vault = |round: &str, block: usize| VaultRound {
        job_id: job.job_id.clone(),
        round_id: round.into(),
        sn_liquidity_manager_address: job.sn_liquidity_manager_address.clone(),
        pair_address: job.pair_address.clone(),
        start_block: blocks[block].number,
    };
    paper.open(&vault("first", 20)).await.unwrap();

    writer.roll_back(8453, pool, blocks[24].number).await.unwrap();
    ingest(25..=40, 2).await;
    let gone = paper.report(&vault("first", 20), blocks[40].number).await.unwrap_err();
    assert!(matches!(gone, ExecutorError::Source(SourceError::Reorganised { .. })), "{gone}");
    let gone = paper.report(&vault("first", 20), blocks[40].number).await.unwrap_err();
    assert!(matches!(gone, ExecutorError::UnknownRound(_)), "{gone}");
    // A round of the new branch opens at once, also right after another change of branch.
    paper.open(&vault("second", 40)).await.unwrap();
    writer.roll_back(8453, pool, blocks[35].number).await.unwrap();
    ingest(36..=50, 3).await;
    let opened = paper.open(&vault("third", 50)).await.unwrap();
    assert_eq!(opened.block, blocks[50].number);
}
