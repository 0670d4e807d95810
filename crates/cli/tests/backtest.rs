//! Back-tests of rules and runs, run listings, walk-forward folds, trials.

use serde_json::Value;

use crate::series::{DATASET, train, with_candles};
use crate::support::{DEMO, Home, text, verify};

const TICK: [&str; 2] = ["--tick", "0.01"];

fn rule<'a>(strategy: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["backtest", "--strategy", strategy, "--dataset", DATASET][..], &TICK, more].concat()
}

#[test]
fn rules_are_judged_with_everything_beside_them() {
    let home = with_candles(1_000);
    for strategy in ["long", "short", "flat", "sma-cross:24:168", "random:12:1"] {
        let done = home.json(&rule(strategy, &[]));
        assert_eq!(text(&done["subject"]["name"]), strategy);
        let names = |list: &str| -> Vec<String> {
            done[list].as_array().unwrap().iter().map(|entry| text(&entry["name"]).to_owned()).collect()
        };
        assert_eq!(names("baselines").len(), 4, "{:?}", names("baselines"));
        assert!(names("sensitivity").len() >= 3, "both fills, twice and five times the costs");
        assert_eq!(done["candles"].as_u64(), Some(1_000));
    }
    let long = home.json(&rule("long", &[]));
    let next_open = home.json(&rule("long", &["--fill", "next_open"]));
    assert_ne!(long["equity_hash"], next_open["equity_hash"]);
    assert_eq!(home.json(&rule("short", &[]))["hypothetical_short"], Value::Bool(true));
    let part = home.json(&rule("long", &["--from", "2024-01-10", "--to", "2024-01-12T12:00:00Z"]));
    assert_eq!(part["candles"].as_u64(), Some(60));
    home.assay(&rule("hodl", &[])).expect(2, &["hodl", "sma-cross"]);
    home.assay(&rule("long", &["--from", "2030-01-01"])).expect(2, &["no candles in that period"]);
    home.assay(&["backtest", "--strategy", "long", "--dataset", DATASET]).expect(2, &["tick", "instrument table"]);
}

#[test]
fn the_report_folder_is_complete_and_can_be_recomputed() {
    let home = with_candles(1_000);
    let folder = home.file("report");
    let done = home.json(&rule("sma-cross:24:168", &["--out", folder.to_str().unwrap()]));
    for name in ["equity.csv", "trades.csv", "targets.csv", "candles.csv", "rules.json", "metrics.json", "report.html"]
    {
        assert!(folder.join(name).is_file(), "{name}");
    }
    for given in [None, Some("sma-cross:24:168")] {
        let found = verify(&folder, given);
        assert_eq!((&found["equity_hash"], &found["data_hash"]), (&done["equity_hash"], &done["data_hash"]));
    }
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    for outside in ["src=\"http", "href=\"http", "@import", "url(http", "<link"] {
        assert!(!page.contains(outside), "the page reaches outside itself: {outside}");
    }
    for part in [text(&done["equity_hash"]), text(&done["data_hash"]), "<svg", "buy-and-hold"] {
        assert!(page.contains(part), "the page lacks {part}");
    }
    let rows = std::fs::read_to_string(folder.join("equity.csv")).unwrap().lines().count();
    assert_eq!(rows, 1_002, "a head, the start and a row for each close");
    let fills = std::fs::read_to_string(folder.join("trades.csv")).unwrap().lines().count() as u64;
    assert_eq!(Some(fills - 1), done["fills"].as_u64());
    let metrics: Value = serde_json::from_slice(&std::fs::read(folder.join("metrics.json")).unwrap()).unwrap();
    assert_eq!(metrics["equity_hash"], done["equity_hash"]);
    let flat = home.json(&rule("flat", &[]));
    assert!(flat["metrics"]["sharpe"].is_null(), "undefined is null");
    assert!(!text(&flat["metrics"]["reasons"]["sharpe"]).is_empty(), "with a reason");
}

#[test]
fn every_look_at_a_period_is_counted_once() {
    let home = with_candles(1_000);
    let trials = |strategy: &str, more: &[&str]| home.json(&rule(strategy, more))["trials"].as_u64().unwrap();
    assert_eq!(trials("long", &[]), 1);
    assert_eq!(trials("long", &[]), 1, "the same strategy is the same trial");
    assert_eq!(trials("sma-cross:12:48", &[]), 2);
    assert_eq!(trials("sma-cross:24:168", &[]), 3);
    assert_eq!(trials("sma-cross:24:168", &["--fee-ppm", "2000"]), 4, "under other costs it is another trial");
    let third = home.json(&rule("sma-cross:24:168", &[]));
    let number = |name: &str| third["metrics"][name].as_f64().unwrap();
    assert!(number("deflated_sharpe") < number("probabilistic_sharpe"), "three trials deflate the ratio");
    home.assay(&rule("random:5:9", &["--dry-run"])).expect(2, &["always records its trial"]);
    assert_eq!(trials("long", &[]), 4, "what was refused is not counted");
    // Periods that overlap are the same candles looked at again; others are not.
    assert_eq!(trials("long", &["--to", "2024-01-20"]), 5);
    let apart = Home::new();
    crate::series::import(&apart, &crate::series::csv(&crate::series::hours(1_000)));
    for (range, expected) in [(["--to", "2024-01-20"], 1), (["--from", "2024-01-20"], 1), (["--from", "2024-01-15"], 3)]
    {
        assert_eq!(apart.json(&rule("long", &range))["trials"].as_u64(), Some(expected), "{range:?}");
    }
}

#[test]
fn runs_are_listed_shown_compared_and_found_by_any_hash() {
    let home = with_candles(1_500);
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=1280"];
    let first = home.json(&train(&keys));
    let second = home.json(&[&train(&keys)[..], &["--seed", "4"]].concat());
    let ids = [text(&first["run_id"]), text(&second["run_id"])];
    let listed = home.json(&["run", "list"]);
    let mut found: Vec<&str> = listed.as_array().unwrap().iter().map(|run| text(&run["run_id"])).collect();
    found.sort_unstable();
    let mut expected = ids.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let shown = home.json(&["run", "show", &ids[0][..10]]);
    assert_eq!(shown["weights_hash"], first["weights_hash"]);
    assert_eq!(home.json(&["show", &ids[0][..10]])["run_id"], shown["run_id"]);
    let compared = home.json(&["run", "compare", ids[0], ids[1]]);
    let changed: Vec<&str> = compared["config"].as_array().unwrap().iter().map(|d| text(&d["name"])).collect();
    assert_eq!((changed, compared["same_weights"].as_bool()), (vec!["seed"], Some(false)));
    for name in ["config_hash", "data_hash", "feature_hash", "equity_hash", "weights_hash"] {
        let evaluation = &first["evaluation"];
        let hash = text(if name == "equity_hash" { &evaluation[name] } else { &first[name] });
        let kind = if name == "weights_hash" { "object" } else { "pinned" };
        let shown = home.json(&["show", hash]);
        assert_eq!(text(&shown["kind"]), kind, "{name}");
        assert!(shown.to_string().contains(ids[0]), "{name}: {shown}");
    }
    home.assay(&["show", &"0".repeat(64)]).expect(2, &["nothing here is known", "assay run list"]);
    home.assay(&["run", "show", "ffff"]).expect(2, &["no run `ffff`", "assay run list"]);
    // The run under its own costs again, and on another period of its dataset.
    let tested = home.json(&["backtest", ids[0]]);
    assert_eq!(tested["equity_hash"], first["evaluation"]["equity_hash"]);
    let dearer = home.json(&["backtest", ids[0], "--fee-ppm", "2000"]);
    assert_ne!(dearer["equity_hash"], tested["equity_hash"]);
}

#[test]
fn a_damaged_artefact_is_never_used() {
    let home = DEMO.0.copy();
    let run = text(&DEMO.1["run_id"]);
    let weights = home.run(run).join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&weights, &bytes).unwrap();
    for command in [&["backtest", run][..], &["demo"], &["signals", "replay", run]] {
        home.assay(command).expect(3, &["weights.safetensors", "damaged", "train it again"]);
    }
}

#[test]
fn a_changed_scaler_or_rule_of_a_run_is_found_out() {
    for (name, from, to) in
        [("policy.json", "\"offset\"", "\"offset\" "), ("pins.json", "\"fee_ppm\": 1000", "\"fee_ppm\": 0")]
    {
        let home = DEMO.0.copy();
        let run = text(&DEMO.1["run_id"]);
        let path = home.run(run).join(name);
        let content = std::fs::read_to_string(&path).unwrap();
        let changed = content.replacen(from, to, 1);
        assert_ne!(changed, content, "{name}");
        std::fs::write(&path, changed).unwrap();
        for command in [&["backtest", run][..], &["signals", "replay", run]] {
            home.assay(command).expect(3, &[name, "content id"]);
        }
    }
}

#[test]
fn an_in_sample_result_says_so() {
    let home = DEMO.0.copy();
    let run = text(&DEMO.1["run_id"]);
    assert_eq!(home.json(&["backtest", run])["in_sample_candles"], 0);
    let report = home.file("report").display().to_string();
    let arguments = ["backtest", run, "--from", "2022-06-01", "--to", "2022-07-01", "--out", &report];
    assert_eq!(home.json(&arguments)["in_sample_candles"], 720);
    home.assay(&arguments).expect(0, &["IN-SAMPLE"]);
    assert!(std::fs::read_to_string(home.file("report").join("report.html")).unwrap().contains("in-sample: 720"));
}

#[test]
fn folds_are_trained_tested_and_compounded() {
    let home = with_candles(2_000);
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=1280"];
    let mut arguments = train(&keys);
    arguments[0] = "walkforward";
    let walked = home.json(&[&arguments[..], &["--folds", "2"]].concat());
    let folds = walked["folds"].as_array().unwrap();
    assert_eq!(folds.len(), 2);
    assert_eq!(folds[0]["test"][1], folds[1]["test"][0], "tests follow one another");
    for fold in folds {
        assert!(text(&fold["train"][1]) <= text(&fold["test"][0]));
        assert_eq!(home.json(&["run", "show", text(&fold["run_id"])])["equity_hash"], fold["equity_hash"]);
    }
    let growth: f64 = folds.iter().map(|fold| 1.0 + fold["metrics"]["total_return"].as_f64().unwrap()).product();
    assert!((walked["compounded_return"].as_f64().unwrap() - (growth - 1.0)).abs() < 1e-12);
    let again = home.json(&[&arguments[..], &["--folds", "2"]].concat());
    assert_eq!(again["folds"], walked["folds"], "folds that are done are read back");
    let sliding = home.json(&[&arguments[..], &["--folds", "2", "--sliding"]].concat());
    assert_ne!(sliding["folds"][1]["train"], walked["folds"][1]["train"]);
    home.assay(&[&arguments[..], &["--folds", "500"]].concat()).expect(2, &["fold", "500"]);
}

#[test]
fn a_search_judges_on_validation_and_records_every_trial() {
    let home = with_candles(1_500);
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=2560"];
    let arguments = [&train(&keys)[..], &["--search", "3"]].concat();
    let searched = home.json(&arguments);
    assert_eq!(searched["trials"].as_array().unwrap().len(), 3);
    let best = searched["best"].as_u64().unwrap() as usize;
    let score = |index: usize| searched["trials"][index]["validation_return"].as_f64();
    assert!((0..3).all(|index| score(index) <= score(best)));
    let recorded: Value = serde_json::from_slice(&std::fs::read(text(&searched["record"])).unwrap()).unwrap();
    assert!(recorded.to_string().contains("learning_rate"), "{recorded}");
    let run = text(&searched["run_id"]);
    assert_eq!(home.json(&["run", "show", run])["state"], "done");
    // The test period was looked at once, by the best config only.
    let looks = std::fs::read_to_string(home.file("trials.jsonl")).unwrap();
    assert_eq!(looks.lines().count(), 1, "{looks}");
    let again = Home::new();
    crate::series::import(&again, &crate::series::csv(&crate::series::hours(1_500)));
    assert_eq!(again.json(&arguments)["trials"], searched["trials"], "a search is reproducible");
}
