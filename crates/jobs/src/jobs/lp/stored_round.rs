//! A round as the validator's database keeps it.

use std::collections::BTreeMap;

use assay_lp::reputation::Eligibility;
use assay_lp::{Mode, RoundRecord};
use assay_store::database::{RoundMode, RoundStatus};
use assay_types::Hash;
use assay_validator::Standing;

use crate::error::JobError;
use crate::jobs::lp::registry::Registry;

/// A completed round.
pub struct StoredRound {
    /// The record's text.
    pub record: String,
    /// The hash stored beside it.
    pub hash: Option<Hash>,
    /// What its miners had and lacked to go live when it started, by key.
    pub eligibility: BTreeMap<String, Eligibility>,
}

/// The round of that id; `None` when the database has none.
///
/// # Errors
/// [`JobError::Input`] for a round that is not completed, with the reason.
pub fn stored_round(registry: &Registry, round_id: &str) -> Result<Option<StoredRound>, JobError> {
    registry.with(async |database| {
        let Some(round) = database.round(round_id, RoundMode::Follow).await? else { return Ok(None) };
        let state = match round.status {
            RoundStatus::Completed => "completed without a record",
            RoundStatus::Failed => "failed",
            _ => "not over",
        };
        let Some(record) = round.record else {
            let reason = round.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            return Err(JobError::Input(format!("{round_id} is {state}{reason}; it has no record")));
        };
        let mut eligibility = BTreeMap::new();
        if let Ok(read) = serde_json::from_str::<RoundRecord>(&record) {
            let start = read.start.timestamp;
            let standing = Standing::load(&database, &read.job, Mode::Follow, start).await?;
            for miner in &read.miners {
                let of = standing.eligibility(&miner.miner, miner.authenticated, start);
                eligibility.insert(miner.miner.clone(), of);
            }
        }
        let hash = round.record_hash.and_then(|hash| hash.parse().ok());
        Ok(Some(StoredRound { record, hash, eligibility }))
    })
}
