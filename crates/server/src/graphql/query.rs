//! The questions.

use std::collections::HashMap;

use assay_store::database::{JobFilter, RoundMode, ScheduledJob};
use async_graphql::connection::Connection;
use async_graphql::{Context, Error, Object, Result};

use super::connect::{connection, paging, told};
use super::types::{Dataset, Job, LiquidityRound, Model, Run, SignalLine, SignalStream};
use crate::access::{Caller, Role, Scope};
use crate::api::models::{card, reader, visible};
use crate::page::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::problem::Problem;
use crate::state::ServerState;

/// Longest id that is looked up.
const MAX_ID: usize = 200;

/// Everything that can be read. Lists are pages: `first` (1 to 200, default 50) and `after`,
/// the cursor of the last item seen.
pub(crate) struct Query;

fn parts<'a>(context: &Context<'a>) -> Result<(&'a ServerState, &'a Caller)> {
    Ok((context.data::<ServerState>()?, context.data::<Caller>()?))
}

/// The user whose things alone the caller may see; `None` for one who may see everyone's.
fn limited_to(caller: &Caller) -> Option<&str> {
    let is_admin = caller.role == Role::Owner && caller.scopes.contains(&Scope::Admin);
    (!is_admin).then_some(caller.user_id.as_str())
}

fn problem(error: impl Into<Problem>) -> Error {
    told(error.into())
}

/// The items that a page may have, for the weight of a question.
fn page_items(first: Option<i32>) -> usize {
    first.and_then(|first| usize::try_from(first).ok()).unwrap_or(DEFAULT_LIMIT as usize).clamp(1, MAX_LIMIT as usize)
}

/// Whether `id` can be one: what cannot is as good as unknown.
fn is_plausible(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ID && !id.contains('\0')
}

/// Whether the caller may see a stream: their own, or a live one of a model that they may see.
async fn sees_stream(state: &ServerState, caller: &Caller, owner: &str, mode: &str, model_id: &str) -> bool {
    caller.may_see(owner) || (mode == "live" && visible(state, caller, model_id).await.is_ok())
}

#[Object]
impl Query {
    /// Scheduled jobs, newest first.
    #[graphql(complexity = "page_items(first) * child_complexity")]
    async fn jobs(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        kind: Option<String>,
    ) -> Result<Connection<String, Job>> {
        let (state, caller) = parts(context)?;
        let paging = paging(first, after.as_deref())?;
        if kind.as_deref().is_some_and(|kind| !is_plausible(kind)) {
            return Ok(connection(paging, Vec::<(u64, ScheduledJob)>::new(), |row| Some(row.into())));
        }
        let filter = JobFilter { owner: limited_to(caller).map(str::to_owned), status: None, kind };
        let rows = state.platform.jobs(&filter, paging.after, paging.fetch()).await.map_err(problem)?;
        Ok(connection(paging, rows.into_iter().map(|row| (row.number, row)).collect(), |row| Some(row.into())))
    }

    /// One scheduled job; null when there is none.
    async fn job(&self, context: &Context<'_>, job_id: String) -> Result<Option<Job>> {
        let (state, caller) = parts(context)?;
        if !is_plausible(&job_id) {
            return Ok(None);
        }
        let found = state.platform.job(&job_id).await.map_err(problem)?;
        Ok(found.filter(|job| caller.may_see(&job.owner)).map(Job::from))
    }

    /// Training runs, newest first.
    #[graphql(complexity = "page_items(first) * child_complexity")]
    async fn runs(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<String, Run>> {
        let (state, caller) = parts(context)?;
        let paging = paging(first, after.as_deref())?;
        let rows = state.platform.runs(limited_to(caller), paging.after, paging.fetch()).await.map_err(problem)?;
        Ok(connection(paging, rows.into_iter().map(|row| (row.number, row)).collect(), |row| Some(row.into())))
    }

    /// Datasets of the lake, in the order in which they became known.
    #[graphql(complexity = "page_items(first) * child_complexity")]
    async fn datasets(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<String, Dataset>> {
        let (state, _) = parts(context)?;
        let paging = paging(first, after.as_deref())?;
        let rows = state.platform.datasets(paging.after.unwrap_or(0), paging.fetch()).await.map_err(problem)?;
        Ok(connection(paging, rows.into_iter().map(|row| (row.number, row)).collect(), |row| Some(row.into())))
    }

    /// Published models, newest first.
    #[graphql(complexity = "page_items(first) * child_complexity")]
    async fn models(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<String, Model>> {
        let (state, caller) = parts(context)?;
        let paging = paging(first, after.as_deref())?;
        let rows = state.platform.models(reader(caller), paging.after, paging.fetch()).await.map_err(problem)?;
        let rows = rows.iter().map(|row| Ok((row.number, card(row).map_err(told)?))).collect::<Result<Vec<_>>>()?;
        Ok(connection(paging, rows, |card| Some(card.into())))
    }

    /// One published model; null when there is none.
    async fn model(&self, context: &Context<'_>, model_id: String) -> Result<Option<Model>> {
        let (state, caller) = parts(context)?;
        match visible(state, caller, &model_id).await {
            Ok(row) => Ok(Some(card(&row).map_err(told)?.into())),
            Err(problem) if problem.status == 404 => Ok(None),
            Err(problem) => Err(told(problem)),
        }
    }

    /// Live and paper streams, newest first.
    #[graphql(complexity = "page_items(first) * child_complexity")]
    async fn streams(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<String, SignalStream>> {
        let (state, caller) = parts(context)?;
        let paging = paging(first, after.as_deref())?;
        let rows = state.platform.streams(limited_to(caller), paging.after, paging.fetch()).await.map_err(problem)?;
        let mut seen = Vec::with_capacity(rows.len());
        for row in rows {
            let is_seen = sees_stream(state, caller, &row.owner, row.mode.name(), &row.model_id).await;
            seen.push((row.number, (is_seen, row)));
        }
        Ok(connection(paging, seen, |(is_seen, row)| is_seen.then(|| row.into())))
    }

    /// A model's signals, in their order.
    #[graphql(complexity = "page_items(first) * child_complexity")]
    async fn signals(
        &self,
        context: &Context<'_>,
        model_id: String,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<String, SignalLine>> {
        let (state, caller) = parts(context)?;
        let paging = paging(first, after.as_deref())?;
        visible(state, caller, &model_id).await.map_err(told)?;
        // Signals count from 0, cursors from 1.
        let rows = state.platform.signals_from(&model_id, paging.after.unwrap_or(0), paging.fetch());
        let rows = rows.await.map_err(problem)?;
        let mut owners: HashMap<String, bool> = HashMap::new();
        for row in &rows {
            if !owners.contains_key(&row.stream_id) {
                let stream = state.platform.stream(&row.stream_id).await.map_err(problem)?;
                owners.insert(row.stream_id.clone(), stream.is_some_and(|stream| caller.may_see(&stream.owner)));
            }
        }
        let rows = rows.into_iter().map(|row| (row.seq + 1, row)).collect();
        Ok(connection(paging, rows, |row| {
            let is_seen = row.mode.name() == "live" || owners.get(&row.stream_id).copied().unwrap_or(false);
            is_seen.then(|| row.into())
        }))
    }

    /// The evaluation or live rounds of a liquidity job, newest first.
    #[graphql(complexity = "page_items(first) * child_complexity")]
    async fn rounds(
        &self,
        context: &Context<'_>,
        job_id: String,
        #[graphql(default = false)] live: bool,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<String, LiquidityRound>> {
        let (state, _) = parts(context)?;
        let paging = paging(first, after.as_deref())?;
        if !is_plausible(&job_id) {
            return Ok(connection(paging, Vec::new(), |round: LiquidityRound| Some(round)));
        }
        let kind = if live { "live" } else { "evaluation" };
        let rows = state.liquidity.rounds(&job_id, kind, RoundMode::Follow, paging.after, paging.fetch());
        let rows = rows.await.map_err(problem)?.into_iter().map(|row| (row.number, row)).collect();
        Ok(connection(paging, rows, |row| Some(row.into())))
    }
}
