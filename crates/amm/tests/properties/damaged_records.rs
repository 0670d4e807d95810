//! Damaged records are errors, never panics: tables of events, JSON lines and raw logs, read
//! and replayed.

use crate::damage::{damage, damaged};
use crate::records::{Row, csv, json, replay, row, slipstream, usual};
use assay_amm::event::{Events, decode_log, read_csv, read_json_lines};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Values on and beside the limits of every field.
const VALUES: [&str; 22] = [
    "",
    "0",
    "1",
    "-1",
    "60",
    "887272",
    "-887272",
    "887273",
    "2147483647",
    "-2147483648",
    "1000000",
    "4294967295",
    "4295128739",
    "18446744073709551615",
    "79228162514264337593543950336",
    "170141183460469231731687303715884105727",
    "340282366920938463463374607431768211455",
    "1461446703485210103287273052203988822378723970342",
    "57896044618658097711785492504343953926634992332820282019728792003956564819967",
    "-57896044618658097711785492504343953926634992332820282019728792003956564819967",
    "115792089237316195423570985008687907853269984665640564039457584007913129639935",
    "swap",
];

/// Reads and replays all that can be, in both kinds of pool. True when every line was an event.
fn survives(events: Events) -> bool {
    let mut replays = [replay(), slipstream()];
    for event in events {
        let Ok(event) = event else { return false };
        for replay in &mut replays {
            let _ = replay.apply(&event);
        }
    }
    true
}

fn survives_csv(text: &str) -> bool {
    read_csv(text.as_bytes()).is_ok_and(survives)
}

fn survives_json(text: &str) -> bool {
    survives(read_json_lines(text.as_bytes()))
}

/// The usual history and one event of every other kind.
fn every_kind() -> Vec<Row> {
    let mut rows = usual();
    let amounts = [("amount0", "5".to_owned()), ("amount1", "7".to_owned())];
    let range = [("tick_lower", "-600".to_owned()), ("tick_upper", "600".to_owned())];
    let collect: Vec<_> = amounts.iter().chain(&range).cloned().collect();
    rows.push(row(30, "collect", &collect));
    rows.push(row(31, "collect_protocol", &amounts));
    rows.push(row(32, "collect_gauge", &amounts));
    rows.extend(usual().into_iter().skip(1).take(2).enumerate().map(|(place, mut swap)| {
        swap[0] = (40 + place).to_string();
        swap
    }));
    rows
}

#[test]
fn damaged_tables_are_survived() {
    let rows = every_kind();
    assert!(survives_csv(&csv(&rows)));
    let mut runner = TestRunner::deterministic();
    let cases = (
        prop::collection::vec((0..rows.len(), 0..rows[0].len(), 0..VALUES.len()), 0..4),
        prop::collection::vec(damage(), 0..2),
    );
    let (mut read, mut refused) = (0, 0);
    for _ in 0..4_000 {
        let (fields, damages) = cases.new_tree(&mut runner).unwrap().current();
        let mut rows = rows.clone();
        for (row, column, value) in fields {
            rows[row][column] = VALUES[value].to_owned();
        }
        if survives_csv(&damaged(&csv(&rows), &damages)) { read += 1 } else { refused += 1 }
    }
    assert!(read > 300 && refused > 300, "{read} read, {refused} refused");
}

#[test]
fn damaged_lines_are_survived() {
    let samples = [json(&every_kind(), true), json(&every_kind(), false)];
    assert!(samples.iter().all(|sample| survives_json(sample)));
    let mut runner = TestRunner::deterministic();
    let cases = (0..2_usize, prop::collection::vec(damage(), 1..=3));
    let (mut read, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let (sample, damages) = cases.new_tree(&mut runner).unwrap().current();
        if survives_json(&damaged(&samples[sample], &damages)) { read += 1 } else { refused += 1 }
    }
    assert!(read > 100 && refused > 300, "{read} read, {refused} refused");
}

/// The first topics of all events, their indexed topics and words of data.
const LOGS: [(&str, usize, usize); 11] = [
    ("98636036cb66a9c19a37435efc1e90142190214e8abeb821bdba3f2990dd4c95", 0, 2),
    ("7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde", 3, 4),
    ("0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c", 3, 3),
    ("70935338e69775456a85ddef226c395fb668b63fa0115f5f20610b388e6ca9c0", 3, 3),
    ("c42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67", 2, 5),
    ("19b47279256b2a23a1665c810c8d55a1758940ee09377d4f8d26497a3577dc83", 2, 7),
    ("bdbdb71d7860376ba52b25a5028beea23581364a40522f6bcfb86bb1f2dca633", 2, 4),
    ("973d8d92bb299f4af6ce49b52a8adb85ae46b9f214c4c4fc06ac77401237b133", 0, 4),
    ("b3159fed3ddfba67bae294599eafe2d0ec98c08bb38e0e5fb87d33154b6e05aa", 0, 4),
    ("596b573906218d3411850b26a6b437d6c4522fdb43d2d2386263f86d50b8b151", 2, 2),
    ("205860e66845f2bbc0966bfab80db9bf93fca93862ea2b9fcf6945748352b4a3", 1, 2),
];

/// Words on and beside the limits: small, minus small, around 2^127, 2^128, 2^255.
fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_u64..2000).prop_map(|word| format!("{word:064x}")),
        (0_u64..2000).prop_map(|word| format!("{}{:016x}", "f".repeat(48), u64::MAX - word)),
        (0_u32..64, 0_u8..16).prop_map(|(at, digit)| {
            let at = at as usize;
            format!("{}{digit:x}{}", "0".repeat(at), "f".repeat(63 - at))
        }),
        Just(format!("8{}", "0".repeat(63))),
    ]
}

#[test]
fn damaged_logs_are_survived() {
    let mut runner = TestRunner::deterministic();
    let words = || prop::collection::vec(any_word(), 12);
    let cases = (0..LOGS.len(), words(), -1_i32..=1, prop::option::weighted(0.3, (any::<u16>(), any::<u8>())));
    let (mut decoded, mut refused) = (0, 0);
    for _ in 0..6_000 {
        let (log, words, longer, damage) = cases.new_tree(&mut runner).unwrap().current();
        let (signature, indexed, data) = LOGS[log];
        let data =
            usize::try_from(i32::try_from(data).unwrap() + longer * i32::from(words[0].starts_with('f'))).unwrap();
        let topics: Vec<String> = std::iter::once(signature)
            .chain(words[..indexed].iter().map(String::as_str))
            .map(|word| format!("0x{word}"))
            .collect();
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let mut text = format!("0x{}", words[indexed..indexed + data].concat()).into_bytes();
        if let Some((at, byte)) = damage {
            let at = text.len() * usize::from(at) / 65_536;
            text[at] = byte;
        }
        let text = String::from_utf8_lossy(&text);
        match decode_log(&topics, &text) {
            Ok(_) => decoded += 1,
            Err(reason) => {
                assert!(!reason.is_empty());
                refused += 1;
            }
        }
    }
    assert!(decoded > 300 && refused > 300, "{decoded} decoded, {refused} refused");
}

/// What decodes from a raw log replays or is refused.
#[test]
fn raw_logs_replay_or_are_refused() {
    let mut runner = TestRunner::deterministic();
    let cases = prop::collection::vec((0..LOGS.len(), prop::collection::vec(any_word(), 12)), 1..8);
    let header = "block,tx_index,log_index,topics,data\n";
    let mut read = 0;
    for _ in 0..1_500 {
        let logs = cases.new_tree(&mut runner).unwrap().current();
        let line = |(place, (log, words)): (usize, &(usize, Vec<String>))| {
            let (signature, indexed, data) = LOGS[*log];
            let topics: Vec<String> = std::iter::once(signature.to_owned())
                .chain(words[..indexed].iter().cloned())
                .map(|word| format!("'0x{word}'"))
                .collect();
            format!("{place},0,0,\"[{}]\",0x{}\n", topics.join(", "), words[indexed..indexed + data].concat())
        };
        let lines: String = logs.iter().enumerate().map(line).collect();
        read += usize::from(survives_csv(&format!("{header}{lines}")));
    }
    assert!(read > 30, "{read} read whole");
}
