//! Every route of a served `assay up`, asked what its description allows and what it forbids.

use std::process::Command;

use crate::served::Up;
use crate::support::{Answer, DEMO, python, text};

/// Seconds of fuzzing, unless ASSAY_API_FUZZ_SECONDS says otherwise.
const SECONDS: &str = "60";
/// Questions to each route at most.
const EXAMPLES: &str = "60";
/// What every answer must be: no failure of the server, a status and a type of content that the
/// description has, and a body as it says.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance";

#[test]
fn no_question_makes_the_server_break_its_description() {
    let python = python("schemathesis");
    let home = DEMO.0.copy();
    home.json(&["model", "publish", text(&DEMO.1["run_id"]), "--name", "fuzzed"]);
    let mut server = Up::start(&home, &["--quiet"]);
    let (url, key) = (server.url().to_owned(), server.key().to_owned());
    let folder = tempfile::tempdir().unwrap();
    let seconds = std::env::var("ASSAY_API_FUZZ_SECONDS").unwrap_or_else(|_| SECONDS.to_owned());
    let mut fuzzer = Command::new(python);
    fuzzer
        .args(["-m", "schemathesis.cli", "run", &format!("{}/openapi.json", url.trim_end_matches('/'))])
        .args(["--header", &format!("Authorization: Bearer {key}"), "--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--max-time", &seconds])
        .args(["--seed", "1", "--generation-deterministic", "--no-shrink"])
        .args(["--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off", "--no-color"])
        .current_dir(folder.path())
        .env("HYPOTHESIS_STORAGE_DIRECTORY", folder.path());
    let said = Answer::of(&fuzzer.output().unwrap());
    assert!(server.is_alive(), "the server ended");
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    server.kill();
}
