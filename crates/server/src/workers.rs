//! Workers on other machines: jobs lent over gRPC, on the port of everything else, to holders of
//! a key with the scope `admin`.

use std::sync::Arc;

use assay_jobs::{JobError, JobRequest, Silent, Workspace};
use assay_worker::{WorkerService, WorkersServer};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tonic::Status;
use tonic::service::Routes;

use crate::access::{Caller, Scope, authenticate};
use crate::state::ServerState;

/// Largest message: a piece of a file, or a job's result.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

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
    Ok(router.layer(axum::middleware::from_fn(admit)).layer(from_fn_with_state(state.clone(), authenticate)))
}

/// Refuses in the words of gRPC who may not have jobs.
async fn admit(request: Request, next: Next) -> Response {
    let refused = match request.extensions().get::<Caller>() {
        None => Status::unauthenticated("no credential that holds"),
        Some(caller) => match caller.require(Scope::Admin) {
            Ok(()) => return next.run(request).await,
            Err(problem) => Status::permission_denied(problem.detail),
        },
    };
    refused.into_http::<axum::body::Body>().into_response()
}
