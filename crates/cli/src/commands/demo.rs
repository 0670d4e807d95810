//! `assay demo`

use std::path::{Path, PathBuf};

use assay_jobs::jobs::demo::{Demo as Job, DemoDone};
use assay_jobs::jobs::runs::short_id;
use assay_jobs::report::{money, or_dash, percent, ratio};
use assay_jobs::{JobError, Market, Timeframe, Workspace};
use clap::Args;

use super::lp::scores;
use crate::output::{Console, table};

#[derive(Args)]
pub struct Demo {
    /// A candle file (CSV, Feather, Parquet) or a folder of them, instead of the sample.
    #[arg(long, value_name = "FILE-or-DIR")]
    data: Option<PathBuf>,
    /// Exchange of the file, when its name does not say.
    #[arg(long, value_name = "NAME", requires = "symbol")]
    exchange: Option<String>,
    /// Symbol of the file, when its name does not say.
    #[arg(long, value_name = "BASE-QUOTE", requires = "exchange")]
    symbol: Option<String>,
    /// Timeframe of the file, when its name does not say.
    #[arg(long, value_name = "T")]
    timeframe: Option<Timeframe>,
    /// Open the report when done.
    #[arg(long)]
    open: bool,
}

impl Demo {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        if workspace.dry_run {
            return Err(JobError::Input("the demo writes by its nature: leave out --dry-run".to_owned()).into());
        }
        let market = match (&self.exchange, &self.symbol) {
            (Some(exchange), Some(symbol)) => {
                Some(Market::new(exchange, symbol).map_err(|error| JobError::Input(error.to_string()))?)
            }
            _ => None,
        };
        let done = Job { data: self.data, market, timeframe: self.timeframe }.run(workspace)?;
        if self.open {
            open(Path::new(&done.report));
        }
        let next = format!("assay run show {}", short_id(&done.run_id));
        console.answer(&done, &text(&done), &next)
    }
}

fn text(done: &DemoDone) -> String {
    let steps: Vec<String> =
        done.steps.iter().map(|step| format!("  {:<10} {} ({:.1} s)", step.name, step.result, step.seconds)).collect();
    let rows: Vec<Vec<String>> = done
        .table
        .iter()
        .map(|row| {
            vec![
                row.name.clone(),
                money(row.final_equity),
                or_dash(row.total_return, percent),
                or_dash(row.sharpe, ratio),
                or_dash(row.max_drawdown, percent),
                row.fills.to_string(),
                or_dash(row.costs, money),
            ]
        })
        .collect();
    let head = ["test split", "equity", "return", "Sharpe", "max drawdown", "fills", "costs"];
    let kind =
        if done.synthetic { "SYNTHETIC data: nothing here says anything about a real market" } else { "real data" };
    format!(
        "Assay demo on {} ({kind})\n{}\n\n{}\n\nLiquidity round {} on a SYNTHETIC pool\n{}\n\n  data_hash     {}\n  weights_hash  {}\n  equity_hash   {} (back-test and audit)\n  report        {}\n  signals       {}\n  round         {}\n  {:.1} s in all",
        done.dataset,
        steps.join("\n"),
        table(&head, &rows),
        done.liquidity.round.round_id,
        scores(&done.liquidity.round.scores),
        done.data_hash,
        done.weights_hash,
        done.equity_hash,
        done.report,
        done.signals,
        done.liquidity.round.record.as_deref().unwrap_or_default(),
        done.seconds
    )
}

/// Opens a page with the desktop's own opener; the path is printed in any case.
fn open(page: &Path) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let _ = std::process::Command::new(opener).arg(page).spawn();
}
