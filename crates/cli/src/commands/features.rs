//! `assay features …`

use std::path::PathBuf;

use assay_jobs::jobs::features::BuildFeatures;
use assay_jobs::{Dataset, Workspace, read_config};
use clap::{Args, Subcommand};

use crate::output::Console;

#[derive(Subcommand)]
pub enum Features {
    /// Compute a feature table, or find it: a second request computes nothing.
    Build(Build),
}

#[derive(Args)]
pub struct Build {
    /// The candles, such as binance/BTC-USDT/1h.
    #[arg(long, value_name = "DATASET", required_unless_present = "config")]
    dataset: Option<Dataset>,
    /// Config whose dates, columns and scaler to use.
    #[arg(long, value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// A config key, such as scaler=robust or allow_gaps=true.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Table to write: .csv or .parquet.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Features {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let Self::Build(build) = self;
        let mut config = read_config(build.config.as_deref(), &build.set)?;
        if let Some(dataset) = &build.dataset {
            config["dataset"] = dataset.to_string().into();
        }
        let config = super::train::with_default_algorithm(config);
        let name = config["dataset"].as_str().unwrap_or("D").to_owned();
        let built = BuildFeatures { config, out: build.out }.run(workspace)?;
        let mut lines = vec![
            format!("dataset       {name}"),
            format!("feature_hash  {}", built.feature_hash),
            format!("data_hash     {}", built.data_hash),
            format!("columns       {}: {}", built.columns.len(), built.columns.join(", ")),
            format!("rows          {} ({} before all columns have values)", built.rows, built.warm_up),
        ];
        for (name, text) in ["train", "validation", "test"].iter().zip(&built.split) {
            lines.push(format!("{name:<13} {text}"));
        }
        lines.push(if built.computed { "computed now" } else { "was there already: nothing computed" }.to_owned());
        lines.extend(built.out.iter().map(|path| format!("written to    {path}")));
        console.answer(&built, &lines.join("\n"), &format!("assay train --set dataset={name}"))
    }
}
