//! `assay quote` and `assay pool replay` on hand-made pools.
//!
//! The history: a V3 pool at price 1 with a fee of 0.3 % and one position from tick −600
//! to 600; an exact input, an exact output, a swap up to tick 10, a quarter burnt and
//! collected. Its numbers come from unbounded integers in another language.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;

use crate::support::{Answer, Home, text};

const ONE: &str = "79228162514264337593543950336";
const COLUMNS: &str =
    "block,tx_index,log_index,kind,tick_lower,tick_upper,liquidity,amount0,amount1,sqrt_price_x96,tick,owner";
const EVENTS: [&str; 7] = [
    "1,0,0,initialize,,,,,,79228162514264337593543950336,0,",
    "2,0,0,mint,-600,600,1000000000000000000,29553010879137170,29553010879137170,,,0x01",
    "3,0,0,swap,,,1000000000000000000,1000000000000000,-996006981039903,79149250711305166342700278159,-20,",
    "4,1,0,swap,,,1000000000000000000,-400000000000000,400564872006703,79180891522025688257654130821,-12,",
    "5,0,2,swap,,,1000000000000000000,-1096850034993001,1100043945486181,79267784519130042428790663799,10,",
    "6,0,0,burn,-600,600,250000000000000000,7263290211036042,7513277722284417,,,0x01",
    "6,0,1,collect,-600,600,,7266290211036041,7517779548736896,,,0x01",
];
const GROWTH: [&str; 2] = ["1020847100762815390390123822295304", "1531892160717186103605705803383869"];
const V3: [&str; 6] = ["--kind", "uniswap-v3", "--tick-spacing", "60", "--fee-pips", "3000"];

const PAIR: &str = r#"{"kind": "uniswap-v2", "block": 7, "fee": "3/1000",
    "reserves_token0": 1000000000000000000000, "reserves_token1": "2000000000000",
    "token0": {"address": "0xAa01", "symbol": "WETH", "decimals": 18},
    "token1": {"address": "0xBb02", "symbol": "USDC", "decimals": 6}}"#;

fn csv(events: &[&str]) -> String {
    format!("{COLUMNS}\n{}\n", events.join("\n"))
}

fn json_lines(events: &[&str]) -> String {
    let line = |event: &&str| {
        let fields = COLUMNS.split(',').zip(event.split(',')).filter(|(_, value)| !value.is_empty());
        let quoted = |value: &str| {
            if value.starts_with(|c: char| c.is_ascii_alphabetic()) || value.starts_with("0x") {
                format!("\"{value}\"")
            } else {
                value.to_owned()
            }
        };
        let fields: Vec<String> = fields.map(|(name, value)| format!("\"{name}\":{}", quoted(value))).collect();
        format!("{{{}}}\n", fields.join(","))
    };
    events.iter().map(line).collect()
}

/// Signed 256-bit words of hexadecimal digits.
fn word(value: i128) -> String {
    format!("{}{value:032x}", if value < 0 { "f".repeat(32) } else { "0".repeat(32) })
}

/// The first three events as a node logs them.
fn raw_logs() -> String {
    let price = |text: &str| word(text.parse().unwrap());
    let row = |block: u64, topics: &[&str], data: &[String]| {
        let topics: Vec<String> = topics.iter().map(|topic| format!("'0x{topic}'")).collect();
        format!("{block},0,0,\"[{}]\",0x{}\n", topics.join(", "), data.concat())
    };
    let owner = word(1);
    [
        "block_number,transaction_index,log_index,topics,data\n".to_owned(),
        row(1, &["98636036cb66a9c19a37435efc1e90142190214e8abeb821bdba3f2990dd4c95"], &[price(ONE), word(0)]),
        row(
            2,
            &["7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde", &owner, &word(-600), &word(600)],
            &[
                owner.clone(),
                word(1_000_000_000_000_000_000),
                word(29_553_010_879_137_170),
                word(29_553_010_879_137_170),
            ],
        ),
        row(
            3,
            &["c42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67", &owner, &owner],
            &[
                word(1_000_000_000_000_000),
                word(-996_006_981_039_903),
                price("79149250711305166342700278159"),
                word(1_000_000_000_000_000_000),
                word(-20),
            ],
        ),
    ]
    .concat()
}

fn write(home: &Home, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = home.file(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn replay(home: &Home, file: &str, more: &[&str]) -> Answer {
    home.assay(&[&["pool", "replay", file], more].concat())
}

/// Replays `content` as V3 with the right arguments.
fn replay_text(content: &str) -> Answer {
    let home = Home::new();
    let file = write(&home, "events.csv", content);
    replay(&home, file.to_str().unwrap(), &V3)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn xz(text: &str) -> Vec<u8> {
    let mut packed = Vec::new();
    lzma_rs::xz_compress(&mut text.as_bytes(), &mut packed).unwrap();
    packed
}

#[test]
fn a_history_is_exact_in_every_shape_of_file() {
    let home = Home::new();
    let (csv, lines) = (csv(&EVENTS), json_lines(&EVENTS));
    let shapes = [csv.clone().into_bytes(), lines.clone().into_bytes(), gzip(&csv), gzip(&lines), xz(&csv), xz(&lines)];
    for (index, shape) in shapes.iter().enumerate() {
        // Names say nothing.
        let file = write(&home, &format!("events-{index}.txt"), shape);
        let done = home.json(&[&["pool", "replay", file.to_str().unwrap()], &V3[..]].concat());
        assert_eq!((&done["events"], &done["mismatches"]), (&json!(7), &json!(0)), "{done}");
        assert_eq!(done["events_by_kind"], json!({"initialize": 1, "mint": 1, "swap": 3, "burn": 1, "collect": 1}));
        assert_eq!(done["modes"], json!({"exact_in": 1, "exact_out": 1, "price_limit": 1}));
        let last = json!({
            "sqrt_price_x96": "79267784519130042428790663799", "tick": 10, "liquidity": "750000000000000000",
            "initialised_ticks": 2, "fee_pips": 3000, "fee_growth_x128": GROWTH, "protocol_fees": ["0", "0"],
            "gauge_fees": null, "fees_estimate": null
        });
        assert_eq!(done["final"], last);
        assert!(
            done["events_per_second"].as_f64().unwrap() > done["events_per_second_with_decoding"].as_f64().unwrap()
        );
    }
    let expected =
        ["events        7", "0: every event came out", "in the engine", "tick               10", "next: assay quote"];
    replay(&home, home.file("events-0.txt").to_str().unwrap(), &V3).expect(0, &expected);
}

#[test]
fn standard_input_and_raw_logs_are_read() {
    let home = Home::new();
    for (events, content) in [(7, csv(&EVENTS)), (3, raw_logs())] {
        let arguments = [&["pool", "replay", "-", "--json", "--quiet"], &V3[..]].concat();
        let mut child = home.command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
        let done = Answer::of(&child.wait_with_output().unwrap()).expect(0, &[]).json();
        assert_eq!((&done["events"], &done["mismatches"]), (&json!(events), &json!(0)));
    }
}

#[test]
fn a_price_stands_in_for_initialize_and_a_limit_stops() {
    let home = Home::new();
    let file = write(&home, "events.csv", csv(&EVENTS[1..]));
    let file = file.to_str().unwrap();
    replay(&home, file, &V3).expect(2, &["line 2", "begins with a mint", "--sqrt-price", "--state"]);
    let priced = [&V3[..], &["--sqrt-price", ONE]].concat();
    replay(&home, file, &priced).expect(0, &["events        6"]);
    let limited = replay(&home, file, &[&priced[..], &["--limit", "2"]].concat());
    limited.expect(0, &["events        2 (1 mint, 1 swap)", "tick               -20"]);
    let whole = write(&home, "whole.csv", csv(&EVENTS));
    let other = [&V3[..], &["--sqrt-price", "79228162514264337593543950337"]].concat();
    replay(&home, whole.to_str().unwrap(), &other).expect(2, &["--sqrt-price", "leave it out"]);
}

#[test]
fn the_first_mismatch_is_explained_field_by_field() {
    let home = Home::new();
    let mut events = EVENTS;
    let wrong = EVENTS[3].replace("400564872006703", "400564872006700");
    events[3] = &wrong;
    let file = write(&home, "events.csv", csv(&events));
    let file = file.to_str().unwrap();
    let words =
        ["mismatches    1", "line 5, block 4, transaction 1, log 0: swap", "amount_in", "400564872006700", "next: "];
    replay(&home, file, &V3).expect(3, &words);
    let answer = replay(&home, file, &[&V3[..], &["--json"]].concat()).expect(3, &[]);
    let done = answer.json();
    let first = &done["first_mismatches"][0];
    assert_eq!((&first["line"], &first["block"], &first["event"]), (&json!(5), &json!(4), &json!("swap")));
    assert_eq!((&done["mismatches"], &first["before"]), (&json!(1), &json!(3)));
    // Of the ways to take the swap the one that explains most of it is shown.
    let difference = json!({
        "field": "amount_in", "recorded": "400564872006700", "ours": "400564872006703", "difference": "+3"
    });
    assert_eq!((&first["mode"], &first["differences"]), (&json!("eout"), &json!([difference])));
    // The state goes on from the chain's values.
    assert_eq!(text(&done["final"]["sqrt_price_x96"]), "79267784519130042428790663799");
}

#[test]
fn an_unannounced_fee_is_inferred_for_slipstream() {
    let home = Home::new();
    let file = write(&home, "events.csv", csv(&EVENTS[..5]));
    let file = file.to_str().unwrap();
    let kind = ["--kind", "slipstream", "--tick-spacing", "60", "--unstaked-fee-pips", "0"];
    for known in [&[][..], &["--fee-pips", "500"]] {
        let done = home.json(&[&["pool", "replay", file], &kind[..], known].concat());
        assert_eq!((&done["mismatches"], &done["final"]["fee_pips"]), (&json!(0), &json!(3000)));
        let change = &done["fee_changes"][0];
        let from = if known.is_empty() { json!(null) } else { json!(500) };
        assert_eq!((&change["from_pips"], &change["to_pips"]), (&from, &json!(3000)));
        assert_eq!((&change["source"], &change["line"]), (&json!("inferred"), &json!(4)));
    }
    replay(&home, file, &kind).expect(0, &["unknown to 3000 millionths at line 4, block 3 (inferred"]);
}

#[test]
fn a_replay_goes_on_from_a_state() {
    let home = Home::new();
    let state = |kind: &str| {
        format!(
            r#"{{"kind": "{kind}", "tick_spacing": 60, "sqrt_price_x96": "79149250711305166342700278159", "tick": -20,
            "liquidity": "1000000000000000000", "fee_pips": 3000, "ticks": [
            {{"tick": -600, "liquidity_gross": 1000000000000000000, "liquidity_net": 1000000000000000000}},
            {{"tick": 600, "liquidity_gross": 1000000000000000000, "liquidity_net": -1000000000000000000}}]}}"#
        )
    };
    let before = write(&home, "state.json", state("uniswap-v3"));
    let file = write(&home, "events.csv", csv(&EVENTS[3..]));
    let (file, before) = (file.to_str().unwrap(), before.to_str().unwrap());
    replay(&home, file, &V3).expect(2, &["does not begin at the pool's creation", "--state"]);
    let priced = [&V3[..], &["--sqrt-price", ONE]].concat();
    replay(&home, file, &priced).expect(2, &["line 2", "does not begin at the pool's creation", "--state"]);
    let kind = ["--kind", "uniswap-v3", "--state", before];
    let done = home.json(&[&["pool", "replay", file], &kind[..]].concat());
    assert_eq!((&done["events"], &done["mismatches"]), (&json!(4), &json!(0)));
    assert_eq!((&done["final"]["liquidity"], &done["final"]["tick"]), (&json!("750000000000000000"), &json!(10)));
    replay(&home, file, &[&kind[..], &["--tick-spacing", "60"]].concat()).expect(2, &["cannot be used with"]);
    replay(&home, file, &[&kind[..], &["--fee-pips", "500"]].concat()).expect(2, &["3000", "leave out --fee-pips"]);
    let other = write(&home, "other.json", state("pancake-v3"));
    replay(&home, file, &["--kind", "uniswap-v3", "--state", other.to_str().unwrap()]).expect(2, &["pancake-v3"]);
    let broken = write(&home, "broken.json", "{");
    replay(&home, file, &["--kind", "uniswap-v3", "--state", broken.to_str().unwrap()]).expect(2, &["broken.json"]);
}

#[test]
fn events_that_cannot_be_are_named_with_line_and_way_out() {
    let cases: [(&[usize], &[&str]); 4] = [
        (&[0, 1, 2, 2], &["line 5", "block 3, transaction 0, log 0", "is there twice", "remove one"]),
        (&[0, 1, 3, 2], &["line 5", "follows block 4", "sort the events"]),
        (&[0, 2], &["line 3", "does not begin at the pool's creation"]),
        (&[0, 1, 1], &["line 4", "is there twice"]),
    ];
    for (order, words) in cases {
        let events: Vec<&str> = order.iter().map(|index| EVENTS[*index]).collect();
        replay_text(&csv(&events)).expect(2, words);
    }
    // Without its mint a burn takes what is not there.
    let foreign = EVENTS[5].replace("-600,600", "-60,60");
    let foreign = csv(&[&EVENTS[..5], &[&foreign]].concat());
    replay_text(&foreign).expect(2, &["line 7", "the burn is impossible here", "liquidity"]);
    let twice = "7,0,0,initialize,,,,,,79228162514264337593543950336,0,";
    replay_text(&csv(&[&EVENTS[..], &[twice]].concat())).expect(2, &["line 9", "initialised once"]);
    let off = EVENTS[1].replace("-600", "-601");
    replay_text(&csv(&[EVENTS[0], &off])).expect(2, &["line 3", "-601", "spacing"]);
    let rounded = EVENTS[2].replace("1000000000000000000", "1e18");
    replay_text(&csv(&[EVENTS[0], EVENTS[1], &rounded])).expect(2, &["line 4", "1e18", "digits"]);
    let gauge = "7,0,0,collect_gauge,,,,1,1,,,";
    replay_text(&csv(&[&EVENTS[..], &[gauge]].concat())).expect(2, &["line 9", "logs no collect_gauge", "--kind"]);
    let unknown = EVENTS[1].replace("mint", "minted");
    replay_text(&csv(&[EVENTS[0], &unknown])).expect(2, &["line 3", "minted", "initialize, mint, burn"]);
    replay_text(&csv(&[])).expect(2, &["no events"]);
    replay_text("").expect(2, &["line 1"]);
    replay_text("a,b\n1,2\n").expect(2, &["line 1", "kind", "topics"]);
}

#[test]
fn wrong_arguments_of_a_replay_say_what_is_right() {
    let home = Home::new();
    let file = write(&home, "events.csv", csv(&EVENTS));
    let file = file.to_str().unwrap();
    let cases: [(&[&str], &[&str]); 8] = [
        (&[], &["--kind"]),
        (&["--kind", "uniswap-v3"], &["--tick-spacing"]),
        (&["--kind", "uniswap-v3", "--tick-spacing", "60"], &["--fee-pips", "millionths"]),
        (&["--kind", "uniswap-v5", "--tick-spacing", "60"], &["uniswap-v5", "slipstream"]),
        (&["--kind", "uniswap-v4", "--tick-spacing", "60"], &["uniswap-v3, pancake-v3 and slipstream"]),
        (&["--kind", "uniswap-v3", "--tick-spacing", "0", "--fee-pips", "1"], &["spacing"]),
        (&["--kind", "uniswap-v3", "--tick-spacing", "60", "--fee-pips", "1000000"], &["1000000"]),
        (&[&V3[..], &["--unstaked-fee-pips", "1"]].concat(), &["no gauge"]),
    ];
    for (arguments, words) in cases {
        replay(&home, file, arguments).expect(2, words);
    }
    replay(&home, file, &[&V3[..], &["--sqrt-price", "1.5"]].concat()).expect(2, &["--sqrt-price 1.5"]);
    replay(&home, file, &[&V3[..], &["--limit", "0"]].concat()).expect(2, &["--limit"]);
    replay(&home, home.file("none.csv").to_str().unwrap(), &V3).expect(2, &["none.csv", "No such file"]);
    replay(&home, home.path().to_str().unwrap(), &V3).expect(2, &["directory"]);
}

#[test]
fn a_quote_has_its_amounts_price_and_proof() {
    let home = Home::new();
    let pair = write(&home, "pair.json", PAIR);
    let pair = pair.to_str().unwrap();
    let amount = ["--amount-in", "1000000000000000000"];
    // The same token by symbol in any case, by address and by index.
    for token in ["WETH", "weth", "0xaa01", "0"] {
        let done = home.json(&[&["quote", pair, "--token-in", token], &amount[..]].concat());
        assert_eq!((text(&done["amount_in"]), text(&done["amount_out"])), ("1000000000000000000", "1992013962"));
        assert_eq!((text(&done["kind"]), text(&done["proof"])), ("uniswap-v2", "contract"));
        assert_eq!((&done["token_out"]["symbol"], &done["block"]), (&json!("USDC"), &json!(7)));
        let price = &done["marginal_price"];
        assert!((price["without_fee"].as_f64().unwrap() / 2e-9 - 1.0).abs() < 1e-12, "{price}");
        assert!((price["with_fee"].as_f64().unwrap() / 1.994e-9 - 1.0).abs() < 1e-12, "{price}");
        assert!((done["slippage"]["against_spot"].as_f64().unwrap() - 0.003_993_019).abs() < 1e-9);
        assert!((done["slippage"]["price_impact"].as_f64().unwrap() - 0.000_996_006_98).abs() < 1e-9);
        assert!(done["price_after"]["without_fee"].as_f64() < price["without_fee"].as_f64());
        assert!(text(&done["max_in"]).len() > 20 && done["after"].is_null() && done["known_ticks"].is_null());
    }
    let out = home.json(&["quote", pair, "--token-in", "WETH", "--amount-out", "1000000000"]);
    assert_eq!((text(&out["amount_in"]), text(&out["exact"])), ("501755391236239986", "output"));
    let human = home.assay(&[&["quote", pair, "--token-in", "WETH"], &amount[..]].concat());
    let words = [
        "1 WETH",
        "1992.013962 USDC",
        "2000.0000000 USDC per WETH",
        "0.40 % against",
        "0.10 % price impact",
        "contract",
        "--token-in USDC --token-out WETH --amount-in 1992013962",
    ];
    human.expect(0, &words);
}

#[test]
fn a_concentrated_quote_says_where_it_leaves_the_pool() {
    let home = Home::new();
    let state = |ticks: &str, kind: &str| {
        format!(
            r#"{{"kind": "{kind}", "tick_spacing": 60, "sqrt_price_x96": "{ONE}", "tick": 0,
            "liquidity": "1000000000000000000", "fee": 3000, "ticks": [{ticks}]}}"#
        )
    };
    let lower = r#"{"tick": -600, "liquidity_gross": "1000000000000000000", "liquidity_net": "1000000000000000000"}"#;
    let upper = r#"{"tick": 600, "liquidity_gross": "1000000000000000000", "liquidity_net": "-1000000000000000000"}"#;
    let whole = write(&home, "whole.json", state(&format!("{lower}, {upper}"), "uniswap-v3"));
    let whole = whole.to_str().unwrap();
    let amount = ["--token-in", "0", "--amount-in", "1000000000000000"];
    let done = home.json(&[&["quote", whole], &amount[..]].concat());
    assert_eq!(text(&done["amount_out"]), "996006981039903");
    let after = json!({
        "sqrt_price_x96": "79149250711305166342700278159", "tick": -20, "liquidity": "1000000000000000000",
        "crossed_ticks": 0
    });
    assert_eq!(done["after"], after);
    home.assay(&[&["quote", whole], &amount[..]].concat()).expect(0, &["tick          -20 after", "units of token 1"]);
    // A price limit stops and leaves a part.
    let limit = ["--sqrt-price-limit", "79267784519130042428790663799"];
    let sell = ["quote", whole, "--token-in", "1", "--amount-in", "1000000000000000000"];
    let limited = home.json(&[&sell[..], &limit].concat());
    let paid: u128 = text(&limited["amount_in"]).parse().unwrap();
    let left: u128 = text(&limited["remaining"]).parse().unwrap();
    assert_eq!((paid + left, &limited["after"]["tick"]), (1_000_000_000_000_000_000, &json!(10)));
    home.assay(&sell).expect(2, &["whole.json", "not enough liquidity", "the most it takes is", "--sqrt-price-limit"]);
    let other_side = ["--sqrt-price-limit", "79000000000000000000000000000"];
    home.assay(&[&sell[..], &other_side].concat()).expect(2, &["the price limit 79000000000000000000000000000"]);
    // A ladder that ends where nobody looked.
    let partial = write(&home, "partial.json", state(lower, "slipstream"));
    let partial = partial.to_str().unwrap();
    let known = home.json(&[&["quote", partial], &amount[..]].concat());
    assert_eq!((&known["known_ticks"], &known["max_in"]), (&json!([-600, 1]), &json!(null)));
    home.assay(&[&["quote", partial], &amount[..]].concat()).expect(0, &["-600 … 1 only", "max_in        unknown"]);
    let beyond = ["quote", partial, "--token-in", "1", "--amount-in", "1000000000000000"];
    home.assay(&beyond).expect(2, &["leaves the ticks -600 … 1"]);
    // Slipstream's fee belongs to the swap.
    let dearer = home.json(&[&["quote", partial, "--fee-pips", "30000"], &amount[..]].concat());
    let amount_out = |done: &serde_json::Value| text(&done["amount_out"]).parse::<u64>().unwrap();
    assert!(amount_out(&dearer) < amount_out(&known));
    home.assay(&[&["quote", whole, "--fee-pips", "1"], &amount[..]].concat()).expect(2, &["--fee-pips", "uniswap-v3"]);
}

#[test]
fn an_unproven_pool_says_so_and_is_refused_live() {
    let home = Home::new();
    let state = r#"{"kind": "solidly-stable", "solver": "solidly", "stable": true, "fee_raw": 4,
        "reserves_token0": 1000000000000, "reserves_token1": 1000000000000,
        "tokens": [{"address": "0x1", "symbol": "USDC", "decimals": 6}, {"address": "0x2", "symbol": "USDT", "decimals": 6}]}"#;
    let file = write(&home, "stable.json", state);
    let quote = ["quote", file.to_str().unwrap(), "--token-in", "USDC", "--amount-in", "1000000"];
    home.assay(&quote).expect(0, &["proof         unproven", "not for live trades", "kind          solidly-stable"]);
    assert_eq!(text(&home.json(&quote)["proof"]), "unproven");
    let live = [&quote[..], &["--live"]].concat();
    home.assay(&live).expect(3, &["stable.json", "solidly-stable", "unproven", "without --live"]);
    let pair = write(&home, "pair.json", PAIR);
    home.assay(&["quote", pair.to_str().unwrap(), "--token-in", "WETH", "--amount-in", "1000", "--live"])
        .expect(0, &[]);
}

#[test]
fn wrong_arguments_of_a_quote_say_what_is_right() {
    let home = Home::new();
    let pair = write(&home, "pair.json", PAIR);
    let pair = pair.to_str().unwrap();
    let unit = ["--amount-in", "1000000"];
    let cases: [(&[&str], &[&str]); 15] = [
        (&["--token-in", "WETH"], &["--amount-in"]),
        (&["--token-in", "WETH", "--amount-in", "1", "--amount-out", "1"], &["cannot be used with"]),
        (&["--amount-in", "1"], &["--token-in"]),
        (&["--token-in", "WETH", "--amount-in", "1.5"], &["1.5 WETH is 1500000000000000000"]),
        (&["--token-in", "WETH", "--amount-out", "1.5"], &["1.5 USDC is 1500000"]),
        (&["--token-in", "USDC", "--amount-in", "0.0000001"], &["USDC has 6 decimals"]),
        (&["--token-in", "WETH", "--amount-in", "-1"], &["--amount-in -1", "digits"]),
        (&["--token-in", "WETH", "--amount-in", "1e18"], &["--amount-in 1e18", "digits"]),
        (&["--token-in", "WETH", "--amount-in", "0"], &["swap of nothing"]),
        (&[&["--token-in", "DAI"], &unit[..]].concat(), &["--token-in DAI", "0 (WETH), 1 (USDC)"]),
        (&[&["--token-in", "WETH", "--token-out", "2"], &unit[..]].concat(), &["--token-out 2"]),
        (&[&["--token-in", "WETH", "--token-out", "0"], &unit[..]].concat(), &["the same token"]),
        (&[&["--token-in", "WETH", "--fee-pips", "3"], &unit[..]].concat(), &["--fee-pips", "uniswap-v2"]),
        (&[&["--token-in", "WETH", "--sqrt-price-limit", "3"], &unit[..]].concat(), &["uniswap-v2 has no swap"]),
        (&["--token-in", "WETH", "--amount-out", "2000000000000"], &["2000000000000 of token 1"]),
    ];
    for (arguments, words) in cases {
        home.assay(&[&["quote", pair], arguments].concat()).expect(2, words);
    }
    let amount = ["--token-in", "0", "--amount-in", "1"];
    let missing = home.file("none.json").display().to_string();
    home.assay(&[&["quote", &missing], &amount[..]].concat()).expect(2, &["none.json", "No such file"]);
    for (content, word) in
        [("{", "EOF"), ("[]", "one JSON object"), ("", "one JSON object"), ("{}", "kind"), (r#"{"kind": "v9"}"#, "v9")]
    {
        let file = write(&home, "broken.json", content);
        home.assay(&[&["quote", file.to_str().unwrap()], &amount[..]].concat()).expect(2, &["broken.json", word]);
    }
    let three = PAIR.replace("uniswap-v2", "uniswap-v3");
    let file = write(&home, "three.json", three);
    home.assay(&[&["quote", file.to_str().unwrap()], &amount[..]].concat()).expect(2, &["three.json"]);
}
