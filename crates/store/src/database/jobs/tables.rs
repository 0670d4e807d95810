//! The tables of the jobs database.

use crate::database::schema::Schema;

pub(super) const SCHEMA: Schema = Schema { name: "jobs", steps: &[FIRST] };

const FIRST: &str = "
CREATE TABLE miners (
    miner TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    wire TEXT NOT NULL,
    registered_at BIGINT NOT NULL,
    active BOOL NOT NULL
);
CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY,
    config TEXT NOT NULL,
    is_active BOOL NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE TABLE job_leases (
    job_id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    token BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE TABLE rounds (
    round_id TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('follow', 'practice')),
    job_id TEXT NOT NULL,
    round_type TEXT NOT NULL CHECK (round_type IN ('evaluation', 'live')),
    number BIGINT NOT NULL,
    start_block BIGINT,
    start_time BIGINT,
    end_block BIGINT,
    end_time BIGINT,
    status TEXT NOT NULL CHECK (status IN ('pending', 'active', 'completed', 'failed')),
    reason TEXT,
    winner TEXT,
    record TEXT,
    record_hash TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (round_id, mode),
    UNIQUE (job_id, round_type, number, mode)
);
CREATE INDEX rounds_by_status ON rounds (status, job_id);
CREATE TABLE predictions (
    round_id TEXT NOT NULL,
    mode TEXT NOT NULL,
    miner TEXT NOT NULL,
    checkpoint BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    accepted BOOL NOT NULL,
    refusal_reason TEXT,
    answer TEXT,
    commitment TEXT,
    salt TEXT,
    authenticated BOOL NOT NULL,
    response_ms BIGINT,
    received_at BIGINT,
    PRIMARY KEY (round_id, mode, miner, checkpoint)
);
CREATE TABLE miner_scores (
    job_id TEXT NOT NULL,
    miner TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('follow', 'practice')),
    version BIGINT NOT NULL,
    evaluation_ema TEXT NOT NULL,
    live_ema TEXT NOT NULL,
    combined TEXT NOT NULL,
    scored_rounds BIGINT NOT NULL,
    live_rounds BIGINT NOT NULL,
    refusals BIGINT NOT NULL,
    missed BIGINT NOT NULL,
    score_sum TEXT NOT NULL,
    score_square_sum TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_active BIGINT NOT NULL,
    last_round TEXT,
    PRIMARY KEY (job_id, miner, mode)
);
CREATE TABLE miner_participation (
    job_id TEXT NOT NULL,
    miner TEXT NOT NULL,
    date TEXT NOT NULL,
    offered BIGINT NOT NULL,
    answered BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    PRIMARY KEY (job_id, miner, date)
);
CREATE TABLE live_executions (
    execution_id TEXT PRIMARY KEY,
    round_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    miner TEXT NOT NULL,
    step BIGINT NOT NULL,
    strategy TEXT NOT NULL,
    tx_hash TEXT,
    tx_status TEXT NOT NULL CHECK (tx_status IN ('pending', 'confirmed', 'failed')),
    actual TEXT,
    executed_at BIGINT NOT NULL,
    confirmed_at BIGINT,
    UNIQUE (job_id, round_id, step)
);
";
