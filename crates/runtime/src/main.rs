//! One packed model at work: closed candles on standard input, signed signals on standard
//! output, one line each. What says it is in the folder of `assay model pack`.
//!
//! No network, no database and no home folder: whoever feeds it decides where candles come
//! from and where signals go.

#![allow(clippy::disallowed_methods, reason = "an edge: files, clock, standard streams")]

mod candles;
mod error;
mod key;
mod pack;

use std::io::{BufRead as _, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_engine::{Desk, Limits, Member, STALE_AFTER_MS, Timing};
use assay_features::FeatureStream;

use crate::error::RuntimeError;
use crate::pack::Pack;

const USAGE: &str = "\
assay-runtime [--pack DIR] [--key FILE] [--recorded] [--speak-from OPEN_TIME_MS]

Reads closed candles as lines `open_time_ms,open,high,low,close,volume` from standard input and
writes one signed signal per line to standard output.

  --pack DIR           the packed model [default: the folder of this program]
  --key FILE           32 secret bytes that sign [default: signing.key there, made on first use]
  --recorded           the candles are recorded: none is late
  --speak-from TIME    feed the whole history from the dataset's first candle, and speak from the
                       candle that opens at TIME; otherwise the indicators go on where the run ended

Exit codes: 0 the candles ended, 1 failed, 2 bad usage or bad input, 3 the pack is damaged.";

/// What the command line asks for.
struct Arguments {
    pack: PathBuf,
    key: PathBuf,
    is_recorded: bool,
    speak_from: Option<i64>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run() -> Result<(), RuntimeError> {
    let Some(arguments) = arguments(std::env::args().skip(1))? else {
        let _ = writeln!(std::io::stdout(), "{USAGE}");
        return Ok(());
    };
    let pack = Pack::read(&arguments.pack)?;
    let key = key::load_or_create(&arguments.key)?;
    let mut desk = Desk::new(pack.dataset.clone(), key, NonZeroUsize::MIN);
    let stream = match arguments.speak_from {
        Some(_) => FeatureStream::new(&pack.stream.spec, pack.dataset.timeframe)?,
        None => FeatureStream::resume(&pack.stream)?,
    };
    desk.add_features(stream)?;
    let mut member = Some(Member {
        stream_id: "packed".to_owned(),
        model_id: pack.model_id.clone(),
        policy: pack.policy,
        spec: pack.stream.spec.clone(),
        rules: pack.rules,
        limits: Limits::default(),
        next_seq: 0,
        state: None,
        from_close_ms: i64::MIN,
    });
    let out = std::io::stdout();
    for (number, line) in (1_u64..).zip(std::io::stdin().lock().lines()) {
        let line = line.map_err(|source| RuntimeError::io("read", "standard input", source))?;
        let Some(candle) = candles::read(&line, number)? else { continue };
        candle
            .check(pack.dataset.timeframe)
            .map_err(|error| RuntimeError::Candle { line: number, detail: error.to_string() })?;
        // What the indicators took already, when a feed begins before the run's end.
        if desk.last_open_ms().is_some_and(|last| candle.open_time_ms <= last) && arguments.speak_from.is_none() {
            continue;
        }
        if arguments.speak_from.is_some_and(|from| candle.open_time_ms < from) {
            desk.observe(&candle)?;
            continue;
        }
        if let Some(member) = member.take() {
            desk.add(member)?;
        }
        let late_by_ms = key::now_ms() - candle.open_time_ms - pack.dataset.timeframe.ms();
        let is_late = !arguments.is_recorded && arguments.speak_from.is_none() && late_by_ms > STALE_AFTER_MS;
        let timing = if is_late { Timing::Late } else { Timing::InTime };
        for said in desk.close(&candle, timing)? {
            let mut out = out.lock();
            let written = writeln!(out, "{}", said.line).and_then(|()| out.flush());
            written.map_err(|source| RuntimeError::io("write", "standard output", source))?;
        }
    }
    Ok(())
}

/// `None` when help is asked for.
fn arguments(mut given: impl Iterator<Item = String>) -> Result<Option<Arguments>, RuntimeError> {
    let (mut pack, mut key, mut is_recorded, mut speak_from) = (None, None, false, None);
    while let Some(name) = given.next() {
        let mut value = || given.next().ok_or_else(|| RuntimeError::Usage(format!("{name} needs a value; see --help")));
        match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--pack" => pack = Some(PathBuf::from(value()?)),
            "--key" => key = Some(PathBuf::from(value()?)),
            "--recorded" => is_recorded = true,
            "--speak-from" => {
                let text = value()?;
                let wrong = || RuntimeError::Usage(format!("--speak-from {text}: give milliseconds since 1970"));
                speak_from = Some(text.parse().map_err(|_| wrong())?);
            }
            _ => return Err(RuntimeError::Usage(format!("`{name}` is not known; see --help"))),
        }
    }
    let beside = || std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned())).unwrap_or_default();
    let pack = pack.unwrap_or_else(beside);
    let key = key.unwrap_or_else(|| pack.join("signing.key"));
    Ok(Some(Arguments { pack, key, is_recorded, speak_from }))
}
