//! `assay miner …`

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use assay_jobs::jobs::lp::serve::{ServeRequest, Serving};
use assay_jobs::{JobError, Workspace};
use clap::{Args, Subcommand};

use crate::output::Console;

#[derive(Subcommand)]
pub enum Miner {
    /// Answer validators with a built-in strategy until stopped.
    Serve(Serve),
}

#[derive(Args)]
pub struct Serve {
    /// hold, full-range, fixed:WIDTH, recentre:WIDTH, base-limit:WIDTH, volatility:K or policy:DIR.
    #[arg(long, value_name = "NAME")]
    strategy: String,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8091")]
    listen: SocketAddr,
    /// Key of a validator that may ask, on the axon wire its SS58 address; repeatable. Without any, everybody
    /// may, rivals too.
    #[arg(long, value_name = "KEY")]
    validator: Vec<String>,
    /// native, or axon-v10 to speak that wire too on the same listener.
    #[arg(long, value_name = "WIRE", default_value = "native", value_parser = ["native", "axon-v10"])]
    wire: String,
    /// SS58 address of this miner on the axon wire.
    #[arg(long, value_name = "SS58", required_if_eq("wire", "axon-v10"))]
    hotkey: Option<String>,
    /// A job file whose limits the strategy keeps to; the defaults otherwise.
    #[arg(long, value_name = "FILE")]
    job: Option<PathBuf>,
}

impl Miner {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let Self::Serve(Serve { strategy, listen, validator: validators, wire, hotkey, job }) = self;
        let hotkey = hotkey.filter(|_| wire != "native");
        let request = ServeRequest { strategy, listen, validators, hotkey, job };
        let ready = |serving: &Serving| {
            let next = format!("assay lp practice JOB --events FILE --miner {}#{}", serving.address, serving.key);
            let told = console.answer(serving, &text(serving), &next);
            told.map_err(|error| JobError::Failed(error.to_string()))
        };
        Ok(request.run(workspace, ready)?)
    }
}

fn text(serving: &Serving) -> String {
    let everybody = "everybody, rivals too; name validators with --validator KEY".to_owned();
    let who = |keys: &Option<BTreeSet<String>>| {
        keys.as_ref().map_or_else(|| everybody.clone(), |keys| keys.iter().cloned().collect::<Vec<_>>().join(", "))
    };
    let mut lines = vec![
        format!("listening     {}", serving.address),
        format!("key           {}", serving.key),
        format!("strategy      {}", serving.strategy),
        format!("may ask       {}", who(&serving.validators)),
    ];
    if let Some(axon) = &serving.axon {
        lines.push(format!("axon wire     {}: answers are open and unauthenticated", axon.hotkey));
        lines.push(format!("may ask there {}", who(&axon.validators)));
    }
    lines.join("\n")
}
