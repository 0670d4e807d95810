//! `assay lp job …`

use std::path::PathBuf;

use assay_server::jobs::lp::job_file::read_job;
use clap::Subcommand;

use crate::output::Console;

#[derive(Subcommand)]
pub enum Job {
    /// Check a job file and show it with all defaults filled in.
    Check {
        /// The job file, TOML or JSON.
        file: PathBuf,
    },
}

impl Job {
    pub fn run(self, console: &Console) -> anyhow::Result<()> {
        let Self::Check { file } = self;
        let job = read_job(&file)?;
        let limits = &job.constraints;
        let lines = [
            format!("job           {}: every field can be used", job.job_id),
            format!("pool          {} on chain {}, {}", job.pool.kind, job.chain_id, job.pair_address),
            format!("inventory     {} units of token 0 / token 1", job.inventory),
            format!("rounds        of {} s from {} s on", job.round_duration_seconds, job.genesis),
            format!(
                "checkpoints   every {} blocks, answers within {} s",
                job.evaluation_interval_blocks, job.answer_seconds
            ),
            format!(
                "limits        {} positions of at least {} ticks, {} rebalances, {} millionths lost",
                limits.max_positions, limits.min_tick_width, limits.max_rebalances, limits.max_il_ppm
            ),
        ];
        let next = format!("assay lp round {} --events FILE --miners all", file.display());
        console.answer(&job, &lines.join("\n"), &next)
    }
}
