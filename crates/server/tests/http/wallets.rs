//! Sign-In with Ethereum, signed with keys of the tests.

use alloy_primitives::{Address, keccak256};
use assay_server::access::{AccessOptions, UnknownWallets};
use assay_types::time::format_utc;
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};

use crate::support::{Answer, Site, cookie_and_token};

/// A wallet.
struct Wallet(SigningKey);

impl Wallet {
    fn new(byte: u8) -> Self {
        Self(SigningKey::from_slice(&[byte; 32]).unwrap())
    }

    fn address(&self) -> Address {
        let point = self.0.verifying_key().to_encoded_point(false);
        Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..])
    }

    fn sign(&self, message: &str) -> String {
        let text = format!("\x19Ethereum Signed Message:\n{}{message}", message.len());
        let (signature, recovery) = self.0.sign_prehash_recoverable(keccak256(text).as_slice()).unwrap();
        format!("0x{}{:02x}", hex::encode(signature.to_bytes()), recovery.to_byte() + 27)
    }
}

async fn nonce(site: &Site) -> Value {
    site.ask("POST", "/v1/siwe/nonce", &[], None).await.is(200).json()
}

fn message(wallet: &Wallet, asked: &Value) -> String {
    format!(
        "{} wants you to sign in with your Ethereum account:\n{}\n\nSign in to assay.\n\nURI: {}\nVersion: 1\n\
         Chain ID: 1\nNonce: {}\nIssued At: {}",
        asked["domain"].as_str().unwrap(),
        wallet.address().to_checksum(None),
        asked["uri"].as_str().unwrap(),
        asked["nonce"].as_str().unwrap(),
        format_utc(assay_server::now_ms()),
    )
}

async fn verify(site: &Site, message: &str, signature: &str) -> Answer {
    let body = json!({ "message": message, "signature": signature });
    site.ask("POST", "/v1/siwe/verify", &[], Some(&body)).await
}

#[tokio::test]
async fn a_known_wallet_signs_in_once_with_a_nonce() {
    let site = Site::start().await;
    let wallet = Wallet::new(7);
    let user = site.user("ada", "trader", Some(&wallet.address().to_checksum(None))).await;
    let text = message(&wallet, &nonce(&site).await);
    let answer = verify(&site, &text, &wallet.sign(&text)).await.is(200);
    let view = answer.json();
    assert_eq!((view["user_id"].as_str(), view["role"].as_str()), (Some(user.as_str()), Some("trader")));
    let (cookie, token) = cookie_and_token(&answer);
    let me = site.ask("GET", "/v1/me", &[("cookie", &cookie)], None).await.is(200).json();
    assert_eq!(me["user_id"], user);
    // One's own wallet makes keys for oneself, within one's role.
    let headers = [("cookie", cookie.as_str()), ("x-csrf-token", token.as_str())];
    let key = |scope: &str| json!({ "name": "bot", "scopes": [scope] });
    site.ask("POST", "/v1/keys", &headers, Some(&key("run"))).await.is(201);
    site.ask("POST", "/v1/keys", &headers, Some(&key("admin"))).await.is(400);
    // The nonce is used.
    let problem = verify(&site, &text, &wallet.sign(&text)).await.is_problem(401, "unauthenticated");
    assert!(problem["detail"].as_str().unwrap().contains("nonce"), "{problem}");
}

#[tokio::test]
async fn messages_for_other_places_times_and_wallets_are_refused() {
    let site = Site::start().await;
    let (wallet, thief) = (Wallet::new(7), Wallet::new(8));
    site.user("ada", "trader", Some(&wallet.address().to_checksum(None))).await;
    let asked = nonce(&site).await;
    let good = message(&wallet, &asked);
    let (domain, now) = (asked["domain"].as_str().unwrap(), assay_server::now_ms());
    let issued = good.rsplit("Issued At: ").next().unwrap().to_owned();
    for (from, to) in [
        (format!("{domain} wants"), "evil.example wants".to_owned()),
        (format!("URI: http://{domain}"), "URI: http://evil.example".to_owned()),
        (format!("URI: http://{domain}"), format!("URI: https://{domain}")),
        ("Chain ID: 1".to_owned(), "Chain ID: 56".to_owned()),
        (issued.clone(), format_utc(now - 11 * 60_000)),
        (issued.clone(), format_utc(now + 5 * 60_000)),
        (issued.clone(), format!("{issued}\nExpiration Time: {}", format_utc(now - 1_000))),
        (issued.clone(), format!("{issued}\nNot Before: {}", format_utc(now + 60_000))),
        (asked["nonce"].as_str().unwrap().to_owned(), "0123456789abcdef".to_owned()),
    ] {
        let text = good.replace(&from, &to);
        assert_ne!(text, good);
        verify(&site, &text, &wallet.sign(&text)).await.is_problem(401, "unauthenticated");
    }
    verify(&site, &good, &thief.sign(&good)).await.is_problem(401, "unauthenticated");
    verify(&site, &good, &wallet.sign("other")).await.is_problem(401, "unauthenticated");
    for signature in ["", "0x", "0xzz", &"0x00".repeat(33)] {
        verify(&site, &good, signature).await.is_problem(401, "unauthenticated");
    }
    for text in ["", "hello", &good.replace("Version: 1", "Version: 2"), &good.to_lowercase()] {
        assert_eq!(verify(&site, text, &wallet.sign(text)).await.is_problem(400, "bad_request")["field"], "message");
    }
    // None of that used the nonce up.
    verify(&site, &good, &wallet.sign(&good)).await.is(200);
}

#[tokio::test]
async fn a_nonce_ends() {
    let site = Site::start().await;
    let wallet = Wallet::new(7);
    site.user("ada", "viewer", Some(&format!("{:#x}", wallet.address()))).await;
    let asked = nonce(&site).await;
    site.server.state().platform.put_nonce("ended0123456789", "siwe", assay_server::now_ms()).await.unwrap();
    site.server.state().platform.put_nonce("other0123456789", "other", i64::MAX).await.unwrap();
    for nonce in ["ended0123456789", "other0123456789"] {
        let text = message(&wallet, &asked).replace(asked["nonce"].as_str().unwrap(), nonce);
        verify(&site, &text, &wallet.sign(&text)).await.is_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn unknown_wallets_look_where_the_owner_says_so() {
    let wallet = Wallet::new(9);
    let strict = Site::start().await;
    let text = message(&wallet, &nonce(&strict).await);
    verify(&strict, &text, &wallet.sign(&text)).await.is_problem(401, "unauthenticated");

    let options = AccessOptions { unknown_wallets: UnknownWallets::Viewer, ..AccessOptions::default() };
    let open = Site::with(options).await;
    let mut users = Vec::new();
    for _ in 0..2 {
        let text = message(&wallet, &nonce(&open).await);
        let view = verify(&open, &text, &wallet.sign(&text)).await.is(200).json();
        assert_eq!((view["role"].as_str(), view["scopes"].as_array().unwrap().len()), (Some("viewer"), 1));
        users.push(view["user_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(users[0], users[1]);
    // Who is not active any more stays out.
    let body = json!({ "name": "w", "role": "viewer", "address": wallet.address().to_checksum(None), "active": false });
    open.with_key(&open.key, "PUT", &format!("/v1/users/{}", users[0]), Some(&body)).await.is(200);
    let text = message(&wallet, &nonce(&open).await);
    verify(&open, &text, &wallet.sign(&text)).await.is_problem(401, "unauthenticated");
    // Nor can another user take the wallet.
    let taken = json!({ "name": "x", "role": "viewer", "address": format!("{:#x}", wallet.address()) });
    open.post("/v1/users", &taken).await.is_problem(409, "conflict");
}

#[tokio::test]
async fn a_session_ends_with_the_wallet_that_signed_it_in() {
    let site = Site::start().await;
    let (wallet, other) = (Wallet::new(7), Wallet::new(8));
    let address = |wallet: &Wallet| wallet.address().to_checksum(None);
    let user = site.user("ada", "trader", Some(&address(&wallet))).await;
    let (key, _) = site.key_of(&user, &["read"]).await;
    let (of_key, _) = site.session(&key).await;
    let sign_in = async |wallet: &Wallet| {
        let text = message(wallet, &nonce(&site).await);
        cookie_and_token(&verify(&site, &text, &wallet.sign(&text)).await.is(200)).0
    };
    let put = async |address: Option<String>| {
        let body = json!({ "name": "ada", "role": "trader", "address": address });
        site.with_key(&site.key, "PUT", &format!("/v1/users/{user}"), Some(&body)).await.is(200);
    };
    let status = async |cookie: &str| site.ask("GET", "/v1/me", &[("cookie", cookie)], None).await.status.as_u16();
    let first = sign_in(&wallet).await;
    // Another name, or the same wallet written otherwise, ends nothing.
    put(Some(address(&wallet).to_lowercase())).await;
    assert_eq!(status(&first).await, 200);
    put(Some(address(&other))).await;
    assert_eq!((status(&first).await, status(&of_key).await), (401, 200));
    let second = sign_in(&other).await;
    put(None).await;
    assert_eq!((status(&second).await, status(&of_key).await), (401, 200));
}
