//! The tables of the pool-events database.

use crate::database::schema::Schema;

pub(super) const SCHEMA: Schema = Schema { name: "pool_events", steps: &[FIRST] };

/// The tables of events, each with a pool's rows by block and log index.
pub(super) const EVENT_TABLES: [&str; 7] =
    ["swaps", "mints", "burns", "collects", "gauge_events", "fee_module_events", "other_events"];

/// The tables that describe pools and their blocks.
pub(super) const OTHER_TABLES: [&str; 4] = ["pools", "pool_contracts", "blocks", "cursors"];

const FIRST: &str = "
CREATE TABLE pools (
    chain_id BIGINT NOT NULL,
    pool TEXT NOT NULL,
    kind TEXT NOT NULL,
    token0 TEXT,
    token1 TEXT,
    tick_spacing BIGINT,
    fee_pips BIGINT,
    PRIMARY KEY (chain_id, pool)
);
CREATE TABLE pool_contracts (
    chain_id BIGINT NOT NULL,
    pool TEXT NOT NULL,
    address TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('gauge', 'swap_fee_module', 'unstaked_fee_module', 'factory')),
    PRIMARY KEY (chain_id, pool, address)
);
CREATE TABLE blocks (
    chain_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    hash TEXT NOT NULL,
    timestamp BIGINT NOT NULL,
    PRIMARY KEY (chain_id, number)
);
CREATE INDEX blocks_by_time ON blocks (chain_id, timestamp, number);
CREATE TABLE cursors (
    chain_id BIGINT NOT NULL,
    pool TEXT NOT NULL,
    first_block BIGINT NOT NULL,
    last_block BIGINT NOT NULL,
    last_hash TEXT,
    PRIMARY KEY (chain_id, pool)
);
CREATE TABLE swaps (
    chain_id BIGINT NOT NULL,
    pool TEXT NOT NULL,
    block BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    tx_index BIGINT NOT NULL,
    tx_hash TEXT,
    zero_for_one BOOL NOT NULL,
    amount_in TEXT NOT NULL,
    amount_out TEXT NOT NULL,
    sqrt_price_x96 TEXT NOT NULL,
    liquidity TEXT NOT NULL,
    tick BIGINT NOT NULL,
    fee_pips BIGINT,
    mode TEXT,
    PRIMARY KEY (chain_id, pool, block, log_index)
);
CREATE TABLE mints (
    chain_id BIGINT NOT NULL,
    pool TEXT NOT NULL,
    block BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    tx_index BIGINT NOT NULL,
    tx_hash TEXT,
    owner TEXT,
    tick_lower BIGINT NOT NULL,
    tick_upper BIGINT NOT NULL,
    liquidity TEXT NOT NULL,
    amount0 TEXT NOT NULL,
    amount1 TEXT NOT NULL,
    PRIMARY KEY (chain_id, pool, block, log_index)
);
CREATE TABLE burns (
    chain_id BIGINT NOT NULL,
    pool TEXT NOT NULL,
    block BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    tx_index BIGINT NOT NULL,
    tx_hash TEXT,
    owner TEXT,
    tick_lower BIGINT NOT NULL,
    tick_upper BIGINT NOT NULL,
    liquidity TEXT NOT NULL,
    amount0 TEXT NOT NULL,
    amount1 TEXT NOT NULL,
    PRIMARY KEY (chain_id, pool, block, log_index)
);
CREATE TABLE collects (
    chain_id BIGINT NOT NULL,
    pool TEXT NOT NULL,
    block BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    tx_index BIGINT NOT NULL,
    tx_hash TEXT,
    owner TEXT,
    tick_lower BIGINT NOT NULL,
    tick_upper BIGINT NOT NULL,
    amount0 TEXT NOT NULL,
    amount1 TEXT NOT NULL,
    PRIMARY KEY (chain_id, pool, block, log_index)
);
CREATE TABLE gauge_events (
    chain_id BIGINT NOT NULL,
    pool TEXT NOT NULL,
    block BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    tx_index BIGINT NOT NULL,
    tx_hash TEXT,
    contract TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('deposit', 'withdraw')),
    account TEXT NOT NULL,
    token_id TEXT NOT NULL,
    liquidity TEXT NOT NULL,
    PRIMARY KEY (chain_id, pool, block, log_index)
);
CREATE TABLE fee_module_events (
    chain_id BIGINT NOT NULL,
    pool TEXT NOT NULL,
    block BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    tx_index BIGINT NOT NULL,
    tx_hash TEXT,
    contract TEXT NOT NULL,
    kind TEXT NOT NULL,
    for_pool BOOL NOT NULL,
    subject TEXT,
    value TEXT,
    PRIMARY KEY (chain_id, pool, block, log_index)
);
CREATE TABLE other_events (
    chain_id BIGINT NOT NULL,
    pool TEXT NOT NULL,
    block BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    tx_index BIGINT NOT NULL,
    tx_hash TEXT,
    kind TEXT NOT NULL,
    value0 TEXT NOT NULL,
    value1 TEXT,
    value2 TEXT,
    value3 TEXT,
    PRIMARY KEY (chain_id, pool, block, log_index)
);
";
