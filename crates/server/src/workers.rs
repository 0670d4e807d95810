//! Workers on other machines: jobs lent over gRPC, on the port of everything else, to holders of
//! a key with the scope `admin`.

use std::sync::Arc;

use assay_jobs::{JobError, JobRequest, Silent, Workspace};
use assay_worker::{AboutJob, WorkerService, WorkersServer};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tonic::service::Routes;
use tonic::{Code, Status};

use crate::access::{Caller, NotedStatus, Presented, Scope, Subject, audit_entry, authenticate, guard, noted};
use crate::observe::observe;
use crate::state::ServerState;

/// Largest message: a piece of a file, or a job's result.
const MAX_MESSAGE_BYTES: usize = 64 << 20;
/// Calls that change something whatever they answer; of those that ask for a job only the
/// answers with one do, and heartbeats say nothing that the job's own row does not.
const WRITES: [&str; 2] = ["PutArtefact", "Finish"];

/// The calls of `worker.proto`, which check their callers themselves.
///
/// # Errors
/// [`JobError`] when the lake cannot be opened.
pub(crate) async fn routes(state: &ServerState) -> Result<Router, JobError> {
    let (home, lake) = (state.settings.home.clone(), state.settings.lake.clone());
    // A workspace has a runtime of its own, which must not end inside of another.
    let opened = tokio::task::spawn_blocking(move || {
        let workspace = Workspace::open(home.path(), lake.as_deref(), &Silent, 1, false)?;
        Ok::<_, JobError>(workspace.lake.lake().clone())
    });
    let lake = opened.await.map_err(|error| JobError::Failed(format!("opening the lake: {error}")))??;
    let told = state.clone();
    let service = WorkerService {
        database: state.platform.clone(),
        home: state.settings.home.clone(),
        lake,
        kinds: JobRequest::REMOTE_KINDS.to_vec(),
        dataset_of: |request| serde_json::from_str::<JobRequest>(request).ok()?.dataset().map(str::to_owned),
        on_change: Arc::new(move || told.events_appended.notify_waiters()),
    };
    let server = WorkersServer::new(service)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    // Only the calls: what no call is stays with the other routes.
    let router = Routes::new(server).into_axum_router().reset_fallback();
    Ok(router
        // From the inside out.
        .layer(from_fn_with_state(state.clone(), audit))
        .layer(axum::middleware::from_fn(admit))
        .layer(from_fn_with_state(state.clone(), authenticate))
        .layer(from_fn_with_state(state.clone(), guard))
        .layer(from_fn_with_state(state.clone(), observe)))
}

/// Refuses in the words of gRPC who may not have jobs. A browser holds no jobs: its cookie
/// counts for nothing here.
async fn admit(request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>();
    let is_key = matches!(request.extensions().get(), Some(Presented::Key(_)));
    let refused = match caller.filter(|_| is_key) {
        None => Status::unauthenticated("no API key that holds"),
        Some(caller) => match caller.require(Scope::Admin) {
            Ok(()) => return next.run(request).await,
            Err(problem) => Status::permission_denied(problem.detail),
        },
    };
    refused.into_http::<axum::body::Body>().into_response()
}

/// Notes in the audit log what workers change.
async fn audit(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    let call = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let entry = audit_entry(&request, format!("gRPC {call}"), None);
    let answer = async move { told(next.run(request).await) };
    if WRITES.contains(&call.as_str()) {
        return noted(state, entry, answer).await;
    }
    let response = answer.await;
    if call == "Lease" && response.extensions().get::<Subject>().is_some() {
        // A lease that cannot be noted is not handed out, and ends by itself.
        return noted(state, entry, std::future::ready(response)).await;
    }
    response
}

/// The answer with what is noted of it.
fn told(mut response: Response) -> Response {
    let status = NotedStatus(http_status(response.headers()));
    let about = response.extensions().get::<AboutJob>().map(|AboutJob(job_id)| Subject(job_id.clone()));
    response.extensions_mut().insert(status);
    if let Some(subject) = about {
        response.extensions_mut().insert(subject);
    }
    response
}

/// The status of HTTP that says what that of gRPC does, which a refusal has in its head.
fn http_status(headers: &HeaderMap) -> u16 {
    let code = headers.get("grpc-status").map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
    match code {
        Code::Ok => 200,
        Code::InvalidArgument | Code::OutOfRange | Code::DataLoss => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound | Code::Unimplemented => 404,
        Code::Aborted | Code::AlreadyExists | Code::FailedPrecondition => 409,
        Code::ResourceExhausted => 429,
        Code::Unavailable => 503,
        _ => 500,
    }
}
