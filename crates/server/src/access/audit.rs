//! Notes every write before it is tried, and what became of it.

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
    let caller = request.extensions().get::<Caller>();
    let address = request.extensions().get::<Address>();
    let entry = NewAudit {
        at: now_ms(),
        user_id: caller.map(|caller| caller.user_id.clone()),
        credential: caller.map(|caller| caller.credential.clone()),
        action: format!("{} {template}", request.method()),
        subject: subject(&template, request.uri().path()),
        address: address.map(|Address(address)| address.clone()).filter(|address| !address.is_empty()),
    };
    let number = match state.platform.begin_audit(&entry).await {
        Ok(number) => number,
        Err(error) => return Problem::from(error).into_response(),
    };
    let limit = state.access.options.limits.request_timeout;
    let written = tokio::spawn(async move {
        // Also here: the task outlives a request that was given up, and would wait for its body.
        let response = in_time(limit, next.run(request)).await;
        let subject = response.extensions().get::<Subject>().map(|subject| shortened(&subject.0));
        let finished = state.platform.finish_audit(number, response.status().as_u16(), subject).await;
        if let Err(error) = finished {
            tracing::error!(%error, number, status = response.status().as_u16(), "the audit log lacks an outcome");
        }
        response
    });
    written.await.unwrap_or_else(|_| Problem::new(Code::Internal, "the request failed here").into_response())
}

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
