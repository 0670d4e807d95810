//! The routes on databases of their own, asked in this process.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use assay_store::Home;
use assay_store::database::DatabaseLocation;

use crate::access::{Caller, Role};
use crate::state::{ServerState, Settings};

/// Routes, what they work with, and the home folder, which goes with the test.
pub struct Routes {
    pub state: ServerState,
    pub home: TempDir,
    router: Router,
}

/// Whoever has the role, by its name as their id.
pub fn caller(user_id: &str, role: Role) -> Caller {
    Caller { user_id: user_id.to_owned(), role, scopes: role.scopes().to_vec(), credential: "test".to_owned() }
}

impl Routes {
    pub async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let sqlite = |name: &str| DatabaseLocation::Sqlite(home.path().join(name));
        let settings = Settings {
            home: Home::open(home.path()).unwrap(),
            lake: None,
            platform: sqlite("platform.db"),
            liquidity: sqlite("liquidity.db"),
            job_slots: crate::scheduler::LONG_SLOTS,
        };
        let state = ServerState::open(settings).await.unwrap();
        let (router, _) = crate::api::routes().split_for_parts();
        Self { router: router.with_state(state.clone()), state, home }
    }

    /// The status and the body of the answer.
    pub async fn ask(
        &self,
        caller: Option<Caller>,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path);
        let mut request = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                request.body(Body::from(body.to_string())).unwrap()
            }
            None => request.body(Body::empty()).unwrap(),
        };
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller);
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::String(text)))
    }

    pub async fn get(&self, caller: &Caller, path: &str) -> (StatusCode, Value) {
        self.ask(Some(caller.clone()), "GET", path, None).await
    }

    pub async fn post(&self, caller: &Caller, path: &str, body: &Value) -> (StatusCode, Value) {
        self.ask(Some(caller.clone()), "POST", path, Some(body)).await
    }
}
