//! Liquidity rounds on the bundled synthetic pool.

use serde_json::{Value, json};

use crate::support::{Answer, DEMO, Home, text};

/// The sample's clock: chain 31337 has none of its own.
const CLOCK: &str = "1000000@1767225600+2";

/// A home with the sample that the demo wrote, and nothing of the demo's own round.
struct Sample {
    home: Home,
    job: String,
    events: String,
}

impl Sample {
    fn new() -> Self {
        let home = Home::new();
        let copy = |name: &str, key: &str| {
            let to = home.file(name);
            std::fs::copy(text(&DEMO.1["liquidity"][key]), &to).unwrap();
            to.display().to_string()
        };
        let (job, events) = (copy("job.json", "job"), copy("events.csv", "events"));
        Self { home, job, events }
    }

    fn arguments<'a>(&'a self, command: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
        let own = ["lp", command, &self.job, "--events", &self.events, "--block-clock", CLOCK];
        [&own[..], rest].concat()
    }

    fn json(&self, command: &str, rest: &[&str]) -> Value {
        self.home.json(&self.arguments(command, rest))
    }

    fn say(&self, command: &str, rest: &[&str]) -> Answer {
        self.home.assay(&self.arguments(command, rest))
    }

    /// The job with one value changed, in a file of its own.
    fn job_with(&self, name: &str, pointer: &str, value: Value) -> String {
        let mut job: Value = serde_json::from_str(&std::fs::read_to_string(&self.job).unwrap()).unwrap();
        *job.pointer_mut(pointer).unwrap() = value;
        let file = self.home.file(name);
        std::fs::write(&file, job.to_string()).unwrap();
        file.display().to_string()
    }
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

#[test]
fn the_demo_shows_a_round_beside_the_signals() {
    let (home, done) = &*DEMO;
    let round = &done["liquidity"]["round"];
    assert_eq!((rows(&round["scores"]).len(), &done["liquidity"]["synthetic"]), (6, &json!(true)));
    assert_eq!(round["winner"], round["scores"][0]["miner"]);
    home.assay(&["lp", "verify", text(&round["record"])]).expect(0, &["arithmetic    holds", "hash          holds"]);
}

#[test]
fn a_round_of_all_miners_gives_the_same_record_everywhere() {
    let (one, other) = (Sample::new(), Sample::new());
    let done = one.json("round", &["--miners", "all", "--round", "7"]);
    let again = other.json("round", &["--miners", "all", "--at", "1003200"]);
    let round = &done["rounds"][0];
    assert_eq!((&round["number"], &round["checkpoints"], &round["unexplained"]), (&json!(7), &json!(5), &json!(0)));
    assert_eq!(round["record_hash"], again["rounds"][0]["record_hash"]);
    assert_eq!((text(&done["mode"]), text(&done["simulation"])), ("practice", "re-executed"));
    let names: Vec<&str> = rows(&done["scores"]).iter().map(|row| text(&row["miner"])).collect();
    for kind in ["hold", "full-range", "fixed:", "recentre:", "base-limit:", "volatility:"] {
        assert!(names.iter().any(|name| name.starts_with(kind)), "{kind} is not in {names:?}");
    }
    assert_eq!(text(&done["winner"]), names[0]);
    assert_eq!(round["paid"], Value::Null, "built-in miners are unpaid");
    let hold = rows(&round["scores"]).iter().find(|row| row["miner"] == "hold").unwrap();
    assert_eq!((&hold["over_hold"], &hold["judgement"]["fees"]), (&json!(0.0), &json!("0")));
    let recentre = rows(&round["scores"]).iter().find(|row| text(&row["miner"]).starts_with("recentre")).unwrap();
    assert_ne!(text(&recentre["judgement"]["fees"]), "0");
    one.say("round", &["--round", "7"]).expect(0, &["winner", "fees", "practice, re-executed: no reputation moves"]);
}

#[test]
fn a_dry_run_keeps_nothing_and_out_keeps_elsewhere() {
    let sample = Sample::new();
    let kept = |home: &Home| home.path().join("rounds").exists();
    let dry = sample.json("round", &["--miners", "hold", "--dry-run"]);
    assert_eq!((&dry["rounds"][0]["record"], kept(&sample.home)), (&Value::Null, false));
    let folder = sample.home.file("elsewhere");
    let done = sample.json("round", &["--miners", "hold", "--out", folder.to_str().unwrap()]);
    assert!(text(&done["rounds"][0]["record"]).starts_with(folder.to_str().unwrap()));
    assert_eq!(done["rounds"][0]["record_hash"], dry["rounds"][0]["record_hash"]);
    assert!(!kept(&sample.home));
}

#[test]
fn a_record_is_recomputed_from_itself_and_from_the_events() {
    let sample = Sample::new();
    let done = sample.json("round", &["--rounds", "3"]);
    assert_eq!(rows(&done["rounds"]).len(), 3);
    for round in rows(&done["rounds"]) {
        let (record, hash) = (text(&round["record"]), text(&round["record_hash"]));
        for name in [record, text(&round["round_id"]), &hash[..12]] {
            let events = ["--events", &sample.events, "--block-clock", CLOCK];
            let verified = sample.home.json(&[&["lp", "verify", name], &events[..]].concat());
            assert_eq!((&verified["held"], text(&verified["record_hash"])), (&json!(true), hash));
            let checks: Vec<&str> = rows(&verified["checks"]).iter().map(|check| text(&check["name"])).collect();
            assert_eq!(checks, ["arithmetic", "shape", "hash", "re-execution"]);
        }
    }
    sample.home.assay(&["lp", "verify", "no-such-round"]).expect(2, &["no-such-round", "rounds"]);
    sample.home.assay(&["lp", "verify", &sample.job]).expect(2, &["job.json", "no record of a round"]);
}

/// A record's number by its path, one digit changed.
fn changed(record: &Value, pointer: &str) -> Value {
    let mut record = record.clone();
    let value = record.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"));
    *value = match value {
        Value::Number(number) => json!(number.as_u64().unwrap() + 1),
        Value::String(digits) => {
            let last = digits.pop().unwrap();
            digits.push(if last == '0' { '1' } else { char::from(last as u8 - 1) });
            json!(digits)
        }
        other => panic!("{other} is no number"),
    };
    record
}

#[test]
fn a_changed_digit_is_named() {
    let sample = Sample::new();
    let done = sample.json("round", &["--round", "5"]);
    let path = text(&done["rounds"][0]["record"]).to_owned();
    let hash = text(&done["rounds"][0]["record_hash"]).to_owned();
    let record: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let place = rows(&record["miners"]).iter().position(|miner| text(&miner["miner"]).starts_with("fixed:")).unwrap();
    let own = |field: &str| format!("/miners/{place}/{field}");
    let name = text(&record["miners"][place]["miner"]);
    // What the score follows from, and the score itself, is found without the events.
    for (pointer, word) in [
        (own("judgement/score"), "score is"),
        (own("judgement/fees"), "fees is"),
        (own("judgement/rank"), "rank is"),
        (own("measured/owed/amount0"), "recomputed"),
        (own("measured/principal/amount1"), "recomputed"),
    ] {
        std::fs::write(&path, changed(&record, &pointer).to_string()).unwrap();
        sample.home.assay(&["lp", "verify", &path]).expect(3, &["arithmetic    DOES NOT HOLD", name, word]);
    }
    std::fs::write(&path, changed(&record, "/checkpoints/1/closes_at").to_string()).unwrap();
    let late = sample.home.assay(&["lp", "verify", &path]);
    late.expect(3, &["arithmetic    DOES NOT HOLD", "checkpoints[1].closes_at is"]);
    // The rest by the hash, and by name with the events, whatever the file is called.
    let copy = sample.home.file("copy.json");
    let copy = copy.to_str().unwrap();
    for (pointer, word) in [
        (own("measured/blocks_in_range"), format!("miners[{name}].measured.blocks_in_range")),
        (own("measured/lvr"), format!("miners[{name}].measured.lvr")),
        (own("answers/0/effective_block"), format!("miners[{name}].answers[0].effective_block")),
        ("/requests".to_owned(), "requests is".to_owned()),
        ("/path/3/sqrt_price_x96".to_owned(), "path[3].sqrt_price_x96".to_owned()),
    ] {
        let text = changed(&record, &pointer).to_string();
        std::fs::write(&path, &text).unwrap();
        sample.home.assay(&["lp", "verify", &path]).expect(3, &["hash          DOES NOT HOLD", &hash]);
        std::fs::write(copy, &text).unwrap();
        sample.home.assay(&["lp", "verify", copy]).expect(0, &["arithmetic    holds"]);
        sample.home.assay(&["lp", "verify", copy, "--hash", &hash]).expect(3, &["hash          DOES NOT HOLD"]);
        let again = ["lp", "verify", copy, "--events", &sample.events, "--block-clock", CLOCK];
        sample.home.assay(&again).expect(3, &["re-execution  DOES NOT HOLD", &word]);
    }
    let mut more = record.clone();
    more["miners"][place]["note"] = json!("trust me");
    std::fs::write(copy, more.to_string()).unwrap();
    sample.home.assay(&["lp", "verify", copy]).expect(3, &["shape         DOES NOT HOLD", "note is trust me"]);
    // The untouched record under its own name holds.
    std::fs::write(&path, record.to_string()).unwrap();
    sample.home.assay(&["lp", "verify", &path]).expect(0, &["hash          holds"]);
}

#[test]
fn practice_shows_what_became_of_each_answer_and_keeps_nothing() {
    let sample = Sample::new();
    let done = sample.json("practice", &["--miner", "recentre:600", "--rounds", "2"]);
    let rounds = rows(&done["rounds"]);
    assert_eq!((rounds.len(), rows(&rounds[0]["answers"]).len()), (2, 5));
    let first = &rounds[0]["answers"][0];
    assert_eq!((text(&first["outcome"]), rows(&first["positions"]).len()), ("rebalanced", 1));
    assert_eq!(rows(&done["scores"]).len(), 2, "the miner and holding");
    assert!(!sample.home.path().join("rounds").exists());
    sample
        .say("practice", &["--miner", "recentre:600"])
        .expect(0, &["checkpoint 0  rebalanced", "no reputation moves"]);
    sample.say("practice", &["--miner", "hold,full-range"]).expect(2, &["name one miner"]);
}

#[test]
fn a_backtest_sums_up_every_round() {
    let sample = Sample::new();
    let done = sample.json("backtest", &["--miner", "base-limit:1200"]);
    assert_eq!((rows(&done["rounds"]).len(), rows(&done["scores"]).len()), (24, 2));
    // The sample is shorter than a day: the table has all rounds and seven miners.
    assert_eq!((rows(&done["last_day"]).len(), &done["last_day"][0]["rounds"]), (7, &json!(24)));
    let own = rows(&done["scores"]).iter().find(|row| row["miner"] == "base-limit:1200").unwrap();
    let fees: u128 = rows(&done["rounds"]).iter().map(|row| number(&row["judgement"]["fees"])).sum();
    assert_eq!((number(&own["fees"]), fees > 0), (fees, true));
    // The same rounds, run as rounds.
    let rounds = sample.json("round", &["--rounds", "24", "--miners", "hold,base-limit:1200", "--dry-run"]);
    let same = rows(&rounds["scores"]).iter().find(|row| row["miner"] == "base-limit:1200").unwrap();
    for field in ["score_e18", "fees", "against_holding", "lvr", "rebalances", "answers"] {
        assert_eq!(own[field], same[field], "{field}");
    }
    let part = ["--miner", "hold", "--from", "2026-01-01T01:00:00Z", "--to", "2026-01-01T02:59:00Z"];
    let part = sample.json("backtest", &part);
    let numbers: Vec<u64> = rows(&part["rounds"]).iter().map(|row| row["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (4..=10).collect::<Vec<_>>());
    sample
        .say("backtest", &["--miner", "hold", "--from", "2027-01-01"])
        .expect(2, &["--from and --to", "no whole round"]);
    sample.say("backtest", &["--miner", "hold"]).expect(0, &["24 rounds of hold", "The last day"]);
}

fn number(value: &Value) -> u128 {
    text(value).parse().unwrap()
}

#[test]
fn wrong_input_says_what_is_right() {
    let sample = Sample::new();
    let cases: [(&[&str], &[&str]); 11] = [
        (&["--miners", "martingale"], &["martingale", "known are hold, full-range"]),
        (&["--miners", "fixed:610"], &["610", "grid of 60", "600 or 660"]),
        (&["--miners", "fixed:-600"], &["fixed:WIDTH"]),
        (&["--miners", "hold,hold"], &["hold comes twice"]),
        (&["--miners", ","], &["nobody is named"]),
        (&["--round", "24"], &["evaluation_24", "events end before", "earlier round"]),
        (&["--at", "10"], &["block 10", "genesis"]),
        (&["--round", "1", "--at", "1000001"], &["cannot be used with"]),
        (&["--rounds", "25"], &["--rounds 25", "24 whole rounds (0 … 23)"]),
        (&["--rounds", "0"], &["--rounds"]),
        (&["--sqrt-price", "1"], &["initialize", "leave it out"]),
    ];
    for (arguments, words) in cases {
        sample.say("round", arguments).expect(2, words);
    }
    let round = |job: &str, rest: &[&str]| {
        sample.home.assay(&[&["lp", "round", job, "--events", &sample.events], rest].concat())
    };
    round(&sample.job, &[]).expect(2, &["chain 31337", "--block-clock NUMBER@SECONDS+STEP"]);
    round(&sample.job, &["--block-clock", "7"]).expect(2, &["NUMBER@SECONDS+STEP"]);
    let clock = ["--block-clock", CLOCK];
    for (pointer, value, words) in [
        ("/pool/kind", json!("uniswap-v9"), ["uniswap-v9", "slipstream"]),
        ("/pool/kind", json!("uniswap-v2"), ["pool.kind", "concentrated"]),
        ("/inventory/amount0", json!("-5"), ["-5", "negative"]),
        ("/inventory", json!({"amount0": "0", "amount1": "0"}), ["inventory", "nothing to place"]),
        ("/pool/tick_spacing", json!(7), ["events.csv", "spacing"]),
        ("/round_duration_seconds", json!(60), ["answer_seconds", "do not fit"]),
    ] {
        let job = sample.job_with("other.json", pointer, value);
        round(&job, &clock).expect(2, &words);
    }
    round(&sample.home.file("none.toml").display().to_string(), &clock).expect(2, &["none.toml", "No such file"]);
    let csv = std::fs::read_to_string(&sample.events).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    let other = sample.home.file("late.csv");
    std::fs::write(&other, [&lines[..1], &lines[2..]].concat().join("\n")).unwrap();
    let late = ["lp", "round", &sample.job, "--events", other.to_str().unwrap(), "--block-clock", CLOCK];
    sample.home.assay(&late).expect(2, &["late.csv", "line 2", "begins with a mint", "--sqrt-price"]);
}

#[test]
fn rounds_and_backtests_have_their_pages() {
    let sample = Sample::new();
    let page = sample.home.file("page.html");
    let written = |command: &str, rest: &[&str]| {
        let done = sample.json(command, &[&["--report", page.to_str().unwrap()], rest].concat());
        assert_eq!(text(&done["report"]), page.to_str().unwrap());
        let html = std::fs::read_to_string(&page).unwrap();
        std::fs::remove_file(&page).unwrap();
        html
    };
    let round = written("round", &["--round", "4", "--rounds", "2", "--tokens", "WETH:18,USD:6"]);
    for words in ["Round 5 of synthetic-weth-usd", "unfunded flow WETH", "unfunded flow USD"] {
        assert!(round.contains(words), "{words}");
    }
    let wrong = ["round", "--report", page.to_str().unwrap(), "--tokens", "WETH"];
    sample.say(wrong[0], &wrong[1..]).expect(2, &["SYMBOL:DECIMALS"]);
    assert!(written("backtest", &["--miner", "fixed:1200"]).contains("fixed:1200"));
    let dry = sample.json("round", &["--report", page.to_str().unwrap(), "--dry-run"]);
    assert_eq!((&dry["report"], page.exists()), (&Value::Null, false));
}

#[test]
fn a_job_is_checked_alone() {
    let sample = Sample::new();
    let job = sample.home.json(&["lp", "job", "check", &sample.job]);
    assert_eq!((&job["constraints"]["max_rebalances"], text(&job["pool"]["kind"])), (&json!(4), "uniswap-v3"));
    let broken = sample.job_with("broken.json", "/constraints/max_positions", json!(0));
    sample.home.assay(&["lp", "job", "check", &broken]).expect(2, &["broken.json", "constraints.max_positions"]);
    sample.home.assay(&["lp", "job", "check", &sample.job]).expect(0, &["every field can be used", "uniswap-v3"]);
}

/// A miner that serves until the test leaves it, and what it said first.
pub struct Served(pub std::process::Child, pub Value);

impl Served {
    pub fn start(home: &Home, rest: &[&str]) -> Self {
        let arguments = [&["miner", "serve", "--listen", "127.0.0.1:0", "--json"], rest].concat();
        let mut command = home.command(&arguments);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.ends_with("\n}\n") {
            assert_ne!(std::io::BufRead::read_line(&mut out, &mut said).unwrap(), 0, "it ended early: {said}");
        }
        Self(child, serde_json::from_str(&said).unwrap())
    }

    fn name(&self) -> String {
        format!("{}#{}", text(&self.1["address"]), text(&self.1["key"]))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_served_strategy_scores_as_it_does_at_home() {
    let sample = Sample::new();
    let maker = Home::new();
    let served = Served::start(&maker, &["--strategy", "recentre:600", "--job", &sample.job]);
    assert_eq!((text(&served.1["strategy"]), &served.1["validators"]), ("recentre:600", &Value::Null));
    let ours = sample.json("practice", &["--miner", "recentre:600", "--round", "3", "--rounds", "2"]);
    let theirs = sample.json("practice", &["--miner", &served.name(), "--round", "3", "--rounds", "2"]);
    let total =
        |done: &Value, name: &str| rows(&done["scores"]).iter().find(|row| row["miner"] == name).unwrap().clone();
    let (ours, theirs) = (total(&ours, "recentre:600"), total(&theirs, text(&served.1["key"])));
    for field in ["score_e18", "fees", "rebalances", "answers"] {
        assert_eq!(ours[field], theirs[field], "{field}");
    }
    // In a round with others it is the one that would be paid.
    let list = format!("all,{}", served.name());
    let round = &sample.json("round", &["--miners", &list, "--round", "3", "--dry-run"])["rounds"][0];
    assert_eq!((rows(&round["scores"]).len(), &round["paid"]), (7, &served.1["key"]));
    // Practice leaves nothing behind but the key it asked with.
    assert!(!sample.home.path().join("rounds").exists());
}

#[test]
fn a_miner_that_does_not_answer_costs_itself() {
    let sample = Sample::new();
    let maker = Home::new();
    let friend = "ab".repeat(32);
    let served = Served::start(&maker, &["--strategy", "full-range", "--validator", &friend]);
    assert_eq!(served.1["validators"], json!([friend]));
    let done = sample.json("practice", &["--miner", &served.name()]);
    let answers = rows(&done["rounds"][0]["answers"]);
    assert!(answers.iter().all(|answer| answer["outcome"] == "missed"), "{answers:?}");
    let own = rows(&done["rounds"][0]["scores"]).iter().find(|row| row["miner"] == served.1["key"]).unwrap();
    assert_eq!((&own["rank"], &own["missed"]), (&Value::Null, &json!(5)));
    assert!(text(&own["judgement"]["remarks"][0]).contains("no valid first answer"));
    let url = text(&served.1["address"]);
    sample.say("practice", &["--miner", url]).expect(2, &["#KEY", "assay miner serve"]);
    sample.say("practice", &["--miner", &format!("{url}#12")]).expect(2, &["64 lower-case hexadecimal digits"]);
    let serve = |rest: &[&str]| maker.assay(&[&["miner", "serve"], rest].concat());
    serve(&["--strategy", "best"]).expect(2, &["--strategy", "best", "known are hold"]);
    serve(&["--strategy", "hold", "--validator", "me"]).expect(2, &["--validator", "`me` is no key"]);
    serve(&["--strategy", "fixed:610", "--job", &sample.job]).expect(2, &["--strategy", "grid of 60"]);
    serve(&["--strategy", "hold", "--wire", "axon-v10"]).expect(2, &["--hotkey"]);
    serve(&["--strategy", "hold", "--wire", "axon-v10", "--hotkey", "5Grw"]).expect(2, &["--hotkey", "5Grw"]);
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    serve(&["--strategy", "hold", "--validator", alice]).expect(2, &["--validator", "--wire axon-v10"]);
    let both =
        ["--strategy", "hold", "--wire", "axon-v10", "--hotkey", alice, "--validator", alice, "--validator", &friend];
    let both = Served::start(&maker, &both);
    assert_eq!((&both.1["validators"], &both.1["axon"]["validators"]), (&json!([friend]), &json!([alice])));
    let taken = url.trim_start_matches("http://");
    serve(&["--strategy", "hold", "--listen", taken]).expect(2, &["--listen", taken]);
}

/// Few steps in a small network: what is learned is not the point.
const SMALL: [&str; 12] = [
    "--set",
    "total_timesteps=600",
    "--set",
    "n_envs=2",
    "--set",
    "n_steps=50",
    "--set",
    "batch_size=50",
    "--set",
    "net_arch=[8]",
    "--set",
    "seed=3",
];

#[test]
fn a_trained_miner_is_judged_on_rounds_it_has_not_seen_and_plays_the_same_everywhere() {
    let sample = Sample::new();
    let dry = sample.json("train", &[&SMALL[..], &["--dry-run"]].concat());
    assert_eq!((&dry["weights_hash"], sample.home.path().join("policies").exists()), (&Value::Null, false));
    let trained = sample.json("train", &SMALL);
    assert_eq!(trained["policy_id"], dry["policy_id"]);
    assert_eq!(trained["rounds"], json!({"train": [0, 14], "validation": [15, 18], "held_out": [19, 23]}));
    assert_eq!(
        (&trained["timesteps"], &trained["trials"], &trained["already_done"]),
        (&json!(600), &json!(1), &json!(false))
    );
    let held_out = rows(&trained["held_out"]);
    assert_eq!(held_out.len(), 7, "the policy and every built-in strategy");
    let row = |name: &Value| held_out.iter().find(|row| row["miner"] == *name).unwrap();
    assert_eq!((&row(&json!("hold"))["over_hold"], &row(&json!("hold"))["rounds"]), (&json!(0.0), &json!(5)));
    let own = row(&trained["miner"]);
    assert_ne!(own["fees"], json!("0"), "this policy acts");
    assert!(text(&trained["verdict"]).contains("not_told_apart"), "five rounds are too few for an interval");

    // The same policy, not trained again, and trained again to the same bits.
    let known = sample.json("train", &SMALL);
    assert_eq!((&known["already_done"], &known["held_out"]), (&json!(true), &trained["held_out"]));
    let again = sample.say("train", &[&SMALL[..], &["--again"]].concat());
    again.expect(0, &["verdict", "not told apart from holding", "1 policies were judged"]);

    // In practice, and over HTTP, it is asked the same questions and gives the same answers.
    let policy = format!("policy:{}", text(&trained["path"]));
    let practice = |miner: &str| sample.json("practice", &["--miner", miner, "--round", "19", "--rounds", "5"]);
    let maker = Home::new();
    let served = Served::start(&maker, &["--strategy", &policy, "--job", &sample.job]);
    assert_eq!(served.1["strategy"], trained["miner"]);
    for (miner, name) in [(policy.clone(), &trained["miner"]), (served.name(), &served.1["key"])] {
        let done = practice(&miner);
        let total = rows(&done["scores"]).iter().find(|row| row["miner"] == *name).unwrap();
        for field in ["score_e18", "fees", "rebalances", "answers"] {
            assert_eq!(total[field], own[field], "{miner}: {field}");
        }
    }

    let weights = std::path::Path::new(text(&trained["path"])).join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    sample.say("round", &["--miners", &policy]).expect(2, &["weights.safetensors", "restore the file"]);
    sample.say("round", &["--miners", "policy:nowhere"]).expect(2, &["nowhere", "assay lp train"]);
}

#[test]
fn training_that_cannot_be_is_refused_with_what_would() {
    let sample = Sample::new();
    for (keys, words) in [
        (&["--set", "algorithm=sac"][..], &["sac has one scalar action", "ppo or a2c"][..]),
        (&["--set", "fee_ppm=3"], &["`fee_ppm` is a key of candle markets"]),
        (&["--set", "gama=1"], &["did you mean `gamma`?"]),
    ] {
        sample.say("train", keys).expect(2, words);
    }
    let job = sample.job_with("long.json", "/round_duration_seconds", json!(3_600));
    let arguments = ["lp", "train", &job, "--events", &sample.events, "--block-clock", CLOCK];
    sample.home.assay(&arguments).expect(2, &["6 whole rounds", "needs 10 or more"]);
}

#[test]
fn jobs_and_miners_are_kept_for_the_validator() {
    let sample = Sample::new();
    let lp = |rest: &[&str]| sample.home.json(&[&["lp"], rest].concat());
    let say = |rest: &[&str]| sample.home.assay(&[&["lp"], rest].concat());
    assert_eq!(lp(&["job", "list"]), json!([]));
    let dry = lp(&["job", "add", &sample.job, "--dry-run"]);
    assert_eq!((&dry["is_active"], lp(&["job", "list"])), (&json!(true), json!([])));
    let added = lp(&["job", "add", &sample.job]);
    let name = text(&added["job"]["job_id"]).to_owned();
    assert_eq!(lp(&["job", "show", &name]), added);

    let key = "ab".repeat(32);
    let miner = lp(&["miner", "add", &key, "http://127.0.0.1:8091"]);
    assert_eq!((&miner["wire"], &miner["active"]), (&json!("native"), &json!(true)));
    assert_eq!(lp(&["miner", "list"]), json!([miner]));
    // A time that several operators agreed on, in either form; the first stays.
    let agreed = "cd".repeat(32);
    let add =
        |time: &str| ["miner", "add", &agreed, "http://127.0.0.1:8092", "--registered-at", time].map(str::to_owned);
    let with = |time: &str| lp(&add(time).each_ref().map(String::as_str));
    let refused = |time: &str, words: &str| {
        say(&add(time).each_ref().map(String::as_str)).expect(2, &[words]);
    };
    assert_eq!(with("2025-10-09T12:00:00Z")["registered_at"], json!(1_760_011_200_000_i64));
    assert_eq!(with("1760011200")["registered_at"], json!(1_760_011_200_000_i64));
    assert_eq!(lp(&["miner", "add", &agreed, "http://127.0.0.1:8093"])["registered_at"], json!(1_760_011_200_000_i64));
    refused("1760011201", "registered since 2025-10-09T12:00:00Z");
    refused("2025-10-09T12:00:00.5Z", "whole second");
    refused("1760011200000", "whole second");
    say(&["miner", "add", "me", "http://127.0.0.1:8091"]).expect(2, &["64 lower-case hexadecimal digits"]);
    say(&["miner", "add", &key, "http://127.0.0.1/path"]).expect(2, &["host and port"]);
    say(&["miner", "add", &key, "http://127.0.0.1:1", "--wire", "axon-v10"]).expect(2, &[]);

    assert_eq!(lp(&["scores", &name]), json!([]));
    let out = sample.home.file("weights.json");
    let weights = lp(&["weights", "--out", out.to_str().unwrap()]);
    assert_eq!((&weights["burnt"], &weights["jobs"][0]["miner"]), (&json!(65_535), &Value::Null));
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(stored, weights);

    assert_eq!(lp(&["job", "stop", &name])["is_active"], json!(false));
    assert_eq!(rows(&lp(&["weights"])["jobs"]).len(), 0);
    for command in [["job", "show", "none"], ["job", "stop", "none"], ["scores", "none", "--practice"]] {
        say(&command).expect(2, &["no job `none`", "assay lp job list"]);
    }
}

#[test]
fn a_validator_says_what_it_lacks() {
    let sample = Sample::new();
    let run = |rest: &[&str]| sample.home.assay(&[&["lp", "run"], rest].concat());
    run(&["--events-db", "mysql://host"]).expect(2, &["mysql", "postgres://"]);
    run(&["--executor", "http://127.0.0.1:1"]).expect(2, &["--executor-key"]);
    let key = "ab".repeat(32);
    run(&["--executor", "http://127.0.0.1:1", "--executor-key", &key]).expect(2, &["ASSAY_EXECUTOR_API_KEY"]);
    assert_ne!(run(&[]).code, 0);
}
