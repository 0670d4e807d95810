//! Writes that are repeated under an `Idempotency-Key`.

use assay_store::database::{IdempotentClaim, NewIdempotent};
use serde_json::{Value, json};

use crate::support::{Answer, Site};

async fn put(site: &Site, key: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", site.key);
    site.ask("POST", path, &[("authorization", &bearer), ("idempotency-key", key)], Some(body)).await
}

async fn users(site: &Site) -> usize {
    site.get("/v1/users").await.json()["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_same_request_is_done_once() {
    let site = Site::start().await;
    let ada = json!({ "name": "ada", "role": "viewer" });
    let first = put(&site, "one", "/v1/users", &ada).await.is(201);
    let second = put(&site, "one", "/v1/users", &ada).await.is(201);
    assert_eq!(first.text, second.text);
    assert_eq!(
        (second.headers["content-type"].clone(), users(&site).await),
        (first.headers["content-type"].clone(), 2)
    );
    assert_eq!(second.headers["idempotent-replayed"], "true");
    // Another request under the same key, another path, another key, another user.
    let bob = json!({ "name": "bob", "role": "viewer" });
    put(&site, "one", "/v1/users", &bob).await.is_problem(422, "check_failed");
    put(&site, "one", "/v1/keys", &ada).await.is_problem(422, "check_failed");
    put(&site, "two", "/v1/users", &ada).await.is(201);
    assert_eq!(users(&site).await, 3);
    for key in ["", "a b", &"k".repeat(129)] {
        put(&site, key, "/v1/users", &ada).await.is_problem(400, "bad_request");
    }
    // At one time: one is done, the others repeat it or wait.
    let many = futures::future::join_all((0..8).map(|_| put(&site, "many", "/v1/users", &ada))).await;
    assert!(many.iter().all(|answer| matches!(answer.status.as_u16(), 201 | 409)), "{many:?}");
    assert_eq!(users(&site).await, 4);
}

#[tokio::test]
async fn a_refusal_is_tried_anew() {
    let site = Site::start().await;
    let address = "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23";
    let first = site.user("first", "viewer", Some(address)).await;
    let second = json!({ "name": "second", "role": "viewer", "address": address });
    put(&site, "k", "/v1/users", &second).await.is_problem(409, "conflict");
    let without = json!({ "name": "first", "role": "viewer" });
    site.with_key(&site.key, "PUT", &format!("/v1/users/{first}"), Some(&without)).await.is(200);
    put(&site, "k", "/v1/users", &second).await.is(201);
}

#[tokio::test]
async fn a_reply_with_a_secret_is_not_kept() {
    let site = Site::start().await;
    let body = json!({ "name": "bot", "scopes": ["read"] });
    let key = put(&site, "k", "/v1/keys", &body).await.is(201).json()["key"].as_str().unwrap().to_owned();
    let again = put(&site, "k", "/v1/keys", &body).await;
    again.is_problem(409, "conflict");
    assert!(!again.text.contains(key.rsplit('_').next().unwrap()));
    assert_eq!(site.get("/v1/keys").await.json()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_crash_left_undecided_is_not_done_again() {
    let site = Site::start().await;
    let database = &site.server.state().platform;
    let claim = |claim: &'static str, until: i64| NewIdempotent {
        user_id: "u",
        idempotency_key: "k",
        request_hash: "h",
        claim,
        claimed_until: until,
        forget_before: 0,
    };
    assert_eq!(database.claim_key(&claim("one", 60), 10).await.unwrap(), IdempotentClaim::Claimed);
    assert_eq!(database.claim_key(&claim("two", 70), 20).await.unwrap(), IdempotentClaim::UnderWay);
    assert_eq!(database.claim_key(&claim("two", 120), 60).await.unwrap(), IdempotentClaim::OutcomeUnknown);
}
