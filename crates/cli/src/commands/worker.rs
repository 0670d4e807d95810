//! `assay worker`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_jobs::{DatabaseLocation, JobError, JobRequest};
use assay_server::scheduler::lanes;
use assay_server::{LogFormat, start_logs};
use assay_store::database::PlatformDatabase;
use assay_store::read;
use assay_types::Secret;
use assay_worker::{Lane, Place, Queue, Remote, Worker as JobWorker};
use clap::Args;
use tokio::sync::watch;

use crate::Global;

const EXAMPLES: &str = "\
Examples:
  ASSAY_API_KEY=… assay worker --join https://assay.example.org:8470
  assay worker --slots 4";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Worker {
    /// A server on another machine, such as https://HOST:8470; this worker then has a home of its
    /// own. Without it, the worker shares the home and the database with its server.
    #[arg(long, value_name = "URL", conflicts_with = "database")]
    join: Option<String>,
    /// File with the API key (scope admin) for --join; else the variable ASSAY_API_KEY.
    #[arg(long, value_name = "FILE", requires = "join")]
    key_file: Option<PathBuf>,
    /// Certificate, in PEM, of the authority above the server's, where the system does not know it.
    #[arg(long, value_name = "FILE", requires = "join")]
    tls_ca: Option<PathBuf>,
    /// The platform database, which this worker shares with its server along with the home:
    /// a SQLite file or postgres://USER@HOST/DATABASE [default: platform.db in the home].
    #[arg(long, value_name = "DATABASE", env = "ASSAY_DATABASE", hide_env_values = true)]
    database: Option<DatabaseLocation>,
    /// Long jobs (training) at once; two short ones run beside them.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
}

impl Worker {
    pub fn run(self, global: &Global, home: &Path, threads: usize) -> anyhow::Result<()> {
        let _logs = start_logs(LogFormat::Text, if global.quiet { "error" } else { "info,sqlx=warn" })?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let slots = usize::from(self.slots);
            let program = std::env::current_exe()?;
            let threads = global.threads.map_or_else(|| (threads / slots).max(1), usize::from);
            let place = Place { program, home: home.to_owned(), lake: global.lake.clone(), threads };
            let (queue, lanes) = match &self.join {
                Some(url) => {
                    let key = key(self.key_file.as_deref())?;
                    let certificate = self.tls_ca.as_deref().map(read).transpose()?;
                    let kinds = JobRequest::REMOTE_KINDS.to_vec();
                    let remote = Remote::join(url, &key, home, certificate.as_deref()).await?;
                    (Queue::Remote(Box::new(remote)), vec![Lane { kinds, slots }])
                }
                None => {
                    let location = super::job::platform(home, self.database);
                    let database = PlatformDatabase::open(&location).await.map_err(JobError::from)?;
                    (Queue::Local(database), lanes(slots))
                }
            };
            let worker = JobWorker {
                name: name(),
                queue,
                place,
                lanes,
                wake: watch::Sender::new(()),
                on_change: Arc::new(|| {}),
            };
            let (stop, shutdown) = watch::channel(false);
            tokio::spawn(async move {
                ended().await;
                stop.send_replace(true);
            });
            worker.run(shutdown).await;
            Ok(())
        })
    }
}

/// The key for the server: never an argument, which everyone on the machine can read.
fn key(file: Option<&Path>) -> Result<Secret, JobError> {
    let text = match file {
        Some(file) => assay_store::read_to_string(file)?,
        None => std::env::var("ASSAY_API_KEY").unwrap_or_default(),
    };
    if text.trim().is_empty() {
        let text = "--join needs a key with the scope admin: set ASSAY_API_KEY, or give --key-file FILE";
        return Err(JobError::Input(text.to_owned()));
    }
    Ok(Secret::new(text.trim().to_owned()))
}

/// A name that tells this process from others in leases.
fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    format!("{}-{}", if host.is_empty() { "worker" } else { host }, std::process::id())
}

/// Waits for the wish to end this process.
async fn ended() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}
