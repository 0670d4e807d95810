//! `assay miner …`

use std::net::SocketAddr;
use std::path::PathBuf;

use assay_server::jobs::lp::serve::{ServeRequest, Serving};
use assay_server::{JobError, Workspace};
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
    /// Key of a validator that may ask; repeatable. Without any, everybody may, rivals too.
    #[arg(long, value_name = "KEY")]
    validator: Vec<String>,
    /// A job file whose limits the strategy keeps to; the defaults otherwise.
    #[arg(long, value_name = "FILE")]
    job: Option<PathBuf>,
}

impl Miner {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let Self::Serve(Serve { strategy, listen, validator: validators, job }) = self;
        let request = ServeRequest { strategy, listen, validators, job };
        let ready = |serving: &Serving| {
            let next = format!("assay lp practice JOB --events FILE --miner {}#{}", serving.address, serving.key);
            let told = console.answer(serving, &text(serving), &next);
            told.map_err(|error| JobError::Failed(error.to_string()))
        };
        Ok(request.run(workspace, ready)?)
    }
}

fn text(serving: &Serving) -> String {
    let who = serving.validators.as_ref().map_or_else(
        || "everybody, rivals too; name validators with --validator KEY".to_owned(),
        |keys| keys.iter().cloned().collect::<Vec<_>>().join(", "),
    );
    let Serving { address, key, strategy, .. } = serving;
    format!("listening     {address}\nkey           {key}\nstrategy      {strategy}\nmay ask       {who}")
}
