//! Workers on other machines: who may call, how often, and what is noted of it.

use assay_server::access::{AccessOptions, Limits};
use assay_store::database::{AuditEntry, NewJob};

use crate::support::Site;

/// The fields of a message: each number with its text.
fn message(fields: &[(u8, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, text) in fields {
        bytes.extend([number << 3 | 2, u8::try_from(text.len()).unwrap()]);
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// A call as gRPC makes it; the status of HTTP, and that of gRPC where the head of the answer has it.
async fn call(site: &Site, name: &str, headers: &[(&str, &str)], message: &[u8]) -> (u16, Option<String>) {
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let mut body = vec![0];
    body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend(message);
    let mut request = http.post(site.url(&format!("/assay.worker.v1.Workers/{name}")));
    request = request.header("content-type", "application/grpc").header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.body(body).send().await.unwrap();
    let status = response.headers().get("grpc-status").map(|status| status.to_str().unwrap().to_owned());
    (response.status().as_u16(), status)
}

async fn noted(site: &Site) -> Vec<AuditEntry> {
    let log = site.server.state().platform.audit_log(None, 50).await.unwrap();
    log.into_iter().filter(|row| row.tried.action.starts_with("gRPC ")).collect()
}

#[tokio::test]
async fn keys_of_admins_alone_may_have_jobs() {
    let site = Site::start().await;
    let ask = message(&[(1, "w"), (2, "train")]);
    let bearer = format!("Bearer {}", site.key);
    assert_eq!(call(&site, "Lease", &[("authorization", &bearer)], &ask).await, (200, None));
    assert_eq!(call(&site, "Lease", &[], &ask).await, (200, Some("16".to_owned())));
    // A browser that is signed in as the owner, with everything that a page could send.
    let (cookie, token) = site.session(&site.key).await;
    let session = [("cookie", cookie.as_str()), ("x-csrf-token", token.as_str())];
    assert_eq!(call(&site, "Lease", &session, &ask).await, (200, Some("16".to_owned())));
    let user = site.user("ada", "trader", None).await;
    let (key, _) = site.key_of(&user, &["read", "run"]).await;
    let narrow = format!("Bearer {key}");
    assert_eq!(call(&site, "Lease", &[("authorization", &narrow)], &ask).await, (200, Some("7".to_owned())));
    let other_site = [("authorization", bearer.as_str()), ("origin", "https://evil.example")];
    assert_eq!(call(&site, "Lease", &other_site, &ask).await.0, 403);
    assert!(noted(&site).await.is_empty(), "nothing was changed");
}

#[tokio::test]
async fn what_workers_change_is_noted_and_what_they_ask_is_counted() {
    let site = Site::start().await;
    let bearer = format!("Bearer {}", site.key);
    let key = [("authorization", bearer.as_str())];
    let new = NewJob { kind: "train".to_owned(), request: "{}".to_owned(), owner: "ada".to_owned() };
    let job = site.server.state().platform.submit_job(&new, 10, 1).await.unwrap();
    assert_eq!(call(&site, "Lease", &key, &message(&[(1, "w"), (2, "train")])).await, (200, None));
    // A lease that is nobody's.
    let lease = message(&[(1, &job.job_id), (2, "thief")]);
    let mut finish = vec![1 << 3 | 2, u8::try_from(lease.len()).unwrap()];
    finish.extend(lease);
    assert_eq!(call(&site, "Finish", &key, &finish).await, (200, Some("10".to_owned())));
    let me = site.get("/v1/me").await.json();
    let rows: Vec<_> = noted(&site)
        .await
        .into_iter()
        .map(|row| {
            assert_eq!(
                (row.tried.user_id.as_deref(), row.tried.address.as_deref()),
                (me["user_id"].as_str(), Some("127.0.0.1"))
            );
            assert_eq!(row.tried.credential.as_deref(), me["credential"].as_str());
            (row.tried.action, row.status, row.tried.subject)
        })
        .collect();
    let expected =
        [("gRPC Finish".to_owned(), Some(409), None), ("gRPC Lease".to_owned(), Some(200), Some(job.job_id.clone()))];
    assert_eq!(rows, expected);
    let page = site.ask("GET", "/metrics", &[], None).await.is(200).text;
    assert!(page.lines().any(|line| line.contains("http_requests_total") && line.contains("Workers")), "{page}");
}

#[tokio::test]
async fn a_worker_that_asks_too_often_waits() {
    let limits = Limits { credential_per_second: 5, ..Limits::default() };
    let site = Site::with(AccessOptions { limits, ..AccessOptions::default() }).await;
    let bearer = format!("Bearer {}", site.key);
    let mut passed = 0;
    while call(&site, "Lease", &[("authorization", &bearer)], &message(&[(1, "w")])).await.0 == 200 {
        passed += 1;
        assert!(passed < 200, "nobody counts");
    }
    assert!(passed >= 9, "{passed}");
}
