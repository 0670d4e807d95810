//! Records that are damaged, out of order or incomplete: what the replay says about them.

use crate::records::{HEADER, RANGE, Row, change, csv, first_price, history, json, replay, row, slipstream, usual};
use assay_amm::concentrated::Core;
use assay_amm::event::{Event, EventError, Events, Located, read_csv, read_json_lines};
use assay_amm::kind::Slipstream;
use assay_amm::replay::{Replay, ReplayError, ReplayPool};
use assay_amm::{AmmError, U256, snapshot};

/// The tick spacing of the records' pool.
const SPACING: i32 = 60;

fn all(events: Events) -> Vec<Located> {
    events.map(Result::unwrap).collect()
}

/// The first error of a text, and how many events come before it.
fn refused(events: Events) -> (usize, EventError) {
    let read: Vec<_> = events.collect();
    let good = read.iter().take_while(|event| event.is_ok()).count();
    assert_eq!(read.len(), good + 1, "an error ends the events");
    (good, read.into_iter().last().unwrap().unwrap_err())
}

/// What a text says about itself: the error of its header or of its first bad line.
fn complaint(text: &str) -> String {
    match read_csv(text.as_bytes()) {
        Err(error) => error.to_string(),
        Ok(events) => refused(events).1.to_string(),
    }
}

/// Applies all; the error comes with the number of events before it.
fn run(mut replay: Replay, rows: &[Row]) -> Result<Replay, (usize, ReplayError)> {
    for (place, event) in all(read_csv(csv(rows).as_bytes()).unwrap()).iter().enumerate() {
        replay.apply(event).map_err(|error| (place, error))?;
    }
    Ok(replay)
}

fn with(rows: &[Row], line: usize, column: &str, value: &str) -> Vec<Row> {
    let mut rows = rows.to_vec();
    let place = HEADER.iter().position(|name| *name == column).unwrap();
    rows[line - 2][place] = value.to_owned();
    rows
}

#[test]
fn the_usual_history_is_exact() {
    for start in [replay(), slipstream()] {
        let replay = run(start, &usual()).unwrap();
        assert_eq!((replay.counts().events, replay.counts().mismatches), (5, 0));
        assert_eq!(replay.fee_changes(), []);
    }
}

#[test]
fn out_of_order() {
    let mut rows = usual();
    rows.swap(2, 3);
    let (place, error) = run(replay(), &rows).unwrap_err();
    assert_eq!(place, 3);
    assert!(matches!(error, ReplayError::OutOfOrder { line: 5, .. }));
    assert_eq!(
        error.to_string(),
        "line 5: block 12, transaction 0, log 0 follows block 13, transaction 0, log 0: sort the events by block, \
         transaction and log"
    );
}

#[test]
fn doubled() {
    let mut rows = usual();
    rows.insert(2, rows[1].clone());
    let (place, error) = run(replay(), &rows).unwrap_err();
    assert_eq!(place, 2);
    assert!(matches!(error, ReplayError::Doubled { line: 4, .. }));
    assert_eq!(error.to_string(), "line 4: block 11, transaction 0, log 0 is there twice: remove one of the two");
}

/// Numbers above 2^53 keep every digit as JSON numbers and as texts.
#[test]
fn long_json_numbers_keep_their_digits() {
    let from_csv = all(read_csv(csv(&usual()).as_bytes()).unwrap());
    for quoted in [false, true] {
        let from_json = all(read_json_lines(json(&usual(), quoted).as_bytes()));
        let events = |located: &[Located]| located.iter().map(|located| located.event).collect::<Vec<Event>>();
        assert_eq!(events(&from_json), events(&from_csv));
        let Event::Swap(swap) = &from_json[1].event else { panic!("a swap") };
        assert_eq!(swap.amount_in.to_string(), "9007199254740993", "2^53 + 1 has no double");
        let mut replay = replay();
        from_json.iter().for_each(|event| replay.apply(event).unwrap());
        assert_eq!(replay.counts().mismatches, 0);
    }
}

#[test]
fn exponents_and_fractions_have_lost_digits() {
    for (column, value) in
        [("liquidity", "1e24"), ("amount0", "3.5"), ("amount1", "1E+21"), ("sqrt_price_x96", "7.9e28")]
    {
        let rows = with(&usual(), 3, column, value);
        let lines: String = json(&rows, true).replace(&format!("\"{value}\""), value);
        let (good, error) = refused(read_json_lines(lines.as_bytes()));
        assert_eq!((good, error.line), (1, 2));
        let message = format!("line 2: {column} `{value}` is not an integer: write all its digits");
        assert_eq!(error.to_string(), message);
        assert_eq!(complaint(&csv(&rows)), message.replace("line 2", "line 3"));
    }
}

#[test]
fn a_missing_mint() {
    let rows = &usual()[1..];
    // Without liquidity the first swap comes out different, and says how; the replay goes on
    // from the recorded state, until the burn is impossible.
    let mut replay = replay();
    let events = all(read_csv(csv(rows).as_bytes()).unwrap());
    for event in &events[..3] {
        replay.apply(event).unwrap();
    }
    assert_eq!((replay.counts().swaps, replay.counts().mismatches), (3, 1));
    let first = &replay.mismatches()[0];
    assert_eq!((first.line, first.event), (2, "swap"));
    let fields: Vec<&str> = first.differences.iter().map(|difference| difference.field).collect();
    assert_eq!(fields, ["amount_in", "amount_out", "liquidity"], "without liquidity the price moves for nothing");
    let error = replay.apply(&events[3]).unwrap_err();
    let ReplayError::Impossible { line: 5, event: "burn", source, .. } = &error else { panic!("{error}") };
    assert!(matches!(**source, AmmError::Liquidity { .. }));
    assert_eq!(
        error.to_string(),
        "line 5: block 20, transaction 0, log 0: the burn is impossible here (an event before it is missing, or the \
         pool is another): liquidity of tick -600: 0 -500000000000000000000000 is not in 0 … 2^128 − 1"
    );
}

/// A burn of more than the position has, when the ticks carry another position's liquidity.
#[test]
fn a_burn_above_the_position() {
    let mut rows = usual();
    rows[0][HEADER.iter().position(|name| *name == "owner").unwrap()] = "0x2".into();
    let (_, error) = run(replay(), &rows).unwrap_err();
    assert!(error.to_string().contains("liquidity of the position: 0 -500000000000000000000000"), "{error}");
}

#[test]
fn an_unannounced_fee() {
    let replay = run(slipstream(), &history([3000, 450, 450])).unwrap();
    assert_eq!(replay.counts().mismatches, 0);
    let change = replay.fee_changes()[0];
    assert_eq!(replay.fee_changes().len(), 1, "the new fee stays");
    assert_eq!((change.line, change.place.block, change.from_pips, change.to_pips), (4, 12, Some(3000), 450));
    // Without any fee the first is found, too.
    let pool = Slipstream::new(Core::new(SPACING, first_price()).unwrap(), None, Some(0)).unwrap();
    let replay = run(Replay::new(ReplayPool::Slipstream(pool)), &history([777; 3])).unwrap();
    assert_eq!((replay.fee_changes()[0].from_pips, replay.fee_changes()[0].to_pips), (None, 777));
}

/// V3's fee is fixed at creation: another one is no change but a mismatch.
#[test]
fn a_fee_that_cannot_change() {
    let replay = run(replay(), &history([3000, 500, 3000])).unwrap();
    assert_eq!((replay.counts().mismatches, replay.mismatches()[0].line), (1, 4));
    assert_eq!(replay.fee_changes(), []);
}

#[test]
fn ticks_that_no_position_has() {
    for (column, value, reason) in [
        ("tick_lower", "-599", "tick -599: not a multiple of the spacing 60"),
        ("tick_upper", "-600", "tick -600: not below the upper tick -600"),
        ("tick_upper", "887280", "tick 887280: outside -887272 … 887272"),
    ] {
        let (place, error) = run(replay(), &with(&usual(), 2, column, value)).unwrap_err();
        assert_eq!(place, 0);
        assert!(
            error.to_string().starts_with("line 2: block 10, transaction 0, log 0: the mint is impossible"),
            "{error}"
        );
        assert!(error.to_string().ends_with(reason), "{error}");
    }
    let error = complaint(&csv(&with(&usual(), 2, "tick_lower", "9999999999")));
    assert_eq!(error, "line 2: tick_lower 9999999999 is out of range");
}

#[test]
fn zero_and_largest_amounts() {
    let largest = U256::MAX.to_string();
    let half: U256 = U256::ONE << 255;
    let half = half.to_string();
    // Amounts that no event can carry.
    for (line, column, value, reason) in [
        (3, "amount0", &half, "does not fit 256 signed bits"),
        (3, "amount1", &format!("-{largest}"), "does not fit 256 signed bits"),
        (3, "amount0", &format!("{largest}0"), "does not fit 256 signed bits"),
        (3, "sqrt_price_x96", &format!("{largest}0"), "is out of range"),
        (2, "liquidity", &half, "is out of range"),
        (2, "liquidity", &"-1".to_owned(), "is out of range"),
    ] {
        let error = complaint(&csv(&with(&usual(), line, column, value)));
        assert_eq!(error, format!("line {line}: {column} {value} {reason}"));
    }
    // Amounts that events can carry and pools cannot do.
    let (_, error) = run(replay(), &with(&usual(), 2, "liquidity", "0")).unwrap_err();
    assert!(error.to_string().ends_with("the amount is zero"), "{error}");
    let (_, error) = run(replay(), &with(&usual(), 2, "liquidity", &u128::MAX.to_string())).unwrap_err();
    assert!(error.to_string().contains("the change of liquidity 340282366920938463463374607431768211455"), "{error}");
    let (_, error) = run(replay(), &with(&usual(), 2, "liquidity", &i128::MAX.to_string())).unwrap_err();
    assert!(error.to_string().contains("is above the 11505743598341114571880798222544994 a tick may carry"), "{error}");
    // A touch of nothing, after the mint is gone.
    let (_, error) = run(replay(), &[change(30, "burn", RANGE, 0, [U256::ZERO; 2])]).unwrap_err();
    assert!(error.to_string().ends_with("a touch of nothing"), "{error}");
}

/// A swap event whose amounts are both zero says nothing; with the price unmoved it is no
/// swap the pool can do, with another price it is compared.
#[test]
fn swaps_of_nothing() {
    let rows = with(&with(&usual(), 3, "amount0", "0"), 3, "amount1", "0");
    match run(replay(), &rows) {
        Ok(replay) => assert_eq!(replay.mismatches()[0].line, 3),
        Err((place, error)) => assert!(place == 1 && error.to_string().starts_with("line 3: "), "{error}"),
    }
}

/// What no pool can have logged is refused; going on from it would spoil all that follows.
#[test]
fn prices_and_ticks_that_do_not_fit() {
    for (column, value, reason) in [
        ("tick", "2147483647", "tick 2147483647 is not that of sqrt_price_x96"),
        ("tick", "-887273", "tick -887273 is not that of sqrt_price_x96"),
        (
            "sqrt_price_x96",
            "0",
            "sqrt_price_x96 0 is not in 4295128739 … 1461446703485210103287273052203988822378723970342",
        ),
        ("sqrt_price_x96", "79228162514264337593543950336", "which is 0: correct the record"),
    ] {
        let (place, error) = run(replay(), &with(&usual(), 3, column, value)).unwrap_err();
        assert_eq!(place, 1);
        assert!(error.to_string().starts_with("line 3: block 11, transaction 0, log 0: "), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn one_sign_on_both_amounts() {
    for (amount0, amount1) in [("5", "7"), ("-5", "-7")] {
        let rows = with(&with(&usual(), 3, "amount0", amount0), 3, "amount1", amount1);
        let error = complaint(&csv(&rows));
        assert_eq!(
            error,
            format!(
                "line 3: amount0 {amount0} and amount1 {amount1} have one sign: what is paid in is positive, what is \
                 paid out negative"
            )
        );
    }
}

#[test]
fn truncated_files() {
    let whole = csv(&usual());
    let events = all(read_csv(whole.as_bytes()).unwrap());
    let mut short = 0;
    for end in 0..whole.len() {
        // A header cut short lacks columns; a row cut short lacks fields, or the digits at its
        // end, which only a count of the lines could tell.
        match read_csv(&whole.as_bytes()[..end]) {
            Err(error) => assert_eq!(error.line, 1),
            Ok(read) => {
                for (place, event) in read.enumerate() {
                    match event {
                        Ok(event) => assert_eq!(event, events[place], "cut at {end}"),
                        Err(error) => {
                            assert_eq!(error.line, place as u64 + 2);
                            short += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(short > 400, "{short} cuts within a row were noticed");
    let cut = whole.find("swap").unwrap() + 20;
    let message = complaint(&whole[..cut]);
    assert!(message.starts_with("line 3: ") && message.contains("fields"), "{message}");
}

#[test]
fn wrong_headers() {
    let rows = csv(&usual());
    let renamed = |from: &str, to: &str| complaint(&rows.replacen(from, to, 1));
    assert_eq!(renamed("kind", "event"), "line 1: no column kind (decoded events) and no topics and data (raw logs)");
    assert_eq!(renamed("amount1", "amount0"), "line 1: the column amount0 is there twice");
    assert_eq!(renamed("block", "height"), "line 2: no block or block_number");
    assert_eq!(renamed("liquidity", "L"), "line 2: no liquidity");
    assert_eq!(complaint(""), "line 1: no column kind (decoded events) and no topics and data (raw logs)");
    assert!(
        complaint(&rows.replacen("mint", "minted", 1)).starts_with("line 2: kind `minted` is none of initialize, mint")
    );
    let error = refused(read_json_lines("{\"kind\": \"swap\"\n".as_bytes())).1;
    assert_eq!(error.line, 1);
}

/// Events of another kind of pool, and a second initialisation.
#[test]
fn events_of_other_pools() {
    let amounts = [("amount0", "1".to_owned()), ("amount1", "1".to_owned())];
    let (_, error) = run(replay(), &[row(1, "collect_gauge", &amounts)]).unwrap_err();
    assert_eq!(error.to_string(), "line 2: block 1, transaction 0, log 0: this kind of pool logs no collect_gauge");
    let (_, error) = run(slipstream(), &[row(1, "collect_protocol", &amounts)]).unwrap_err();
    assert!(error.to_string().ends_with("this kind of pool logs no collect_protocol"), "{error}");
    let mut rows = usual();
    rows.push(row(30, "initialize", &[("sqrt_price_x96", first_price().to_string())]));
    let (place, error) = run(replay(), &rows).unwrap_err();
    assert_eq!(place, 5);
    assert!(error.to_string().ends_with("a pool is initialised once, before all other events"), "{error}");
}

fn state(ticks: &str) -> String {
    format!(
        "{{\"kind\": \"uniswap-v3\", \"tick_spacing\": 60, \"sqrt_price_x96\": {}, \"tick\": 5, \
         \"liquidity\": 7, \"fee\": 3000, \"ticks\": [{ticks}]}}",
        first_price()
    )
}

#[test]
fn states_with_wrong_ticks() {
    let low = r#"{"tick": -60, "liquidity_gross": 7, "liquidity_net": 7}"#;
    let high = r#"{"tick": 60, "liquidity_gross": "7", "liquidity_net": "-7"}"#;
    assert!(snapshot::decode(&state(&format!("{low}, {high}"))).is_ok());
    let complaint = |ticks: &str| snapshot::decode(&state(ticks)).unwrap_err().to_string();
    assert_eq!(
        complaint(&format!("{high}, {low}")),
        "the state file: tick -60: follows 60: ticks must ascend, each once"
    );
    assert_eq!(
        complaint(&format!("{low}, {low}, {high}")),
        "the state file: tick -60: follows -60: ticks must ascend, each once"
    );
    let negative = complaint(&format!("{}, {high}", low.replace("gross\": 7", "gross\": -7")));
    assert!(negative.starts_with("the state file: -7 does not fit 128 bits"), "{negative}");
    assert_eq!(
        complaint(&format!("{}, {high}", low.replace("-60", "-61"))),
        "the state file: tick -61: not a multiple of the spacing 60"
    );
    assert_eq!(
        complaint(&format!("{}, {high}", low.replace("gross\": 7", "gross\": 0"))),
        "the state file: tick -60: net liquidity 7 at gross 0"
    );
    assert_eq!(
        complaint(&format!("{low}, {}", high.replace('7', "9"))),
        "the state file: liquidity of tick 60: the liquidity above it would be -2 +0"
    );
}
