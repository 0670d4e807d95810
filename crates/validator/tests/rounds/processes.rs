//! Validators as processes of their own: two that agree, and one that is killed again and
//! again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use assay_lp::reputation::Reputation;
use assay_lp::{Job, RoundRecord, hold_score};
use assay_miner::{MinerClient, system_clock};
use assay_store::database::{
    DatabaseLocation, JobsDatabase, Participation, Round, RoundMode, RoundStatus, TransactionStatus,
};
use assay_validator::{Clock, EventSource, PaperExecutor, Report, Reporter, Settings, run};
use tempfile::TempDir;

use crate::market::{blocks, job, position};
use crate::miners::{Miner, holds, honest, key, wants};
use crate::world::{World, put_job, recorded, register};

/// The validator that the other tests start as a process of its own: this test in another
/// run of the test program.
#[test]
#[ignore = "a process that other tests start"]
fn child() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let number = |name: &str| variable(name).parse::<u64>().unwrap();
    let job: Job = serde_json::from_str(&variable("ASSAY_TEST_JOB")).unwrap();
    let rounds = number("ASSAY_TEST_ROUNDS");
    let factor = number("ASSAY_TEST_FACTOR") as u32;
    let clock = Clock::fast(number("ASSAY_TEST_ANCHOR"), blocks(&job, 1)[0].timestamp * 1_000, factor);
    let source = Arc::new(recorded(clock, &job, rounds));
    let settings = Settings {
        client: MinerClient::new(key(number("ASSAY_TEST_VALIDATOR") as u16), None, system_clock()).unwrap(),
        asks_axon: false,
        jobs: None,
        executor: Some(Arc::new(PaperExecutor::new(Arc::clone(&source) as Arc<dyn EventSource>, [job]))),
        reporter: Reporter::new(|report| println!("{report}")),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let database = JobsDatabase::open(&variable("ASSAY_TEST_DATABASE").parse().unwrap()).await.unwrap();
        run(database, source, settings, std::future::pending()).await.unwrap();
    });
}

struct Validator<'a> {
    database: &'a Path,
    job: &'a Job,
    rounds: u64,
    factor: u32,
    anchor: u64,
    seed: u16,
    log: &'a Path,
}

impl Validator<'_> {
    fn start(&self) -> Process {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["processes::child", "--exact", "--ignored", "--nocapture"])
            .env("ASSAY_TEST_DATABASE", self.database)
            .env("ASSAY_TEST_JOB", serde_json::to_string(self.job).unwrap())
            .env("ASSAY_TEST_ROUNDS", self.rounds.to_string())
            .env("ASSAY_TEST_FACTOR", self.factor.to_string())
            .env("ASSAY_TEST_ANCHOR", self.anchor.to_string())
            .env("ASSAY_TEST_VALIDATOR", self.seed.to_string())
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        Process(child)
    }
}

/// Killed when dropped.
struct Process(Child);

impl Process {
    async fn ends(mut self) {
        while self.0.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}

async fn database(folder: &TempDir, name: &str, job: &Job, miners: &[&Miner]) -> (std::path::PathBuf, JobsDatabase) {
    let path = folder.path().join(name);
    let database = JobsDatabase::open(&DatabaseLocation::Sqlite(path.clone())).await.unwrap();
    put_job(&database, job).await;
    for (index, miner) in miners.iter().enumerate() {
        register(&database, miner, index).await;
    }
    (path, database)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_validators_write_the_same_record() {
    let job = Job { evaluation_interval_blocks: 25, ..job("twins") };
    let miners = [
        honest(1, wants(vec![position(-2_000, 2_000, 900_000_000, 900_000_000)])).await,
        honest(2, wants(vec![position(-100, 100, 500_000_000, 500_000_000)])).await,
        honest(3, holds()).await,
    ];
    let all: Vec<&Miner> = miners.iter().collect();
    let folder = tempfile::tempdir().unwrap();
    let first = database(&folder, "first.db", &job, &all).await;
    let second = database(&folder, "second.db", &job, &all).await;
    let log = folder.path().join("log");
    // A question is open for 1.2 s.
    let of = |database: &std::path::PathBuf, seed: u16| {
        Validator { database, job: &job, rounds: 1, factor: 10, anchor: now_ms() + 1_000, seed, log: &log }.start()
    };
    let processes = [of(&first.0, 901), of(&second.0, 902)];
    for process in processes {
        process.ends().await;
    }
    let mut hashes = Vec::new();
    for (_, database) in [&first, &second] {
        let round = database.round("twins_evaluation_0", RoundMode::Follow).await.unwrap().unwrap();
        assert_eq!(
            round.status,
            RoundStatus::Completed,
            "{:?} {}",
            round.reason,
            std::fs::read_to_string(&log).unwrap()
        );
        let record: RoundRecord = serde_json::from_str(round.record.as_deref().unwrap()).unwrap();
        assert!(record.miners.iter().all(|miner| miner.judgement.rank.is_some()), "{record:?}");
        hashes.push((round.record_hash, round.record));
        let scores = database.scores("twins", RoundMode::Follow).await.unwrap();
        assert_eq!(scores.len(), 3);
    }
    assert_eq!(hashes[0], hashes[1]);
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A process is killed at fifty random moments of its rounds: every round is in the database
/// once and whole, or failed, and the averages are those of the completed ones. Live rounds are
/// on paper: what is confirmed is what their records count.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_apply_every_round_once() {
    const KILLS: u32 = 50;
    const ROUNDS: u64 = 28;
    // Two checkpoints; a round takes two seconds, a question is open for 0.2 s.
    let job = Job { evaluation_interval_blocks: 30, live_interval_blocks: 30, ..job("killed") };
    let miners = [
        honest(1, wants(vec![position(-2_000, 2_000, 900_000_000, 900_000_000)])).await,
        honest(2, wants(vec![position(-100, 100, 500_000_000, 500_000_000)])).await,
        honest(3, holds()).await,
    ];
    let all: Vec<&Miner> = miners.iter().collect();
    let folder = tempfile::tempdir().unwrap();
    let (path, database) = database(&folder, "jobs.db", &job, &all).await;
    let days = miners.iter().flat_map(|miner| {
        (2..=8).map(|day| Participation {
            job_id: job.job_id.clone(),
            miner: miner.key.clone(),
            date: format!("2025-10-{day:02}"),
            offered: 10,
            answered: 5,
            refused: 0,
        })
    });
    database.set_participation(&days.collect::<Vec<_>>()).await.unwrap();
    let log = folder.path().join("log");
    let begun = Instant::now();
    let validator =
        Validator { database: &path, job: &job, rounds: ROUNDS, factor: 60, anchor: now_ms(), seed: 903, log: &log };
    let mut state = 7;
    for _ in 0..KILLS {
        let process = validator.start();
        tokio::time::sleep(Duration::from_millis(150 + random(&mut state) % 1_600)).await;
        drop(process);
    }
    let killed = begun.elapsed();
    assert!(killed < Duration::from_secs(60), "{killed:?}");
    // What is left is done without kills.
    validator.start().ends().await;

    let text = std::fs::read_to_string(&log).unwrap();
    let mut rounds = database.rounds("killed", "evaluation", RoundMode::Follow, None, 1_000).await.unwrap();
    rounds.extend(database.rounds("killed", "live", RoundMode::Follow, None, 1_000).await.unwrap());
    rounds.sort_by_key(|round| (round.number, round.round_type == "live"));
    let mut own = BTreeMap::<String, (Reputation, u64)>::new();
    let mut completed = BTreeMap::<String, u64>::new();
    for window in rounds.chunk_by(|one, other| one.number == other.number) {
        // Both rounds of a window begin with what was earned before it.
        let before = own.clone();
        for round in window {
            let Some(record) = done(round, ROUNDS) else { continue };
            *completed.entry(round.round_type.clone()).or_default() += 1;
            let hold = hold_score(&record.job, record.start_sqrt_price_x96, record.end_sqrt_price_x96).unwrap();
            let mut counts = true;
            if round.round_type == "live" {
                let measured = record.miners[0].measured.executions;
                let executions = database.executions(&round.round_id).await.unwrap();
                let confirmed = executions.iter().filter(|row| row.tx_status == TransactionStatus::Confirmed);
                assert_eq!(confirmed.count() as u32, measured, "{executions:?}");
                assert!(executions.iter().all(|row| row.tx_status != TransactionStatus::Pending), "{executions:?}");
                counts = measured > 0 || executions.is_empty();
            }
            for miner in &record.miners {
                let combined = before.get(&miner.miner).map_or(0, |(reputation, _)| reputation.combined());
                assert_eq!(miner.combined_before, combined, "{}", round.round_id);
                let (reputation, takes) = own.entry(miner.miner.clone()).or_default();
                *takes += 1;
                if counts {
                    *reputation = reputation.after(record.round_type, miner.judgement.counted_score.unwrap(), hold);
                }
            }
            let answers = database.predictions(&round.round_id, RoundMode::Follow).await.unwrap();
            assert_eq!(answers.len(), record.miners.len() * record.checkpoints.len());
        }
    }
    let resumed = text.lines().filter(|line| line.contains(" resumed with ")).count();
    println!(
        "{KILLS} kills in {killed:?}: {completed:?} of {} rounds completed, {resumed} taken up again",
        rounds.len()
    );
    for row in database.scores("killed", RoundMode::Follow).await.unwrap() {
        let (own, takes) = own[&row.miner];
        assert_eq!(
            (row.evaluation_ema, row.live_ema, row.combined),
            (own.evaluation_ema, own.live_ema, own.combined())
        );
        assert_eq!((row.scored_rounds, row.live_rounds, row.version), (own.scored_rounds, own.live_rounds, takes));
        assert_eq!((row.score_sum, row.score_square_sum), (own.excess_sum, own.excess_square_sum));
        let days = database.participation("killed", &row.miner, "2025-10-09").await.unwrap();
        assert_eq!(days.iter().map(|day| day.offered).sum::<u64>(), completed["evaluation"]);
    }
    assert!(completed["evaluation"] >= 5 && resumed >= 5, "{completed:?} completed, {resumed} resumed\n{text}");
    assert!(completed.contains_key("live"), "{text}");
}

/// The record of a completed round, verified; `None` for one that failed or was cut off.
fn done(round: &Round, rounds: u64) -> Option<RoundRecord> {
    match round.status {
        RoundStatus::Completed => {}
        // The last window begins with the last block and is cut off there.
        RoundStatus::Active => {
            assert_eq!(round.number, rounds);
            return None;
        }
        RoundStatus::Failed => {
            assert!(round.record.is_none() && round.reason.is_some(), "{round:?}");
            return None;
        }
        RoundStatus::Pending => panic!("{round:?}"),
    }
    let record: RoundRecord = serde_json::from_str(round.record.as_deref().unwrap()).unwrap();
    record.verify().unwrap();
    assert_eq!(Some(record.hash().to_string()), round.record_hash);
    Some(record)
}

/// What a validator left in the middle of a round is taken up with the same record.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_taken_up_has_the_record_of_one_that_ran_through() {
    let job = Job { evaluation_interval_blocks: 25, ..job("taken-up") };
    let miners =
        [honest(1, wants(vec![position(-2_000, 2_000, 900_000_000, 900_000_000)])).await, honest(2, holds()).await];
    let through = World::new(std::slice::from_ref(&job), &[&miners[0], &miners[1]]).await;
    through.run(crate::world::source(crate::world::stepped(&job), &job, 1)).await;
    let expected = through.record("taken-up_evaluation_0").await;

    let broken = World::new(std::slice::from_ref(&job), &[&miners[0], &miners[1]]).await;
    let answers = {
        let reports = Arc::clone(&broken.reports);
        async move {
            let second = |report: &Report| matches!(report, Report::Answered { checkpoint: 1, .. });
            while !reports.lock().unwrap().iter().any(second) {
                tokio::task::yield_now().await;
            }
        }
    };
    // The market ends in the middle of the round, so that the round cannot end before the stop.
    let cut = crate::world::ending_at(crate::world::stepped(&job), &job, 40);
    run(broken.database.clone(), cut, broken.settings(), answers).await.unwrap();
    let left = broken.database.unfinished_rounds(None).await.unwrap();
    assert!(left.iter().any(|round| round.number == 0), "{left:?}");
    broken.run(crate::world::source(crate::world::stepped(&job), &job, 1)).await;
    let record = broken.record("taken-up_evaluation_0").await;
    assert_eq!(record.hash(), expected.hash());
    let resumed = |report: &Report| matches!(report, Report::Started { resumed: true, .. });
    assert!(broken.reports().iter().any(resumed), "{:#?}", broken.reports());
}
