//! `assay up`: everything, until it is told to stop.

use std::net::SocketAddr;

use assay_gateway::GatewaySettings;
use assay_jobs::JobError;
use assay_jobs::jobs::doctor::SERVER_ADDRESS;
use assay_store::Home;
use assay_store::database::DatabaseLocation;
use assay_types::Secret;

use crate::access::{AccessOptions, another_owner_key, first_owner};
use crate::live::{LiveOptions, VenueAddress};
use crate::observe::{LogFormat, start_logs};
use crate::problem::Problem;
use crate::serve::{ServeSettings, Server};
use crate::state::Settings;
use crate::tls::TlsFiles;

/// Where it listens when nothing is said.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8470";

/// What `assay up` is asked for.
#[derive(Debug)]
pub struct UpRequest {
    /// The home folder.
    pub home: std::path::PathBuf,
    /// Candles: a folder or `s3://BUCKET/PREFIX`; `None` for the lake folder of the home.
    pub lake: Option<String>,
    /// The platform database; `None` for `platform.db` in the home.
    pub database: Option<DatabaseLocation>,
    /// The database of liquidity jobs; `None` for `jobs.db` in the home.
    pub liquidity: Option<DatabaseLocation>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The certificate.
    pub tls: Option<TlsFiles>,
    /// Who may call, and how often.
    pub access: AccessOptions,
    /// Where signals may go.
    pub gateway: GatewaySettings,
    /// Exchanges that are not at their public address.
    pub venues: Vec<VenueAddress>,
    /// Long jobs at work at once on this machine; 0 leaves them to other workers.
    pub job_slots: usize,
    /// Whether a new home runs the demo and streams its policy.
    pub demo: bool,
    /// Whether to make another key for the owner.
    pub new_owner_key: bool,
    /// What lines of log look like.
    pub log: LogFormat,
    /// What is logged, such as `info`.
    pub log_level: String,
}

/// A server that is ready.
#[derive(Debug)]
pub struct Ready {
    /// Where it listens.
    pub url: String,
    /// The owner's key, made just now; it is not shown again.
    pub owner_key: Option<Secret>,
    /// The platform database, without its password.
    pub database: String,
}

/// Runs the server until SIGTERM or an interrupt; `ready` is told when it takes requests.
///
/// # Errors
/// As [`Server::start`], and what `ready` fails with.
pub fn up(request: UpRequest, ready: impl FnOnce(&Ready) -> Result<(), JobError>) -> Result<(), JobError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| JobError::Failed(format!("cannot start threads: {error}")))?;
    runtime.block_on(async {
        let _logs = start_logs(request.log, &request.log_level)?;
        let new_owner_key = request.new_owner_key;
        let settings = request.settings()?;
        let database = settings.state.platform.to_string();
        let address = settings.state.home.path().join(SERVER_ADDRESS);
        let mut signals = Signals::new()?;
        let server = Server::start(settings).await?;
        let problem = |problem: Problem| JobError::Failed(problem.detail);
        let owner_key = match first_owner(server.state()).await.map_err(problem)? {
            None if new_owner_key => Some(another_owner_key(server.state()).await.map_err(problem)?),
            key => key,
        };
        assay_store::write_atomic(&address, server.url().as_bytes())?;
        ready(&Ready { url: server.url(), owner_key, database })?;
        tracing::info!(address = %server.address(), "ready");
        let is_replaced = tokio::select! {
            () = signals.stop() => false,
            () = server.replaced() => true,
        };
        tracing::info!("stopping");
        server.stop().await;
        if is_replaced {
            return Err(JobError::Failed(
                "another server has taken the platform database; this one has ended".to_owned(),
            ));
        }
        Ok(())
    })
}

impl UpRequest {
    fn settings(self) -> Result<ServeSettings, JobError> {
        let home = Home::open(&self.home)?;
        let file = |name: &str| DatabaseLocation::Sqlite(home.path().join(name));
        let state = Settings {
            lake: self.lake,
            platform: self.database.unwrap_or_else(|| file("platform.db")),
            liquidity: self.liquidity.unwrap_or_else(|| file("jobs.db")),
            job_slots: self.job_slots,
            demo: self.demo,
            home,
            gateway: self.gateway,
        };
        let live = LiveOptions { addresses: self.venues, ..LiveOptions::default() };
        Ok(ServeSettings { state, listen: self.listen, tls: self.tls, access: self.access, live })
    }
}

/// What ends the server.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, JobError> {
        #[cfg(unix)]
        {
            let kind = tokio::signal::unix::SignalKind::terminate();
            let terminate = tokio::signal::unix::signal(kind);
            let terminate = terminate.map_err(|error| JobError::Failed(format!("signals cannot be heard: {error}")))?;
            Ok(Self { terminate })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn stop(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
