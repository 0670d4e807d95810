//! Liquidity rounds on the recorded history of a real pool: WETH-OP on Velodrome.

use serde_json::{Value, json};

use crate::data;
use crate::support::{Home, tell, text};

const HISTORY: &str = "liquidity/velodrome-slipstream-op-weth-op-cl200-0x1e60272c.events.csv.gz";
/// The price before the first event.
const SQRT_PRICE: &str = "2258127719792565547181614648221";
/// Rounds of a day.
const DAY: usize = 96;

fn job(home: &Home) -> String {
    let job = json!({
        "job_id": "weth-op", "chain_id": 10, "genesis": 1_709_683_200,
        "sn_liquidity_manager_address": format!("0x{}", "1".repeat(40)),
        "pair_address": "0x1e60272caDcFb575247a666c11DBEA146299A2c4",
        "inventory": {"amount0": "1000000000000000000", "amount1": "1850000000000000000000"},
        "pool": {"kind": "slipstream", "tick_spacing": 200, "fee": "events"}
    });
    let file = home.file("job.json");
    std::fs::write(&file, job.to_string()).unwrap();
    file.display().to_string()
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn day(home: &Home, job: &str, rest: &[&str]) -> Value {
    let events = data(HISTORY);
    let own = ["lp", "round", job, "--events", &events, "--sqrt-price", SQRT_PRICE, "--rounds", "96"];
    home.json(&[&own[..], rest].concat())
}

/// Every round ends only when its books balance but for named roundings.
#[test]
fn a_day_of_all_miners_is_exact_and_the_same_twice() {
    let (home, other) = (Home::new(), Home::new());
    let (done, again) = (day(&home, &job(&home), &[]), day(&other, &job(&other), &["--threads", "1"]));
    assert_eq!((&done["mismatches"], rows(&done["rounds"]).len()), (&json!(0), DAY));
    for (one, other) in rows(&done["rounds"]).iter().zip(rows(&again["rounds"])) {
        assert_eq!((&one["record_hash"], &one["unexplained"]), (&other["record_hash"], &json!(0)));
        assert_eq!(rows(&one["scores"]).len(), 6);
    }
    for total in rows(&done["scores"]) {
        // Kept or rebalanced at every question; nothing refused, missed or invalid.
        let answers = rows(&total["answers"]);
        let sum: u64 = answers[..2].iter().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!((sum, &answers[2..]), (DAY as u64 * 5, &[json!(0), json!(0), json!(0)][..]), "{total}");
        let share = |field: &str| 100.0 * total[field].as_f64().unwrap();
        tell(&format!(
            "{:<16} mean score {:>9.5} %, fees {:>8.5} %, against holding {:>9.5} %, LVR {:>8.5} %",
            text(&total["miner"]),
            share("score"),
            share("fees_share"),
            share("against_holding_share"),
            share("lvr_share")
        ));
    }
    let hold = rows(&done["scores"]).iter().find(|row| row["miner"] == "hold").unwrap();
    assert_eq!((&hold["fees"], &hold["against_holding"], &hold["over_hold"]), (&json!("0"), &json!("0"), &json!(0.0)));
    tell(&format!("{:.4} s a round", done["seconds_per_round"].as_f64().unwrap()));
}

#[test]
fn real_records_verify_and_re_execute() {
    let home = Home::new();
    let (job, events) = (job(&home), data(HISTORY));
    let own =
        ["lp", "round", &job, "--events", &events, "--sqrt-price", SQRT_PRICE, "--round", "9000", "--rounds", "3"];
    let done = home.json(&own);
    for round in rows(&done["rounds"]) {
        home.assay(&["lp", "verify", text(&round["record"])])
            .expect(0, &["arithmetic    holds", "hash          holds"]);
    }
    let record = text(&done["rounds"][2]["record"]).to_owned();
    let again = ["lp", "verify", &record, "--events", &events, "--sqrt-price", SQRT_PRICE];
    home.assay(&again).expect(0, &["re-execution  holds"]);
    let mut changed: Value = serde_json::from_str(&std::fs::read_to_string(&record).unwrap()).unwrap();
    let blocks = &mut changed["miners"][0]["measured"]["blocks_in_range"];
    *blocks = json!(blocks.as_u64().unwrap() - 1);
    std::fs::write(&record, changed.to_string()).unwrap();
    home.assay(&again).expect(3, &["re-execution  DOES NOT HOLD", "blocks_in_range is"]);
}

#[test]
fn a_miner_over_the_whole_history() {
    let home = Home::new();
    let (job, events) = (job(&home), data(HISTORY));
    let own = ["lp", "backtest", &job, "--events", &events, "--sqrt-price", SQRT_PRICE, "--miner", "recentre:1000"];
    let done = home.json(&own);
    assert_eq!((rows(&done["rounds"]).len(), rows(&done["last_day"]).len()), (9_951, 6));
    assert_eq!((&done["mismatches"], &done["last_day"][0]["rounds"]), (&json!(0), &json!(DAY)));
}

/// The whole path on the real history: learned, chosen, judged on the last fifth.
#[test]
fn a_miner_learned_from_the_history_is_judged_against_holding() {
    let home = Home::new();
    let (job, events) = (job(&home), data(HISTORY));
    let own = ["lp", "train", &job, "--events", &events, "--sqrt-price", SQRT_PRICE, "--set", "total_timesteps=50000"];
    let trained = home.json(&own);
    let held_out = rows(&trained["held_out"]);
    assert_eq!(held_out.len(), 7);
    for row in held_out {
        let percent = |value: &Value| format!("{:>9.5} %", 100.0 * value.as_f64().unwrap());
        let interval = &row["over_hold_interval"];
        let [low, high] = [percent(&interval[0]), percent(&interval[1])];
        tell(&format!("{:<24} over hold {} ({low} … {high})", text(&row["miner"]), percent(&row["over_hold"])));
        assert!(interval[0].as_f64() <= row["over_hold"].as_f64() && row["over_hold"].as_f64() <= interval[1].as_f64());
    }
    tell(&format!("verdict: {}", text(&trained["verdict"])));
}
