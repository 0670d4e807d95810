//! From a config to everything a run stands on: candles, split, features, rules, ids.

use assay_features::{FeatureSpec, Split, SplitDates};
use assay_lake::ALL_TIME;
use assay_sim::Rules;
use assay_train::TrainConfig;
use assay_types::time::format_utc;
use assay_types::{Candles, Hash, Instrument, Price, Qty, instrument};
use serde_json::{Value, json};

use crate::error::JobError;
use crate::feature_store::{FeatureSet, feature_set};
use crate::workspace::{Workspace, user_time};

/// Version of the training code: part of every run id. A change that alters weights
/// for the same config, data and seed is a new version.
pub const TRAIN_VERSION: &str = "train@1";

/// What a run stands on.
pub struct Prepared {
    /// The config with all defaults.
    pub config: TrainConfig,
    /// Its hash.
    pub config_hash: Hash,
    /// The dataset's candles from its first to the end of the test split.
    pub candles: Candles,
    /// Their hash.
    pub data_hash: Hash,
    /// Which of them train, validate and test.
    pub split: Split,
    /// Their features and the scaling fitted on training rows.
    pub features: FeatureSet,
    /// What trading costs.
    pub rules: Rules,
    /// The run id (R1).
    pub run_id: String,
    /// Budget in environment steps.
    pub total_timesteps: u64,
}

/// Prepares a run of the keys in `value`.
///
/// # Errors
/// [`JobError`] naming the key, the dataset or the dates that do not fit.
pub fn prepare(workspace: &Workspace, value: &Value) -> Result<Prepared, JobError> {
    let config = TrainConfig::from_value(value)?;
    let whole = workspace.lake.load(&config.dataset, ALL_TIME)?;
    prepare_on(workspace, config, whole)
}

/// Prepares a run of `config` on candles that are at hand already.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_on(workspace: &Workspace, config: TrainConfig, whole: Candles) -> Result<Prepared, JobError> {
    let (config, spec) = resolve(config)?;
    let warm_up = spec.warm_up()?;
    let (candles, dates) = cut(workspace, &config, whole, warm_up)?;
    let split = Split::by_dates(&candles, dates, warm_up, config.allow_gaps)?;
    let data_hash = candles.data_hash();
    let features = feature_set(workspace, &candles, data_hash, &spec, &split)?;
    let resolved = "the config was resolved";
    let rules = config.rules(config.tick.expect(resolved), config.step.expect(resolved));
    let config_hash = config.config_hash();
    let total_timesteps = config.total_timesteps.timesteps(split.train().len());
    let run_id = run_id(config_hash, data_hash, features.hash, config.seed);
    Ok(Prepared { config, config_hash, candles, data_hash, split, features, rules, run_id, total_timesteps })
}

/// First 16 bytes of the SHA-256 over what determines a run (R1), in hexadecimal.
#[must_use]
pub fn run_id(config_hash: Hash, data_hash: Hash, feature_hash: Hash, seed: u64) -> String {
    let value = json!({
        "config_hash": config_hash,
        "data_hash": data_hash,
        "feature_hash": feature_hash,
        "seed": seed,
        "train": TRAIN_VERSION,
    });
    Hash::of_json(&value).to_string()[..32].to_owned()
}

/// Fills in what the config leaves to tables of this version (price tick, quantity step,
/// feature columns), so that its hash is over all that decides the run (R1).
fn resolve(mut config: TrainConfig) -> Result<(TrainConfig, FeatureSpec), JobError> {
    let market = &config.dataset.market;
    let (tick, step) = tick_and_step(&market.to_string(), instrument(market), config.tick, config.step)?;
    (config.tick, config.step) = (Some(tick), Some(step));
    let spec = feature_spec(&config)?;
    config.features.clone_from(&spec.columns);
    Ok((config, spec))
}

/// The feature columns and scaler of a config; no columns means every one.
///
/// # Errors
/// When a column is not known.
pub fn feature_spec(config: &TrainConfig) -> Result<FeatureSpec, JobError> {
    let mut spec = FeatureSpec::default();
    if !config.features.is_empty() {
        spec.columns = config.features.clone();
    }
    spec.scaler = config.scaler;
    spec.check()?;
    Ok(spec)
}

/// The candles up to the end of the test split, and the dates of the split: the
/// config's own, or those of its preset counted back from the end.
fn cut(
    workspace: &Workspace,
    config: &TrainConfig,
    whole: Candles,
    warm_up: usize,
) -> Result<(Candles, SplitDates), JobError> {
    let test_end_ms = match &config.test_end {
        Some(text) => user_time("config key `test_end`", text)?,
        None => whole.open_time_ms.last().map_or(0, |last| last + whole.timeframe.ms()),
    };
    let candles = if whole.open_time_ms.last().is_some_and(|last| *last >= test_end_ms) {
        whole.slice(whole.range(i64::MIN, test_end_ms))
    } else {
        whole
    };
    let dates = match (&config.train_start, &config.test_start) {
        (Some(train_start), Some(test_start)) => SplitDates {
            train_start_ms: user_time("config key `train_start`", train_start)?,
            test_start_ms: user_time("config key `test_start`", test_start)?,
            test_end_ms,
        },
        (None, Some(test_start)) => SplitDates {
            train_start_ms: candles.open_time_ms.first().copied().unwrap_or(0),
            test_start_ms: user_time("config key `test_start`", test_start)?,
            test_end_ms,
        },
        (Some(_), None) => {
            let text = "config key `train_start` is given without `test_start`: give both, or neither for a preset";
            return Err(JobError::Input(text.to_owned()));
        }
        (None, None) => {
            let (dates, notice) = config.split_preset.dates(&candles, warm_up)?;
            notice.iter().for_each(|text| workspace.progress.note(text));
            dates
        }
    };
    let data_end_ms = candles.open_time_ms.last().map_or(0, |last| last + candles.timeframe.ms());
    if test_end_ms > data_end_ms {
        let (asked, end) = (format_utc(test_end_ms), format_utc(data_end_ms));
        workspace.progress.note(&format!("`test_end` is {asked} but the data end at {end}: testing up to there"));
    }
    if config.test_end.is_none() && dates.test_start_ms >= test_end_ms {
        return Err(JobError::Input(format!(
            "config key `test_start`: {} leaves no candles to test on, the data end at {}: choose an earlier date",
            format_utc(dates.test_start_ms),
            format_utc(test_end_ms)
        )));
    }
    Ok((candles, dates))
}

/// The price tick and quantity step: as given, else from the instrument table.
///
/// # Errors
/// [`JobError::Input`] when the symbol is unknown and no tick is given.
pub fn tick_and_step(
    market: &str,
    known: Option<Instrument>,
    tick: Option<Price>,
    step: Option<Qty>,
) -> Result<(Price, Qty), JobError> {
    let tick = tick.or_else(|| known.map(|rules| rules.tick)).ok_or_else(|| {
        JobError::Input(format!(
            "{market} is not in the instrument table: give its price tick (config key `tick`, or --tick), such as 0.01"
        ))
    })?;
    let step = step.or_else(|| known.map(|rules| rules.step)).unwrap_or(Rules::FINEST_STEP);
    Ok((tick, step))
}

/// A candle range as text.
#[must_use]
pub fn range_text(candles: &Candles, range: &std::ops::Range<usize>) -> String {
    let from = format_utc(candles.open_time_ms[range.start]);
    format!("{from} … {} ({} candles)", format_utc(candles.close_time_ms(range.end - 1)), range.len())
}
