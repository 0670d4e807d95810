//! A model's card: everything public about it on one page.

use assay_features::FeatureError;
use assay_types::time::format_utc;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::JobError;
use crate::jobs::models::files::{CONFIG, WEIGHTS};
use crate::jobs::runs::LoadedRun;

/// Version of the card's fields.
pub const CARD_VERSION: u32 = 1;
/// Points of the equity curve on the card at most.
const EQUITY_POINTS: usize = 200;
/// Auditors whose equal receipts a model needs.
const AUDITORS: u32 = 3;

/// A model's card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ModelCard)]
pub struct Card {
    /// Version of these fields.
    pub card_version: u32,
    /// SHA-256 of the weights: the model's id.
    pub model_id: String,
    /// What its owner calls it.
    pub name: String,
    /// What it is, in a sentence.
    pub summary: String,
    /// The user who published it.
    pub owner: String,
    /// `public`, or `private`: only its owner sees it and its artefacts are sealed.
    pub visibility: String,
    /// When it was published, ISO-8601 UTC.
    pub published_at: String,
    /// What listeners pay, in basis points.
    pub fee_bps: u32,
    /// Content id of the weights.
    pub model_cid: String,
    /// Content id of the run's config.
    pub config_cid: String,
    /// The algorithm that trained it.
    pub algorithm: String,
    /// `name@version` of the training code, the indicators and the scaler.
    pub versions: Vec<String>,
    /// The hashes that pin it.
    pub hashes: Hashes,
    /// From the model back to its data.
    pub lineage: Lineage,
    /// Metrics on the run's test split; null where undefined.
    #[schema(value_type = Object)]
    pub metrics: Value,
    /// Why metrics are null, by name.
    #[schema(value_type = Object)]
    pub metric_reasons: Value,
    /// First open and last close of the test split, ISO-8601 UTC.
    pub period: Vec<String>,
    /// Equity over the test split, thinned out.
    pub equity: Vec<EquityPoint>,
    /// Whether the candles are generated rather than recorded.
    pub synthetic: bool,
    /// Whole tokens staked on it.
    pub stake_tokens: String,
    /// Its score and what it is made of.
    pub score: Score,
    /// Who audited it.
    pub audit: Audit,
    /// Its artefacts.
    pub files: Vec<CardFile>,
    /// Published models that answer alike on the probe.
    pub near_duplicates: Vec<NearDuplicate>,
}

/// The hashes that pin a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ModelHashes)]
pub struct Hashes {
    /// SHA-256 of the weights.
    pub weights: String,
    /// Of the run's full config.
    pub config: String,
    /// Of the candles.
    pub data: String,
    /// Of the feature set.
    pub features: String,
    /// Of the equity curve on the test split.
    pub equity: String,
}

/// From a model back to its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ModelLineage)]
pub struct Lineage {
    /// The model.
    pub model_id: String,
    /// The run that made it.
    pub run_id: String,
    /// The feature set that the run read.
    pub feature_hash: String,
    /// The candles that the features are of.
    pub data_hash: String,
    /// The dataset's name.
    pub dataset: String,
}

/// One point of an equity curve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EquityPoint {
    /// When, ISO-8601 UTC.
    pub at: String,
    /// The equity in the quote currency.
    pub equity: String,
}

/// A score: audited · max(return of 7 days, 0) · ln(1 + stake).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ModelScore)]
pub struct Score {
    /// The score as decimal text; null while it has none.
    #[schema(required)]
    pub value: Option<String>,
    /// Why it has none.
    #[schema(required)]
    pub reason: Option<String>,
    /// The factors.
    pub terms: ScoreTerms,
}

/// The factors of a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ModelScoreTerms)]
pub struct ScoreTerms {
    /// 1 with enough equal receipts of distinct auditors, else 0.
    pub audited: u32,
    /// Return of the last seven days of live equity, decimal text; null without such equity.
    #[schema(required)]
    pub return_7d: Option<String>,
    /// Why the return is null.
    #[schema(required)]
    pub return_7d_reason: Option<String>,
    /// Whole tokens staked.
    pub stake_tokens: String,
    /// What is missing about the stake, if anything is.
    #[schema(required)]
    pub stake_reason: Option<String>,
}

/// Who audited a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ModelAudit)]
pub struct Audit {
    /// Equal receipts of distinct auditors.
    pub receipts: u32,
    /// Receipts that it takes.
    pub needed: u32,
}

/// An artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ModelFile)]
pub struct CardFile {
    /// Its name in the run's folder.
    pub name: String,
    /// CIDv1 of its bytes, raw codec, SHA-256.
    pub content_id: String,
    /// Its size.
    pub bytes: u64,
}

/// A published model that answers alike on the probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NearDuplicate {
    /// The other model.
    pub model_id: String,
    /// The share of the probe's answers that are the same.
    pub agreement: f64,
}

/// What a publisher chooses.
pub(crate) struct Chosen<'a> {
    pub name: &'a str,
    pub owner: &'a str,
    pub is_private: bool,
    pub fee_bps: u32,
    pub published_at: i64,
}

/// The card of `run`, whose artefacts are `files`.
pub(crate) fn card(run: &LoadedRun, chosen: &Chosen<'_>, files: Vec<CardFile>) -> Result<Card, JobError> {
    let metrics: Value = json(run, "metrics.json")?;
    let content_id = |name: &str| {
        let file = files.iter().find(|file| file.name == name);
        file.map(|file| file.content_id.clone())
            .ok_or_else(|| JobError::Check(format!("run {} has no artefact {name}", run.summary.run_id)))
    };
    let missing = |name: &str| JobError::Check(format!("run {} has no {name}: train it again", run.summary.run_id));
    let (model_id, config) = (run.weights_hash.to_string(), &run.config);
    let algorithm = config.algorithm.name().to_owned();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut versions = vec![run.pins.train_version.clone()];
    let features: Result<Vec<&str>, FeatureError> = run.pins.features.versions();
    versions.extend(features?.into_iter().map(str::to_owned));
    let mut values = metrics["metrics"].as_object().cloned().unwrap_or_default();
    Ok(Card {
        card_version: CARD_VERSION,
        summary: format!(
            "{} policy on {}, trained for {} steps; it reads {} columns and answers long, flat or short at each close",
            algorithm.to_uppercase(),
            config.dataset,
            run.summary.timesteps,
            run.policy.columns().len(),
        ),
        name: chosen.name.to_owned(),
        owner: chosen.owner.to_owned(),
        visibility: if chosen.is_private { "private" } else { "public" }.to_owned(),
        published_at: format_utc(chosen.published_at),
        fee_bps: chosen.fee_bps,
        model_cid: content_id(WEIGHTS)?,
        config_cid: content_id(CONFIG)?,
        algorithm,
        versions,
        hashes: Hashes {
            weights: model_id.clone(),
            config: run.pins.config_hash.to_string(),
            data: run.pins.data_hash.to_string(),
            features: run.pins.feature_hash.to_string(),
            equity: run.summary.equity_hash.clone().ok_or_else(|| missing("equity hash"))?,
        },
        lineage: Lineage {
            model_id: model_id.clone(),
            run_id: run.summary.run_id.clone(),
            feature_hash: run.pins.feature_hash.to_string(),
            data_hash: run.pins.data_hash.to_string(),
            dataset: config.dataset.to_string(),
        },
        metric_reasons: values.remove("reasons").unwrap_or_default(),
        metrics: Value::Object(values),
        period: metrics["period"].as_array().into_iter().flatten().map(text).collect(),
        equity: equity(&run.folder.read_to_string("equity.csv")?),
        synthetic: metrics["synthetic"].as_bool().unwrap_or(false),
        stake_tokens: "0".to_owned(),
        score: unscored(),
        audit: Audit { receipts: 0, needed: AUDITORS },
        files,
        near_duplicates: Vec::new(),
        model_id,
    })
}

/// The score of a model that was just published.
fn unscored() -> Score {
    Score {
        value: None,
        reason: Some("younger than 7 days".to_owned()),
        terms: ScoreTerms {
            audited: 0,
            return_7d: None,
            return_7d_reason: Some("no seven days of live equity after publication".to_owned()),
            stake_tokens: "0".to_owned(),
            stake_reason: Some("no stake yet".to_owned()),
        },
    }
}

/// At most [`EQUITY_POINTS`] rows of `equity.csv`, the first and the last among them.
fn equity(csv: &str) -> Vec<EquityPoint> {
    let rows: Vec<EquityPoint> = csv
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut cells = line.split(',');
            let at = cells.next()?.parse().ok()?;
            Some(EquityPoint { at: format_utc(at), equity: cells.next()?.to_owned() })
        })
        .collect();
    let count = rows.len().min(EQUITY_POINTS);
    let place = |point: usize| point * (rows.len() - 1) / (count - 1).max(1);
    (0..count).map(|point| rows[place(point)].clone()).collect()
}

fn json(run: &LoadedRun, name: &str) -> Result<Value, JobError> {
    let path = run.folder.file(name);
    serde_json::from_slice(&run.folder.read(name)?)
        .map_err(|error| JobError::Check(format!("{} does not read: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_is_thinned_but_keeps_its_ends() {
        let rows = |count: usize| {
            (0..count).fold("time_ms,equity\n".to_owned(), |text, row| text + &format!("{row},{row}.5\n"))
        };
        for count in [1, 2, 199, 200, 201, 5_000] {
            let points = equity(&rows(count));
            assert_eq!(points.len(), count.min(EQUITY_POINTS));
            assert_eq!(
                (points[0].equity.as_str(), points[points.len() - 1].equity.clone()),
                ("0.5", format!("{}.5", count - 1))
            );
        }
        assert!(equity("time_ms,equity\n").is_empty());
    }
}
