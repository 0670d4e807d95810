//! The stop from the command line, and following signals without a server.

use serde_json::json;

use crate::support::Home;

#[test]
fn a_stop_lasts_until_it_is_resumed_with_a_reason() {
    let home = Home::new();
    home.assay(&["stop", "--dry-run"]).expect(0, &["would stop"]);
    assert!(!home.file("stop").exists());
    let stopped = home.json(&["stop", "--reason", "storm"]);
    assert_eq!((&stopped["stopped"], &stopped["mark"]["reason"]), (&json!(true), &json!("storm")));
    // The first mark stands.
    assert_eq!(home.json(&["stop", "--reason", "again"])["mark"]["reason"], "storm");
    home.assay(&["resume"]).expect(2, &["--reason"]);
    home.assay(&["resume", "--reason", " "]).expect(2, &["--reason is empty"]);
    home.assay(&["resume", "--reason", "calm", "--dry-run"]).expect(0, &["would resume", "storm"]);
    assert!(home.file("stop").exists());
    home.assay(&["resume", "--reason", "calm"]).expect(0, &["resumed", "storm"]);
    assert!(!home.file("stop").exists());
    home.assay(&["resume", "--reason", "calm"]).expect(2, &["nothing is stopped"]);
}

#[test]
fn following_needs_a_key_and_a_server() {
    let home = Home::new();
    let model = "ab".repeat(32);
    let mut command = home.command(&["signals", "tail", &model, "--quiet"]);
    let output = command.env_remove("ASSAY_API_KEY").output().unwrap();
    crate::support::Answer::of(&output).expect(2, &["ASSAY_API_KEY", "--key-file"]);
    let mut command = home.command(&["signals", "tail", &model, "--server", "http://127.0.0.1:9", "--quiet"]);
    let output = command.env("ASSAY_API_KEY", "canary-key").output().unwrap();
    let answer = crate::support::Answer::of(&output).expect(1, &["assay up"]);
    assert!(!answer.err.contains("canary-key") && !answer.out.contains("canary-key"));
}
