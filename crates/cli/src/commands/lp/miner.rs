//! `assay lp miner …`

use assay_jobs::Workspace;
use clap::Subcommand;

use super::JobsDatabase;
use crate::output::{Console, table};

#[derive(Subcommand)]
pub enum Miner {
    /// Register a miner, or its new address.
    Add {
        /// Its public key: 64 hexadecimal digits, or an SS58 address on the axon wire.
        key: String,
        /// Where it listens: http:// or https:// with host and port.
        url: String,
        /// native, or axon-v10: unauthenticated and barred from live rounds.
        #[arg(long, value_name = "WIRE", default_value = "native", value_parser = ["native", "axon-v10"])]
        wire: String,
        /// When it registered, as validators agree: a UTC time or seconds since 1970 (default: now).
        #[arg(long, value_name = "TIME")]
        registered_at: Option<String>,
        #[command(flatten)]
        database: JobsDatabase,
    },
    /// The registered miners.
    List {
        #[command(flatten)]
        database: JobsDatabase,
    },
}

impl Miner {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        match self {
            Self::Add { key, url, wire, registered_at, database } => {
                let registry = database.registry(workspace)?;
                let miner = registry.add_miner(&key, &url, &wire, registered_at.as_deref())?;
                let text = format!("{} is asked at {} ({})", miner.miner, miner.url, miner.wire);
                console.answer(&miner, &text, "assay lp run")
            }
            Self::List { database } => {
                let miners = database.registry(workspace)?.miners()?;
                let rows: Vec<Vec<String>> = miners
                    .iter()
                    .map(|miner| {
                        let state = if miner.active { "asked" } else { "not asked" };
                        vec![miner.miner.clone(), miner.url.clone(), miner.wire.clone(), state.to_owned()]
                    })
                    .collect();
                let list = table(&["miner", "address", "wire", "state"], &rows);
                let text = if rows.is_empty() { "no miners yet".to_owned() } else { list };
                console.answer(
                    &miners,
                    &text,
                    if miners.is_empty() { "assay lp miner add KEY URL" } else { "assay lp run" },
                )
            }
        }
    }
}
