//! Which pools are indexed, and which contracts speak for them.

use std::str::FromStr;

use assay_amm::PoolKind;

use super::text::{get_hex, hex, optional_narrow, read_hex};
use super::{PoolEventsReader, PoolEventsWriter};
use crate::database::DatabaseError;
use crate::database::pool::Pool;
use crate::database::statement::{Argument, Row, Statement, signed};

/// An indexed pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRow {
    /// The chain.
    pub chain_id: u64,
    /// The pool's address.
    pub pool: [u8; 20],
    /// Its kind.
    pub kind: PoolKind,
    /// Its tokens, where known.
    pub tokens: Option<[[u8; 20]; 2]>,
    /// Distance of usable ticks, where known.
    pub tick_spacing: Option<i32>,
    /// Its fee in millionths, where fixed and known.
    pub fee_pips: Option<u32>,
    /// The contracts whose logs are about it; logs of any other are not stored.
    pub contracts: Vec<Contract>,
}

/// A contract that speaks for a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contract {
    /// Its address.
    pub address: [u8; 20],
    /// What it says.
    pub role: ContractRole,
}

/// What a contract says about a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContractRole {
    /// Deposits and withdrawals of staked liquidity.
    Gauge,
    /// Swap fees.
    SwapFeeModule,
    /// Fees of unstaked liquidity.
    UnstakedFeeModule,
    /// Default fees, and which modules are asked.
    Factory,
}

impl ContractRole {
    /// The word in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::SwapFeeModule => "swap_fee_module",
            Self::UnstakedFeeModule => "unstaked_fee_module",
            Self::Factory => "factory",
        }
    }
}

impl FromStr for ContractRole {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Gauge, Self::SwapFeeModule, Self::UnstakedFeeModule, Self::Factory]
            .into_iter()
            .find(|role| role.name() == word)
            .ok_or_else(|| format!("`{word}` is no role of a contract"))
    }
}

impl PoolEventsWriter {
    /// Registers a pool or changes it and its contracts; its events stay.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn put_pool(&self, row: &PoolRow) -> Result<(), DatabaseError> {
        let (chain_id, pool) = (signed("chain_id", row.chain_id)?, hex(&row.pool));
        let token = |index: usize| Argument::Text(row.tokens.map(|tokens| hex(&tokens[index])));
        let sql = "INSERT INTO pools (chain_id, pool, kind, token0, token1, tick_spacing, fee_pips) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (chain_id, pool) DO UPDATE SET \
                   kind = excluded.kind, token0 = excluded.token0, token1 = excluded.token1, \
                   tick_spacing = excluded.tick_spacing, fee_pips = excluded.fee_pips";
        let upsert = Statement::new("register a pool", sql)
            .bind(chain_id)
            .bind(&pool)
            .bind(row.kind.name())
            .bind(token(0))
            .bind(token(1))
            .bind(row.tick_spacing.map(i64::from))
            .bind(row.fee_pips.map(i64::from));
        let sql = "DELETE FROM pool_contracts WHERE chain_id = $1 AND pool = $2";
        let delete = Statement::new("change a pool's contracts", sql).bind(chain_id).bind(&pool);
        let contracts = row.contracts.iter().map(|contract| {
            vec![chain_id.into(), (&pool).into(), hex(&contract.address).into(), contract.role.name().into()]
        });
        let head = "INSERT INTO pool_contracts (chain_id, pool, address, role)";
        let inserts = Statement::insert_many("store a pool's contracts", head, "", contracts);
        let mut transaction = self.pool.begin().await?;
        transaction.execute(upsert).await?;
        transaction.execute(delete).await?;
        transaction.execute_all(inserts).await?;
        transaction.commit().await
    }

    /// A registered pool; `None` when it is not.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn pool(&self, chain_id: u64, pool: [u8; 20]) -> Result<Option<PoolRow>, DatabaseError> {
        find(&self.pool, chain_id, pool).await
    }
}

impl PoolEventsReader {
    /// A registered pool; `None` when it is not.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn pool(&self, chain_id: u64, pool: [u8; 20]) -> Result<Option<PoolRow>, DatabaseError> {
        find(&self.pool, chain_id, pool).await
    }

    /// The addresses of the pools of a chain, ascending.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn pools(&self, chain_id: u64) -> Result<Vec<[u8; 20]>, DatabaseError> {
        let statement = Statement::new("list pools", "SELECT pool FROM pools WHERE chain_id = $1");
        let rows = self.pool.fetch(statement.bind(signed("chain_id", chain_id)?)).await?;
        let mut pools = rows.iter().map(|row| get_hex(row, "pool")).collect::<Result<Vec<_>, _>>()?;
        pools.sort_unstable();
        Ok(pools)
    }
}

async fn find(database: &Pool, chain_id: u64, pool: [u8; 20]) -> Result<Option<PoolRow>, DatabaseError> {
    let (number, text) = (signed("chain_id", chain_id)?, hex(&pool));
    let sql = "SELECT kind, token0, token1, tick_spacing, fee_pips FROM pools WHERE chain_id = $1 AND pool = $2";
    let mut transaction = database.snapshot().await?;
    let row = transaction.fetch_one(Statement::new("read a pool", sql).bind(number).bind(&text)).await?;
    let Some(row) = row else { return Ok(None) };
    let sql = "SELECT address, role FROM pool_contracts WHERE chain_id = $1 AND pool = $2 ORDER BY address";
    let rows = transaction.fetch(Statement::new("read a pool's contracts", sql).bind(number).bind(&text)).await?;
    let contracts = rows
        .iter()
        .map(|row| Ok(Contract { address: get_hex(row, "address")?, role: row.parse("role")? }))
        .collect::<Result<Vec<_>, DatabaseError>>()?;
    Ok(Some(PoolRow {
        chain_id,
        pool,
        kind: row.parse("kind")?,
        tokens: token(&row, "token0")?.zip(token(&row, "token1")?).map(|(token0, token1)| [token0, token1]),
        tick_spacing: optional_narrow(&row, "tick_spacing")?,
        fee_pips: optional_narrow(&row, "fee_pips")?,
        contracts,
    }))
}

fn token(row: &Row, column: &'static str) -> Result<Option<[u8; 20]>, DatabaseError> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| read_hex(column, &text)).transpose()
}
