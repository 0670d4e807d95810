//! The Python script that users check a report with gives the same hashes.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use assay_sim::{Backtest, Rules, Strategy, backtest, replay};
use assay_types::{Candle, Candles, FillRule, Market, Money, Price, Qty, Target, Timeframe};

fn candles(count: i64) -> Candles {
    let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").unwrap(), Timeframe::M15);
    let (mut state, mut last) = (99_u64, 30_000_123_i128);
    for at in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let open = last + 3;
        last = (last + last * (i128::from(state >> 40) - (1 << 23)) / (1 << 29)).max(1);
        let [open, high, low, close] = [open, open.max(last), open.min(last), last].map(|v| Price(v * 10_i128.pow(9)));
        // A gap every hundred candles.
        let open_time_ms = (at + at / 100 * 5) * Timeframe::M15.ms();
        candles.push(Candle { open_time_ms, open, high, low, close, volume: Qty(i128::from(state >> 20)) });
    }
    candles
}

fn write_report(folder: &Path, candles: &Candles, rules: &Rules, targets: &[Target]) {
    let mut json = serde_json::to_value(rules).unwrap();
    json["exchange"] = candles.market.exchange.clone().into();
    json["symbol"] = candles.market.symbol.clone().into();
    json["timeframe"] = candles.timeframe.name().into();
    let mut table = "open_time_ms,open,high,low,close,volume\n".to_owned();
    for Candle { open_time_ms, open, high, low, close, volume } in candles.iter() {
        writeln!(table, "{open_time_ms},{open},{high},{low},{close},{volume}").unwrap();
    }
    let mut decisions = "close_time_ms,target\n".to_owned();
    for (index, target) in targets.iter().enumerate() {
        let name = ["short", "flat", "long"][(target.sign() + 1) as usize];
        writeln!(decisions, "{},{name}", candles.close_time_ms(index)).unwrap();
    }
    for (name, text) in [("rules.json", json.to_string()), ("candles.csv", table), ("targets.csv", decisions)] {
        write(&folder.join(name), &text);
    }
}

#[expect(clippy::disallowed_methods, reason = "the script reads files")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn verify(folder: &Path, rule: Option<&str>) -> serde_json::Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/verify.py");
    let output = Command::new("python3").arg(script).arg(folder).args(rule).output().expect("python3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_same(answer: &serde_json::Value, candles: &Candles, result: &Backtest, name: &str) {
    assert_eq!(answer["data_hash"], candles.data_hash().to_string(), "{name}");
    assert_eq!(answer["last_equity"].to_string(), result.last_equity().0.to_string(), "{name}");
    assert_eq!(answer["equity_hash"], result.equity_hash().to_string(), "{name}");
}

#[test]
fn the_script_recomputes_both_hashes() {
    let candles = candles(1_500);
    let plain = Rules::new("0.01".parse().unwrap());
    let costly = Rules {
        slippage_bps: 3,
        step: "0.001".parse().unwrap(),
        cash: Money(123_456_789_012_345),
        ..plain.with_fill_rule(FillRule::NextOpen)
    };
    let folder = tempfile::tempdir().unwrap();
    for rules in [plain, costly] {
        let mut random = Strategy::Random { hold: 9, seed: 4 }.decider();
        let result = backtest(&candles, &rules, 0..candles.len(), |view| random.decide(view)).unwrap();
        assert!(result.fills.len() > 100);
        write_report(folder.path(), &candles, &rules, &result.targets);
        assert_same(&verify(folder.path(), None), &candles, &result, "targets");
        for rule in ["long", "short", "flat", "sma-cross:24:168"] {
            let mut decider = rule.parse::<Strategy>().unwrap().decider();
            let result = backtest(&candles, &rules, 0..candles.len(), |view| decider.decide(view)).unwrap();
            assert_same(&verify(folder.path(), Some(rule)), &candles, &result, rule);
        }
    }
}

#[test]
fn ruin_is_where_the_script_ends_too() {
    let mut candles = candles(20);
    for at in 10..20 {
        let price = Price(candles.close[at].0 * 3);
        (candles.high[at], candles.close[at]) = (price, price);
    }
    let rules = Rules::new("0.01".parse().unwrap());
    let result = replay(&candles, &rules, 0..20, &[Target::Flat, Target::Short]).unwrap();
    assert_eq!(result.equity.len(), 11);
    let folder = tempfile::tempdir().unwrap();
    write_report(folder.path(), &candles, &rules, &result.targets);
    assert_same(&verify(folder.path(), None), &candles, &result, "ruin");
}
