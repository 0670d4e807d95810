//! Published models. The id of a model is the hash of its weights, so no weights are
//! published twice.

use super::events::NewEvent;
use super::{PlatformDatabase, counters, events};
use crate::database::DatabaseError;
use crate::database::statement::{Row, Statement, signed};

/// Most models in one page.
pub const MAX_MODELS: u32 = 1_000;
const COLUMNS: &str = "model_id, number, name, owner, run_id, visibility, model_cid, config_cid, fee_bps, card, probe, \
                       published_at";

/// A published model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRow {
    /// SHA-256 of its weights.
    pub model_id: String,
    /// Its number in the order of publication, from 1; set when it is stored.
    pub number: u64,
    /// What its owner calls it.
    pub name: String,
    /// The user who published it.
    pub owner: String,
    /// The run that made it.
    pub run_id: String,
    /// Whether its owner alone may see it.
    pub is_private: bool,
    /// Content id of its weights.
    pub model_cid: String,
    /// Content id of its run's config.
    pub config_cid: String,
    /// What listeners pay, in basis points.
    pub fee_bps: u32,
    /// Its card as JSON.
    pub card: String,
    /// What it answers on the probe.
    pub probe: String,
    /// When, in ms since 1970.
    pub published_at: i64,
}

/// Whose models a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader<'a> {
    /// Everyone's.
    All,
    /// The public ones and those of this user.
    User(&'a str),
}

impl Reader<'_> {
    /// The user as an argument of `$1 = '' OR …`; no user has an empty id.
    fn user(&self) -> &str {
        match self {
            Self::All => "",
            Self::User(user) => user,
        }
    }
}

impl PlatformDatabase {
    /// Publishes a model and tells of it in one transaction; `None` when its weights are
    /// published already, which changes nothing. Gives the number it got.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn publish_model(&self, model: &ModelRow, now_ms: i64) -> Result<Option<u64>, DatabaseError> {
        let mut transaction = self.begin().await?;
        // The counter's row is locked until the commit, so two publications of one model wait for each other.
        let number = counters::take(&mut transaction, "models", 1).await?;
        let sql = "INSERT INTO models (model_id, number, name, owner, run_id, visibility, model_cid, config_cid, fee_bps, \
                   card, probe, published_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
                   ON CONFLICT (model_id) DO NOTHING";
        let statement = Statement::new("publish a model", sql)
            .bind(&model.model_id)
            .bind(signed("number", number)?)
            .bind(&model.name)
            .bind(&model.owner)
            .bind(&model.run_id)
            .bind(if model.is_private { "private" } else { "public" })
            .bind(&model.model_cid)
            .bind(&model.config_cid)
            .bind(i64::from(model.fee_bps))
            .bind(&model.card)
            .bind(&model.probe)
            .bind(model.published_at);
        if transaction.execute(statement).await? == 0 {
            return Ok(None);
        }
        let event = NewEvent {
            topic: "model".to_owned(),
            subject: model.model_id.clone(),
            owner: model.is_private.then(|| model.owner.clone()),
            payload: model.card.clone(),
        };
        events::append(&mut transaction, &[event], now_ms).await?;
        transaction.commit().await?;
        Ok(Some(number))
    }

    /// The published model with that id, whoever may see it; `None` when there is none.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn model(&self, model_id: &str) -> Result<Option<ModelRow>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM models WHERE model_id = $1");
        let rows = self.pool.fetch(Statement::new("read a model", sql).bind(model_id)).await?;
        rows.first().map(model_row).transpose()
    }

    /// Up to `limit` models that `reader` may see, newest first, those published before the
    /// one with the number `before`.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn models(
        &self,
        reader: Reader<'_>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<ModelRow>, DatabaseError> {
        let before = before.map_or(Ok(i64::MAX), |number| signed("number", number))?;
        let sql = format!(
            "SELECT {COLUMNS} FROM models WHERE number < $2 AND ($1 = '' OR visibility = 'public' OR owner = $1) \
             ORDER BY number DESC LIMIT $3"
        );
        let statement = Statement::new("list models", sql);
        let statement = statement.bind(reader.user()).bind(before).bind(i64::from(limit.min(MAX_MODELS)));
        self.pool.fetch(statement).await?.iter().map(model_row).collect()
    }

    /// The models made by a run that `reader` may see, newest first.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn models_of_run(&self, reader: Reader<'_>, run_id: &str) -> Result<Vec<ModelRow>, DatabaseError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM models WHERE run_id = $2 AND ($1 = '' OR visibility = 'public' OR owner = $1) \
             ORDER BY number DESC"
        );
        let statement = Statement::new("list a run's models", sql).bind(reader.user()).bind(run_id);
        self.pool.fetch(statement).await?.iter().map(model_row).collect()
    }
}

fn model_row(row: &Row) -> Result<ModelRow, DatabaseError> {
    let visibility: String = row.get("visibility")?;
    let fee_bps = row.count("fee_bps")?;
    Ok(ModelRow {
        model_id: row.get("model_id")?,
        number: row.count("number")?,
        name: row.get("name")?,
        owner: row.get("owner")?,
        run_id: row.get("run_id")?,
        is_private: visibility != "public",
        model_cid: row.get("model_cid")?,
        config_cid: row.get("config_cid")?,
        fee_bps: u32::try_from(fee_bps)
            .map_err(|_| DatabaseError::Damaged { column: "fee_bps", value: fee_bps.to_string() })?,
        card: row.get("card")?,
        probe: row.get("probe")?,
        published_at: row.get("published_at")?,
    })
}
