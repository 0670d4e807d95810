//! The small vectors printed in the book: anyone can follow them by hand.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fmt::Write as _;

use assay_sim::{Backtest, End, METRICS, Reward, Rules, replay};
use assay_types::{Candle, Candles, FillRule, Market, Money, Target, Timeframe};

const BOOK: &str = include_str!("../../../docs/book/ledger.md");

/// Open, high, low, close and volume of five hours from 2024-01-01.
const ROWS: [[&str; 5]; 5] = [
    ["100", "101", "99", "100", "12"],
    ["100.5", "111", "100", "110", "8.25"],
    ["110", "110.2", "103", "104", "0"],
    ["104.1", "104.5", "95", "96.4", "3.000000000001"],
    ["96.4", "99", "96", "98.77", "1"],
];

fn candles() -> Candles {
    let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").unwrap(), Timeframe::H1);
    for (hour, [open, high, low, close, volume]) in (0..).zip(ROWS) {
        candles.push(Candle {
            open_time_ms: 1_704_067_200_000 + hour * Timeframe::H1.ms(),
            open: open.parse().unwrap(),
            high: high.parse().unwrap(),
            low: low.parse().unwrap(),
            close: close.parse().unwrap(),
            volume: volume.parse().unwrap(),
        });
    }
    candles
}

fn run(fill_rule: FillRule) -> Backtest {
    let rules = Rules::new("0.01".parse().unwrap()).with_fill_rule(fill_rule);
    replay(&candles(), &rules, 0..5, &[Target::Long, Target::Short, Target::Short, Target::Flat]).unwrap()
}

/// A result as the book prints it.
fn printed(result: &Backtest) -> String {
    let mut text = "time_ms,equity\n".to_owned();
    result.rows().for_each(|(time, equity)| writeln!(text, "{time},{equity}").unwrap());
    writeln!(text, "time_ms,side,price,quantity,fee,cash_after").unwrap();
    for fill in &result.fills {
        let (side, price) = (fill.side.name(), fill.price);
        writeln!(text, "{},{side},{price},{},{},{}", fill.time_ms, fill.quantity, fill.fee, fill.cash_after).unwrap();
    }
    writeln!(text, "equity_hash {}", result.equity_hash()).unwrap();
    text
}

#[test]
fn the_book_prints_what_the_ledger_does() {
    let hash = format!("data_hash {}", candles().data_hash());
    assert!(BOOK.contains(&hash), "{hash}");
    for fill_rule in [FillRule::Close, FillRule::NextOpen] {
        let result = run(fill_rule);
        assert_eq!(result.end, End::Truncated);
        let text = printed(&result);
        assert!(BOOK.contains(&text), "{fill_rule:?}\n{text}");
    }
}

#[test]
fn the_book_defines_every_metric_and_reward() {
    let book = include_str!("../../../docs/book/metrics.md");
    let names = METRICS.iter().map(|metric| metric.0).chain(Reward::ALL.map(Reward::name));
    for name in names {
        assert!(book.contains(&format!("\n| `{name}` | ")), "{name}");
    }
}

#[test]
fn the_first_trade_follows_by_hand() {
    let result = run(FillRule::Close);
    let buy = result.fills[0];
    assert_eq!(buy.price, "100.03".parse().unwrap());
    // Up to this quantity the value rounds up to 9,990.00999000 and the fee to
    // 9.99000999: one unit below 10,000. One more 1e-12 would lift both by a unit.
    assert_eq!(buy.quantity, "99.870138858342".parse().unwrap());
    assert_eq!((buy.fee, buy.cash_after), ("9.99000999".parse().unwrap(), Money(1)));
}
