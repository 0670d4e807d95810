//! A finished run becomes a model of the registry.

use assay_store::database::{MAX_MODELS, ModelRow, Reader};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::JobError;
use crate::jobs::models::card::{Card, Chosen, NearDuplicate, card};
use crate::jobs::models::files::{artefacts, seal};
use crate::jobs::models::probe::{agreement, probe};
use crate::jobs::models::{NEAR_DUPLICATE, Registry};
use crate::jobs::runs::LoadedRun;
use crate::workspace::{Workspace, now_ms};

/// Longest name of a model, in characters.
pub const MAX_NAME: usize = 80;
/// The largest fee.
pub const MAX_FEE_BPS: u32 = 10_000;

/// What to publish.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The run, by the first digits of its id.
    pub run: String,
    /// What to call the model.
    pub name: String,
    /// Who publishes it.
    pub owner: String,
    /// Whether its owner alone may see it; its artefacts are then sealed.
    pub is_private: bool,
    /// What listeners pay, in basis points.
    pub fee_bps: u32,
}

/// A published model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = PublishedModel)]
pub struct Published {
    /// SHA-256 of the weights: the model's id.
    pub model_id: String,
    /// Content id of the weights.
    pub model_cid: String,
    /// Content id of the run's config.
    pub config_cid: String,
    /// What its publisher should know, such as near duplicates.
    pub warnings: Vec<String>,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Its card.
    pub card: Card,
}

impl Publish {
    /// Publishes it.
    ///
    /// # Errors
    /// When there is no such finished run, a file of it is damaged, the name or the fee does
    /// not fit, or the weights are published already.
    pub fn run(&self, workspace: &Workspace<'_>, registry: &Registry<'_>) -> Result<Published, JobError> {
        self.check()?;
        let run = LoadedRun::load(workspace, &self.run)?;
        let model_id = run.weights_hash.to_string();
        let dry_without_database = workspace.dry_run && registry.is_missing();
        let others = if dry_without_database { Vec::new() } else { self.others(registry, &model_id)? };
        workspace.progress.stage("probe");
        let probe = probe(&run)?;
        let published_at = now_ms();
        let (name, owner) = (self.name.trim(), self.owner.as_str());
        let chosen = Chosen { name, owner, is_private: self.is_private, fee_bps: self.fee_bps, published_at };
        let mut card = card(&run, &chosen, artefacts(&run.folder)?)?;
        card.near_duplicates = near_duplicates(&others, &probe);
        if !workspace.dry_run {
            if self.is_private {
                workspace.progress.stage("seal");
                seal(workspace, &model_id, &card.files)?;
            }
            let row = row(&card, self.is_private, probe, published_at);
            registry
                .with(async |database| Ok(database.publish_model(&row, published_at).await?))?
                .ok_or_else(|| exists(&model_id))?;
        }
        Ok(Published {
            model_id,
            model_cid: card.model_cid.clone(),
            config_cid: card.config_cid.clone(),
            warnings: warnings(&card),
            dry_run: workspace.dry_run,
            card,
        })
    }

    fn check(&self) -> Result<(), JobError> {
        let length = self.name.trim().chars().count();
        if !(1..=MAX_NAME).contains(&length) || self.name.chars().any(char::is_control) {
            return Err(JobError::Input(format!(
                "a model's name has 1 to {MAX_NAME} characters and no control characters; this has {length}"
            )));
        }
        if self.fee_bps > MAX_FEE_BPS {
            let fee = self.fee_bps;
            return Err(JobError::Input(format!("the fee is {fee} basis points; it is at most {MAX_FEE_BPS}")));
        }
        Ok(())
    }

    /// The models that this one is compared with: those that its publisher may see.
    fn others(&self, registry: &Registry<'_>, model_id: &str) -> Result<Vec<ModelRow>, JobError> {
        registry.with(async |database| {
            // Told before anything is sealed or computed; the insert decides.
            if database.model(model_id).await?.is_some() {
                return Err(exists(model_id));
            }
            let mut others = Vec::new();
            loop {
                let before = others.last().map(|model: &ModelRow| model.number);
                let page = database.models(Reader::User(&self.owner), before, MAX_MODELS).await?;
                let is_last = page.len() < MAX_MODELS as usize;
                others.extend(page);
                if is_last {
                    return Ok(others);
                }
            }
        })
    }
}

fn exists(model_id: &str) -> JobError {
    JobError::Conflict(format!(
        "the weights {model_id} are published already: `assay model show {model_id}` shows the model; \
         a model is published once"
    ))
}

fn near_duplicates(others: &[ModelRow], probe: &str) -> Vec<NearDuplicate> {
    let near = others.iter().filter_map(|model| {
        let agreement = agreement(&model.probe, probe).filter(|share| *share > NEAR_DUPLICATE)?;
        Some(NearDuplicate { model_id: model.model_id.clone(), agreement })
    });
    near.collect()
}

fn warnings(card: &Card) -> Vec<String> {
    let near = card.near_duplicates.iter().map(|other| {
        let (share, id) = (other.agreement * 100.0, &other.model_id);
        format!(
            "near duplicate: it answers like model {id} on {share:.2} % of the probe; such models are scored as one, \
             and the first published has the credit"
        )
    });
    near.collect()
}

fn row(card: &Card, is_private: bool, probe: String, published_at: i64) -> ModelRow {
    ModelRow {
        model_id: card.model_id.clone(),
        number: 0,
        name: card.name.clone(),
        owner: card.owner.clone(),
        run_id: card.lineage.run_id.clone(),
        is_private,
        model_cid: card.model_cid.clone(),
        config_cid: card.config_cid.clone(),
        fee_bps: card.fee_bps,
        card: serde_json::to_string(card).expect("a card is plain data"),
        probe,
        published_at,
    }
}
