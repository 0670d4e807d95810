//! Live rounds in which the vault, the executor or the validator itself gets in the way.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use assay_lp::{DesiredPosition, RebalanceAnswer, RebalanceQuery, RoundType};
use assay_store::database::{RoundMode, RoundStatus, TransactionStatus};
use assay_validator::executor::{ExecutorError, Order, Receipt, VaultReport, VaultRound};
use assay_validator::{EventSource, Executor, PaperExecutor, run};

use crate::live::{mover, ready};
use crate::market::{job, position};
use crate::miners::{holds, honest};
use crate::world::{source, stepped};

/// The product's paper executor, seen and hindered.
struct Vault {
    paper: PaperExecutor,
    /// What an earlier round left in the vault.
    before: Vec<DesiredPosition>,
    /// Orders are taken and never answered.
    hangs: bool,
    executed: Mutex<Vec<Order>>,
    looked: AtomicU32,
}

impl Vault {
    fn new(source: &Arc<dyn EventSource>, job: &assay_lp::Job) -> Self {
        Self {
            paper: PaperExecutor::new(Arc::clone(source), [job.clone()]),
            before: Vec::new(),
            hangs: false,
            executed: Mutex::default(),
            looked: AtomicU32::new(0),
        }
    }

    fn orders(&self) -> Vec<Order> {
        self.executed.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl Executor for Vault {
    async fn open(&self, vault: &VaultRound) -> Result<VaultReport, ExecutorError> {
        let opened = self.paper.open(vault).await?;
        if self.before.is_empty() {
            return Ok(opened);
        }
        let (vault, positions) = (vault.clone(), self.before.clone());
        let effective_block = vault.start_block;
        let order = Order { vault, step: u32::MAX, miner: "earlier".into(), positions, effective_block };
        self.paper.execute(&order).await?;
        self.paper.report(&order.vault, effective_block).await
    }

    async fn execute(&self, order: &Order) -> Result<Receipt, ExecutorError> {
        self.executed.lock().unwrap().push(order.clone());
        if self.hangs {
            std::future::pending::<()>().await;
        }
        self.paper.execute(order).await
    }

    async fn receipt(&self, order: &Order) -> Result<Option<Receipt>, ExecutorError> {
        self.looked.fetch_add(1, Ordering::Relaxed);
        self.paper.receipt(order).await
    }

    async fn report(&self, vault: &VaultRound, block: u64) -> Result<VaultReport, ExecutorError> {
        self.paper.report(vault, block).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_live_is_not_judged_by_what_another_left_in_the_vault() {
    let job = job("inherited");
    let holder = honest(
        1,
        Arc::new(|query: &RebalanceQuery| match query.round_type {
            RoundType::Live => RebalanceAnswer::positions(Vec::new()),
            RoundType::Evaluation => {
                RebalanceAnswer::positions(vec![position(-1_000, 1_000, 800_000_000, 800_000_000)])
            }
        }),
    )
    .await;
    let other = honest(2, holds()).await;
    let mut world = ready(&job, &[&holder, &other]).await;
    let source = source(stepped(&job), &job, 2);
    let before = vec![position(-200, 200, 500_000_000, 500_000_000)];
    let vault = Arc::new(Vault { before, ..Vault::new(&source, &job) });
    world.executor = Some(Arc::clone(&vault) as Arc<dyn Executor>);
    world.run(source).await;

    let record = world.record("inherited_live_1").await;
    let orders: Vec<_> =
        vault.orders().into_iter().filter(|order| order.vault.round_id == "inherited_live_1").collect();
    assert_eq!(orders.iter().map(|order| (order.step, order.positions.len())).collect::<Vec<_>>(), [(0, 0)]);
    assert!(record.miners[0].measured.principal.is_zero(), "{:?}", record.miners[0].measured);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_whose_order_was_confirmed_too_late_does_not_count() {
    let job = job("late");
    let miners = [mover(1).await, honest(2, holds()).await];
    let mut world = ready(&job, &[&miners[0], &miners[1]]).await;
    let source = source(stepped(&job), &job, 2);
    let vault = Arc::new(Vault { hangs: true, ..Vault::new(&source, &job) });
    world.executor = Some(Arc::clone(&vault) as Arc<dyn Executor>);
    world.run(source).await;

    let round = world.database.round("late_live_1", RoundMode::Follow).await.unwrap().unwrap();
    assert_eq!(round.status, RoundStatus::Failed);
    assert!(round.reason.as_ref().unwrap().contains("checkpoint 0 was confirmed too late"), "{round:?}");
    let rows = world.database.executions("late_live_1").await.unwrap();
    assert_eq!(rows.iter().map(|row| row.tx_status).collect::<Vec<_>>(), [TransactionStatus::Confirmed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_a_stopped_validator_is_looked_up_and_not_posted_again() {
    let job = job("resumed");
    let miners = [mover(1).await, honest(2, holds()).await];
    let mut world = ready(&job, &[&miners[0], &miners[1]]).await;
    let cut = source(stepped(&job), &job, 2);
    let first = Arc::new(Vault { hangs: true, ..Vault::new(&cut, &job) });
    world.executor = Some(Arc::clone(&first) as Arc<dyn Executor>);
    let posted = async {
        while first.orders().is_empty() {
            tokio::task::yield_now().await;
        }
        // An order is posted only when its claim is durable.
        let rows = world.database.executions("resumed_live_1").await.unwrap();
        assert_eq!(rows.iter().map(|row| row.step).collect::<Vec<_>>(), [0]);
    };
    run(world.database.clone(), cut, world.settings(), posted).await.unwrap();

    let source = source(stepped(&job), &job, 2);
    let second = Arc::new(Vault::new(&source, &job));
    world.executor = Some(Arc::clone(&second) as Arc<dyn Executor>);
    world.run(source).await;
    let record = world.record("resumed_live_1").await;
    assert!(record.miners[0].measured.executions > 0);
    let steps = |vault: &Vault| vault.orders().iter().map(|order| order.step).collect::<Vec<_>>();
    assert_eq!(steps(&first), [0]);
    assert!(!steps(&second).contains(&0) && second.looked.load(Ordering::Relaxed) > 0, "{:?}", steps(&second));
}

/// A live round may be left behind by a kill between the end of the evaluation and its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_round_that_was_left_behind_is_failed() {
    let job = job("left");
    let miners = [mover(1).await, honest(2, holds()).await];
    let world = ready(&job, &[&miners[0], &miners[1]]).await;
    let evaluation = world.database.round("left_evaluation_0", RoundMode::Follow).await.unwrap().unwrap();
    let left = assay_store::database::Round {
        round_id: job.round_id(RoundType::Live, 0),
        round_type: RoundType::Live.name().into(),
        status: RoundStatus::Active,
        record: None,
        record_hash: None,
        ..evaluation
    };
    world.database.put_round(&left, None).await.unwrap();
    world.run(source(stepped(&job), &job, 2)).await;
    world.record("left_evaluation_1").await;
    let round = world.database.round("left_live_0", RoundMode::Follow).await.unwrap().unwrap();
    assert_eq!(round.status, RoundStatus::Failed);
    assert!(round.reason.as_ref().unwrap().contains("stopped"), "{round:?}");
}
