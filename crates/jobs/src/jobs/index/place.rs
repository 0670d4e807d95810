//! Where an indexing begins, and which contracts it listens to.

use assay_amm::PoolKind;
use assay_chain::{Address, ChainError, PoolFacts, RpcClient, creation_block, parse_address, show_address};
use assay_store::database::{
    Contract, ContractRole, Cursor, DatabaseLocation, PoolEventsReader, PoolEventsWriter, PoolRow,
};

use super::IndexRequest;
use crate::error::JobError;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// At this block.
    At(u64),
    /// After the last of the blocks that are indexed.
    After {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// At the block that made the pool.
    Creation,
}

/// Where to begin, by the request and by what is indexed.
pub(super) fn start(request: &IndexRequest, cursor: Option<Cursor>) -> Result<Start, JobError> {
    if let (Some(from), Some(to)) = (request.from, request.to)
        && from > to
    {
        return Err(JobError::Input(format!("--from {from} is after --to {to}")));
    }
    let Some(Cursor { first_block: first, last_block: last, .. }) = cursor else {
        return Ok(request.from.map_or(Start::Creation, Start::At));
    };
    match request.from {
        Some(from) if from < first || from > last.saturating_add(1) => Err(JobError::Input(format!(
            "--from {from}: blocks {first} to {last} are indexed and go on without a gap; leave --from out, or index \
             into another --database"
        ))),
        _ => Ok(Start::After { first, last }),
    }
}

/// Registers the pool with the contracts that speak for it.
pub(super) async fn registered(
    request: &IndexRequest,
    writer: &PoolEventsWriter,
    facts: &PoolFacts,
    chain_id: u64,
    pool: Address,
) -> Result<PoolRow, JobError> {
    let given = given_contracts(request, facts.kind)?;
    let known = writer.pool(chain_id, pool).await?;
    if let Some(row) = known
        && writer.cursor(chain_id, pool).await?.is_some()
    {
        return match given.iter().find(|contract| !row.contracts.contains(contract)) {
            None => Ok(row),
            Some(contract) => Err(JobError::Input(format!(
                "{} was not listened to as the {} in the blocks indexed so far: index into another --database",
                show_address(contract.address),
                contract.role.name()
            ))),
        };
    }
    let mut contracts = given;
    if facts.kind == PoolKind::Slipstream {
        let has_gauge = contracts.iter().any(|contract| contract.role == ContractRole::Gauge);
        let gauge = facts.gauge.filter(|_| !has_gauge).map(|address| Contract { address, role: ContractRole::Gauge });
        contracts.extend(gauge);
        contracts.push(Contract { address: facts.factory, role: ContractRole::Factory });
    }
    let row = PoolRow {
        chain_id,
        pool,
        kind: facts.kind,
        tokens: Some(facts.tokens),
        tick_spacing: Some(facts.tick_spacing),
        fee_pips: (facts.kind != PoolKind::Slipstream).then_some(facts.fee_pips),
        contracts,
    };
    writer.put_pool(&row).await?;
    Ok(row)
}

fn given_contracts(request: &IndexRequest, kind: PoolKind) -> Result<Vec<Contract>, JobError> {
    let lists = [
        (&request.gauges, ContractRole::Gauge),
        (&request.fee_modules, ContractRole::SwapFeeModule),
        (&request.unstaked_fee_modules, ContractRole::UnstakedFeeModule),
    ];
    let mut contracts = Vec::new();
    for (list, role) in lists {
        for text in list {
            contracts.push(Contract { address: parse_address(text)?, role });
        }
    }
    if kind != PoolKind::Slipstream && !contracts.is_empty() {
        return Err(JobError::Input(format!("a {kind} pool has no gauge and no fee modules; leave them out")));
    }
    Ok(contracts)
}

impl IndexRequest {
    /// The block that made the pool.
    pub(super) async fn creation_block(&self, client: &RpcClient, pool: Address, head: u64) -> Result<u64, JobError> {
        creation_block(client, pool, head).await.map_err(|error| match error {
            ChainError::Refused { detail, .. } => JobError::Input(format!(
                "{} does not say when the pool was made ({detail}): pass its first block as --from BLOCK",
                client.endpoint()
            )),
            other => other.into(),
        })
    }

    /// The blocks that would be indexed after a run; nothing is written.
    pub(super) async fn planned(
        &self,
        client: &RpcClient,
        location: &DatabaseLocation,
        chain_id: u64,
        pool: Address,
        head: u64,
    ) -> Result<Option<[u64; 2]>, JobError> {
        let absent = matches!(location, DatabaseLocation::Sqlite(path) if !path.exists());
        let cursor = if absent { None } else { PoolEventsReader::open(location).await?.cursor(chain_id, pool).await? };
        let first = match start(self, cursor)? {
            Start::At(block) => block,
            Start::After { last, .. } => last + 1,
            Start::Creation => self.creation_block(client, pool, head).await?,
        };
        let last = head.saturating_sub(self.confirmations).min(self.to.unwrap_or(u64::MAX));
        Ok((first <= last).then_some([first, last]))
    }
}
