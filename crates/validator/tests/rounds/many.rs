//! Many miners, many jobs, and a database that is away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use assay_lp::Job;
use assay_store::database::{DatabaseLocation, RoundMode};
use assay_validator::{Clock, RecordedSource, Report};
use sqlx::Connection as _;

use crate::market::{blocks, events, job, position};
use crate::miners::{Miner, holds, honest, wants};
use crate::world::{World, source, stepped};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_and_fifty_six_miners_in_a_round() {
    let job = Job { evaluation_interval_blocks: 25, ..job("crowd") };
    let mut miners = Vec::new();
    for seed in 0..256_u16 {
        let tick = 200 + 10 * i32::from(seed);
        miners.push(honest(seed + 1, wants(vec![position(-tick, tick, 900_000_000, 900_000_000)])).await);
    }
    let all: Vec<&Miner> = miners.iter().collect();
    let world = World::new(std::slice::from_ref(&job), &all).await;
    world.run(source(stepped(&job), &job, 1)).await;
    let record = world.record("crowd_evaluation_0").await;
    assert_eq!(record.miners.len(), 256);
    let ranked = record.miners.iter().filter(|miner| miner.judgement.rank.is_some()).count();
    assert_eq!(ranked, 256);
    assert_eq!(world.database.predictions("crowd_evaluation_0", RoundMode::Follow).await.unwrap().len(), 3 * 256);
}

/// Rounds of fifty jobs begin when their blocks are there, though one miner of each never
/// answers in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_jobs_at_once_hold_their_cadence() {
    const JOBS: usize = 50;
    const ROUNDS: u64 = 3;
    /// Times as fast as the market: a round takes six seconds.
    const FACTOR: u32 = 20;
    let jobs: Vec<Job> = (0..JOBS)
        .map(|index| Job {
            evaluation_interval_blocks: 25,
            pair_address: format!("0x{:040x}", 100 + index),
            ..job(&format!("job-{index:02}"))
        })
        .collect();
    let miners = [
        honest(1, wants(vec![position(-2_000, 2_000, 900_000_000, 900_000_000)])).await,
        honest(2, holds()).await,
        crate::miners::cheat(3, |_| crate::miners::Deed::Silence).await,
    ];
    let world = World::new(&jobs, &[&miners[0], &miners[1], &miners[2]]).await;
    let market = events(&jobs[0], ROUNDS);
    let pools: BTreeMap<_, _> = jobs.iter().map(|job| (job.pair_address.clone(), market.clone())).collect();
    let blocks = blocks(&jobs[0], ROUNDS);
    let now =
        u64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let clock = Clock::fast(now, blocks[0].timestamp * 1_000, FACTOR);
    world.run(Arc::new(RecordedSource::new(clock, blocks, pools))).await;
    let mut late: Vec<u64> = Vec::new();
    for report in world.reports() {
        if let Report::Started { late_ms, .. } = report {
            late.push(late_ms / u64::from(FACTOR));
        }
    }
    late.sort_unstable();
    let (median, worst) = (late[late.len() / 2], *late.last().unwrap());
    println!("{} round starts of {JOBS} jobs: median {median} ms late, worst {worst} ms late", late.len());
    let mut completed = 0;
    for job in &jobs {
        for number in 0..ROUNDS {
            let round =
                world.database.round(&format!("{}_evaluation_{number}", job.job_id), RoundMode::Follow).await.unwrap();
            completed += usize::from(round.is_some_and(|round| round.record.is_some()));
        }
    }
    // The last window begins with the last block and is cut off there.
    assert_eq!(late.len(), JOBS * (ROUNDS as usize + 1), "{:#?}", world.reports());
    assert_eq!(completed, JOBS * ROUNDS as usize);
    assert!(worst < 300, "{worst} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_go_on_while_the_database_is_away() {
    let job = Job { evaluation_interval_blocks: 25, ..job("away") };
    let miners =
        [honest(1, wants(vec![position(-2_000, 2_000, 900_000_000, 900_000_000)])).await, honest(2, holds()).await];
    let world = World::new(std::slice::from_ref(&job), &[&miners[0], &miners[1]]).await;
    let DatabaseLocation::Sqlite(path) = &world.location else { panic!("a file") };
    let url = format!("sqlite:{}", path.display());
    // Three rounds of the market in 6 s, while nobody else may write for 12 s.
    let now =
        u64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let clock = Clock::fast(now, blocks(&job, 1)[0].timestamp * 1_000, 60);
    let away = async {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let begun = || world.reports().iter().any(|report| matches!(report, Report::Started { .. }));
        while !begun() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        tokio::time::sleep(Duration::from_secs(12)).await;
        let judged = world.reports().iter().filter(|report| matches!(report, Report::Judged { .. })).count();
        sqlx::query("COMMIT").execute(&mut connection).await.unwrap();
        judged
    };
    let (judged, ()) = tokio::join!(away, world.run(source(clock, &job, 3)));
    assert_eq!(judged, 3, "{:#?}", world.reports());
    assert!(world.reports().iter().any(|report| matches!(report, Report::Waiting { .. })), "{:#?}", world.reports());
    for number in 0..3 {
        world.record(&format!("away_evaluation_{number}")).await;
    }
    let scores = world.database.scores("away", RoundMode::Follow).await.unwrap();
    assert!(scores.iter().all(|row| row.scored_rounds == 3 && row.version == 3));
}
