//! The report of an evaluation as one page.

use assay_sim::{End, Interval, MonthReturn, Scenario};
use assay_types::FillRule;
use assay_types::time::{DAY_MS, format_utc};

use super::chart::{Chart, Series};
use super::html::{Page, facts, legend, note, table, tiles};
use super::number::{NONE, money, or_dash, percent, ratio};
use crate::jobs::evaluate::Evaluation;

/// Trades that the page lists; the CSV has all.
const TRADES_SHOWN: usize = 200;

/// The page of `evaluation`.
#[must_use]
pub fn page(evaluation: &Evaluation) -> String {
    let mut badges = vec!["back-test".to_owned()];
    if evaluation.synthetic {
        badges.push("synthetic data".to_owned());
    }
    if evaluation.hypothetical_short {
        badges.push("hypothetical: holds spot shorts".to_owned());
    }
    if evaluation.in_sample_candles > 0 {
        badges.push(format!("in-sample: {} candles were trained on", evaluation.in_sample_candles));
    }
    let [from, to] = &evaluation.period;
    let title = format!("{} on {}", evaluation.subject.name, evaluation.dataset);
    let subtitle = format!("{from} … {to} · {} candles", evaluation.candles);
    let mut page = Page::new(&title, &subtitle, &badges);
    page.section("Result", &result(evaluation));
    page.section("Equity", &equity(evaluation));
    page.section("Drawdown", &drawdown(evaluation));
    page.section("Beside it", &beside(evaluation));
    page.section("Metrics", &metrics(evaluation));
    page.section("Months", &months(&evaluation.months));
    page.section("Trades", &trades(evaluation));
    page.section("Assumptions", &assumptions(evaluation));
    page.section("Hashes", &hashes(evaluation));
    page.finish()
}

fn result(evaluation: &Evaluation) -> String {
    let metrics = &evaluation.metrics;
    let get = |name: &str, format: fn(f64) -> String| or_dash(metrics.get(name), format);
    let band = |interval: Option<Interval>, format: fn(f64) -> String| {
        interval.map_or_else(String::new, |i| format!("95 %: {} … {}", format(i.low), format(i.high)))
    };
    let intervals = evaluation.intervals.as_ref();
    let html = tiles(&[
        (
            "Final equity",
            money(evaluation.final_equity.to_f64()),
            format!("from {}", money(evaluation.rules.cash.to_f64())),
        ),
        ("Total return", get("total_return", percent), band(intervals.and_then(|i| i.total_return), percent)),
        ("Against buy-and-hold", get("excess_return", percent), String::new()),
        ("Sharpe", get("sharpe", ratio), band(intervals.and_then(|i| i.sharpe), ratio)),
        ("Deflated Sharpe", get("deflated_sharpe", percent), format!("probability, {} trial(s)", evaluation.trials)),
        ("Max drawdown", get("max_drawdown", percent), String::new()),
        ("Costs paid", get("costs", money), format!("{} fills", evaluation.fills)),
    ]);
    let verdict = match evaluation.end {
        End::Terminated => "The account was ruined: equity fell to zero or below, and the back-test ends there.",
        End::Truncated => {
            "The position open at the end stays open and marked; what closing it would cost is listed as closing_cost."
        }
    };
    html + &note(verdict)
}

fn equity(evaluation: &Evaluation) -> String {
    let own: Vec<f64> = evaluation.backtest.equity.iter().map(|e| e.to_f64()).collect();
    let mut hold: Vec<f64> = evaluation.buy_and_hold.iter().map(|e| e.to_f64()).collect();
    hold.resize(own.len(), f64::NAN);
    let chart = Chart {
        title: "Equity against buy-and-hold",
        height: 320.0,
        times_ms: &evaluation.backtest.time_ms,
        series: &[
            Series { name: "buy-and-hold", class: "b", values: &hold },
            Series { name: "strategy", class: "a", values: &own },
        ],
        label: |value| money(value).trim_end_matches(".00").to_owned(),
        filled: false,
    };
    legend(&[("a", "strategy"), ("b", "buy-and-hold, same costs")]) + &chart.svg()
}

fn drawdown(evaluation: &Evaluation) -> String {
    let mut peak = evaluation.rules.cash.to_f64();
    let below_peak = evaluation.backtest.equity.iter().map(|equity| {
        let equity = equity.to_f64();
        peak = peak.max(equity);
        equity / peak - 1.0
    });
    let values: Vec<f64> = below_peak.collect();
    let chart = Chart {
        title: "Drawdown",
        height: 170.0,
        times_ms: &evaluation.backtest.time_ms,
        series: &[Series { name: "drawdown", class: "c", values: &values }],
        label: |value| format!("{} %", (value * 100.0).round()).replace('-', "−"),
        filled: true,
    };
    let rows: Vec<Vec<String>> = evaluation
        .worst_drawdowns
        .iter()
        .map(|d| {
            vec![
                percent(d.depth),
                format_utc(d.peak_ms),
                format_utc(d.trough_ms),
                d.recovered_ms.map_or_else(|| "not yet".to_owned(), format_utc),
                format!("{:.1}", d.duration_ms as f64 / DAY_MS as f64),
            ]
        })
        .collect();
    chart.svg() + "<h3>Worst drawdowns</h3>" + &table(&["depth", "peak", "trough", "recovered", "days"], &rows)
}

fn scenario_row(scenario: &Scenario, name: String) -> Vec<String> {
    let get = |name: &str, format: fn(f64) -> String| or_dash(scenario.metrics.get(name), format);
    vec![
        name,
        money(scenario.last_equity.to_f64()),
        get("total_return", percent),
        get("sharpe", ratio),
        get("max_drawdown", percent),
        scenario.fills.to_string(),
        get("costs", money),
    ]
}

/// A scenario's name in words.
#[must_use]
pub fn scenario_words(name: &str) -> String {
    match name {
        "close" => "filled at the close".to_owned(),
        "next_open" => "filled at the next open".to_owned(),
        "costs_2x" => "2 × costs".to_owned(),
        "costs_5x" => "5 × costs".to_owned(),
        "buy_and_hold" => "buy-and-hold".to_owned(),
        "random_same_turnover" => "random, same turnover".to_owned(),
        other => other.to_owned(),
    }
}

fn beside(evaluation: &Evaluation) -> String {
    const HEAD: [&str; 7] = ["", "final equity", "return", "Sharpe", "max drawdown", "fills", "costs"];
    let get = |name: &str, format: fn(f64) -> String| or_dash(evaluation.metrics.get(name), format);
    let own = vec![
        evaluation.subject.name.clone(),
        money(evaluation.final_equity.to_f64()),
        get("total_return", percent),
        get("sharpe", ratio),
        get("max_drawdown", percent),
        evaluation.fills.to_string(),
        get("costs", money),
    ];
    let named = |scenario: &Scenario| scenario_row(scenario, scenario_words(&scenario.name));
    let baselines: Vec<_> = std::iter::once(own).chain(evaluation.baselines.iter().map(named)).collect();
    let sensitivity: Vec<_> = evaluation.sensitivity.iter().map(named).collect();
    "<h3>Other strategies, same period and costs</h3>".to_owned()
        + &table(&HEAD, &baselines)
        + "<h3>The same decisions under other fills and costs</h3>"
        + &table(&HEAD, &sensitivity)
}

fn metrics(evaluation: &Evaluation) -> String {
    let rows: Vec<Vec<String>> = evaluation
        .metrics
        .iter()
        .map(|(name, metric)| match metric {
            Ok(value) => vec![name.replace('_', " "), format_metric(name, value), String::new()],
            Err(reason) => vec![name.replace('_', " "), NONE.to_owned(), reason.to_owned()],
        })
        .collect();
    table(&["metric", "value", ""], &rows)
        + &note(
            "Returns are simple returns per candle; ratios are annualised for a market that never closes. \
             Intervals are from a circular block bootstrap of the returns.",
        )
}

/// A metric in the form that fits its name.
#[must_use]
pub fn format_metric(name: &str, value: f64) -> String {
    match name {
        "total_return"
        | "buy_and_hold_return"
        | "excess_return"
        | "cagr"
        | "volatility"
        | "max_drawdown"
        | "probabilistic_sharpe"
        | "deflated_sharpe"
        | "exposure"
        | "win_rate" => percent(value),
        "fees" | "slippage" | "costs" | "closing_cost" => money(value),
        "trades" => format!("{value}"),
        "max_drawdown_duration_days" => format!("{value:.1} days"),
        _ => ratio(value),
    }
}

fn months(months: &[MonthReturn]) -> String {
    let mut years: Vec<i16> = months.iter().map(|month| month.year).collect();
    years.dedup();
    let cell = |year: i16, month: i8| {
        let found = months.iter().find(|m| m.year == year && m.month == month);
        found.map_or_else(String::new, |m| or_dash(m.value, |v| percent(v).replace(" %", "")))
    };
    let rows: Vec<Vec<String>> = years
        .iter()
        .map(|&year| {
            let mut row = vec![year.to_string()];
            row.extend((1..=12).map(|month| cell(year, month)));
            let growth = months.iter().filter(|m| m.year == year).filter_map(|m| m.value).map(|v| 1.0 + v);
            row.push(percent(growth.product::<f64>() - 1.0).replace(" %", ""));
            row
        })
        .collect();
    let head = ["", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "year"];
    table(&head, &rows) + &note("Percent; the first and the last month may be partial.")
}

fn trades(evaluation: &Evaluation) -> String {
    let trips = evaluation.backtest.round_trips();
    if trips.is_empty() {
        return note("No trades.");
    }
    let skipped = trips.len().saturating_sub(TRADES_SHOWN);
    let rows: Vec<Vec<String>> = trips
        .iter()
        .skip(skipped)
        .map(|trip| {
            vec![
                format_utc(trip.opened_at_ms),
                format!("{:?}", trip.side).to_lowercase(),
                trip.entry_price.to_string(),
                trip.closed_at_ms.map_or_else(|| "open".to_owned(), format_utc),
                trip.exit_price.map_or_else(|| NONE.to_owned(), |price| price.to_string()),
                trip.quantity.to_string(),
                money(trip.fees.to_f64() + trip.slippage.to_f64()),
                trip.profit.map_or_else(|| NONE.to_owned(), |profit| money(profit.to_f64())),
            ]
        })
        .collect();
    let head = ["opened", "side", "entry", "closed", "exit", "quantity", "costs", "profit"];
    let text = if skipped > 0 {
        format!("The last {TRADES_SHOWN} of {} round trips; every execution is in trades.csv.", trips.len())
    } else {
        format!("{} round trips; every execution is in trades.csv.", trips.len())
    };
    note(&text) + &table(&head, &rows)
}

fn assumptions(evaluation: &Evaluation) -> String {
    let rules = &evaluation.rules;
    let fill = match rules.fill_rule {
        FillRule::Close => "at the close that is decided on",
        FillRule::NextOpen => "at the next candle's open",
    };
    let lookahead = match &evaluation.lookahead {
        None => "does not apply: the strategy has no features".to_owned(),
        Some(check) => format!("passed: features recomputed on {} truncations of the data are the same", check.cuts),
    };
    facts(&[
        ("initial cash", rules.cash.to_string()),
        ("fee per side", format!("{} %", f64::from(rules.fee_ppm) / 10_000.0)),
        (
            "slippage per fill",
            format!("{} ticks of {} and {} bps", rules.slippage_ticks, rules.tick, rules.slippage_bps),
        ),
        ("quantity step", rules.step.to_string()),
        ("fills", fill.to_owned()),
        ("borrow cost of shorts", format!("{} bps a day", rules.borrow_bps_per_day)),
        ("position size", "all equity, fixed quantity until the target changes".to_owned()),
        ("market impact", "none: fills do not move the price".to_owned()),
        ("look-ahead check", lookahead),
    ])
}

fn hashes(evaluation: &Evaluation) -> String {
    let subject = &evaluation.subject;
    let mut pairs =
        vec![("data_hash", evaluation.data_hash.to_string()), ("equity_hash", evaluation.equity_hash.to_string())];
    let optional = [
        ("config_hash", subject.config_hash),
        ("feature_hash", subject.feature_hash),
        ("weights_hash", subject.weights_hash),
    ];
    pairs.extend(optional.into_iter().filter_map(|(name, hash)| Some((name, hash?.to_string()))));
    pairs.extend(subject.run_id.iter().map(|id| ("run_id", id.clone())));
    facts(&pairs)
        + &note(
            "candles.csv, targets.csv and rules.json beside this page are enough to recompute both hashes (examples/verify.py; \
                                            without borrow costs).",
        )
}
