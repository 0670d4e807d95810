//! `assay walkforward`

use std::path::PathBuf;

use assay_jobs::jobs::runs::short_id;
use assay_jobs::jobs::walkforward::{WalkForward, WalkedFold};
use assay_jobs::report::{NONE, or_dash, percent, ratio};
use assay_jobs::{FoldWindow, Workspace, read_config};
use clap::Args;

use crate::output::{Console, table};

#[derive(Args)]
pub struct Walkforward {
    /// JSON or TOML file; its dates are replaced by those of the folds.
    config: Option<PathBuf>,
    /// A config key, such as dataset=binance/BTC-USDT/1h.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Number of folds.
    #[arg(long, value_name = "N", default_value_t = 5)]
    folds: usize,
    /// Train on the part just before each test only, instead of on everything before it.
    #[arg(long)]
    sliding: bool,
}

impl Walkforward {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let config = super::train::with_default_algorithm(read_config(self.config.as_deref(), &self.set)?);
        let window = if self.sliding { FoldWindow::Sliding } else { FoldWindow::Expanding };
        let walked = WalkForward { config, folds: self.folds, window }.run(workspace)?;
        let row = |fold: &WalkedFold| {
            let get = |name: &str, format: fn(f64) -> String| or_dash(fold.metrics[name].as_f64(), format);
            vec![
                fold.test[0].clone(),
                fold.test[1].clone(),
                short_id(&fold.run_id).to_owned(),
                fold.final_equity.clone().unwrap_or_else(|| NONE.to_owned()),
                get("total_return", percent),
                get("buy_and_hold_return", percent),
                get("sharpe", ratio),
                get("max_drawdown", percent),
            ]
        };
        let head = ["test from", "to", "run", "equity", "return", "buy-and-hold", "Sharpe", "max drawdown"];
        let text = format!(
            "{}\n\ncompounded {}, buy-and-hold {}, {} of {} folds above zero",
            table(&head, &walked.folds.iter().map(row).collect::<Vec<_>>()),
            or_dash(walked.compounded_return, percent),
            or_dash(walked.buy_and_hold_return, percent),
            walked.profitable,
            walked.folds.len()
        );
        console.answer(&walked, &text, "assay run list")
    }
}
