//! Every route of a served `assay up`, asked what its description allows and what it forbids.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::served::Up;
use crate::support::{Answer, DEMO, python, text};

/// Seconds of fuzzing as the owner, unless ASSAY_API_FUZZ_SECONDS says otherwise.
const SECONDS: &str = "40";
/// Seconds of it with a key of each smaller role.
const SECONDS_OF_ROLES: [(&str, &str); 2] = [("viewer", "18"), ("trader", "24")];
/// Questions to each route at most.
const EXAMPLES: &str = "60";
/// What every answer must be: no failure of the server, a status and a type of content that the
/// description has, and a body as it says.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance";

/// A key of a new user with that role and all its scopes.
fn key_of(server: &Up, role: &str, scopes: &[&str]) -> String {
    let bearer = format!("authorization: Bearer {}\r\n", server.key());
    let made = |path: &str, body: Value| -> Value {
        let answer = server.ask("POST", path, &bearer, &body.to_string());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 201 "), "{answer}");
        serde_json::from_str(body).unwrap()
    };
    let user = made("/v1/users", serde_json::json!({ "name": role, "role": role }));
    let body = serde_json::json!({ "name": "fuzz", "scopes": scopes, "user_id": user["user_id"] });
    text(&made("/v1/keys", body)["key"]).to_owned()
}

fn fuzz(python: &Path, server: &Up, key: &str, seconds: &str) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let mut fuzzer = Command::new(python);
    fuzzer
        .args(["-m", "schemathesis.cli", "run", &format!("{}/openapi.json", server.url().trim_end_matches('/'))])
        .args(["--header", &format!("Authorization: Bearer {key}"), "--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--max-time", seconds])
        .args(["--seed", "1", "--generation-deterministic", "--no-shrink"])
        .args(["--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off", "--no-color"])
        .current_dir(folder.path())
        .env("HYPOTHESIS_STORAGE_DIRECTORY", folder.path());
    Answer::of(&fuzzer.output().unwrap())
}

#[test]
fn no_question_makes_the_server_break_its_description() {
    let python = python("schemathesis");
    let home = DEMO.0.copy();
    home.json(&["model", "publish", text(&DEMO.1["run_id"]), "--name", "fuzzed"]);
    let mut server = Up::start(&home, &["--quiet"]);
    let scopes = ["read", "run", "publish", "control"];
    for (role, seconds) in SECONDS_OF_ROLES {
        let key = key_of(&server, role, if role == "viewer" { &scopes[..1] } else { &scopes });
        let said = fuzz(python.as_ref(), &server, &key, seconds);
        assert!(server.is_alive(), "the server ended");
        assert_eq!(said.code, 0, "as a {role}: {}\n{}", said.out, said.err);
    }
    let seconds = std::env::var("ASSAY_API_FUZZ_SECONDS").unwrap_or_else(|_| SECONDS.to_owned());
    let said = fuzz(python.as_ref(), &server, server.key(), &seconds);
    assert!(server.is_alive(), "the server ended");
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    server.kill();
}
