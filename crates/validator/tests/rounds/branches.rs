//! Chains that change under a validator, and leases that go to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use assay_lp::Job;
use assay_store::database::RoundMode;
use assay_validator::{Clock, EventSource, Hold, Report, SourceError, Stretch, run};

use crate::market::{FIRST_BLOCK, blocks, job, position};
use crate::miners::{Miner, holds, honest, wants};
use crate::world::{World, source, stepped};

/// The recorded market, reorganised whenever the next of these blocks would be followed.
struct Shaken {
    source: Arc<dyn EventSource>,
    at: Vec<u64>,
    shaken: AtomicU64,
}

#[async_trait::async_trait]
impl EventSource for Shaken {
    fn clock(&self) -> &Clock {
        self.source.clock()
    }

    async fn next(&self, job: &Job, after: Option<u64>, hold: &mut Hold) -> Result<Option<Stretch>, SourceError> {
        let done = self.shaken.load(Ordering::Relaxed);
        if let (Some(block), Some(at)) = (after, self.at.get(done as usize))
            && block >= *at
        {
            self.shaken.store(done + 1, Ordering::Relaxed);
            return Err(SourceError::Reorganised { block });
        }
        self.source.next(job, after, hold).await
    }
}

async fn two() -> [Miner; 2] {
    [honest(1, wants(vec![position(-2_000, 2_000, 900_000_000, 900_000_000)])).await, honest(2, holds()).await]
}

/// Three times in each of eight rounds: more often than a job begins anew in a row.
#[tokio::test(flavor = "multi_thread")]
async fn reorganisations_cost_no_round_and_count_in_a_row() {
    const ROUNDS: u64 = 8;
    let job = job("shaken");
    let miners = two().await;
    let calm = World::new(std::slice::from_ref(&job), &[&miners[0], &miners[1]]).await;
    calm.run(source(stepped(&job), &job, ROUNDS)).await;

    let world = World::new(std::slice::from_ref(&job), &[&miners[0], &miners[1]]).await;
    let last = blocks(&job, ROUNDS).last().unwrap().number;
    // Right after answers took effect, and between checkpoints.
    let at: Vec<u64> = (FIRST_BLOCK + 19..last).step_by(20).collect();
    let count = at.len() as u64;
    assert!(count > 16);
    let shaken = Arc::new(Shaken { source: source(stepped(&job), &job, ROUNDS), at, shaken: AtomicU64::new(0) });
    world.run(Arc::clone(&shaken) as Arc<dyn EventSource>).await;
    assert_eq!(shaken.shaken.load(Ordering::Relaxed), count);
    for number in 0..ROUNDS {
        let round_id = format!("shaken_evaluation_{number}");
        assert_eq!(world.record(&round_id).await.hash(), calm.record(&round_id).await.hash(), "{round_id}");
    }
}

/// A validator that lost its lease writes no more, and goes on when it has it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_is_taken_again() {
    let job = job("leased");
    let miners = two().await;
    let world = World::new(std::slice::from_ref(&job), &[&miners[0], &miners[1]]).await;
    let database = world.database.clone();
    let count = |report: fn(&Report) -> bool| world.reports().into_iter().filter(report).count();
    let robbed = async {
        while count(|report| matches!(report, Report::Stored { .. })) == 0 {
            tokio::task::yield_now().await;
        }
        let thief = database.take_lease("leased", "thief", i64::MAX, i64::MAX).await.unwrap();
        while count(|report| matches!(report, Report::Stopped { .. })) == 0 {
            tokio::task::yield_now().await;
        }
        database.release_lease(thief).await.unwrap();
    };
    let work = async {
        let source = source(stepped(&job), &job, 40);
        run(world.database.clone(), source, world.settings(), std::future::pending()).await
    };
    let (done, ()) = tokio::join!(work, robbed);
    done.unwrap();
    let stopped = world.reports().into_iter().find(|report| matches!(report, Report::Stopped { .. })).unwrap();
    assert!(stopped.to_string().contains("lease"), "{stopped}");
    let rounds = world.database.rounds("leased", "evaluation", RoundMode::Follow, None, 1).await.unwrap();
    assert_eq!(rounds[0].number, 40, "{:?}", rounds[0]);
}
