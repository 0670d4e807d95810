//! An executor without money: a pool of its own, in which orders are filled at the block
//! that they name.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use assay_lp::{Executed, Job, LpError, Market, Participant, Recorded, Request};
use tokio::sync::Mutex;

use super::{Executor, ExecutorError, Order, Receipt, ReceiptStatus, VaultReport, VaultRound};
use crate::source::{EventSource, SourceError};

/// Rounds of a job that are kept; who asks for earlier ones gets an error.
const MAX_ROUNDS: usize = 4;

/// Fills orders in copies of the pool; a vault begins each round with the job's inventory.
pub struct PaperExecutor {
    source: Arc<dyn EventSource>,
    jobs: BTreeMap<String, Mutex<Book>>,
}

/// A job's pool, and its vault in the latest rounds.
struct Book {
    job: Job,
    market: Market,
    /// Last block that the source gave.
    last_block: Option<u64>,
    /// The market stands after this block.
    through: u64,
    events: VecDeque<assay_amm::event::Located>,
    rounds: VecDeque<PaperRound>,
}

struct PaperRound {
    round_id: String,
    opening: VaultReport,
    participant: Participant,
    fee_pips: Option<u32>,
    waiting: VecDeque<Recorded>,
    receipts: BTreeMap<u32, Receipt>,
}

impl PaperExecutor {
    /// For these jobs, in the pools that the source shows.
    #[must_use]
    pub fn new(source: Arc<dyn EventSource>, jobs: impl IntoIterator<Item = Job>) -> Self {
        let jobs = jobs.into_iter().map(|job| (job.job_id.clone(), Mutex::new(Book::new(job)))).collect();
        Self { source, jobs }
    }

    fn book(&self, vault: &VaultRound) -> Result<&Mutex<Book>, ExecutorError> {
        self.jobs.get(&vault.job_id).ok_or_else(|| ExecutorError::Setup(format!("no job `{}` on paper", vault.job_id)))
    }
}

#[async_trait::async_trait]
impl Executor for PaperExecutor {
    async fn open(&self, vault: &VaultRound) -> Result<VaultReport, ExecutorError> {
        let mut book = self.book(vault)?.lock().await;
        if let Some(round) = book.rounds.iter().find(|round| round.round_id == vault.round_id) {
            return Ok(round.opening.clone());
        }
        if book.through > vault.start_block {
            return Err(ExecutorError::UnknownRound(vault.round_id.clone()));
        }
        match book.advance(&*self.source, vault.start_block).await {
            // Nothing of the round was there yet: the pool begins anew on the new branch.
            Err(ExecutorError::Source(SourceError::Reorganised { .. })) => {
                book.advance(&*self.source, vault.start_block).await?;
            }
            done => done?,
        }
        let pool = book.market.round_pool(vault.start_block)?;
        let fee_pips = book.market.fee_pips();
        let participant = Participant::new(pool, book.job.inventory, vault.start_block)?;
        let opening = report(&participant, &BTreeMap::new(), vault.start_block)?;
        if book.rounds.len() >= MAX_ROUNDS {
            book.rounds.pop_front();
        }
        book.rounds.push_back(PaperRound {
            round_id: vault.round_id.clone(),
            opening: opening.clone(),
            participant,
            fee_pips,
            waiting: VecDeque::new(),
            receipts: BTreeMap::new(),
        });
        Ok(opening)
    }

    async fn execute(&self, order: &Order) -> Result<Receipt, ExecutorError> {
        let mut book = self.book(&order.vault)?.lock().await;
        book.advance(&*self.source, order.effective_block).await?;
        let swaps = book.job.allow_rebalance_swap;
        let round = book.round(&order.vault)?;
        if let Some(receipt) = round.receipts.get(&order.step) {
            return Ok(receipt.clone());
        }
        round.apply(order.effective_block)?;
        let PaperRound { participant, fee_pips, .. } = round;
        let receipt = match participant.rebalance(&order.positions, swaps, *fee_pips, order.effective_block) {
            Ok(()) => Receipt {
                status: ReceiptStatus::Confirmed,
                tx_hash: None,
                reason: None,
                holdings: participant.holdings()?.total(),
            },
            Err(error) => {
                let reason = Some(error.to_string());
                Receipt { status: ReceiptStatus::Failed, tx_hash: None, reason, holdings: None }
            }
        };
        round.receipts.insert(order.step, receipt.clone());
        Ok(receipt)
    }

    /// A claimed order is filled at its block also by a process that began after it: paper
    /// keeps nothing from one process to the next.
    async fn receipt(&self, order: &Order) -> Result<Option<Receipt>, ExecutorError> {
        self.execute(order).await.map(Some)
    }

    async fn report(&self, vault: &VaultRound, block: u64) -> Result<VaultReport, ExecutorError> {
        let mut book = self.book(vault)?.lock().await;
        book.advance(&*self.source, block).await?;
        let round = book.round(vault)?;
        round.apply(block)?;
        Ok(report(&round.participant, &round.receipts, block)?)
    }
}

impl Book {
    fn new(job: Job) -> Self {
        let market = Market::new(job.pool.clone());
        Self { job, market, last_block: None, through: 0, events: VecDeque::new(), rounds: VecDeque::new() }
    }

    fn round(&mut self, vault: &VaultRound) -> Result<&mut PaperRound, ExecutorError> {
        let round = self.rounds.iter_mut().find(|round| round.round_id == vault.round_id);
        round.ok_or_else(|| ExecutorError::UnknownRound(vault.round_id.clone()))
    }

    /// Moves the market to the state after a block that exists, and gives the open rounds what
    /// was asked on the way. After a reorganisation the book is empty.
    async fn advance(&mut self, source: &dyn EventSource, block: u64) -> Result<(), ExecutorError> {
        let mut hold = source.clock().hold();
        while self.last_block.is_none_or(|last| last < block) {
            let next = source.next(&self.job, self.last_block, &mut hold).await;
            if matches!(next, Err(SourceError::Reorganised { .. })) {
                // What was filled on the old branch never happened.
                *self = Self::new(self.job.clone());
            }
            let Some(stretch) = next? else {
                return Err(ExecutorError::Setup(format!("the events end before block {block}")));
            };
            self.last_block = stretch.blocks.last().map(|last| last.number).or(self.last_block);
            self.events.extend(stretch.events);
        }
        self.through = self.through.max(block);
        while self.events.front().is_some_and(|event| event.place.block <= block)
            && let Some(event) = self.events.pop_front()
        {
            if let Some(recorded) = self.market.apply(&event)? {
                self.rounds.iter_mut().for_each(|round| round.waiting.push_back(recorded));
            }
        }
        Ok(())
    }
}

impl PaperRound {
    /// Runs what was recorded through `block` in the vault's own pool.
    fn apply(&mut self, block: u64) -> Result<(), LpError> {
        let there = self.waiting.iter().take_while(|event| event.place.block <= block).count();
        let recorded: Vec<Recorded> = self.waiting.drain(..there).collect();
        self.participant.apply(&recorded)?;
        self.participant.advance(block);
        for event in recorded {
            if let Request::Swap { fee_pips, .. } = event.request {
                self.fee_pips = fee_pips.or(self.fee_pips);
            }
        }
        Ok(())
    }
}

fn report(participant: &Participant, receipts: &BTreeMap<u32, Receipt>, block: u64) -> Result<VaultReport, LpError> {
    let holdings = participant.holdings()?;
    let executed = Executed {
        inventory: holdings.inventory,
        principal: holdings.principal,
        owed: holdings.owed,
        collected: participant.collected(),
        swapped: participant.swapped(),
        executions: participant.executions(),
        rebalances: participant.rebalances(),
    };
    let confirmed = receipts.iter().filter(|(_, receipt)| receipt.status == ReceiptStatus::Confirmed);
    Ok(VaultReport { block, executed, confirmed_steps: confirmed.map(|(step, _)| *step).collect() })
}
