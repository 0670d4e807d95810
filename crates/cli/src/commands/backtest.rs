//! `assay backtest`

use std::path::PathBuf;

use assay_jobs::jobs::backtest::{BacktestDone, BacktestRequest, CostOptions};
use assay_jobs::jobs::runs::short_id;
use assay_jobs::report::{NONE, format_metric, scenario_words};
use assay_jobs::{Dataset, FillRule, Money, Price, Qty, Workspace};
use clap::Args;

use crate::output::{Console, table};

#[derive(Args)]
pub struct Backtest {
    /// Run id, or the first digits of it.
    #[arg(required_unless_present = "strategy", conflicts_with = "strategy")]
    run: Option<String>,
    /// A rule instead: long, short, flat, sma-cross:FAST:SLOW or random:HOLD:SEED.
    #[arg(long, value_name = "RULE", requires = "dataset")]
    strategy: Option<String>,
    /// The candles; by default the run's own.
    #[arg(long, value_name = "DATASET")]
    dataset: Option<Dataset>,
    /// First open time; by default the run's test split, or the first candle.
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Just after the last open time.
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Folder for equity.csv, trades.csv, metrics.json, report.html.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Initial cash [default: 10000].
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    cash: Option<Money>,
    /// Price tick; by default from the instrument table.
    #[arg(long, value_name = "PRICE")]
    tick: Option<Price>,
    /// Quantity step; by default from the instrument table.
    #[arg(long, value_name = "QUANTITY")]
    step: Option<Qty>,
    /// Fee per side in parts per million [default: 1000, which is 0.10 %].
    #[arg(long, value_name = "N")]
    fee_ppm: Option<u32>,
    /// Slippage per fill in price ticks [default: 3].
    #[arg(long, value_name = "N")]
    slippage_ticks: Option<u32>,
    /// Further slippage in basis points of the price [default: 0].
    #[arg(long, value_name = "N")]
    slippage_bps: Option<u32>,
    /// Borrow cost of a short in basis points per day [default: 0].
    #[arg(long, value_name = "N")]
    borrow_bps_per_day: Option<u32>,
    /// When decisions fill [default: close].
    #[arg(long, value_name = "close|next_open", value_parser = fill_rule)]
    fill: Option<FillRule>,
}

fn fill_rule(text: &str) -> Result<FillRule, String> {
    match text {
        "close" => Ok(FillRule::Close),
        "next_open" | "next-open" => Ok(FillRule::NextOpen),
        _ => Err("use close or next_open".to_owned()),
    }
}

impl Backtest {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let costs = CostOptions {
            cash: self.cash,
            tick: self.tick,
            step: self.step,
            fee_ppm: self.fee_ppm,
            slippage_ticks: self.slippage_ticks,
            slippage_bps: self.slippage_bps,
            borrow_bps_per_day: self.borrow_bps_per_day,
            fill_rule: self.fill,
        };
        let request = BacktestRequest {
            run: self.run,
            strategy: self.strategy,
            dataset: self.dataset,
            from: self.from,
            to: self.to,
            costs,
            out: self.out,
        };
        let done = request.run(workspace)?;
        let next = match (&done.report, &done.evaluation.subject.run_id) {
            (Some(report), _) => format!("open {report}/report.html"),
            (None, Some(run)) => format!("assay backtest {} --out report", short_id(run)),
            (None, None) => "the same with --out report".to_owned(),
        };
        console.answer(&done, &text(&done), &next)
    }
}

fn text(done: &BacktestDone) -> String {
    let evaluation = &done.evaluation;
    let [from, to] = &evaluation.period;
    let synthetic = if evaluation.synthetic { " (SYNTHETIC data)" } else { "" };
    let mut lines = vec![
        format!("{} on {}{synthetic}", evaluation.subject.name, evaluation.dataset),
        format!("  period        {from} … {to} ({} candles)", evaluation.candles),
        format!("  data_hash     {}", evaluation.data_hash),
        format!("  equity_hash   {}", evaluation.equity_hash),
        format!("  final_equity  {}", evaluation.final_equity),
        format!("  fills         {} ({} positions)", evaluation.fills, evaluation.trades),
    ];
    if evaluation.hypothetical_short {
        lines.push("  hypothetical  it holds spot shorts, which a spot account cannot".to_owned());
    }
    if evaluation.in_sample_candles > 0 {
        let count = evaluation.in_sample_candles;
        lines
            .push(format!("  IN-SAMPLE     {count} candles of this period were trained on: the result proves nothing"));
    }
    if evaluation.end == assay_jobs::End::Terminated {
        lines.push("  ruined        equity fell to zero or below; the back-test ends there".to_owned());
    }
    for (name, metric) in evaluation.metrics.iter() {
        let value = metric.map_or_else(|reason| format!("{NONE} ({reason})"), |value| format_metric(name, value));
        lines.push(format!("  {name:<28} {value}"));
    }
    let scenarios = evaluation.baselines.iter().chain(&evaluation.sensitivity);
    let cell = |metric: Option<f64>, name: &str| metric.map_or_else(|| NONE.to_owned(), |v| format_metric(name, v));
    let rows: Vec<Vec<String>> = scenarios
        .map(|scenario| {
            let get = |name: &str| cell(scenario.metrics.get(name), name);
            let equity = format!("{:.2}", scenario.last_equity.to_f64());
            vec![scenario_words(&scenario.name), equity, get("total_return"), get("sharpe"), get("max_drawdown")]
        })
        .collect();
    lines.push(String::new());
    lines.push(table(&["beside it", "equity", "return", "Sharpe", "max drawdown"], &rows));
    lines.extend(done.report.iter().map(|folder| format!("\nreport in {folder}")));
    lines.join("\n")
}
