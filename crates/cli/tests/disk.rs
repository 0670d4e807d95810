//! Disks that are full or not to be written, and processes that share a home.

use std::process::Command;

use crate::series::{DATASET, MARKET, csv, hours, train, with_candles, write};
use crate::support::{Answer, BINARY, Home, tell, text};

/// Whether a test may mount file systems of its own; says what is missing if not.
pub fn may_mount() -> bool {
    let may = Command::new("unshare").args(["-rm", "true"]).output().is_ok_and(|output| output.status.success());
    if !may {
        let text = "no mount namespaces (util-linux `unshare`, and user namespaces or CAP_SYS_ADMIN): not mounting; \
                    a file-size limit stands in for a full disk, /sys for a read-only one";
        tell(text);
    }
    may
}

/// Runs a shell script with `$ASSAY` and `$DIR`, in a mount namespace of its own.
pub fn in_namespace(script: &str, folder: &Home) -> Answer {
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-eu", "-c", script]).env_remove("ASSAY_HOME").env_remove("ASSAY_LAKE");
    Answer::of(&command.env("ASSAY", BINARY).env("DIR", folder.path()).output().unwrap())
}

/// A file-size limit of 8 blocks stands in for a full disk where nothing can be
/// mounted: writes fail in their middle just so.
#[test]
fn a_write_that_fails_in_its_middle_loses_nothing() {
    let home = with_candles(500);
    let before = home.tree();
    let big = write(&home, "candles.csv", &csv(&hours(6_000))).display().to_string();
    let limited = |arguments: &[&str]| {
        let script = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", BINARY, "--quiet", "--home"]).arg(home.path()).args(arguments);
        Answer::of(&command.output().unwrap())
    };
    let import = [&["data", "import", &big], &MARKET[..]].concat();
    limited(&import).expect(1, &["large"]);
    let kept = |tree: Vec<(std::path::PathBuf, Vec<u8>)>| -> Vec<_> {
        let mine = |path: &std::path::Path| path.starts_with(home.file("lake/candles"));
        tree.into_iter().filter(|(path, _)| mine(path) && path.extension().is_some_and(|e| e == "json")).collect()
    };
    assert!(kept(home.tree()) == kept(before), "the manifest changed");
    home.assay(&["data", "check"]).expect(0, &["500 rows", "sound"]);
    limited(&train(&["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=1280"])).expect(1, &["large"]);
    assert_eq!(home.json(&import)["rows"].as_u64(), Some(6_000));
    home.assay(&["data", "check"]).expect(0, &["6000 rows", "sound"]);
    let unfinished = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.ends_with(".tmp") || name.contains('#')
    };
    let left: Vec<_> = home.tree().into_iter().map(|(path, _)| path).filter(unfinished).collect();
    assert!(left.is_empty(), "left over: {left:?}");
}

#[test]
fn a_full_disk_is_named_and_costs_nothing_stored() {
    if !may_mount() {
        return;
    }
    let folder = Home::new();
    std::fs::create_dir(folder.file("home")).unwrap();
    write(&folder, "small.csv", &csv(&hours(1_500)));
    write(&folder, "big.csv", &csv(&hours(9_000)));
    let script = r#"
        mount -t tmpfs -o size=2m tmpfs "$DIR/home"
        assay() { "$ASSAY" --home "$DIR/home" --quiet "$@"; }
        market="--exchange binance --symbol XYZ-BTC --timeframe 1h"
        keys="--set dataset=binance/XYZ-BTC/1h --set tick=0.01 --set net_arch=[8] --set n_envs=2 --set n_steps=64 --set total_timesteps=1280"
        assay data import "$DIR/small.csv" $market >"$DIR/first"
        dd if=/dev/zero of="$DIR/home/filler" bs=4096 2>/dev/null || true
        code=0; assay data import "$DIR/big.csv" $market >"$DIR/out" 2>&1 || code=$?
        echo "import $code: $(cat "$DIR/out")"
        code=0; assay train $keys >"$DIR/out" 2>&1 || code=$?
        echo "train $code: $(cat "$DIR/out")"
        code=0; assay data check >"$DIR/out" 2>&1 || code=$?
        echo "check $code: $(cat "$DIR/out")"
        rm "$DIR/home/filler"
        code=0; assay data import "$DIR/big.csv" $market >"$DIR/out" 2>&1 || code=$?
        echo "again $code: $(cat "$DIR/out")"
        code=0; assay train $keys --dry-run >"$DIR/out" 2>&1 || code=$?
        echo "dry $code"
    "#;
    let answer =
        in_namespace(script, &folder).expect(0, &["import 1: ", "train 1: ", "check 0: ", "again 0: ", "dry 0"]);
    assert!(answer.out.matches("free some space").count() >= 2, "{}", answer.out);
    assert!(answer.out.contains("1500 rows") && answer.out.contains("(7500 new)"), "{}", answer.out);
}

#[test]
fn a_full_disk_makes_streams_wait_and_costs_no_signal() {
    if !may_mount() {
        return;
    }
    let base = with_candles(4_000);
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=1280"];
    let run = text(&base.json(&train(&keys))["run_id"]).to_owned();
    let folder = Home::new();
    std::fs::create_dir(folder.file("home")).unwrap();
    let script = r#"
        mount -t tmpfs -o size=16m tmpfs "$DIR/home"
        cp -r BASE/. "$DIR/home"
        "$ASSAY" --home "$DIR/home" up --listen 127.0.0.1:0 --without-demo --json >"$DIR/ready" 2>"$DIR/log" &
        server=$!
        # Two minutes are enough; who waits longer waits for ever.
        (sleep 120; kill -9 $$ $server) >/dev/null 2>&1 &
        guard=$!
        trap 'kill -9 $server $guard 2>/dev/null || true' EXIT
        until grep -q owner_key "$DIR/ready"; do sleep 0.1; done
        url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$DIR/ready")
        sed 's/.*"owner_key":"\([^"]*\)".*/\1/' "$DIR/ready" >"$DIR/key"
        ask() { "$ASSAY" --home "$DIR/home" --quiet "$@" --server "$url" --key-file "$DIR/key"; }
        ask stream start RUN --pace-ms 40 >"$DIR/begun"
        id=$(sed -n 's/^stream *//p' "$DIR/begun") model=$(sed -n 's/^model *//p' "$DIR/begun")
        said() { ask stream show "$id" | sed -n 's/^said *//p'; }
        until [ "$(said)" -ge 20 ]; do sleep 0.1; done
        # The filler takes what is freed meanwhile, too, until nothing is said for three seconds.
        last=none now=$(said) rounds=0
        until [ "$last" = "$now" ]; do
            dd if=/dev/zero bs=4096 >>"$DIR/home/filler" 2>/dev/null || true
            sleep 3; last=$now now=$(said) rounds=$((rounds + 1))
            [ "$rounds" -lt 15 ] || { echo "it never waits"; exit 1; }
        done
        echo "while full: $(ask stream show "$id" | sed -n 's/^status *//p')"
        rm "$DIR/home/filler"
        until [ "$(said)" -ge $((now + 20)) ]; do sleep 0.1; done
        ask signals tail "$model" --from 0 --count $((now + 20)) >"$DIR/said"
        echo "count $((now + 20))"
        kill $server; wait $server
    "#;
    let script = script.replace("BASE", &base.path().display().to_string()).replace("RUN", &run);
    let answer = in_namespace(&script, &folder).expect(0, &["while full: running", "count "]);
    let log = std::fs::read_to_string(folder.file("log")).unwrap();
    assert!(log.contains("not stored yet") && log.contains("full"), "the log does not name the cause: {log}");
    let said = std::fs::read_to_string(folder.file("said")).unwrap();
    let numbers: Vec<u64> = said
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap())
        .collect();
    let count: u64 = answer.out.split("count ").nth(1).unwrap().trim().parse().unwrap();
    assert!(numbers.iter().copied().eq(0..count), "a hole or a double: {numbers:?}");
}

#[test]
fn a_read_only_home_can_be_read_and_says_so_when_written() {
    let folder = Home::new();
    let nothing = ["data", "list", "--quiet", "--home", "/sys/assay-home"];
    let output = Command::new(BINARY).args(nothing).output().unwrap();
    Answer::of(&output).expect(1, &["cannot create /sys/assay-home"]);
    if !may_mount() {
        return;
    }
    std::fs::create_dir(folder.file("home")).unwrap();
    write(&folder, "small.csv", &csv(&hours(1_500)));
    let script = r#"
        mount -t tmpfs tmpfs "$DIR/home"
        assay() { "$ASSAY" --home "$DIR/home" --quiet "$@"; }
        market="--exchange binance --symbol XYZ-BTC --timeframe 1h"
        judge="backtest --strategy long --dataset binance/XYZ-BTC/1h --tick 0.01"
        assay data import "$DIR/small.csv" $market >/dev/null
        mount -o remount,ro "$DIR/home"
        code=0; assay data list >"$DIR/out" 2>&1 || code=$?
        echo "list $code: $(cat "$DIR/out")"
        code=0; assay $judge >"$DIR/out" 2>&1 || code=$?
        echo "judge $code: $(cat "$DIR/out")"
        code=0; assay train --set dataset=binance/XYZ-BTC/1h --set tick=0.01 --dry-run >"$DIR/out" 2>&1 || code=$?
        echo "dry $code: $(cat "$DIR/out")"
        code=0; assay demo >"$DIR/out" 2>&1 || code=$?
        echo "demo $code: $(cat "$DIR/out")"
        code=0; "$ASSAY" --home "$DIR/home/new" run list >"$DIR/out" 2>&1 || code=$?
        echo "new $code: $(cat "$DIR/out")"
    "#;
    let expected = ["list 0: ", "judge 1: ", "dry 0: ", "demo 1: ", "new 1: "];
    let answer = in_namespace(script, &folder).expect(0, &expected);
    assert!(answer.out.matches("Read-only file system").count() >= 3, "{}", answer.out);
    assert!(answer.out.matches("--home").count() >= 3, "{}", answer.out);
}

#[test]
fn two_processes_never_train_the_same_run() {
    let home = with_candles(1_500);
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=1000000"];
    let run = text(&home.json(&[&train(&keys)[..], &["--dry-run"]].concat())["run_id"]).to_owned();
    let mut first = home.start(&train(&keys));
    assert!(first.until(|| home.run(&run).join("checkpoint.bin").exists()), "the first ended too early");
    let holder = format!("(pid {})", first.id());
    let expected = [&run, "is in use by another assay process", holder.as_str()];
    for more in [&[][..], &["--resume"], &["--again"]] {
        home.assay(&[&train(&keys)[..], more].concat()).expect(1, &expected);
    }
    assert_eq!(text(&home.json(&["run", "list"])[0]["state"]), "training");
    home.assay(&["backtest", &run]).expect(2, &["is still training"]);
    first.kill();
    assert_eq!(text(&home.json(&["run", "list"])[0]["state"]), "interrupted", "the lock died with its holder");
}

#[test]
fn different_runs_share_a_home() {
    let home = with_candles(1_500);
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=12800"];
    let seeds = ["1", "2", "3"];
    let started: Vec<_> =
        seeds.iter().map(|seed| home.start(&[&train(&keys)[..], &["--seed", seed]].concat())).collect();
    for process in started {
        assert!(process.wait().success(), "a run failed beside others");
    }
    let listed = home.json(&["run", "list"]);
    assert!(listed.as_array().unwrap().iter().all(|run| run["state"] == "done"), "{listed}");
    let trials = std::fs::read_to_string(home.file("trials.jsonl")).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), trials.lines().count()), (3, 3));
    let alone = with_candles(1_500);
    let expected = alone.json(&[&train(&keys)[..], &["--seed", "2"]].concat());
    let shown = home.json(&["run", "show", text(&expected["run_id"])]);
    assert_eq!(shown["weights_hash"], expected["weights_hash"]);
    home.assay(&["data", "check"]).expect(0, &[DATASET, "sound"]);
}
