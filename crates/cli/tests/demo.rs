//! The life cycle on the bundled sample: what it leaves, and that it is the same everywhere.

use std::path::Path;

use assay_types::Hash;
use serde_json::{Value, json};

use crate::support::{DEMO, Home, SAMPLE, text, verify};

/// Every artefact that a run promises.
const ARTEFACTS: [&str; 10] = [
    "config.json",
    "data_hash.txt",
    "feature_hash.txt",
    "weights.safetensors",
    "policy.onnx",
    "metrics.json",
    "equity.csv",
    "trades.csv",
    "curves.csv",
    "report.html",
];

#[test]
fn the_demo_goes_through_the_whole_life_cycle() {
    let (home, done) = &*DEMO;
    let names: Vec<&str> = done["steps"].as_array().unwrap().iter().map(|step| text(&step["name"])).collect();
    assert_eq!(names, ["data", "features", "train", "back-test", "signals", "audit", "liquidity"]);
    let rows: Vec<&str> = done["table"].as_array().unwrap().iter().map(|row| text(&row["name"])).collect();
    assert_eq!(rows[..3], ["policy", "buy-and-hold", "flat"]);
    assert_eq!((text(&done["dataset"]), &done["synthetic"]), (SAMPLE, &Value::Bool(true)));
    let audit = home.json(&["audit", text(&done["signals"]), "--dataset", SAMPLE]);
    assert_eq!(audit["equity_hash"], done["equity_hash"]);
    assert_eq!(audit["model_id"], done["weights_hash"]);
    assert!(Path::new(text(&done["report"])).is_file());
}

#[test]
fn a_run_folder_holds_every_artefact_and_its_content_id() {
    let (home, done) = &*DEMO;
    let folder = home.run(text(&done["run_id"]));
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let ids: Value = serde_json::from_slice(&read("artefacts.json")).unwrap();
    for name in ARTEFACTS {
        let content_id = text(&ids[name]);
        assert!(content_id.starts_with("bafkrei"), "{name}: {content_id} is no CIDv1 of raw bytes by SHA-256");
        let (bytes, hash) = (read(name), Hash::of(&read(name)).to_string());
        assert!(!bytes.is_empty(), "{name} is empty");
        // The content id is the same 32 bytes in base 32, which `show` resolves.
        let shown = home.json(&["show", content_id]);
        assert_eq!((text(&shown["kind"]), text(&shown["sha256"])), ("object", hash.as_str()), "{name}");
        assert_eq!(std::fs::read(text(&shown["path"])).unwrap(), bytes, "{name} is not stored by content");
        assert_eq!(base32_of(&hash), content_id, "{name}");
        let uses = shown["artefact_of"].as_array().unwrap();
        assert!(uses.iter().any(|pair| pair[1] == name && pair[0] == done["run_id"]), "{name}: {shown}");
    }
    let hash_file = |name: &str| String::from_utf8(read(name)).unwrap().trim().to_owned();
    assert_eq!(hash_file("data_hash.txt"), text(&done["data_hash"]));
    assert_eq!(Hash::of(&read("weights.safetensors")).to_string(), text(&done["weights_hash"]));
    let metrics: Value = serde_json::from_slice(&read("metrics.json")).unwrap();
    assert_eq!(metrics["equity_hash"], done["equity_hash"]);
    assert_eq!(text(&metrics["subject"]["feature_hash"]), hash_file("feature_hash.txt"));
    assert!(metrics["lookahead"]["leak"].is_null() && metrics["lookahead"]["cuts"].as_u64() > Some(0));
}

#[test]
fn ids_are_the_hashes_that_the_rules_say() {
    let (home, done) = &*DEMO;
    let folder = home.run(text(&done["run_id"]));
    let read = |name: &str| serde_json::from_slice::<Value>(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    let (config, pins) = (read("config.json"), read("pins.json"));
    assert_eq!(Hash::of_json(&config).to_string(), text(&pins["config_hash"]));
    for key in ["learning_rate", "gae_lambda", "clip_range", "vf_coef", "max_grad_norm", "net_arch", "fee_ppm"] {
        assert!(!config[key].is_null(), "the config lacks the default of {key}");
    }
    let run = json!({
        "config_hash": pins["config_hash"], "data_hash": pins["data_hash"], "feature_hash": pins["feature_hash"],
        "train": pins["train_version"], "seed": config["seed"],
    });
    assert_eq!(Hash::of_json(&run).to_string()[..32], *text(&done["run_id"]));
}

/// CIDv1 (version 1, raw codec 0x55, SHA-256 0x12, 32 bytes) of a hash, written out.
fn base32_of(hash: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = (0..32).map(|i| u8::from_str_radix(&hash[2 * i..2 * i + 2], 16).unwrap());
    let bytes: Vec<u8> = [1, 0x55, 0x12, 32].into_iter().chain(hash).collect();
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let letter = |bits: &[u8]| (0..5).fold(0, |value, i| value << 1 | usize::from(*bits.get(i).unwrap_or(&0)));
    let letters = bits.chunks(5).map(|five| char::from(ALPHABET[letter(five)]));
    std::iter::once('b').chain(letters).collect()
}

#[test]
fn every_text_about_the_sample_says_synthetic() {
    let home = DEMO.0.copy();
    let run = text(&DEMO.1["run_id"]).to_owned();
    let signals = home.file("signals.jsonl").display().to_string();
    let commands: [&[&str]; 10] = [
        &["demo"],
        &["data", "list"],
        &["data", "check"],
        &["features", "build", "--dataset", SAMPLE, "--set", "allow_gaps=true"],
        &["run", "list"],
        &["run", "show", &run],
        &["backtest", &run],
        &["backtest", "--strategy", "long", "--dataset", SAMPLE],
        &["signals", "replay", &run, "--out", &signals],
        &["audit", &signals, "--dataset", SAMPLE],
    ];
    for command in commands {
        let answer = home.assay(command).expect(0, &[]);
        assert!(answer.out.to_lowercase().contains("synthetic"), "{command:?} does not say it: {}", answer.out);
    }
    home.assay(&["demo"]).expect(0, &["SYNTHETIC data: nothing here says anything about a real market"]);
    let page = std::fs::read_to_string(home.run(&run).join("report.html")).unwrap();
    assert!(page.to_lowercase().contains("synthetic"), "the report does not say it");
}

#[test]
fn a_second_demo_reads_the_first_one_back() {
    let home = DEMO.0.copy();
    let run = home.run(text(&DEMO.1["run_id"]));
    let weights = std::fs::metadata(run.join("weights.safetensors")).unwrap().modified().unwrap();
    let again = home.json(&["demo"]);
    for name in ["run_id", "data_hash", "weights_hash", "equity_hash", "table"] {
        assert_eq!(again[name], DEMO.1[name], "{name}");
    }
    let train = again["steps"].as_array().unwrap().iter().find(|step| step["name"] == "train").unwrap();
    assert!(text(&train["result"]).contains("read back"), "{train}");
    assert_eq!(std::fs::metadata(run.join("weights.safetensors")).unwrap().modified().unwrap(), weights);
}

#[test]
fn other_homes_and_other_thread_counts_give_the_same_bits() {
    for threads in ["1", "3"] {
        let home = Home::new();
        let done = home.json(&["demo", "--threads", threads]);
        for name in ["run_id", "data_hash", "weights_hash", "equity_hash", "table"] {
            assert_eq!(done[name], DEMO.1[name], "{name} with {threads} threads");
        }
        let curves = |home: &Home| std::fs::read(home.run(text(&done["run_id"])).join("curves.csv")).unwrap();
        assert_eq!(curves(&home), curves(&DEMO.0), "curves with {threads} threads");
    }
}

#[test]
fn a_script_of_the_standard_library_recomputes_the_hashes() {
    let (home, done) = &*DEMO;
    let folder = home.run(text(&done["run_id"]));
    let metrics: Value = serde_json::from_slice(&std::fs::read(folder.join("metrics.json")).unwrap()).unwrap();
    let found = verify(&folder, None);
    assert_eq!(found["equity_hash"], done["equity_hash"]);
    assert_eq!(found["data_hash"], metrics["data_hash"]);
}

#[test]
fn the_demo_takes_a_file_of_ones_own() {
    let home = Home::new();
    let page = std::fs::read_to_string(DEMO.0.run(text(&DEMO.1["run_id"])).join("candles.csv")).unwrap();
    let page = page.replace("open_time_ms", "open_time");
    let file = home.file("mine.csv");
    std::fs::write(&file, &page).unwrap();
    let unnamed = ["demo", "--data", file.to_str().unwrap()];
    home.assay(&unnamed).expect(2, &["mine.csv", "--exchange, --symbol and --timeframe"]);
    let given = ["--exchange", "kucoin", "--symbol", "BTC-USDT", "--timeframe", "1h"];
    let done = home.json(&[&unnamed[..], &given].concat());
    assert_eq!((text(&done["dataset"]), &done["synthetic"]), ("kucoin/BTC-USDT/1h", &Value::Bool(false)));
    // The name may say it, and a folder stands for its first file.
    let folder = home.file("files");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("kucoin_BTCUSDT_1h.csv"), page).unwrap();
    let again = home.json(&["demo", "--data", folder.to_str().unwrap()]);
    assert_eq!((&again["run_id"], &again["equity_hash"]), (&done["run_id"], &done["equity_hash"]));
}
