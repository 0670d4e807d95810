//! The acting half of a live round: decisions reach the executor, and its report is what
//! counts.

use std::sync::Arc;
use std::time::Duration;

use assay_lp::{BlockTime, Round, Window};
use assay_store::database::{Execution, TransactionStatus};
use tokio::time::{Instant, timeout_at};

use crate::clock::Hold;
use crate::executor::{Executor, Order, Receipt, ReceiptStatus, VaultReport, VaultRound};
use crate::ledger::Write;
use crate::runner::Shared;

/// An order's receipt is waited for no longer than this.
pub(crate) const EXECUTION_LIMIT: Duration = Duration::from_secs(60);
/// The executor has this long to say what a round started or ended with; the next round
/// waits for it.
pub(crate) const REPORT_LIMIT: Duration = Duration::from_secs(5);

/// The executor at work for one live round.
pub(crate) struct Acting {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) vault: VaultRound,
    pub(crate) miner: String,
    orders: Vec<Execution>,
}

impl Acting {
    pub(crate) fn new(executor: Arc<dyn Executor>, vault: VaultRound, miner: String) -> Self {
        Self { executor, vault, miner, orders: Vec::new() }
    }

    pub(crate) fn has_ordered(&self) -> bool {
        !self.orders.is_empty()
    }

    /// Has the open checkpoint's decision executed; what is not confirmed is taken back.
    pub(crate) async fn execute(
        &mut self,
        round: &mut Round,
        shared: &Shared,
        window: &Window,
        step: u32,
        effect: BlockTime,
        hold: &Hold,
    ) {
        let Some(positions) = round.pending(0).map(<[_]>::to_vec) else { return };
        let order = Order {
            vault: self.vault.clone(),
            step,
            miner: self.miner.clone(),
            positions,
            effective_block: effect.number,
        };
        let mut row = Execution {
            execution_id: order.idempotency_key(),
            round_id: self.vault.round_id.clone(),
            job_id: self.vault.job_id.clone(),
            miner: self.miner.clone(),
            step: step.into(),
            // An order is plain data.
            strategy: serde_json::to_string(&order).unwrap_or_default(),
            tx_hash: None,
            tx_status: TransactionStatus::Pending,
            actual: None,
            executed_at: now(hold),
            confirmed_at: None,
        };
        shared.ledger.write(Write::Claim(Box::new(row.clone())));
        let round_ends = hold.clock().instant_at(window.until.saturating_mul(1_000));
        let limit = (Instant::now() + EXECUTION_LIMIT).min(round_ends);
        let receipt = match timeout_at(limit, self.executor.execute(&order)).await {
            Ok(Ok(receipt)) => receipt,
            Ok(Err(error)) => Receipt::unknown(&error.to_string()),
            Err(_) => Receipt::unknown("no receipt in time"),
        };
        row.tx_hash.clone_from(&receipt.tx_hash);
        row.actual = serde_json::to_string(&receipt).ok();
        row.tx_status = match receipt.status {
            ReceiptStatus::Pending => TransactionStatus::Pending,
            ReceiptStatus::Confirmed => TransactionStatus::Confirmed,
            ReceiptStatus::Failed => TransactionStatus::Failed,
        };
        if row.tx_status != TransactionStatus::Pending {
            row.confirmed_at = Some(now(hold));
            shared.ledger.write(Write::Executed(Box::new(row.clone())));
        }
        if receipt.status != ReceiptStatus::Confirmed {
            round.not_executed(0, receipt.reason.as_deref().unwrap_or("failed"));
        }
        self.orders.push(row);
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
