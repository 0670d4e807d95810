//! Bad input gets a clear error with its exit code, and loses nothing.

use std::process::Stdio;

use serde_json::Value;

use crate::series::{DATASET, MARKET, csv, hours, import, train, with_candles, write};
use crate::support::{Answer, DEMO, Home, SAMPLE, text};

#[test]
fn help_and_version_are_there_for_every_command() {
    let home = Home::new();
    home.assay(&["--version"]).expect(0, &[concat!("assay ", env!("CARGO_PKG_VERSION"))]);
    let commands: [&[&str]; 19] = [
        &[],
        &["demo"],
        &["data"],
        &["data", "import"],
        &["data", "fetch"],
        &["data", "list"],
        &["data", "check"],
        &["data", "resample"],
        &["features", "build"],
        &["train"],
        &["run", "list"],
        &["run", "compare"],
        &["backtest"],
        &["walkforward"],
        &["signals", "replay"],
        &["audit"],
        &["show"],
        &["quote"],
        &["pool", "replay"],
    ];
    for command in commands {
        let output = home.command(&[command, &["--help"]].concat()).output().unwrap();
        Answer::of(&output).expect(0, &["Usage: assay", "--home <DIR>", "--json", "--dry-run", "--threads <N>"]);
    }
    assert!(home.tree().is_empty(), "help makes nothing");
}

#[test]
fn wrong_arguments_are_bad_usage() {
    let home = Home::new();
    let cases: [(&[&str], &str); 14] = [
        (&[], "Usage: assay"),
        (&["trian"], "'train'"),
        (&["train", "--sed", "1"], "'--seed'"),
        (&["train", "--seed", "one"], "one"),
        (&["train", "--resume", "--again"], "cannot be used with"),
        (&["train", "--set", "seed"], "key=value"),
        (&["data", "import", "x.csv", "--exchange", "binance", "--symbol", "BTC-USDT"], "--timeframe"),
        (&["data", "import", "x.csv", "--exchange", "b", "--symbol", "A-B", "--timeframe", "7m"], "7m"),
        (&["backtest"], "<RUN>"),
        (&["backtest", "--strategy", "long"], "--dataset"),
        (&["backtest", "--strategy", "long", "--dataset", "binance"], "binance"),
        (&["audit", "x.jsonl"], "--dataset"),
        (&["run", "list", "--threads", "0"], "--threads"),
        (&["walkforward", "--set", "dataset=a/A-B/1h", "--folds", "-1"], "-1"),
    ];
    for (arguments, word) in cases {
        home.assay(arguments).expect(2, &[word]);
    }
}

#[test]
fn global_flags_stand_before_or_after_the_noun() {
    let home = with_candles(100);
    let path = home.path().to_str().unwrap();
    for arguments in [
        &["--home", path, "--json", "--quiet", "data", "list"][..],
        &["data", "--home", path, "--json", "--quiet", "list"],
        &["data", "list", "--quiet", "--json", "--home", path],
    ] {
        let output = std::process::Command::new(crate::support::BINARY).args(arguments).output().unwrap();
        let listed = Answer::of(&output).expect(0, &[]).json();
        assert_eq!(text(&listed["datasets"][0]["dataset"]), DATASET, "{arguments:?}");
    }
    let mut command = std::process::Command::new(crate::support::BINARY);
    let output = command.env("ASSAY_HOME", path).args(["data", "list"]).output().unwrap();
    Answer::of(&output).expect(0, &[DATASET]);
}

#[test]
fn errors_are_json_where_answers_are() {
    let home = Home::new();
    let cases: [(&[&str], i32); 4] = [
        (&["run", "show", "ab"], 2),
        (&["train", "--set", "dataset=a/A-B/1h"], 2),
        (&["trian"], 2),
        (&["run", "list", "--threads", "0"], 2),
    ];
    for (arguments, code) in cases {
        let answer = home.assay(&[arguments, &["--json"]].concat());
        let error: Value = serde_json::from_str(&answer.err).unwrap_or_else(|e| panic!("{e}: {}", answer.err));
        assert_eq!((answer.code, error["exit_code"].as_i64()), (code, Some(i64::from(code))));
        assert!(!text(&error["error"]).is_empty() && answer.out.is_empty());
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let home = DEMO.0.copy();
    for arguments in [&["signals", "replay", text(&DEMO.1["run_id"])][..], &["data", "list", "--json"], &["--help"]] {
        let mut child = home.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let answer = Answer::of(&output);
        assert_eq!(answer.code, 0, "{arguments:?}: {}", answer.err);
        assert!(!answer.err.contains("panicked"), "{}", answer.err);
    }
}

#[test]
fn configs_that_cannot_work_say_what_would() {
    let home = with_candles(1_500);
    let ppo = "algorithm=ppo";
    let cases: [(&[&str], &[&str]); 14] = [
        (&["learning_rat=0.1"], &["learning_rat", "learning_rate"]),
        (&[ppo, "tau=0.1"], &["tau"]),
        (&["algorithm=dqn"], &["dqn", "ppo, a2c, sac, td3 or ddpg"]),
        (&[ppo, "n_steps=100", "n_envs=3", "batch_size=64"], &["mod 64 is 44", "use batch_size 60 or 75"]),
        (&[ppo, "gamma=1.5"], &["`gamma`", "from 0 to 1"]),
        (&[ppo, "net_arch=[0]"], &["`net_arch`"]),
        (&[ppo, "features=[\"rsi_41\"]"], &["rsi_41", "rsi_14"]),
        (&["dataset=binance/NO-PE/1h"], &["the lake holds no binance/NO-PE/1h", DATASET, "assay data import"]),
        (&["test_start=2030-01-01"], &["`test_start`", "2030-01-01", "the data end at 2024-03-03T12:00:00Z"]),
        (&["test_end=2023-01-01"], &["empty"]),
        (&["train_start=2024-02-01", "test_start=2024-01-20"], &["test_start", "train_start < test_start"]),
        (&["test_start=2024-02-01", "test_end=2024-01-20"], &["test_end", "is not after test_start"]),
        (&["test_start=2024-01-01T05:00:00Z"], &["empty"]),
        (&["seed=-1"], &["seed"]),
    ];
    let before = home.tree();
    for (keys, words) in cases {
        home.assay(&train(keys)).expect(2, words);
        assert!(home.tree() == before, "{keys:?} left something");
    }
    let unknown = ["train", "--set", "dataset=binance/XYZ-BTC/1h"];
    home.assay(&unknown).expect(2, &["binance/XYZ-BTC is not in the instrument table", "`tick`"]);
    assert!(home.tree() == before, "features were computed for nothing");
    let file = home.file("config.toml");
    std::fs::write(&file, "dataset = \"binance/XYZ-BTC/1h\"\ntick = 0.01\nseed = \n").unwrap();
    home.assay(&["train", file.to_str().unwrap()]).expect(2, &["config.toml", "line 3"]);
    home.assay(&["train", "no-such.json"]).expect(2, &["no-such.json"]);
}

#[test]
fn a_config_file_and_keys_of_the_command_line_are_one_config() {
    let home = with_candles(1_500);
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=1280", "seed=3"];
    let expected = home.json(&[&train(&keys)[..], &["--dry-run"]].concat());
    let toml = "dataset = \"binance/XYZ-BTC/1h\"\ntick = \"0.01\"\nnet_arch = [8]\n\
                features = [\"return_1\", \"rsi_14\", \"gap\"]\nalgorithm = \"ppo\"\nn_envs = 2\nn_steps = 64\n\
                total_timesteps = 1280\nseed = 9\n";
    let file = write(&home, "config.toml", toml).display().to_string();
    let found = home.json(&["train", &file, "--seed", "3", "--dry-run"]);
    assert_eq!((&found["config_hash"], &found["run_id"]), (&expected["config_hash"], &expected["run_id"]));
}

#[test]
fn training_over_a_gap_needs_leave_and_the_gap_is_named() {
    let home = Home::new();
    let mut rows = hours(1_500);
    rows.drain(400..403);
    import(&home, &csv(&rows));
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=640"];
    let gap = ["1 gap(s) with 3 missing candles", "2024-01-17T16:00:00Z", "2024-01-17T19:00:00Z", "allow_gaps"];
    home.assay(&train(&keys)).expect(2, &gap);
    home.json(&[&train(&keys)[..], &["--set", "allow_gaps=true"]].concat());
    // A gap in the test split alone is no reason to refuse.
    let early = ["test_start=2024-01-15", "algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=640"];
    home.json(&train(&early));
}

/// `hours(50)` as CSV with one line changed by `change`.
fn spoiled(line: usize, change: impl Fn(&[&str]) -> Vec<String>) -> String {
    let page = csv(&hours(50));
    let lines = page.lines().enumerate().map(|(index, text)| {
        let cells: Vec<&str> = text.split(',').collect();
        if index == line { change(&cells).join(",") } else { text.to_owned() }
    });
    lines.map(|line| line + "\n").collect()
}

fn with_cell(column: usize, value: &str) -> String {
    spoiled(20, |cells| {
        cells.iter().enumerate().map(|(i, cell)| if i == column { value } else { cell }.to_string()).collect()
    })
}

#[test]
fn rows_that_no_market_prints_are_named_by_file_and_line() {
    let home = Home::new();
    let cases = [
        (with_cell(4, "NaN"), "NaN"),
        (with_cell(1, "-5"), "-5"),
        (with_cell(3, "0"), "0"),
        (with_cell(2, "1"), "high"),
        (with_cell(3, "999999999"), "low"),
        (with_cell(5, "-1"), "volume"),
        (with_cell(4, "1e30"), "1e30"),
        (with_cell(4, "abc"), "abc"),
        (with_cell(0, "1704067200001"), "2024-01-01T00:00:00.001Z"),
        (spoiled(20, |cells| cells[..4].iter().map(ToString::to_string).collect()), "shorter than the header"),
    ];
    for (page, reason) in cases {
        let file = write(&home, "bad.csv", &page).display().to_string();
        let arguments = [&["data", "import", &file], &MARKET[..]].concat();
        home.assay(&arguments).expect(2, &["bad.csv", "row 21", reason, "--skip-bad"]);
        assert_eq!(home.json(&["data", "list"])["datasets"].as_array().unwrap().len(), 0, "{reason}: rows were stored");
        let rest = Home::new();
        let done = rest.json(&[&arguments[..], &["--skip-bad"]].concat());
        assert_eq!((done["rows"].as_u64(), done["rejected"][0]["line"].as_u64()), (Some(49), Some(21)), "{reason}");
    }
}

#[test]
fn contradictions_unknown_columns_and_cut_files_are_named() {
    let home = Home::new();
    let page = csv(&hours(50));
    let twice = page.replacen("volume\n", "volume\n1704070800000,1,2,1,2,9\n", 1);
    let named = page.replacen("volume", "volume,colour", 1).replace('\n', ",1\n").replacen("colour,1", "colour", 1);
    let missing = page.replacen("close", "colour", 1);
    let gzip_of_nothing = "\u{1f}\u{0}";
    let cases: [(&str, &str, &[&str]); 6] = [
        ("twice.csv", &twice, &["twice.csv", "rows 2 and 4", "2024-01-01T01:00:00Z", "differ"]),
        ("named.csv", &named, &["named.csv", "unknown columns", "colour", "--ignore-columns"]),
        ("missing.csv", &missing, &["missing.csv", "no column for close"]),
        ("empty.csv", "", &["empty.csv"]),
        ("head.csv", page.lines().next().unwrap(), &["head.csv"]),
        ("binary.csv", gzip_of_nothing, &["binary.csv"]),
    ];
    for (name, content, words) in cases {
        let file = write(&home, name, content).display().to_string();
        home.assay(&[&["data", "import", &file], &MARKET[..]].concat()).expect(2, words);
    }
    home.assay(&[&["data", "import", "no-such.csv"], &MARKET[..]].concat()).expect(2, &["no-such.csv"]);
    let other = ["--exchange", "binance", "--symbol", "XYZ-BTC", "--timeframe", "5m"];
    let file = write(&home, "hours.csv", &page).display().to_string();
    home.assay(&[&["data", "import", &file], &other[..]].concat()).expect(2, &["hours.csv", "timeframe"]);
    // A Parquet file cut anywhere.
    let source = with_candles(500);
    let folder = source.file("lake/candles").join(DATASET);
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let partition = names.into_iter().find(|path| path.extension().is_some_and(|e| e == "parquet")).unwrap();
    let bytes = std::fs::read(partition).unwrap();
    for cut in [bytes.len() - 1, bytes.len() / 2, 5] {
        let file = home.file("cut.parquet");
        std::fs::write(&file, &bytes[..cut]).unwrap();
        home.assay(&[&["data", "import", file.to_str().unwrap()], &MARKET[..]].concat()).expect(2, &["cut.parquet"]);
    }
    assert_eq!(home.json(&["data", "list"])["datasets"].as_array().unwrap().len(), 0);
}

#[test]
fn a_partition_whose_bytes_changed_is_refused_and_found() {
    let home = with_candles(1_500);
    let before = home.json(&["data", "list"]);
    let folder = home.file("lake/candles").join(DATASET);
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let partition = names.into_iter().find(|path| path.extension().is_some_and(|e| e == "parquet")).unwrap();
    let good = std::fs::read(&partition).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    std::fs::write(&partition, bad).unwrap();
    let name = partition.file_name().unwrap().to_str().unwrap().to_owned();
    let judge = ["backtest", "--strategy", "long", "--dataset", DATASET, "--tick", "0.01"];
    for command in [&judge[..], &train(&["algorithm=ppo"]), &["data", "resample", DATASET, "--timeframe", "4h"]] {
        home.assay(command).expect(3, &[&name, "SHA-256", "data check --repair"]);
    }
    home.assay(&["data", "check"]).expect(3, &[&name, "not sound"]);
    assert_eq!(home.json(&["data", "list"]), before, "what is there is still known");
    std::fs::write(&partition, good).unwrap();
    home.json(&judge);
    let manifest = partition.with_file_name("manifest.json");
    std::fs::write(&manifest, "{").unwrap();
    home.assay(&judge).expect(3, &["manifest.json"]);
    home.assay(&["data", "check"]).expect(3, &["manifest.json"]);
}

#[test]
fn a_home_that_is_a_file_is_said_to_be_one() {
    let folder = Home::new();
    let file = write(&folder, "file", "mine");
    for home in [file.clone(), file.join("inside")] {
        let arguments = ["data", "list", "--quiet", "--home", home.to_str().unwrap()];
        let output = std::process::Command::new(crate::support::BINARY).args(arguments).output().unwrap();
        Answer::of(&output).expect(1, &["a file stands where a folder is needed", "--home"]);
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
}

#[test]
fn results_of_data_that_changed_are_refused() {
    let home = DEMO.0.copy();
    let run = text(&DEMO.1["run_id"]);
    std::fs::remove_dir_all(home.file("lake/candles").join(SAMPLE)).unwrap();
    home.assay(&["backtest", run]).expect(2, &["the lake holds no", SAMPLE]);
    let page = std::fs::read_to_string(home.run(run).join("candles.csv")).unwrap();
    let file = write(&home, "part.csv", &page.replace("open_time_ms", "open_time")).display().to_string();
    let market = ["--exchange", "synthetic", "--symbol", "BTC-USD", "--timeframe", "1h"];
    home.json(&[&["data", "import", &file], &market[..]].concat());
    home.assay(&["backtest", run]).expect(3, &["data_hash", "the data changed since", "--dataset"]);
    home.assay(&["signals", "replay", run]).expect(3, &["the data changed since"]);
}
