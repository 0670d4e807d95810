//! The tables of the platform database.
//!
//! Rows that are listed have a `number` from [`super::counters`]: the order of texts depends on
//! PostgreSQL's locale, and times repeat.
//!
//! A close writes a row for each of a thousand models. Each index on signals is paid then, a page of
//! disk for each model: so they are named by a short number, and no index has their times.

use crate::database::schema::Schema;

pub(super) const SCHEMA: Schema = Schema { name: "platform", steps: &[FIRST, ONE_SERVER] };

const FIRST: &str = "
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
CREATE TABLE events (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    topic TEXT NOT NULL,
    subject TEXT NOT NULL,
    owner TEXT,
    payload TEXT NOT NULL
);
CREATE TABLE scheduled_jobs (
    job_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    request TEXT NOT NULL,
    owner TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'cancelling', 'cancelled', 'failed', 'done')),
    attempts BIGINT NOT NULL,
    progress TEXT,
    result TEXT,
    error TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    lease_owner TEXT,
    lease_token BIGINT NOT NULL,
    lease_expires_at BIGINT NOT NULL
);
CREATE INDEX scheduled_jobs_by_status ON scheduled_jobs (status, number);
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    job_id TEXT,
    summary TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE TABLE datasets (
    dataset TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    summary TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE TABLE models (
    model_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    run_id TEXT NOT NULL,
    visibility TEXT NOT NULL CHECK (visibility IN ('public', 'private')),
    model_cid TEXT NOT NULL,
    config_cid TEXT NOT NULL,
    fee_bps BIGINT NOT NULL,
    card TEXT NOT NULL,
    probe TEXT NOT NULL,
    published_at BIGINT NOT NULL
);
CREATE TABLE streams (
    stream_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    model_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
    status TEXT NOT NULL CHECK (status IN ('running', 'stopped', 'halted', 'ended', 'failed')),
    reason TEXT,
    source TEXT NOT NULL,
    feed TEXT NOT NULL,
    limits TEXT NOT NULL,
    first_seq BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX streams_by_model ON streams (model_id, number);
CREATE TABLE speakers (
    model_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE
);
CREATE TABLE signals (
    speaker BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    stream_id TEXT NOT NULL,
    mode TEXT NOT NULL,
    closed_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    stored_at BIGINT NOT NULL,
    signal TEXT NOT NULL,
    sig_key BIGINT NOT NULL,
    equity TEXT NOT NULL,
    PRIMARY KEY (speaker, seq)
);
CREATE INDEX signals_by_hash ON signals (sig_key);
CREATE TABLE feed_candles (
    feed TEXT NOT NULL,
    open_time BIGINT NOT NULL,
    candle TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (feed, open_time)
);
CREATE TABLE checkpoints (
    name TEXT PRIMARY KEY,
    open_time BIGINT NOT NULL,
    state TEXT NOT NULL
);
CREATE TABLE destinations (
    destination_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    model_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('webhook', 'nats', 'kafka')),
    target TEXT NOT NULL,
    secret TEXT,
    heartbeats BOOL NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'paused')),
    next_seq BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    retry_at BIGINT NOT NULL,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX destinations_by_model ON destinations (model_id);
CREATE TABLE deliveries (
    number BIGINT PRIMARY KEY,
    destination_id TEXT NOT NULL,
    model_id TEXT NOT NULL,
    seq BIGINT,
    attempt BIGINT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('delivered', 'failed', 'test')),
    detail TEXT,
    latency_ms BIGINT,
    at BIGINT NOT NULL
);
CREATE INDEX deliveries_by_destination ON deliveries (destination_id, number);
CREATE TABLE controls (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE TABLE users (
    user_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'trader', 'viewer')),
    address TEXT UNIQUE,
    active BOOL NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE api_keys (
    key_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE TABLE sessions (
    session_hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    key_id TEXT,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE TABLE nonces (
    nonce TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE TABLE audit_log (
    number BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    user_id TEXT,
    credential TEXT,
    action TEXT NOT NULL,
    subject TEXT,
    status BIGINT NOT NULL,
    address TEXT
);
CREATE INDEX audit_log_of_nobody ON audit_log (number) WHERE user_id IS NULL;
CREATE TABLE idempotent_replies (
    user_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    claim TEXT NOT NULL,
    claimed_until BIGINT NOT NULL,
    status BIGINT,
    kind TEXT,
    reply TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
);
CREATE INDEX idempotent_replies_by_age ON idempotent_replies (created_at);
";

const ONE_SERVER: &str = "
CREATE TABLE server_lease (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    home TEXT NOT NULL,
    holder TEXT NOT NULL,
    place TEXT NOT NULL,
    token BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX streams_by_feed ON streams (feed);
ALTER TABLE streams ADD COLUMN closing TEXT;
";
