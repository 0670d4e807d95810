//! `assay worker`

use std::path::Path;
use std::sync::Arc;

use assay_jobs::{DatabaseLocation, JobError};
use assay_server::scheduler::lanes;
use assay_store::database::PlatformDatabase;
use assay_worker::{Place, Queue, Worker as JobWorker};
use clap::Args;
use tokio::sync::watch;

use crate::Global;

#[derive(Args)]
pub struct Worker {
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
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let slots = usize::from(self.slots);
            let program = std::env::current_exe()?;
            let threads = global.threads.map_or_else(|| (threads / slots).max(1), usize::from);
            let place = Place { program, home: home.to_owned(), lake: global.lake.clone(), threads };
            let location = super::job::platform(home, self.database);
            let queue = Queue::Local(PlatformDatabase::open(&location).await.map_err(JobError::from)?);
            let worker = JobWorker {
                name: name(),
                queue,
                place,
                lanes: lanes(slots),
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
