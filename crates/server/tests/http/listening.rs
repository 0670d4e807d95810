//! How the server is reached: TLS, HTTP/2, the loopback rule, one server per home.

use std::time::Duration;

use assay_server::access::{AccessOptions, Limits};
use assay_server::{Server, TlsFiles};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Site, answer, client, settings, sqlite};

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn the_network_is_refused_without_tls_or_a_stated_proxy() {
    let home = home();
    let mut wanted = settings(&home, sqlite(&home), AccessOptions::default());
    wanted.listen = "0.0.0.0:0".parse().unwrap();
    let error = Server::start(wanted.clone()).await.err().unwrap().to_string();
    assert!(error.contains("--tls-cert") && error.contains("--behind-proxy"), "{error}");
    wanted.access.behind_proxy = true;
    wanted.access.public_url = Some("https://assay.example".parse().unwrap());
    let server = Server::start(wanted).await.unwrap();
    let url = format!("http://127.0.0.1:{}", server.address().port());
    // The proxy names the host and the address of who asks.
    let get = |path: &str, host: &str| answer(client().get(format!("{url}{path}")).header("host", host));
    get("/v1/health", "assay.example").await.is(200);
    get("/v1/health", "evil.example").await.is_problem(403, "forbidden");
    // Whoever the proxy lets in is not of this machine.
    get("/metrics", "assay.example").await.is_problem(401, "unauthenticated");
    let login = client().post(format!("{url}/v1/session")).header("host", "assay.example");
    let login = login.header("x-forwarded-for", "6.6.6.6, 203.0.113.9").header("content-type", "application/json");
    answer(login.body(r#"{"key":"x"}"#)).await.is(401);
    let log = server.state().platform.audit_log(None, 1).await.unwrap();
    assert_eq!(log[0].tried.address.as_deref(), Some("203.0.113.9"));
    server.stop().await;
}

#[tokio::test]
async fn tls_with_ones_own_certificate() {
    let home = home();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles { certificate: home.path().join("cert.pem"), key: home.path().join("key.pem") };
    std::fs::write(&files.certificate, cert.pem()).unwrap();
    std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
    let mut wanted = settings(&home, sqlite(&home), AccessOptions::default());
    wanted.listen = "0.0.0.0:0".parse().unwrap();
    wanted.access.public_url = Some("https://localhost".parse().unwrap());
    wanted.tls = Some(files.clone());
    let server = Server::start(wanted.clone()).await.unwrap();
    assert!(server.url().starts_with("https://"));
    let key = assay_server::access::first_owner(server.state()).await.unwrap().unwrap();
    let trusting = reqwest::Certificate::from_pem(cert.pem().as_bytes()).unwrap();
    let trusting = reqwest::Client::builder().no_proxy().tls_certs_only([trusting]).build().unwrap();
    let url = |path: &str| format!("https://localhost:{}{path}", server.address().port());
    let health = answer(trusting.get(url("/v1/health"))).await.is(200);
    assert_eq!(health.json()["status"], "ok");
    let login = trusting.post(url("/v1/session")).header("content-type", "application/json");
    let login = answer(login.body(json!({ "key": key.reveal() }).to_string())).await.is(200);
    let cookie = login.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-assay_session=") && cookie.ends_with("; Secure"), "{cookie}");
    // Neither without TLS nor with another trust.
    assert!(client().get(url("/v1/health")).send().await.is_err());
    let plain = format!("http://localhost:{}/v1/health", server.address().port());
    assert!(client().get(plain).send().await.is_err());
    server.stop().await;
    // Files that are none are named, and a key is not quoted.
    let secret = std::fs::read_to_string(&files.key).unwrap();
    std::fs::write(&files.key, secret.replace("PRIVATE", "PUBLIC")).unwrap();
    let error = Server::start(wanted).await.err().unwrap().to_string();
    assert!(error.contains("key.pem") && !error.contains(secret.lines().nth(1).unwrap()), "{error}");
}

#[tokio::test]
async fn http2_shares_the_port() {
    let site = Site::start().await;
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let response = http.get(site.url("/v1/me")).bearer_auth(&site.key).send().await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (reqwest::Version::HTTP_2, 200));
}

#[tokio::test]
async fn one_server_per_home_and_a_stop_ends_everything() {
    let site = Site::start().await;
    let second = Server::start(settings(&site.home, sqlite(&site.home), AccessOptions::default())).await;
    let error = second.err().unwrap().to_string();
    assert!(error.contains("in use by another assay process"), "{error}");
    let (address, home) = (site.server.address(), site.home);
    // A connection that is kept alive does not keep the server.
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut bytes = [0; 1_024];
    assert!(idle.read(&mut bytes).await.unwrap() > 0);
    site.server.stop().await;
    assert_eq!(idle.read(&mut bytes).await.unwrap_or(0), 0);
    // The owner and the key of the first start stay.
    let platform = sqlite(&home);
    let again = Site::on(home, platform, AccessOptions::default()).await;
    assert_eq!(again.key, "");
    again.with_key(&site.key, "GET", "/v1/me", None).await.is(200);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let site = Site::with(AccessOptions { limits, ..AccessOptions::default() }).await;
    let ask = b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut bytes = [0; 1_024];
    let mut first = TcpStream::connect(site.server.address()).await.unwrap();
    first.write_all(ask).await.unwrap();
    assert!(first.read(&mut bytes).await.unwrap() > 0);
    let mut second = TcpStream::connect(site.server.address()).await.unwrap();
    second.write_all(ask).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(200), second.read(&mut bytes)).await;
    assert!(early.is_err(), "two were served at one time");
    drop(first);
    assert!(second.read(&mut bytes).await.unwrap() > 0);
}
