//! Keys: forged, revoked, narrowed, ended; and what the audit log says of it.

use std::time::{Duration, Instant};

use assay_server::access::{AccessOptions, Limits};
use assay_store::database::PlatformDatabase;
use assay_types::time::format_utc;
use serde_json::json;

use crate::support::{Site, sqlite};

#[tokio::test]
async fn what_is_no_key_opens_nothing() {
    let site = Site::start().await;
    site.get("/v1/me").await.is(200);
    let flipped = {
        let (head, last) = site.key.split_at(site.key.len() - 1);
        format!("{head}{}", if last == "0" { "1" } else { "0" })
    };
    let other_id = format!("assay_{}_{}", "0".repeat(16), site.key.rsplit('_').next().unwrap());
    for key in ["", "x", "assay__", &flipped, &other_id, &site.key[..40], &site.key.to_uppercase(), "a\tb", "é"] {
        let answer = site.with_key(key, "GET", "/v1/me", None).await;
        let problem = answer.is_problem(401, "unauthenticated");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert!(key.len() < 5 || !problem.to_string().contains(key));
    }
    for scheme in ["Basic", "bearer:", ""] {
        let header = format!("{scheme} {}", site.key);
        site.ask("GET", "/v1/me", &[("authorization", header.trim())], None).await.is(401);
    }
    site.ask("GET", "/v1/me", &[], None).await.is_problem(401, "unauthenticated");
    // Open to everyone, but a wrong key is told.
    site.ask("GET", "/v1/health", &[], None).await.is(200);
    site.with_key(&flipped, "GET", "/v1/health", None).await.is(401);
}

#[tokio::test]
async fn a_revoked_key_ends_within_a_second_whoever_revokes_it() {
    let site = Site::start().await;
    let user = site.user("ada", "trader", None).await;
    // Another process on the same database, and the server itself.
    for is_elsewhere in [true, false] {
        let (key, key_id) = site.key_of(&user, &["read", "run"]).await;
        let (cookie, _) = site.session(&key).await;
        site.with_key(&key, "GET", "/v1/me", None).await.is(200);
        site.ask("GET", "/v1/me", &[("cookie", &cookie)], None).await.is(200);
        if is_elsewhere {
            let database = PlatformDatabase::open(&sqlite(&site.home)).await.unwrap();
            assert!(database.revoke_key(&key_id, assay_server::now_ms()).await.unwrap());
        } else {
            site.with_key(&site.key, "DELETE", &format!("/v1/keys/{key_id}"), None).await.is(204);
            site.with_key(&key, "GET", "/v1/me", None).await.is(401);
            site.ask("GET", "/v1/me", &[("cookie", &cookie)], None).await.is(401);
        }
        let revoked = Instant::now();
        while site.with_key(&key, "GET", "/v1/me", None).await.status == 200
            || site.ask("GET", "/v1/me", &[("cookie", &cookie)], None).await.status == 200
        {
            assert!(revoked.elapsed() < Duration::from_secs(1), "it still opens the server");
            tokio::task::yield_now().await;
        }
    }
    site.with_key(&site.key, "DELETE", "/v1/keys/0000000000000000", None).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn scopes_and_roles_bound_what_a_key_does() {
    let site = Site::start().await;
    let me = site.get("/v1/me").await.json();
    assert_eq!((me["role"].as_str(), me["scopes"].as_array().unwrap().len()), (Some("owner"), 5));
    let user = site.user("ada", "trader", None).await;
    let (key, key_id) = site.key_of(&user, &["read"]).await;
    for (method, path) in [("GET", "/v1/users"), ("GET", "/v1/audit-log"), ("GET", "/v1/keys?user_id=*")] {
        let problem = site.with_key(&key, method, path, None).await.is_problem(403, "forbidden");
        assert!(problem["detail"].as_str().unwrap().contains("`admin`"), "{problem}");
    }
    // A key makes no keys, not even for its own user; nor is a role outgrown.
    let more = json!({ "name": "more", "scopes": ["read"] });
    site.with_key(&key, "POST", "/v1/keys", Some(&more)).await.is_problem(403, "forbidden");
    let admin = json!({ "name": "more", "scopes": ["admin"], "user_id": user });
    assert_eq!(site.post("/v1/keys", &admin).await.is_problem(400, "bad_request")["field"], "scopes");
    // A session of the key is as narrow as the key.
    let (cookie, token) = site.session(&key).await;
    let headers = [("cookie", cookie.as_str()), ("x-csrf-token", &token)];
    site.ask("POST", "/v1/keys", &headers, Some(&more)).await.is_problem(403, "forbidden");
    site.ask("GET", "/v1/users", &headers, None).await.is_problem(403, "forbidden");
    // Others' keys look like keys that are not there.
    let listed = site.get("/v1/keys").await.json();
    let owners = listed["items"][0]["key_id"].as_str().unwrap();
    site.with_key(&key, "DELETE", &format!("/v1/keys/{owners}"), None).await.is_problem(404, "not_found");
    site.with_key(&key, "GET", &format!("/v1/users/{}", me["user_id"].as_str().unwrap()), None).await.is(404);
    site.with_key(&key, "GET", &format!("/v1/users/{user}"), None).await.is(200);
    // A key may end itself.
    site.with_key(&key, "DELETE", &format!("/v1/keys/{key_id}"), None).await.is(204);
    site.with_key(&key, "GET", "/v1/me", None).await.is(401);
}

#[tokio::test]
async fn a_smaller_role_counts_at_once_and_an_owner_stays() {
    let site = Site::start().await;
    let second = site.user("second", "owner", None).await;
    let (key, _) = site.key_of(&second, &["read", "admin"]).await;
    site.with_key(&key, "GET", "/v1/users", None).await.is(200);
    let path = format!("/v1/users/{second}");
    let put = |role: &str, active: bool| json!({ "name": "second", "role": role, "active": active });
    site.with_key(&site.key, "PUT", &path, Some(&put("viewer", true))).await.is(200);
    // The key still names the scope, the role does not allow it any more.
    site.with_key(&key, "GET", "/v1/users", None).await.is_problem(403, "forbidden");
    site.with_key(&site.key, "PUT", &path, Some(&put("viewer", false))).await.is(200);
    site.with_key(&key, "GET", "/v1/me", None).await.is(401);
    let first = site.get("/v1/me").await.json()["user_id"].as_str().unwrap().to_owned();
    for body in [put("trader", true), put("owner", false)] {
        let answer = site.with_key(&site.key, "PUT", &format!("/v1/users/{first}"), Some(&body)).await;
        answer.is_problem(409, "conflict");
    }
    site.get("/v1/users").await.is(200);
}

#[tokio::test]
async fn keys_end_and_their_secrets_are_shown_once() {
    let site = Site::start().await;
    let past = json!({ "name": "old", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z" });
    assert_eq!(site.post("/v1/keys", &past).await.is_problem(400, "bad_request")["field"], "expires_at");
    let end = format_utc(assay_server::now_ms() + 400);
    let body = json!({ "name": "short", "scopes": ["read"], "expires_at": end });
    let created = site.post("/v1/keys", &body).await.is(201);
    assert_eq!(created.headers["cache-control"], "no-store");
    let (created, listed) = (created.json(), site.get("/v1/keys").await.is(200));
    let key = created["key"].as_str().unwrap();
    let secret = key.rsplit('_').next().unwrap();
    assert_eq!(listed.json()["items"][1]["expires_at"], end);
    assert!(!listed.text.contains(secret) && !listed.text.contains("argon2"));
    let begun = Instant::now();
    while site.with_key(key, "GET", "/v1/me", None).await.status == 200 {
        assert!(begun.elapsed() < Duration::from_secs(2), "it does not end");
        tokio::task::yield_now().await;
    }
    // The database file holds neither the secret nor the owner's.
    for name in ["platform.db", "platform.db-wal"] {
        let bytes = std::fs::read(site.home.path().join(name)).unwrap_or_default();
        for secret in [secret, site.key.rsplit('_').next().unwrap()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{name}");
        }
    }
}

#[tokio::test]
async fn the_audit_log_names_every_write_and_every_refusal() {
    let site = Site::start().await;
    let user = site.user("ada", "viewer", None).await;
    let (key, key_id) = site.key_of(&user, &["read"]).await;
    site.with_key(&key, "POST", "/v1/users", Some(&json!({ "name": "eve", "role": "owner" }))).await.is(403);
    site.with_key("assay_x", "DELETE", &format!("/v1/keys/{key_id}"), None).await.is(401);
    site.post("/v1/users", &json!({ "name": 5 })).await.is(400);
    site.ask("POST", "/v1/session", &[], Some(&json!({ "key": "wrong" }))).await.is(401);
    site.get("/v1/users").await.is(200);
    let log = site.get("/v1/audit-log").await.is(200);
    let log = log.json();
    let rows: Vec<(&str, u64, Option<&str>, Option<&str>)> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert_eq!(row["address"], "127.0.0.1");
            let status = row["status"].as_u64().unwrap();
            (row["action"].as_str().unwrap(), status, row["user_id"].as_str(), row["subject"].as_str())
        })
        .collect();
    let owner = site.get("/v1/me").await.json()["user_id"].as_str().unwrap().to_owned();
    assert_eq!(
        rows,
        [
            ("POST /v1/session", 401, None, None),
            ("POST /v1/users", 400, Some(owner.as_str()), None),
            ("DELETE /v1/keys/{key_id}", 401, None, Some(key_id.as_str())),
            ("POST /v1/users", 403, Some(user.as_str()), None),
            ("POST /v1/keys", 201, Some(owner.as_str()), Some(key_id.as_str())),
            ("POST /v1/users", 201, Some(owner.as_str()), Some(user.as_str())),
        ]
    );
    // In pages.
    let mut numbers = Vec::new();
    let mut next = Some(String::new());
    while let Some(cursor) = next {
        let path = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        let page = site.get(&format!("/v1/audit-log?limit=4{path}")).await.is(200).json();
        numbers.extend(page["items"].as_array().unwrap().iter().map(|row| row["number"].as_u64().unwrap()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(numbers, (1..=6).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn who_asks_too_often_waits() {
    let limits = Limits { credential_per_second: 5, address_per_second: 3, ..Limits::default() };
    let site = Site::with(AccessOptions { limits, ..AccessOptions::default() }).await;
    site.get("/v1/me").await.is(200);
    let mut passed = 1;
    let refused = loop {
        let answer = site.get("/v1/me").await;
        if answer.status != 200 {
            break answer;
        }
        passed += 1;
        assert!(passed < 1_000);
    };
    refused.is_problem(429, "too_many");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert!(passed >= 10, "{passed}");
    // Guessing costs ten of the address's thirty.
    let mut guesses = 0;
    while site.with_key("assay_wrong", "GET", "/v1/me", None).await.status == 401 {
        guesses += 1;
        assert!(guesses < 10);
    }
    site.ask("GET", "/v1/health", &[], None).await.is_problem(429, "too_many");
}

#[tokio::test]
async fn a_subscriber_of_ipv6_is_counted_once() {
    let limits = Limits { address_per_second: 1, ..Limits::default() };
    let site = Site::with(AccessOptions { limits, behind_proxy: true, ..AccessOptions::default() }).await;
    let ask = async |address: String| {
        site.ask("GET", "/v1/health", &[("x-forwarded-for", &address)], None).await.status.as_u16()
    };
    let mut passed = 0;
    for host in 0..40 {
        passed += usize::from(ask(format!("2001:db8:1:2::{host:x}")).await == 200);
    }
    assert!((10..20).contains(&passed), "{passed} addresses of one subscriber were let through");
    assert_eq!(ask("2001:db8:1:3::1".to_owned()).await, 200, "the neighbour has its own count");
}

#[tokio::test]
async fn nobody_fills_the_audit_log_and_no_write_of_a_user_is_missing() {
    let limits = Limits { address_per_second: 10_000, ..Limits::default() };
    let site = Site::with(AccessOptions { limits, ..AccessOptions::default() }).await;
    let eve = json!({ "name": "eve", "role": "owner" });
    for _ in 0..100 {
        site.ask("POST", "/v1/users", &[], Some(&eve)).await.is(401);
        site.ask("POST", "/v1/session", &[], Some(&json!({ "key": "wrong" }))).await.is(401);
    }
    let (user, (cookie, _)) = (site.user("ada", "viewer", None).await, site.session(&site.key).await);
    site.ask("GET", "/v1/me", &[("cookie", &cookie)], None).await.is(200);
    let mut log = Vec::new();
    while let Some(before) = log.last().map_or(Some(u64::MAX >> 1), |row: &assay_store::database::AuditEntry| {
        Some(row.number).filter(|number| *number > 1)
    }) {
        log.extend(site.server.state().platform.audit_log(Some(before), 200).await.unwrap());
    }
    let refused = log.iter().filter(|row| row.tried.user_id.is_none() && row.status == Some(401)).count();
    // A minute's worth at once, then one a second.
    assert!((60..90).contains(&refused), "{refused} refusals of nobody are noted");
    let noted = |action: &str, status: u16| {
        log.iter().any(|row| row.tried.action == action && row.status == Some(status) && row.tried.subject.is_some())
    };
    assert!(noted("POST /v1/users", 201) && noted("POST /v1/session", 200));
    assert!(log.iter().any(|row| row.tried.subject.as_ref() == Some(&user)));
}
