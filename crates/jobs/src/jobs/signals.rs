//! The replay driver: a run's policy, candle by candle, into signed signals.

use std::path::Path;

use assay_engine::{Signer, to_line};
use assay_sim::backtest;
use assay_store::write_atomic;
use assay_types::time::format_utc;
use assay_types::{Candles, Hash, Signal, SignalHeader, SignalMode, SigningKey, Target};
use serde::Serialize;

use crate::error::JobError;
use crate::jobs::policy_decider::PolicyDecider;
use crate::jobs::runs::LoadedRun;
use crate::workspace::Workspace;

/// A signal file and what it stands for.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// The run.
    pub run_id: String,
    /// The model that signs.
    pub model_id: String,
    /// The key that signs.
    pub public_key: String,
    /// Signals, one per close of the test split.
    pub signals: u64,
    /// Closes at which the target changed.
    pub changes: u64,
    /// Equity hash of following every signal.
    pub equity_hash: Hash,
    /// First and last close, ISO-8601 UTC.
    pub period: [String; 2],
    /// The file's text.
    #[serde(skip)]
    pub text: String,
}

/// Replays `run` over its test split and signs what it says.
///
/// # Errors
/// When the data changed since the run, or the key cannot be read.
pub fn replay_signals(workspace: &Workspace, run: &LoadedRun) -> Result<Replayed, JobError> {
    workspace.progress.stage("signals");
    let candles = run.candles(workspace)?;
    let test = run.pins.split.test();
    let mut decider = PolicyDecider::new(run.strategy()?, &candles, test.clone())?;
    let result = backtest(&candles, &run.pins.rules, test.clone(), |view| decider.decide(view))?;
    // The ledger does not ask at the last close, whose decision is not filled; listeners
    // still hear it.
    let last = decider.decide_at(result.range.end - 1, result.account.inputs(result.last_equity()));
    decider.finish()?;
    let targets: Vec<Target> = result.targets.iter().copied().chain([last]).collect();
    let key = signing_key(workspace)?;
    let header = header(run, &candles);
    let mut signer = Signer::new(header, &candles.market.symbol, &key);
    let mut text = to_line(signer.header());
    text.push('\n');
    for (index, target) in test.zip(&targets) {
        let signal: Signal = signer.signal(&candles, index, (*target).into());
        text.push_str(&to_line(&signal));
        text.push('\n');
    }
    let before = std::iter::once(&Target::Flat).chain(&targets);
    Ok(Replayed {
        run_id: run.summary.run_id.clone(),
        model_id: run.weights_hash.to_string(),
        public_key: signer.header().public_key.clone(),
        signals: targets.len() as u64,
        changes: before.zip(&targets).filter(|(a, b)| a != b).count() as u64,
        equity_hash: result.equity_hash(),
        period: [format_utc(result.time_ms[0]), format_utc(result.time_ms[result.time_ms.len() - 1])],
        text,
    })
}

/// The key that signs, made on first use but never by a dry run.
fn signing_key(workspace: &Workspace) -> Result<SigningKey, JobError> {
    if workspace.dry_run && !workspace.home.has_signing_key() {
        let text = "there is no signing key yet and --dry-run makes none: leave it out to make the key";
        return Err(JobError::Input(text.to_owned()));
    }
    Ok(workspace.home.signing_key()?)
}

/// Writes the signal file to `out`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_signals(out: &Path, replayed: &Replayed) -> Result<(), JobError> {
    Ok(write_atomic(out, replayed.text.as_bytes())?)
}

fn header(run: &LoadedRun, candles: &Candles) -> SignalHeader {
    let test = run.pins.split.test();
    let rules = &run.pins.rules;
    SignalHeader {
        public_key: String::new(),
        model_id: run.weights_hash.to_string(),
        config_hash: run.pins.config_hash,
        cash: rules.cash,
        fee_ppm: rules.fee_ppm,
        slippage_ticks: rules.slippage_ticks,
        tick: rules.tick,
        step: rules.step,
        fill_rule: rules.fill_rule,
        start: format_utc(candles.open_time_ms[test.start]),
        end: format_utc(candles.close_time_ms(test.end - 1)),
        data_hash: candles.slice(test).data_hash(),
        mode: SignalMode::Replay,
        slippage_bps: rules.slippage_bps,
        borrow_bps_per_day: rules.borrow_bps_per_day,
        first_seq: 0,
        signature: String::new(),
    }
}
