//! `assay up`

use std::net::SocketAddr;
use std::path::PathBuf;

use assay_jobs::{DatabaseLocation, JobError, Workspace};
use assay_server::access::{AccessOptions, PublicUrl, UnknownWallets};
use assay_server::delivery::gateway_settings;
use assay_server::live::VenueAddress;
use assay_server::{DEFAULT_LISTEN, LogFormat, Ready, TlsFiles, UpRequest, up};
use clap::Args;

use crate::Global;
use crate::output::Console;

const EXAMPLES: &str = "\
Examples:
  assay up
  assay up --listen 0.0.0.0:8470 --tls-cert cert.pem --tls-key key.pem --public-url https://assay.example.org";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Up {
    /// Where to listen; anything but a loopback address needs TLS or --behind-proxy.
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_LISTEN)]
    listen: SocketAddr,
    /// The platform database: a SQLite file, or postgres://… [default: HOME/platform.db].
    #[arg(long, value_name = "URL", env = "ASSAY_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// The database of liquidity jobs: a SQLite file, or postgres://… [default: HOME/jobs.db].
    #[arg(long, value_name = "URL", env = "ASSAY_JOBS_DB", hide_env_values = true)]
    liquidity_database: Option<String>,
    /// The certificate and those above it, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A proxy that speaks TLS stands before it; the last X-Forwarded-For is believed.
    #[arg(long)]
    behind_proxy: bool,
    /// Where people open it; wallets sign in there alone.
    #[arg(long, value_name = "URL")]
    public_url: Option<PublicUrl>,
    /// Wallets that no user has become users who look, instead of being refused.
    #[arg(long)]
    open_to_viewers: bool,
    /// Let webhooks go to this machine and to private networks, too.
    #[arg(long)]
    allow_private_webhooks: bool,
    /// An exchange's candles from elsewhere, such as a proxy, as VENUE=URL; its sockets are at the same host.
    #[arg(long, value_name = "VENUE=URL")]
    venue: Vec<VenueAddress>,
    /// Long jobs (training) at once on this machine; 0 leaves them to `assay worker`.
    #[arg(long, value_name = "N", default_value_t = assay_server::scheduler::LONG_SLOTS as u16,
        value_parser = clap::value_parser!(u16).range(0..=64))]
    job_slots: u16,
    /// Leave a new home empty, instead of running the demo and streaming its policy on paper.
    #[arg(long)]
    without_demo: bool,
    /// Make and print another key of the owner, for one who lost theirs.
    #[arg(long)]
    new_owner_key: bool,
    /// What lines of log look like: text or json.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log: LogFormat,
    /// What is logged, such as info, or warn,assay_server=debug.
    #[arg(long, value_name = "LEVEL", default_value = "info,sqlx=warn")]
    log_level: String,
}

impl Up {
    pub fn run(self, global: &Global, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let location = |text: Option<&String>| text.map(|text| text.parse::<DatabaseLocation>()).transpose();
        let wallets = if self.open_to_viewers { UnknownWallets::Viewer } else { UnknownWallets::Refuse };
        let request = UpRequest {
            home: workspace.home.path().to_owned(),
            lake: global.lake.clone(),
            database: location(self.database.as_ref()).map_err(JobError::from)?,
            liquidity: location(self.liquidity_database.as_ref()).map_err(JobError::from)?,
            listen: self.listen,
            tls: self.tls_cert.zip(self.tls_key).map(|(certificate, key)| TlsFiles { certificate, key }),
            access: AccessOptions {
                public_url: self.public_url,
                behind_proxy: self.behind_proxy,
                unknown_wallets: wallets,
                ..AccessOptions::default()
            },
            gateway: gateway_settings(self.allow_private_webhooks, |name| std::env::var(name).ok())?,
            venues: self.venue,
            job_slots: usize::from(self.job_slots),
            demo: !self.without_demo,
            new_owner_key: self.new_owner_key,
            log: self.log,
            log_level: if global.quiet { "error".to_owned() } else { self.log_level },
        };
        if global.dry_run {
            let text = format!("would listen on {}", request.listen);
            return console.answer(&serde_json::json!({ "listen": request.listen.to_string() }), &text, "assay up");
        }
        let told = |ready: &Ready| {
            let line = if global.json { json(ready) } else { text(ready) };
            console.raw(&line).map_err(|error| JobError::Failed(error.to_string()))
        };
        Ok(up(request, told)?)
    }
}

/// One line; the key is in it when it was made just now.
fn json(ready: &Ready) -> String {
    let owner_key = ready.owner_key.as_ref().map(|key| key.reveal());
    let line = serde_json::json!({ "url": ready.url, "database": ready.database, "owner_key": owner_key });
    format!("{line}\n")
}

fn text(ready: &Ready) -> String {
    let mut lines = format!("listening on  {}\ndatabase      {}\n", ready.url, ready.database);
    if let Some(key) = &ready.owner_key {
        lines += &format!(
            "owner key     {}\n              shown this once: keep it; send it as `Authorization: Bearer KEY`\n",
            key.reveal()
        );
    }
    lines
}
