//! `assay lp weights`

use std::path::PathBuf;

use assay_jobs::Workspace;
use assay_jobs::jobs::lp::weighing::weighed;
use clap::Args;

use super::JobsDatabase;
use crate::output::{Console, table};

#[derive(Args)]
pub struct Weights {
    /// Also store the weights in this file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    database: JobsDatabase,
}

impl Weights {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let weighed = weighed(workspace, &self.database.registry(workspace)?, self.out.as_deref())?;
        let mut rows: Vec<Vec<String>> =
            weighed.weights.iter().map(|(miner, weight)| vec![miner.clone(), weight.to_string()]).collect();
        if weighed.burnt > 0 {
            rows.push(vec!["slot 0: nobody is eligible".to_owned(), weighed.burnt.to_string()]);
        }
        console.answer(&weighed, &table(&["miner", "weight"], &rows), "assay lp scores JOB")
    }
}
