//! Signals and their audit, byte by byte.

use assay_types::time::{format_utc, parse_utc};
use assay_types::{SignalHeader, SignalMode, SigningKey, sign};
use serde_json::{Value, json};

use crate::support::{DEMO, Home, SAMPLE, text};

/// A copy of the demo's home and the lines of a fresh signal file, the header first.
fn signed() -> (Home, Vec<String>) {
    let home = DEMO.0.copy();
    let file = home.file("fresh.jsonl");
    let run = text(&DEMO.1["run_id"]);
    let replayed = home.json(&["signals", "replay", run, "--out", file.to_str().unwrap()]);
    assert_eq!(replayed["equity_hash"], DEMO.1["equity_hash"]);
    let lines: Vec<String> = std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len() as u64, replayed["signals"].as_u64().unwrap() + 1);
    (home, lines)
}

/// Audits `lines`: the exit code and the answer.
fn audit(home: &Home, lines: &[String], more: &[&str]) -> (i32, Value) {
    let file = home.file("audited.jsonl");
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let arguments = [&["audit", file.to_str().unwrap(), "--dataset", SAMPLE, "--json"], more].concat();
    let answer = home.assay(&arguments);
    (answer.code, answer.json())
}

fn only_fault(audit: &Value) -> (u64, &str) {
    let forged = audit["forged"].as_array().unwrap();
    assert_eq!(forged.len(), 1, "{forged:?}");
    (forged[0]["line"].as_u64().unwrap(), text(&forged[0]["fault"]))
}

/// The index of a line whose action differs from the one before, so that it matters.
fn a_change(lines: &[String]) -> usize {
    let action = |line: &str| ["LONG_100", "FLAT_0", "SHORT_100"].into_iter().find(|action| line.contains(action));
    (50..lines.len()).find(|&i| action(&lines[i]) != action(&lines[i - 1])).unwrap()
}

#[test]
fn a_clean_file_comes_to_the_equity_of_the_back_test() {
    let (home, lines) = signed();
    let (code, clean) = audit(&home, &lines, &[]);
    assert_eq!((code, &clean["equity_hash"]), (0, &DEMO.1["equity_hash"]));
    assert_eq!(clean["accepted"].as_u64(), Some(lines.len() as u64 - 1));
    let tested = home.json(&["backtest", text(&DEMO.1["run_id"])]);
    assert_eq!(tested["equity_hash"], clean["equity_hash"]);
    let (key, hash) = (text(&clean["public_key"]), text(&clean["equity_hash"]));
    assert_eq!(audit(&home, &lines, &["--key", key, "--expect", hash]).0, 0);
    assert_eq!(audit(&home, &lines, &["--expect", &"0".repeat(64)]).0, 3);
    let file = home.file("audited.jsonl");
    let other_key = ["audit", file.to_str().unwrap(), "--dataset", SAMPLE, "--key", &"a".repeat(64)];
    home.assay(&other_key).expect(3, &["line 1: signed by key", key]);
}

#[test]
fn a_changed_byte_is_named_with_its_line() {
    let (home, good) = signed();
    let at = a_change(&good);
    for (from, to) in [("_", "-"), ("\"seq\":", "\"seq\":1"), ("T", "t"), ("\"price_ref\":\"", "\"price_ref\":\"1")] {
        let mut lines = good.clone();
        lines[at] = lines[at].replacen(from, to, 1);
        assert_ne!(lines[at], good[at], "{from}");
        let (code, found) = audit(&home, &lines, &[]);
        let (line, fault) = only_fault(&found);
        assert_eq!((code, line), (3, at as u64 + 1), "{from}");
        assert!(["signature", "unreadable"].contains(&fault), "{fault}");
    }
    let action = if good[at].contains("LONG_100") { ("LONG_100", "SHORT_100") } else { ("_100", "_0") };
    let mut lines = good.clone();
    lines[at] = lines[at].replacen(action.0, action.1, 1).replace("FLAT_0", "LONG_100").replace("SHORT_0", "FLAT_0");
    let (code, found) = audit(&home, &lines, &[]);
    assert_eq!((code, only_fault(&found)), (3, (at as u64 + 1, "signature")));
    assert_ne!(found["equity_hash"], DEMO.1["equity_hash"], "the forged change of target was not followed");
}

#[test]
fn reordered_doubled_and_missing_signals_are_named() {
    let (home, good) = signed();
    let mut swapped = good.clone();
    swapped.swap(70, 71);
    let (code, found) = audit(&home, &swapped, &[]);
    assert_eq!((code, only_fault(&found)), (3, (71, "out_of_order")));
    let mut doubled = good.clone();
    doubled.insert(70, good[69].clone());
    let (code, found) = audit(&home, &doubled, &[]);
    assert_eq!((code, only_fault(&found)), (3, (71, "doubled")));
    assert_eq!(found["equity_hash"], DEMO.1["equity_hash"], "the first one counts");
    let mut missing = good.clone();
    missing.remove(70);
    let (code, found) = audit(&home, &missing, &[]);
    assert_eq!((code, &found["missing"]), (3, &json!([69])));
    let answer = home.assay(&["audit", home.file("audited.jsonl").to_str().unwrap(), "--dataset", SAMPLE]);
    answer.expect(3, &["missing       1 (seq 69)", "the audit does not hold"]);
}

#[test]
fn a_forged_header_and_other_candles_leave_nothing_to_audit() {
    let (home, good) = signed();
    let file = home.file("audited.jsonl");
    let arguments = ["audit", file.to_str().unwrap(), "--dataset", SAMPLE];
    let mut cheaper = good.clone();
    cheaper[0] = cheaper[0].replacen("\"fee_ppm\":1000", "\"fee_ppm\":1001", 1);
    assert_ne!(cheaper[0], good[0]);
    std::fs::write(&file, cheaper.join("\n")).unwrap();
    home.assay(&arguments).expect(3, &["line 1: the header is not valid"]);
    std::fs::write(&file, "").unwrap();
    home.assay(&arguments).expect(2, &["the signal file is empty"]);
    // The same period with one close changed is other data.
    let other = Home::new();
    let page = std::fs::read_to_string(home.run(text(&DEMO.1["run_id"])).join("candles.csv")).unwrap();
    let mut rows: Vec<&str> = page.lines().collect();
    let changed = format!("{}1", rows[100]);
    rows[100] = &changed;
    let candles = other.file("candles.csv");
    std::fs::write(&candles, rows.join("\n").replace("open_time_ms", "open_time")).unwrap();
    let market = ["--exchange", "synthetic", "--symbol", "BTC-USD", "--timeframe", "1h"];
    other.json(&[&["data", "import", candles.to_str().unwrap()], &market[..]].concat());
    std::fs::write(&file, good.join("\n")).unwrap();
    other.assay(&arguments).expect(3, &["data_hash", "the dataset differs"]);
}

#[test]
fn a_late_live_signal_is_named_and_held() {
    let (home, lines) = signed();
    let secret = std::fs::read(home.file("keys/signing.key")).unwrap();
    let key = SigningKey::from_bytes(&secret.try_into().unwrap());
    let mut header: SignalHeader = serde_json::from_str(&lines[0]).unwrap();
    header.mode = SignalMode::Live;
    header.signature = sign(&header, &key);
    let late = a_change(&lines);
    let received = |index: usize, after_ms: i64| {
        let signal: Value = serde_json::from_str(&lines[index]).unwrap();
        let close_ms = parse_utc(text(&signal["ts"])).unwrap();
        json!({ "signal": signal, "received_at": format_utc(close_ms + after_ms) }).to_string()
    };
    let file = |late_ms: i64| -> Vec<String> {
        let signals = (1..lines.len()).map(|index| received(index, if index == late { late_ms } else { 1_000 }));
        std::iter::once(serde_json::to_string(&header).unwrap()).chain(signals).collect()
    };
    let (code, found) = audit(&home, &file(5_000), &[]);
    assert_eq!((code, &found["equity_hash"]), (0, &DEMO.1["equity_hash"]), "five seconds are in time");
    let (_, found) = audit(&home, &file(5_001), &[]);
    assert_eq!(found["stale_seqs"], json!([late - 1]));
    assert_ne!(found["equity_hash"], DEMO.1["equity_hash"], "a late change of target means hold");
    assert_eq!(audit(&home, &file(5_001), &["--expect", text(&DEMO.1["equity_hash"])]).0, 3);
    let answer = home.assay(&["audit", home.file("audited.jsonl").to_str().unwrap(), "--dataset", SAMPLE]);
    answer.expect(0, &[&format!("stale         1 (seq {})", late - 1)]);
    let mut unstamped = file(0);
    unstamped[late].clone_from(&lines[late]);
    let (code, found) = audit(&home, &unstamped, &[]);
    assert_eq!((code, only_fault(&found)), (3, (late as u64 + 1, "arrival_time")));
}

#[cfg(unix)]
#[test]
fn the_key_is_for_its_owner_only_and_a_dry_run_makes_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, lines) = signed();
    let key = home.file("keys/signing.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let run = text(&DEMO.1["run_id"]);
    let to_output = home.assay(&["signals", "replay", run]).expect(0, &[]);
    assert_eq!(to_output.out.lines().collect::<Vec<_>>(), lines, "the same key signs the same file");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    home.assay(&["signals", "replay", run]).expect(3, &["signing.key", "chmod 600"]);
    std::fs::remove_file(&key).unwrap();
    let before = home.tree();
    home.assay(&["signals", "replay", run, "--dry-run", "--out", "/nowhere/at/all"]).expect(2, &["--dry-run"]);
    assert!(home.tree() == before, "a dry run wrote something");
}
