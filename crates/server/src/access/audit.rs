//! Notes every write before it is tried, and what became of it. Of requests that come with no
//! credential that holds, so many are noted as an address may fill the log with.

use std::time::Instant;

use assay_store::database::NewAudit;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Caller;
use super::layers::{Address, in_time, is_safe};
use crate::clock::now_ms;
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// Longest subject that is noted.
const MAX_SUBJECT: usize = 200;
/// Routes that only compute or read, though they take a body.
const READS_WITH_BODY: [&str; 3] = ["/api/", "/v1/graphql", "/graphql"];
/// Routes that make something for one who has no credential yet.
const SIGN_INS: [&str; 2] = ["/v1/session", "/v1/siwe/verify"];

/// What a write was about, where only its answer tells: put into the answer's extensions.
#[derive(Debug, Clone)]
pub struct Subject(pub String);

/// Notes writes. They run in a task of their own: a client that hangs up neither stops a write
/// half-way nor keeps its outcome from being noted.
pub(crate) async fn audit(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    let template = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let is_write = |template: &String| !READS_WITH_BODY.iter().any(|prefix| template.starts_with(prefix));
    let Some(template) = template.filter(|template| !is_safe(request.method()) && is_write(template)) else {
        return next.run(request).await;
    };
    let entry = entry(&request, format!("{} {template}", request.method()), subject(&template, request.uri().path()));
    let limit = state.access.options.limits.request_timeout;
    let counted = request.extensions().get::<Address>().map_or("", |address| &address.counted);
    let is_noted_first = entry.user_id.is_some() || state.access.by_refusal.take(counted, 1, Instant::now()).is_ok();
    let is_sign_in = SIGN_INS.contains(&template.as_str());
    // Also here: the task outlives a request that was given up, and would wait for its body.
    let answer = async move { in_time(limit, next.run(request)).await };
    if is_noted_first {
        return noted(state, entry, answer).await;
    }
    let response = answer.await;
    if response.status().is_success() && is_sign_in {
        // It made a session, whose token is in this answer alone.
        return noted(state, entry, std::future::ready(response)).await;
    }
    metrics::counter!("assay_audit_unnoted_total").increment(1);
    response
}

/// What is noted of a request.
pub(crate) fn entry(request: &Request, action: String, subject: Option<String>) -> NewAudit {
    let caller = request.extensions().get::<Caller>();
    let address = request.extensions().get::<Address>().map(|address| address.text.clone());
    NewAudit {
        at: now_ms(),
        user_id: caller.map(|caller| caller.user_id.clone()),
        credential: caller.map(|caller| caller.credential.clone()),
        action,
        subject,
        address: address.filter(|address| !address.is_empty()),
    }
}

/// Notes that something is about to be tried, tries it in a task of its own, and notes what became
/// of it. What cannot be noted is not tried.
pub(crate) async fn noted(
    state: ServerState,
    entry: NewAudit,
    answer: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let number = match state.platform.begin_audit(&entry).await {
        Ok(number) => number,
        Err(error) => return Problem::from(error).into_response(),
    };
    let written = tokio::spawn(async move {
        let response = answer.await;
        let subject = response.extensions().get::<Subject>().map(|subject| shortened(&subject.0));
        let status = response.extensions().get::<NotedStatus>().map_or(response.status().as_u16(), |noted| noted.0);
        let finished = state.platform.finish_audit(number, status, subject).await;
        if let Err(error) = finished {
            tracing::error!(%error, number, status, "the audit log lacks an outcome");
        }
        response
    });
    written.await.unwrap_or_else(|_| Problem::new(Code::Internal, "the request failed here").into_response())
}

/// The status to be noted, where that of the answer says nothing: put into the answer's extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotedStatus(pub u16);

/// The variable parts of a path, with `/` between.
fn subject(template: &str, path: &str) -> Option<String> {
    let pairs = template.split('/').zip(path.split('/'));
    let parts: Vec<&str> = pairs.filter(|(name, _)| name.starts_with('{')).map(|(_, part)| part).collect();
    (!parts.is_empty()).then(|| shortened(&parts.join("/")))
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_SUBJECT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_is_what_varies() {
        assert_eq!(subject("/v1/keys/{key_id}", "/v1/keys/ab").as_deref(), Some("ab"));
        assert_eq!(subject("/v1/a/{b}/c/{d}", "/v1/a/1/c/2").as_deref(), Some("1/2"));
        assert_eq!(subject("/v1/keys", "/v1/keys"), None);
    }
}
