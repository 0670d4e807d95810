//! The routes on databases of their own, asked in this process.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use assay_gateway::GatewaySettings;
use assay_store::Home;
use assay_store::database::{DatabaseLocation, ModelRow};

use crate::access::{Caller, Role};
use crate::state::{ServerState, Settings};

/// A model's id.
pub const MODEL: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// The id of a run that models of tests came from.
pub const RUN: &str = "00112233445566778899aabbccddeeff";

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
        Self::with(GatewaySettings::default()).await
    }

    pub async fn with(gateway: GatewaySettings) -> Self {
        let home = tempfile::tempdir().unwrap();
        let sqlite = |name: &str| DatabaseLocation::Sqlite(home.path().join(name));
        let settings = Settings {
            home: Home::open(home.path()).unwrap(),
            lake: None,
            platform: sqlite("platform.db"),
            liquidity: sqlite("liquidity.db"),
            gateway,
            demo: false,
            job_slots: crate::scheduler::LONG_SLOTS,
        };
        Self::over(ServerState::open(settings).await.unwrap(), home)
    }

    pub fn over(state: ServerState, home: TempDir) -> Self {
        let (router, _) = crate::api::routes().split_for_parts();
        Self { router: router.with_state(state.clone()), state, home }
    }

    /// Serves on loopback; every request comes from `caller`.
    pub async fn serve(&self, caller: Caller) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone().layer(axum::Extension(caller));
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
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

    /// A stored model of `owner`, with as little of a card as reads.
    pub async fn store_model(&self, model_id: &str, owner: &str, is_private: bool) {
        let hashes = json!({ "weights": model_id, "config": "", "data": "", "features": "", "equity": "" });
        let lineage =
            json!({ "model_id": model_id, "run_id": RUN, "feature_hash": "", "data_hash": "", "dataset": "" });
        let terms = json!({ "audited": 0, "return_7d": null, "return_7d_reason": null, "stake_tokens": "0", "stake_reason": null });
        let card = json!({
            "card_version": 1, "model_id": model_id, "name": "a", "summary": "", "owner": owner,
            "visibility": if is_private { "private" } else { "public" }, "published_at": "", "fee_bps": 0,
            "model_cid": "", "config_cid": "", "algorithm": "ppo", "versions": [], "hashes": hashes, "lineage": lineage,
            "metrics": { "total_return": 0.5 }, "metric_reasons": {}, "period": [], "equity": [], "synthetic": true,
            "stake_tokens": "0", "score": { "value": null, "reason": null, "terms": terms },
            "audit": { "receipts": 0, "needed": 3 }, "files": [], "near_duplicates": [],
        });
        let row = ModelRow {
            model_id: model_id.to_owned(),
            number: 0,
            name: "a".to_owned(),
            owner: owner.to_owned(),
            run_id: RUN.to_owned(),
            is_private,
            model_cid: String::new(),
            config_cid: String::new(),
            fee_bps: 0,
            card: card.to_string(),
            probe: String::new(),
            published_at: 0,
        };
        self.state.platform.publish_model(&row, 0).await.unwrap().unwrap();
    }
}
