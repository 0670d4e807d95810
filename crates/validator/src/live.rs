//! The acting half of a live round: decisions reach the executor, and its report is what
//! counts.

use std::sync::Arc;
use std::time::Duration;

use assay_lp::{BlockTime, Round, Window};
use assay_store::database::{Execution, TransactionStatus};
use tokio::time::{Instant, timeout_at};

use crate::clock::Hold;
use crate::executor::{Executor, Order, Receipt, ReceiptStatus, VaultReport, VaultRound};
use crate::ledger::{Claimed, Write};
use crate::runner::Shared;

/// An order is posted, and its receipt waited for, no longer than this after its block.
const EXECUTION_LIMIT_MS: u64 = 60_000;
/// The executor has this long to say what a round started or ended with; the next round
/// waits for it.
pub(crate) const REPORT_LIMIT: Duration = Duration::from_secs(5);

/// A claim that is not stored by then is given up, and its order not executed.
const CLAIM_LIMIT: Duration = Duration::from_secs(5);
/// Orders whose end was not known are looked at again before a checkpoint for no longer.
const LOOK_LIMIT: Duration = Duration::from_secs(2);
/// Between two looks at a receipt.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// The executor at work for one live round.
pub(crate) struct Acting {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) vault: VaultRound,
    pub(crate) miner: String,
    /// The vault holds positions that nobody ordered in this round.
    occupied: bool,
    /// Whether an earlier run of the program began the round.
    resumed: bool,
    /// Whether anything was to be executed.
    decided: bool,
    orders: Vec<Execution>,
}

impl Acting {
    /// `opened` is what the vault held at the start.
    pub(crate) fn new(
        executor: Arc<dyn Executor>,
        vault: VaultRound,
        miner: String,
        opened: &VaultReport,
        resumed: bool,
    ) -> Self {
        let occupied = !(opened.executed.principal.is_zero() && opened.executed.owed.is_zero());
        Self { executor, vault, miner, occupied, resumed, decided: false, orders: Vec::new() }
    }

    pub(crate) const fn has_ordered(&self) -> bool {
        self.decided
    }

    /// Has the open checkpoint's decision executed; what is not confirmed is taken back. An
    /// error says why the round does not count.
    pub(crate) async fn execute(
        &mut self,
        round: &mut Round,
        shared: &Shared,
        window: &Window,
        step: u32,
        effect: BlockTime,
        hold: &Hold,
    ) -> Result<(), String> {
        let positions = match round.pending(0) {
            Some(positions) => positions.to_vec(),
            // The round shows an empty vault, so what stood before it must not stay.
            None if self.occupied => Vec::new(),
            None => return Ok(()),
        };
        self.decided = true;
        let order = Order {
            vault: self.vault.clone(),
            step,
            miner: self.miner.clone(),
            positions,
            effective_block: effect.number,
        };
        let mut row = self.row(&order, hold);
        let claimed = shared.ledger.claim(row.clone(), Instant::now() + CLAIM_LIMIT).await;
        let effect_ms = effect.timestamp.saturating_mul(1_000);
        let deadline_ms = effect_ms.saturating_add(EXECUTION_LIMIT_MS).min(window.until.saturating_mul(1_000));
        let limit = hold.clock().instant_at(deadline_ms);
        let receipt = match claimed {
            // Only a round that is caught up with comes here so late.
            Ok(Claimed::New) if hold.clock().now_ms() > deadline_ms => Receipt::failed("its time was over"),
            Ok(Claimed::New) => match timeout_at(limit, self.executor.execute(&order)).await {
                Ok(Ok(receipt)) => receipt,
                Ok(Err(error)) => Receipt::unknown(&error.to_string()),
                Err(_) => Receipt::unknown("no receipt in time"),
            },
            Ok(Claimed::Before(found)) if found.strategy != row.strategy => {
                return Err(format!("step {step} was claimed for another order before"));
            }
            Ok(Claimed::Before(found)) => {
                self.receipt_of(&order, &found, limit.max(Instant::now() + REPORT_LIMIT)).await
            }
            // An earlier run of the program may have had it executed.
            Err(reason) if self.resumed => return Err(format!("step {step}: {reason}")),
            Err(reason) => {
                round.not_executed(0, &reason);
                return Ok(());
            }
        };
        self.take(&mut row, &receipt, shared, hold);
        match receipt.status {
            ReceiptStatus::Confirmed => self.occupied = false,
            _ => round.not_executed(0, receipt.reason.as_deref().unwrap_or("failed")),
        }
        self.orders.push(row);
        Ok(())
    }

    fn row(&self, order: &Order, hold: &Hold) -> Execution {
        Execution {
            execution_id: order.idempotency_key(),
            round_id: self.vault.round_id.clone(),
            job_id: self.vault.job_id.clone(),
            miner: self.miner.clone(),
            step: order.step.into(),
            // An order is plain data.
            strategy: serde_json::to_string(order).unwrap_or_default(),
            tx_hash: None,
            tx_status: TransactionStatus::Pending,
            actual: None,
            executed_at: now(hold),
            confirmed_at: None,
        }
    }

    /// What became of an order that was claimed before, without posting it again.
    async fn receipt_of(&self, order: &Order, found: &Execution, limit: Instant) -> Receipt {
        let stored = || found.actual.as_deref().and_then(|text| serde_json::from_str::<Receipt>(text).ok());
        if found.tx_status == TransactionStatus::Failed {
            let failed = stored().filter(|receipt| receipt.status == ReceiptStatus::Failed);
            return failed.unwrap_or_else(|| Receipt::failed("failed"));
        }
        let ended = async {
            loop {
                match self.executor.receipt(order).await {
                    Ok(Some(Receipt { status: ReceiptStatus::Pending, .. })) => tokio::time::sleep(LOOK_PAUSE).await,
                    Ok(Some(receipt)) => return receipt,
                    Ok(None) => return Receipt::unknown("the order was claimed and did not reach the executor"),
                    Err(error) => return Receipt::unknown(&error.to_string()),
                }
            }
        };
        let receipt = timeout_at(limit, ended).await.unwrap_or_else(|_| Receipt::unknown("no receipt in time"));
        match found.tx_status {
            TransactionStatus::Confirmed if receipt.status != ReceiptStatus::Confirmed => {
                stored().filter(|stored| stored.status == ReceiptStatus::Confirmed).unwrap_or(receipt)
            }
            _ => receipt,
        }
    }

    /// Notes a receipt, when it is an order's end.
    fn take(&self, row: &mut Execution, receipt: &Receipt, shared: &Shared, hold: &Hold) {
        row.tx_hash.clone_from(&receipt.tx_hash);
        row.actual = serde_json::to_string(receipt).ok();
        row.tx_status = match receipt.status {
            ReceiptStatus::Pending => TransactionStatus::Pending,
            ReceiptStatus::Confirmed => TransactionStatus::Confirmed,
            ReceiptStatus::Failed => TransactionStatus::Failed,
        };
        if row.tx_status != TransactionStatus::Pending {
            row.confirmed_at = Some(now(hold));
            shared.ledger.write(Write::Executed(Box::new(row.clone())));
        }
    }

    /// Looks again at orders whose end was not known, before the miner is asked again: one
    /// that was confirmed after all leaves the vault with what the round does not show.
    pub(crate) async fn look_again(&mut self, shared: &Shared, hold: &Hold) -> Result<(), String> {
        let limit = Instant::now() + LOOK_LIMIT;
        let mut orders = std::mem::take(&mut self.orders);
        let mut late = None;
        for row in orders.iter_mut().filter(|row| row.tx_status == TransactionStatus::Pending) {
            let Ok(order) = serde_json::from_str::<Order>(&row.strategy) else { continue };
            let Ok(Ok(Some(receipt))) = timeout_at(limit, self.executor.receipt(&order)).await else { continue };
            self.take(row, &receipt, shared, hold);
            if receipt.status == ReceiptStatus::Confirmed {
                late = Some(row.step);
            }
        }
        self.orders = orders;
        late.map_or(Ok(()), |step| Err(format!("the order of checkpoint {step} was confirmed too late")))
    }

    /// What the executor says at the end of the round; orders whose end was not known have it
    /// then.
    pub(crate) async fn report(&self, shared: &Shared, end: BlockTime) -> Result<VaultReport, String> {
        let limit = Instant::now() + REPORT_LIMIT;
        let report = match timeout_at(limit, self.executor.report(&self.vault, end.number)).await {
            Ok(Ok(report)) => report,
            Ok(Err(error)) => return Err(format!("the executor does not report: {error}")),
            Err(_) => return Err(format!("the executor did not report within {} s", REPORT_LIMIT.as_secs())),
        };
        for row in self.orders.iter().filter(|row| row.tx_status == TransactionStatus::Pending) {
            let confirmed = report.confirmed_steps.iter().any(|step| u64::from(*step) == row.step);
            let tx_status = if confirmed { TransactionStatus::Confirmed } else { TransactionStatus::Failed };
            let confirmed_at = i64::try_from(end.timestamp.saturating_mul(1_000)).ok();
            let actual = serde_json::to_string(&report).ok();
            shared.ledger.write(Write::Executed(Box::new(Execution {
                tx_status,
                actual,
                confirmed_at,
                ..row.clone()
            })));
        }
        Ok(report)
    }
}

fn now(hold: &Hold) -> i64 {
    i64::try_from(hold.clock().now_ms()).unwrap_or(i64::MAX)
}
