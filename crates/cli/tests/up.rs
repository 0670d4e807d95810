//! `assay up`, from its first line to its end.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::served::Up;
use crate::support::{Home, text};

#[test]
fn the_owner_key_is_told_once_and_opens_the_api() {
    let (home, logs) = (Home::new(), Home::new());
    let begun = Instant::now();
    let up = Up::logged(&home, &logs.file("log"), &[]);
    assert!(up.ask("GET", "/v1/health", "", "").starts_with("HTTP/1.1 200 "));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let key = text(&up.ready["owner_key"]).to_owned();
    let me = up.ask("GET", "/v1/me", &format!("authorization: Bearer {key}\r\n"), "");
    assert!(me.contains("\"role\":\"owner\""), "{me}");
    assert_eq!(up.terminate(), "");
    let up = Up::logged(&home, &logs.file("log"), &[]);
    assert_eq!(up.ready["owner_key"], Value::Null);
    up.terminate();
    // Who lost the key and has the machine makes another.
    let up = Up::logged(&home, &logs.file("log"), &["--new-owner-key"]);
    let other = text(&up.ready["owner_key"]).to_owned();
    assert_ne!(other, key);
    for key in [key, other] {
        let me = up.ask("GET", "/v1/me", &format!("authorization: Bearer {key}\r\n"), "");
        assert!(me.contains("\"role\":\"owner\""), "{me}");
    }
}

#[test]
fn no_secret_is_in_any_log_reply_argument_or_file() {
    let (home, logs) = (Home::new(), Home::new());
    let log = logs.file("log");
    let up = Up::logged(&home, &log, &["--log", "json", "--log-level", "trace"]);
    let key = text(&up.ready["owner_key"]).to_owned();
    let bearer = format!("authorization: Bearer {key}\r\n");
    let login = up.ask("POST", "/v1/session", "", &format!("{{\"key\":\"{key}\"}}"));
    let cookie = login.split("assay_session=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let token = login.split("\"csrf_token\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let session = format!("cookie: assay_session={cookie}\r\nx-csrf-token: {token}\r\n");
    let made = up.ask("POST", "/v1/keys", &bearer, "{\"name\":\"bot\",\"scopes\":[\"read\"]}");
    let made = made.split("\"key\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let query = "canary-in-a-query";
    let replies: Vec<String> = [
        up.ask("GET", "/v1/me", &bearer, ""),
        up.ask("GET", &format!("/v1/users?secret={query}"), &bearer, ""),
        up.ask("POST", "/v1/users", &session, "{\"name\":\"ada\",\"role\":\"viewer\"}"),
        up.ask("GET", "/v1/keys", &session, ""),
        up.ask("GET", "/v1/audit-log", &bearer, ""),
        up.ask("GET", "/metrics", "", ""),
        up.ask("POST", "/v1/session", "", &format!("{{\"key\":\"{key}x\"}}")),
        up.ask("DELETE", "/v1/session", &session, ""),
    ]
    .into();
    let mut told: Vec<(String, Vec<u8>)> = replies.into_iter().map(|reply| ("a reply".into(), reply.into())).collect();
    told.push(("its arguments".into(), up.command_line()));
    told.push(("what it said later".into(), up.terminate().into()));
    let log = std::fs::read(&log).unwrap();
    assert!(String::from_utf8_lossy(&log).contains("/v1/session"), "nothing was logged");
    assert!(!log.windows(query.len()).any(|window| window == query.as_bytes()), "a query was logged");
    told.push(("the log".into(), log));
    told.extend(home.tree().into_iter().map(|(path, bytes)| (path.display().to_string(), bytes)));
    let secret = |key: &str| key.rsplit('_').next().unwrap().to_owned();
    for (place, bytes) in &told {
        for (name, secret) in [("owner key", secret(&key)), ("made key", secret(&made)), ("session", cookie.clone())] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the {name} is in {place}");
        }
    }
}

#[test]
fn what_cannot_be_served_says_how_it_can() {
    let home = Home::new();
    home.assay(&["up", "--listen", "0.0.0.0:0"]).expect(2, &["--tls-cert", "--behind-proxy"]);
    home.assay(&["up", "--tls-cert", "cert.pem"]).expect(2, &["--tls-key"]);
    home.assay(&["up", "--log", "xml"]).expect(2, &["text or json"]);
    home.assay(&["up", "--database", "mysql://me:secret@host"]).expect(2, &["no database"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    home.assay(&["up", "--listen", &address]).expect(1, &["cannot listen", &address]);
    let logs = Home::new();
    let _up = Up::logged(&home, &logs.file("log"), &[]);
    home.assay(&["up", "--listen", "127.0.0.1:0"]).expect(1, &["in use by another assay process"]);
}
