//! Models read back.

use assay_store::database::{MAX_MODELS, ModelRow, Reader};

use crate::error::JobError;
use crate::jobs::models::Registry;
use crate::jobs::models::card::Card;

/// The cards that `reader` may see, newest first, [`MAX_MODELS`] at most.
///
/// # Errors
/// When the database cannot be read.
pub fn list_models(registry: &Registry<'_>, reader: Reader<'_>) -> Result<Vec<Card>, JobError> {
    if registry.is_missing() {
        return Ok(Vec::new());
    }
    let rows = registry.with(async |database| Ok(database.models(reader, None, MAX_MODELS).await?))?;
    rows.iter().map(read_card).collect()
}

/// The card of the model whose id, or name, starts with or is `id`.
///
/// # Errors
/// When no model, or more than one, is meant by it.
pub fn show_model(registry: &Registry<'_>, reader: Reader<'_>, id: &str) -> Result<Card, JobError> {
    let cards = list_models(registry, reader)?;
    let is_meant =
        |card: &&Card| card.name == id || (id.len() >= 4 && card.model_id.starts_with(&id.to_ascii_lowercase()));
    let meant: Vec<&Card> = cards.iter().filter(is_meant).collect();
    match meant[..] {
        [card] => Ok(card.clone()),
        [] => Err(JobError::NotFound(format!("there is no model `{id}`: `assay model list` shows the models"))),
        [first, second, ..] => Err(JobError::Input(format!(
            "`{id}` means several models ({}, {}): give more digits of the id",
            &first.model_id[..12],
            &second.model_id[..12]
        ))),
    }
}

/// The card of a stored model.
///
/// # Errors
/// When it does not read.
pub(crate) fn read_card(row: &ModelRow) -> Result<Card, JobError> {
    let damaged = |error: serde_json::Error| {
        JobError::Check(format!("the card of model {} as stored does not read: {error}", row.model_id))
    };
    serde_json::from_str(&row.card).map_err(damaged)
}
