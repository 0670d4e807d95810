//! `assay up`, from its first line to its end.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Home, text};

/// A server, and the line that it began with.
struct Up {
    child: Child,
    out: BufReader<ChildStdout>,
    ready: Value,
}

impl Up {
    fn start(home: &Home, log: &Path, more: &[&str]) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut command = home.command(&["up", "--listen", "127.0.0.1:0", "--without-demo", "--json"]);
        command.env_remove("ASSAY_DATABASE").env_remove("ASSAY_JOBS_DB").args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, out, ready }
    }

    /// The whole answer to a request.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let address = text(&self.ready["url"]).strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn command_line(&self) -> Vec<u8> {
        std::fs::read(format!("/proc/{}/cmdline", self.child.id())).unwrap_or_default()
    }

    /// SIGTERM; what it still said on standard output.
    fn terminate(mut self) -> String {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        rest
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_owner_key_is_told_once_and_opens_the_api() {
    let (home, logs) = (Home::new(), Home::new());
    let begun = Instant::now();
    let up = Up::start(&home, &logs.file("log"), &[]);
    assert!(up.ask("GET", "/v1/health", "", "").starts_with("HTTP/1.1 200 "));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let key = text(&up.ready["owner_key"]).to_owned();
    let me = up.ask("GET", "/v1/me", &format!("authorization: Bearer {key}\r\n"), "");
    assert!(me.contains("\"role\":\"owner\""), "{me}");
    assert_eq!(up.terminate(), "");
    let up = Up::start(&home, &logs.file("log"), &[]);
    assert_eq!(up.ready["owner_key"], Value::Null);
    up.terminate();
    // Who lost the key and has the machine makes another.
    let up = Up::start(&home, &logs.file("log"), &["--new-owner-key"]);
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
    let up = Up::start(&home, &log, &["--log", "json", "--log-level", "trace"]);
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
    let _up = Up::start(&home, &logs.file("log"), &[]);
    home.assay(&["up", "--listen", "127.0.0.1:0"]).expect(1, &["in use by another assay process"]);
}
