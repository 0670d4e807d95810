//! Bodies and paths that are wrong in every way.

use std::time::Duration;

use assay_server::access::{AccessOptions, Limits};
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Site, answer};

#[tokio::test]
async fn wrong_bodies_are_named() {
    let site = Site::start().await;
    let send = |kind: &'static str, body: Vec<u8>| {
        let request = site.http.post(site.url("/v1/users")).bearer_auth(&site.key).header(CONTENT_TYPE, kind);
        answer(request.body(body))
    };
    let nested = |depth: usize| format!("{{\"name\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    for (body, field) in [
        (br#"{"name":5,"role":"viewer"}"#.to_vec(), Some("name")),
        (br#"{"name":"a","role":"king"}"#.to_vec(), Some("role")),
        (br#"{"name":"a","role":"viewer","admin":true}"#.to_vec(), Some("admin")),
        (br#"{"name":"a","name":"b","role":"viewer"}"#.to_vec(), None),
        (br#"{"name":"a\u0000b","role":"viewer"}"#.to_vec(), Some("name")),
        (br#"{"name":"","role":"viewer"}"#.to_vec(), Some("name")),
        (br#"{"name":"a","role":"viewer","address":"0x12"}"#.to_vec(), Some("address")),
        (b"{\"name\":\"\xff\xfe\",\"role\":\"viewer\"}".to_vec(), Some("name")),
        (br#"{"role":"viewer"}"#.to_vec(), None),
        (br#"[]"#.to_vec(), None),
        (br#"null"#.to_vec(), None),
        (br#"{"name":"a","role":"viewer"} x"#.to_vec(), None),
        (br#"{"name":"#.to_vec(), Some("name")),
        (Vec::new(), None),
        (nested(40).into_bytes(), None),
        (nested(100_000).into_bytes(), None),
    ] {
        let problem = send("application/json", body.clone()).await.is_problem(400, "bad_request");
        let text = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        assert_eq!(problem["field"].as_str(), field, "{text}: {problem}");
        assert!(problem["detail"].as_str().unwrap().len() < 500);
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        send(kind, br#"{"name":"a","role":"viewer"}"#.to_vec()).await.is_problem(415, "unsupported_media_type");
    }
    let large = json!({ "name": "a".repeat(2 << 20), "role": "viewer" }).to_string().into_bytes();
    send("application/json", large.clone()).await.is_problem(413, "too_large");
    let request = site.http.post(site.url("/v1/users")).bearer_auth(&site.key).header("idempotency-key", "k");
    answer(request.header(CONTENT_TYPE, "application/json").body(large)).await.is_problem(413, "too_large");
    assert_eq!(site.get("/v1/users").await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn wrong_paths_and_queries_are_named() {
    let site = Site::start().await;
    for id in ["..%2f..%2fetc%2fpasswd", "%2e%2e%2fusers", "a%00b", "..%5c", "%ff", "' OR 1=1 --", &"a".repeat(5_000)] {
        let status = site.get(&format!("/v1/users/{id}")).await.status.as_u16();
        assert!(matches!(status, 400 | 404), "{id}: {status}");
        let answer = site.with_key(&site.key, "DELETE", &format!("/v1/keys/{id}"), None).await;
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{id}: {}", answer.text);
    }
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "cursor=x",
        "cursor=c99999999999999999999",
        "other=1",
        "limit=1&limit=2",
    ] {
        site.get(&format!("/v1/users?{query}")).await.is_problem(400, "bad_request");
    }
    for path in ["/", "/v1", "/v1/none", "/v1/users/a/b", "/%2e%2e/etc/passwd", "/v1//users"] {
        site.get(path).await.is_problem(404, "not_found");
    }
    let answer = site.with_key(&site.key, "DELETE", "/v1/users", None).await;
    answer.is_problem(405, "method_not_allowed");
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
    site.with_key(&site.key, "BREW", "/v1/users", None).await.is_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn a_body_that_trickles_in_is_given_up() {
    let limits = Limits { request_timeout: Duration::from_millis(300), ..Limits::default() };
    let site = Site::with(AccessOptions { limits, ..AccessOptions::default() }).await;
    for idempotency in ["", "idempotency-key: 1\r\n"] {
        let mut stream = TcpStream::connect(site.server.address()).await.unwrap();
        let head = format!(
            "POST /v1/users HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n{idempotency}\
             content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{",
            site.key
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 408 ") && reply.contains("\"code\":\"timeout\""), "{reply}");
    }
    site.get("/v1/me").await.is(200);
}
