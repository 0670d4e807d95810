//! A server on a home of its own, and a client.

use assay_server::access::{AccessOptions, first_owner};
use assay_server::{ServeSettings, Server, Settings};
use assay_store::Home;
use assay_store::database::DatabaseLocation;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

pub struct Site {
    pub server: Server,
    /// The owner's key.
    pub key: String,
    pub http: reqwest::Client,
    pub home: TempDir,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Checks that it is a problem with that code, status and type.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!((self.status.as_u16(), problem["code"].as_str()), (status, Some(code)), "{problem}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/docs/errors#{code}"));
        problem
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
}

pub fn sqlite(home: &TempDir) -> DatabaseLocation {
    DatabaseLocation::Sqlite(home.path().join("platform.db"))
}

pub fn settings(home: &TempDir, platform: DatabaseLocation, access: AccessOptions) -> ServeSettings {
    let state = Settings {
        home: Home::open(home.path()).unwrap(),
        lake: None,
        platform,
        liquidity: DatabaseLocation::Sqlite(home.path().join("jobs.db")),
        gateway: assay_server::GatewaySettings::default(),
        demo: false,
        job_slots: 0,
    };
    ServeSettings {
        state,
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        access,
        live: assay_server::live::LiveOptions::default(),
    }
}

impl Site {
    pub async fn start() -> Self {
        Self::with(AccessOptions::default()).await
    }

    pub async fn with(access: AccessOptions) -> Self {
        let home = tempfile::tempdir().unwrap();
        let platform = sqlite(&home);
        Self::on(home, platform, access).await
    }

    pub async fn on(home: TempDir, platform: DatabaseLocation, access: AccessOptions) -> Self {
        let server = Server::start(settings(&home, platform, access)).await.unwrap();
        let key = first_owner(server.state()).await.unwrap();
        let key = key.map_or_else(String::new, |key| key.reveal().to_owned());
        Self { server, key, http: client(), home }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    /// A request with headers and a JSON body.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let mut request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        answer(request).await
    }

    /// The same with a key.
    pub async fn with_key(&self, key: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask(method, path, &[("authorization", &format!("Bearer {key}"))], body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.with_key(&self.key, "GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.with_key(&self.key, "POST", path, Some(body)).await
    }

    /// A new user; their id.
    pub async fn user(&self, name: &str, role: &str, address: Option<&str>) -> String {
        let body = json!({ "name": name, "role": role, "address": address });
        let user = self.post("/v1/users", &body).await.is(201).json();
        user["user_id"].as_str().unwrap().to_owned()
    }

    /// A new key; the key and its id.
    pub async fn key_of(&self, user_id: &str, scopes: &[&str]) -> (String, String) {
        let body = json!({ "name": "test", "scopes": scopes, "user_id": user_id });
        let created = self.post("/v1/keys", &body).await.is(201).json();
        (created["key"].as_str().unwrap().to_owned(), created["listed"]["key_id"].as_str().unwrap().to_owned())
    }

    /// A session of a key: the cookie pair and the token for writes.
    pub async fn session(&self, key: &str) -> (String, String) {
        let answer = self.ask("POST", "/v1/session", &[], Some(&json!({ "key": key }))).await.is(200);
        cookie_and_token(&answer)
    }
}

pub fn cookie_and_token(answer: &Answer) -> (String, String) {
    let cookie = answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    (cookie, answer.json()["csrf_token"].as_str().unwrap().to_owned())
}

pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}
