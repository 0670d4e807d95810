//! `assay lp scores`

use assay_jobs::Workspace;
use assay_jobs::jobs::lp::standings::standings;
use clap::Args;

use super::JobsDatabase;
use crate::output::{Console, table};

#[derive(Args)]
pub struct Scores {
    /// Name of the job.
    job: String,
    /// The scores of practice rounds, which earn nothing.
    #[arg(long)]
    practice: bool,
    #[command(flatten)]
    database: JobsDatabase,
}

impl Scores {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let rows = standings(&self.database.registry(workspace)?, &self.job, self.practice)?;
        let lines: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let state = if row.eligible { "may go live".to_owned() } else { row.missing.join("; ") };
                let score = |text: &str| decimal(text);
                let averages = [&row.combined, &row.evaluation_ema, &row.live_ema].map(|text| score(text));
                let rounds = format!("{} / {}", row.scored_rounds, row.live_rounds);
                [vec![row.miner.clone()], averages.to_vec(), vec![rounds, row.days.clone(), state]].concat()
            })
            .collect();
        let head = ["miner", "combined", "evaluation", "live", "rounds", "days", "state"];
        let text = if lines.is_empty() { "no scores yet".to_owned() } else { table(&head, &lines) };
        console.answer(&rows, &text, "assay lp weights")
    }
}

/// A number at 1e-18 with nine places, cut.
fn decimal(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let padded = format!("{digits:0>19}");
    let (whole, rest) = padded.split_at(padded.len() - 18);
    format!("{sign}{whole}.{}", &rest[..9])
}
