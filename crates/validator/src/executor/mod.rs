//! Who moves the money of live rounds.

mod http;
mod paper;

use assay_lp::{Amounts, DesiredPosition, Executed, LpError};
use serde::{Deserialize, Serialize};

use crate::source::SourceError;

pub use http::{ApiKey, HttpExecutor, Wire};
pub use paper::PaperExecutor;

/// A vault in one live round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultRound {
    /// The job.
    pub job_id: String,
    /// The round.
    pub round_id: String,
    /// The vault.
    pub sn_liquidity_manager_address: String,
    /// The pool.
    pub pair_address: String,
    /// Block after which the round starts.
    pub start_block: u64,
}

/// Positions that a vault is to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The vault and its round.
    pub vault: VaultRound,
    /// The checkpoint that decided it.
    pub step: u32,
    /// The miner that did.
    pub miner: String,
    /// What the vault is to hold; everything else is withdrawn.
    pub positions: Vec<DesiredPosition>,
    /// First block at or after the checkpoint's deadline: no earlier price counts.
    pub effective_block: u64,
}

impl Order {
    /// `job/round/step`: executed once, however often it is posted.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}/{}", self.vault.job_id, self.vault.round_id, self.step)
    }
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// Its end is not known.
    Pending,
    /// Executed.
    Confirmed,
    /// Not executed, and it never will be.
    Failed,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// How far it is.
    pub status: ReceiptStatus,
    /// The transaction, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_hash: Option<String>,
    /// Why it failed or is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the vault held afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdings: Option<Amounts>,
}

impl Receipt {
    pub(crate) fn unknown(reason: &str) -> Self {
        let reason = Some(reason.chars().take(200).collect());
        Self { status: ReceiptStatus::Pending, tx_hash: None, reason, holdings: None }
    }

    pub(crate) fn failed(reason: &str) -> Self {
        Self { status: ReceiptStatus::Failed, ..Self::unknown(reason) }
    }
}

/// What a vault holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultReport {
    /// After this block.
    pub block: u64,
    /// Tokens and executions since the round's start.
    pub executed: Executed,
    /// Steps of the round that were executed.
    #[serde(default)]
    pub confirmed_steps: Vec<u32>,
}

impl VaultReport {
    /// All tokens, when they fit 256 bits.
    #[must_use]
    pub fn total(&self) -> Option<Amounts> {
        let Executed { inventory, principal, owed, .. } = self.executed;
        inventory.checked_add(principal)?.checked_add(owed)
    }
}

/// Why an executor did not do or say something.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// The service cannot be reached, or broke off.
    #[error("the executor service is not reached: {0}")]
    Unreachable(String),
    /// The service refused.
    #[error("the executor service refused with status {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said, shortened.
        message: String,
    },
    /// What came back is not the service's, or does not read.
    #[error("the executor service's response: {0}")]
    Response(String),
    /// An address, a key or the HTTP client.
    #[error("the executor cannot be used: {0}")]
    Setup(String),
    /// A round that was not opened, or is over.
    #[error("round {0} is not open at the executor")]
    UnknownRound(String),
    /// The pool's events.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] LpError),
}

/// Who moves the money of live rounds.
#[async_trait::async_trait]
pub trait Executor: Send + Sync {
    /// Begins a round, or finds it begun: what the vault holds after its start block.
    ///
    /// # Errors
    /// [`ExecutorError`].
    async fn open(&self, vault: &VaultRound) -> Result<VaultReport, ExecutorError>;

    /// Executes an order, or finds it executed, and waits for its receipt; the caller bounds
    /// the time. An error leaves open whether it was executed.
    ///
    /// # Errors
    /// [`ExecutorError`].
    async fn execute(&self, order: &Order) -> Result<Receipt, ExecutorError>;

    /// What became of an order that may have been posted before, as far as it is known now;
    /// `None` when it never arrived. Moves no money.
    ///
    /// # Errors
    /// [`ExecutorError`].
    async fn receipt(&self, order: &Order) -> Result<Option<Receipt>, ExecutorError>;

    /// What the vault holds after a block.
    ///
    /// # Errors
    /// [`ExecutorError`].
    async fn report(&self, vault: &VaultRound, block: u64) -> Result<VaultReport, ExecutorError>;
}
