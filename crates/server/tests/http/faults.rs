//! A database that goes away and comes back.

use std::time::{Duration, Instant};

use assay_server::access::AccessOptions;
use assay_store::database::NewEvent;
use assay_testkit::postgres::Postgres;
use serde_json::json;

use crate::support::Site;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_a_503_and_then_is_found_again() {
    let postgres = Postgres::start();
    let location = postgres.database().parse().unwrap();
    let site = Site::on(tempfile::tempdir().unwrap(), location, AccessOptions::default()).await;
    site.get("/v1/users").await.is(200);
    site.ask("GET", "/v1/health", &[], None).await.is(200);
    postgres.stop();
    let down = site.ask("GET", "/v1/health", &[], None).await;
    down.is_problem(503, "unavailable");
    assert!(down.headers.contains_key("retry-after"));
    assert!(!down.text.contains("postgres://"), "{}", down.text);
    site.get("/v1/users").await.is_problem(503, "unavailable");
    // A write that cannot be noted is not tried.
    site.post("/v1/users", &json!({ "name": "ada", "role": "viewer" })).await.is_problem(503, "unavailable");
    postgres.resume();
    let begun = Instant::now();
    while site.ask("GET", "/v1/health", &[], None).await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(10), "it is not found again");
        tokio::task::yield_now().await;
    }
    site.get("/v1/users").await.is(200);
    site.post("/v1/users", &json!({ "name": "ada", "role": "viewer" })).await.is(201);
    let users = site.get("/v1/users").await.json();
    assert_eq!(users["items"].as_array().unwrap().len(), 2);
    // The feed of events is back as well.
    let event = NewEvent { topic: "t".into(), subject: "s".into(), owner: None, payload: "{}".into() };
    site.server.state().platform.append_events(&[event], 0).await.unwrap();
    assert_eq!(site.get("/v1/events?after=0").await.json()["next_after"], 1);
    site.server.stop().await;
}
