//! Models of the local registry.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{DEMO, Home, text};

/// A copy of the demo's home with its run published, and what the publication answered.
fn published(more: &[&str]) -> (Home, Value) {
    let home = DEMO.0.copy();
    let run = text(&DEMO.1["run_id"]);
    let answer = home.json(&[&["model", "publish", run, "--name", "demo policy"], more].concat());
    (home, answer)
}

/// Files under `folder` that hold `needle`.
fn holders(home: &Home, needle: &[u8]) -> Vec<String> {
    let tree = home.tree().into_iter().filter(|(_, bytes)| bytes.windows(needle.len()).any(|part| part == needle));
    tree.map(|(path, _)| path.strip_prefix(home.path()).unwrap().display().to_string()).collect()
}

#[test]
fn a_model_is_published_once_and_its_card_tells_everything() {
    let (home, answer) = published(&["--fee-bps", "25"]);
    let id = text(&answer["model_id"]);
    assert_eq!(answer["model_id"], DEMO.1["weights_hash"]);
    assert_eq!(answer["warnings"], json!([]));
    for again in [&["--name", "other"][..], &["--name", "other", "--private"]] {
        let arguments = [&["model", "publish", text(&DEMO.1["run_id"])], again].concat();
        home.assay(&arguments).expect(2, &["published already", id]);
    }
    let card = home.json(&["model", "show", &id[..8]]);
    assert_eq!(card, answer["card"]);
    assert_eq!(home.json(&["model", "show", "demo policy"]), card);
    assert_eq!(home.json(&["model", "list"])["models"], json!([card]));
    assert_eq!(
        (&card["fee_bps"], &card["stake_tokens"], &card["audit"]),
        (&json!(25), &json!("0"), &json!({ "receipts": 0, "needed": 3 }))
    );
    assert_eq!((&card["score"]["value"], &card["score"]["reason"]), (&Value::Null, &json!("younger than 7 days")));
    assert_eq!(card["hashes"]["equity"], DEMO.1["equity_hash"]);
    assert_eq!(card["lineage"]["run_id"], DEMO.1["run_id"]);
    let equity = card["equity"].as_array().unwrap();
    assert!(equity.len() == 200 && equity[0]["equity"] == "10000");
    let weights = std::fs::read(home.run(text(&DEMO.1["run_id"])).join("weights.safetensors")).unwrap();
    let file = card["files"].as_array().unwrap().iter().find(|file| file["name"] == "weights.safetensors").unwrap();
    assert_eq!((&file["bytes"], &file["content_id"]), (&json!(weights.len()), &answer["model_cid"]));
    // The content ids are those that any IPFS tool computes.
    let sha256 = home.json(&["show", text(&answer["model_cid"])])["sha256"].clone();
    assert_eq!(sha256, DEMO.1["weights_hash"]);
    home.assay(&["model", "show", "nothing"]).expect(2, &["assay model list"]);
}

#[test]
fn bad_names_and_fees_and_unknown_runs_are_refused() {
    let home = &DEMO.0;
    let run = text(&DEMO.1["run_id"]);
    for (arguments, words) in [
        (&["model", "publish", run, "--name", " "][..], "1 to 80"),
        (&["model", "publish", run, "--name", "a\nb"], "control"),
        (&["model", "publish", run, "--name", "x", "--fee-bps", "10001"], "10000"),
        (&["model", "publish", "ffffffff", "--name", "x"], "no run"),
    ] {
        home.assay(arguments).expect(2, &[words]);
    }
    let before = home.tree();
    let dry = home.json(&["model", "publish", run, "--name", "x", "--private", "--dry-run"]);
    assert_eq!(dry["dry_run"], true);
    assert!(home.tree() == before, "a dry run wrote something");
}

#[test]
fn verification_holds_until_a_byte_changes() {
    let (home, answer) = published(&[]);
    let verified = home.json(&["model", "verify", "demo policy"]);
    assert_eq!((&verified["holds"], &verified["problems"]), (&json!(true), &json!([])));
    assert_eq!(verified["equity"]["found"], DEMO.1["equity_hash"]);
    let folder = home.run(text(&answer["card"]["lineage"]["run_id"]));
    for name in ["weights.safetensors", "policy.onnx", "config.json", "metrics.json", "equity.csv"] {
        let path = folder.join(name);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let found = home.assay(&["model", "verify", "demo policy", "--json"]).expect(3, &[name]).json();
        assert_eq!((&found["holds"], &found["equity"]["found"]), (&json!(false), &Value::Null), "{name}");
        let broken: Vec<&Value> =
            found["files"].as_array().unwrap().iter().filter(|file| file["holds"] == false).collect();
        assert!(broken.len() == 1 && broken[0]["name"] == name, "{broken:?}");
        std::fs::write(&path, &good).unwrap();
    }
    // The other copy of the weights counts too.
    let hash = text(&DEMO.1["weights_hash"]).to_owned();
    let object = home.file(&format!("objects/{}/{hash}", &hash[..2]));
    std::fs::write(&object, b"other").unwrap();
    home.assay(&["model", "verify", "demo policy"]).expect(3, &["weights.safetensors", "DOES NOT HOLD"]);
    std::fs::remove_file(&object).unwrap();
    home.assay(&["model", "verify", "demo policy"]).expect(0, &[]);
    // Data that changed are told, not taken for a proof.
    std::fs::remove_dir_all(home.file("lake")).unwrap();
    home.assay(&["model", "verify", "demo policy"]).expect(3, &["equity_hash", "DOES NOT HOLD"]);
}

#[test]
fn nothing_of_a_private_model_is_left_in_clear() {
    let run = text(&DEMO.1["run_id"]);
    let original = DEMO.0.run(run);
    let weights = std::fs::read(original.join("weights.safetensors")).unwrap();
    // Past the header, so that these bytes are the policy's own.
    let needle = &weights[weights.len() / 2..weights.len() / 2 + 24];
    let clear = holders(&DEMO.0, needle);
    assert!(clear.len() >= 4, "weights and graph, each twice: {clear:?}");
    let (home, answer) = published(&["--private"]);
    assert_eq!(holders(&home, needle), Vec::<String>::new());
    for name in ["policy.json", "policy.onnx"] {
        let bytes = std::fs::read(original.join(name)).unwrap();
        let part = &bytes[bytes.len() / 3..bytes.len() / 3 + 40];
        assert_eq!(holders(&home, part), Vec::<String>::new(), "{name}");
    }
    // Its owner's runs, replays and proofs open it as if nothing had happened.
    assert_eq!(home.json(&["backtest", run])["equity_hash"], DEMO.1["equity_hash"]);
    let signals = home.file("private.jsonl");
    home.json(&["signals", "replay", run, "--out", signals.to_str().unwrap()]);
    home.assay(&["model", "verify", text(&answer["model_id"])]).expect(0, &[]);
    home.json(&["show", text(&answer["model_cid"])]);
    assert_eq!(holders(&home, needle), Vec::<String>::new(), "something wrote the weights in clear");
    tampered_seal_is_named(&home, run);
    std::fs::remove_file(home.file("keys/vault.key")).unwrap();
    home.assay(&["backtest", run]).expect(3, &["vault.key"]);
}

fn tampered_seal_is_named(home: &Home, run: &str) {
    let path = home.run(run).join("weights.safetensors");
    let good = std::fs::read(&path).unwrap();
    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    std::fs::write(&path, bad).unwrap();
    home.assay(&["backtest", run]).expect(3, &["weights.safetensors"]);
    home.assay(&["model", "verify", "demo policy"]).expect(3, &["weights.safetensors"]);
    std::fs::write(&path, good).unwrap();
}

#[test]
fn models_that_answer_alike_are_told() {
    let (home, first) = published(&[]);
    // One weight of the last layer moved by its least step: other weights, the same answers.
    let twin = twin_run(&home, text(&DEMO.1["run_id"]));
    let answer = home.json(&["model", "publish", &twin, "--name", "twin"]);
    assert_ne!(answer["model_id"], first["model_id"]);
    let near = &answer["card"]["near_duplicates"][0];
    assert_eq!(near["model_id"], first["model_id"]);
    assert!(near["agreement"].as_f64().unwrap() > 0.999);
    assert!(text(&answer["warnings"][0]).contains("near duplicate"));
}

/// A finished run with nearly the weights of `run`, as another machine could have made it.
fn twin_run(home: &Home, run: &str) -> String {
    let twin = format!("{}0", &run[..31]);
    let twin = if twin == run { format!("{}1", &run[..31]) } else { twin };
    let (from, to) = (home.run(run), home.run(&twin));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    let mut weights = std::fs::read(to.join("weights.safetensors")).unwrap();
    let last = weights.len() - 4;
    weights[last] ^= 1;
    std::fs::write(to.join("weights.safetensors"), &weights).unwrap();
    let content_id = |bytes: &[u8]| assay_registry::ContentId::of(bytes).to_string();
    let mut listed: Value = read_json(&to.join("artefacts.json"));
    listed["weights.safetensors"] = json!(content_id(&weights));
    let listed = serde_json::to_vec_pretty(&listed).unwrap();
    std::fs::write(to.join("artefacts.json"), &listed).unwrap();
    let mut summary = read_json(&to.join("run.json"));
    summary["run_id"] = json!(twin);
    summary["weights_hash"] = json!(assay_types::Hash::of(&weights).to_string());
    summary["artefacts_hash"] = json!(assay_types::Hash::of(&listed).to_string());
    std::fs::write(to.join("run.json"), summary.to_string()).unwrap();
    twin
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
