//! `assay pool …`

use std::path::PathBuf;

use assay_jobs::jobs::index::{Ended, IndexRequest, Indexed};
use assay_jobs::jobs::replay::ReplayRequest;
use assay_jobs::jobs::replayed::{FeeChangeShown, FeeSource, FinalState, MismatchShown, Replayed};
use assay_jobs::{DatabaseLocation, Endpoint, JobError, PoolKind, Workspace};
use clap::{Args, Subcommand};

use crate::output::{Console, table};
use crate::progress::thousands;

/// Fee changes that are listed; the JSON has more.
const LISTED_FEE_CHANGES: usize = 10;

#[derive(Subcommand)]
pub enum Pool {
    /// Run a pool's events through the exact engine and compare every one with the chain.
    Replay(Replay),
    /// Store a pool's logs from an Ethereum node, and follow the chain.
    Index(Index),
}

#[derive(Args)]
pub struct Index {
    /// The node's address; it may hold a key, so better set the variable.
    #[arg(long, value_name = "URL", env = "ASSAY_RPC_URL", hide_env_values = true)]
    rpc: String,
    /// The pool's address.
    #[arg(long, value_name = "ADDRESS")]
    pool: String,
    /// Check that the pool is uniswap-v3, pancake-v3 or slipstream.
    #[arg(long, value_name = "KIND")]
    kind: Option<PoolKind>,
    /// First block [default: the one that made the pool, or the next one].
    #[arg(long, value_name = "BLOCK")]
    from: Option<u64>,
    /// Last block [default: the newest].
    #[arg(long, value_name = "BLOCK")]
    to: Option<u64>,
    /// A SQLite file, or postgres://… [default: HOME/pool-events.db].
    #[arg(long, value_name = "URL", env = "ASSAY_POOL_EVENTS", hide_env_values = true)]
    database: Option<String>,
    /// Also store stakes in this gauge [default for slipstream: the pool's own].
    #[arg(long, value_name = "ADDRESS")]
    gauge: Vec<String>,
    /// Also store the swap fees that this module sets.
    #[arg(long, value_name = "ADDRESS")]
    fee_module: Vec<String>,
    /// Also store the fees of unstaked liquidity that this module sets.
    #[arg(long, value_name = "ADDRESS")]
    unstaked_fee_module: Vec<String>,
    /// Stay so many blocks below the newest.
    #[arg(long, value_name = "N", default_value_t = 0)]
    confirmations: u64,
    /// Go on with new blocks as they come, until Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// Store the time of every block, which rounds need, and not only of those with logs.
    #[arg(long)]
    all_headers: bool,
}

#[derive(Args)]
pub struct Replay {
    /// Events as CSV, JSON lines or raw logs, also .gz or .xz; - for standard input.
    events: PathBuf,
    /// uniswap-v3, pancake-v3 or slipstream.
    #[arg(long, value_name = "KIND")]
    kind: PoolKind,
    /// Distance of usable ticks; in the state file, if there is one.
    #[arg(long, value_name = "N", required_unless_present = "state", conflicts_with = "state")]
    tick_spacing: Option<i32>,
    /// Fee in millionths of the input; slipstream's is inferred where the file lacks it.
    #[arg(long, value_name = "PIPS")]
    fee_pips: Option<u32>,
    /// Square-root price before the first event as a 64.96-bit integer; not needed when that is `initialize`.
    #[arg(long, value_name = "X96", conflicts_with = "state")]
    sqrt_price: Option<String>,
    /// The gauge's part of the fees of unstaked liquidity in millionths (slipstream) [default: 100000].
    #[arg(long, value_name = "PIPS")]
    unstaked_fee_pips: Option<u32>,
    /// The pool's state before the first event, when the file does not begin with the pool.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Stop after so many events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

impl Pool {
    /// `Ok(false)` when events did not come out as recorded.
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<bool> {
        let arguments = match self {
            Self::Replay(arguments) => arguments,
            Self::Index(arguments) => return arguments.run(workspace, console).map(|()| true),
        };
        let request = ReplayRequest {
            events: arguments.events,
            kind: arguments.kind,
            tick_spacing: arguments.tick_spacing,
            fee_pips: arguments.fee_pips,
            sqrt_price: arguments.sqrt_price,
            unstaked_fee_pips: arguments.unstaked_fee_pips,
            state: arguments.state,
            limit: arguments.limit,
        };
        let done = request.run(workspace)?;
        let next = match done.first_mismatches.first() {
            Some(first) if first.before == 0 => {
                "assay pool replay … with another --kind, --fee-pips or --sqrt-price: the first event differs already"
                    .to_owned()
            }
            Some(first) => {
                format!("the same with --limit {} for the state before line {}", first.before, first.place.line)
            }
            None => "assay quote STATE --token-in TOKEN --amount-in UNITS".to_owned(),
        };
        console.answer(&done, &text(&done), &next)?;
        Ok(done.mismatches == 0)
    }
}

impl Index {
    fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let database = self.database.as_deref().map(str::parse::<DatabaseLocation>).transpose();
        let request = IndexRequest {
            rpc: Endpoint::parse(&self.rpc).map_err(JobError::from)?,
            pool: self.pool,
            kind: self.kind,
            from: self.from,
            to: self.to,
            database: database.map_err(JobError::from)?,
            gauges: self.gauge,
            fee_modules: self.fee_module,
            unstaked_fee_modules: self.unstaked_fee_module,
            confirmations: self.confirmations,
            follow: self.follow,
            all_headers: self.all_headers,
        };
        let done = request.run(workspace)?;
        let again = format!("assay pool index --rpc URL --pool {}", done.pool);
        let next = match done.ended {
            Ended::Head | Ended::LastBlock => format!("{again} --follow"),
            Ended::Interrupted => format!("{again} goes on where this ended"),
            Ended::DryRun => format!("{again} without --dry-run"),
        };
        console.answer(&done, &indexed(&done), &next)
    }
}

fn indexed(done: &Indexed) -> String {
    let kinds: Vec<String> = done.events_by_kind.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let blocks = done.indexed.map_or("none".to_owned(), |[first, last]| format!("{first} to {last}"));
    let mut lines = vec![
        format!("pool          {} ({}, chain {})", done.pool, done.kind, done.chain_id),
        format!("database      {}", done.database),
        format!(
            "blocks        {blocks}; {} {}",
            done.blocks,
            if done.ended == Ended::DryRun { "to do" } else { "new" }
        ),
    ];
    if done.ended != Ended::DryRun {
        lines.push(format!("events        {} new of {} logs ({})", done.new_events, done.logs, kinds.join(", ")));
        lines.extend(done.skipped.iter().map(|(name, count)| format!("  left out    {count} {name}")));
        let back = |back: &assay_jobs::jobs::index::RolledBack| {
            format!("reorganised   above block {}: {} events taken back", back.to_block, back.events)
        };
        lines.extend(done.rollbacks.iter().map(back));
        lines.push(format!("speed         {} logs a second", thousands(done.logs_per_second)));
    }
    lines.join("\n")
}

fn text(done: &Replayed) -> String {
    let kinds: Vec<String> = done.events_by_kind.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let mut lines = vec![
        format!("events        {} ({})", done.events, kinds.join(", ")),
        format!(
            "swaps         {} exact input, {} exact output, {} stopped at a price limit",
            done.modes.exact_in, done.modes.exact_out, done.modes.price_limit
        ),
        match done.mismatches {
            0 => "mismatches    0: every event came out as the chain recorded it".to_owned(),
            count => format!("mismatches    {count}"),
        },
    ];
    if let Some(first) = done.first_mismatches.first() {
        lines.push(mismatch(first));
    }
    lines.extend(done.fee_changes.iter().take(LISTED_FEE_CHANGES).map(fee_change));
    if done.fee_changes.len() > LISTED_FEE_CHANGES {
        lines.push(format!("              … and {} more", done.fee_changes.len() - LISTED_FEE_CHANGES));
    }
    lines.push(format!(
        "speed         {} events a second in the engine, {} with reading and decoding",
        thousands(done.events_per_second),
        thousands(done.events_per_second_with_decoding)
    ));
    lines.push(final_state(&done.last));
    lines.join("\n")
}

fn mismatch(first: &MismatchShown) -> String {
    let place = &first.place;
    let mode = match first.mode {
        Some("ein") => " (as an exact input)",
        Some("eout") => " (as an exact output)",
        Some(_) => " (up to a price limit)",
        None => "",
    };
    let rows: Vec<Vec<String>> = first
        .differences
        .iter()
        .map(|d| vec![d.field.to_owned(), d.recorded.clone(), d.ours.clone(), d.difference.clone()])
        .collect();
    let table = table(&["field", "recorded", "ours", "difference"], &rows).replace('\n', "\n    ");
    format!(
        "  the first: line {}, block {}, transaction {}, log {}: {}{mode}\n    {table}",
        place.line, place.block, place.tx_index, place.log_index, first.event
    )
}

fn fee_change(change: &FeeChangeShown) -> String {
    let from = change.from_pips.map_or_else(|| "unknown".to_owned(), |pips| pips.to_string());
    let source = match change.source {
        FeeSource::Recorded => "recorded",
        FeeSource::Inferred => "inferred from the amounts",
    };
    let place = &change.place;
    format!(
        "fee           {from} to {} millionths at line {}, block {} ({source})",
        change.to_pips, place.line, place.block
    )
}

fn final_state(last: &FinalState) -> String {
    let pair = |[first, second]: &[String; 2]| format!("{first} and {second}");
    let mut lines = vec![
        "final state".to_owned(),
        format!("  sqrt_price_x96     {}", last.sqrt_price_x96),
        format!("  tick               {}", last.tick),
        format!("  liquidity          {}", last.liquidity),
        format!("  initialised_ticks  {}", last.initialised_ticks),
    ];
    lines.extend(last.fee_pips.map(|pips| format!("  fee_pips           {pips}")));
    lines.push(format!("  fee_growth_x128    {}", pair(&last.fee_growth_x128)));
    lines.extend(last.protocol_fees.as_ref().map(|fees| format!("  protocol_fees      {}", pair(fees))));
    lines.extend(last.gauge_fees.as_ref().map(|fees| format!("  gauge_fees         {}", pair(fees))));
    lines.extend(last.fees_estimate.map(|why| format!("  {why}")));
    lines.join("\n")
}
