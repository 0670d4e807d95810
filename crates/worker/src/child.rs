//! The process of one job.

use std::process::Stdio;
use std::time::Duration;

use assay_store::database::JobEnding;
use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::WorkerError;
use crate::line::Lines;
use crate::place::Place;
use crate::protocol::{Order, Told};
use crate::worker::{CANCEL_GRACE, CHILD_SILENCE, turned};

/// How long a job waits whose things are in use.
const IN_USE_MS: i64 = 2_000;
/// How long a process may take to end after its last word.
const END_GRACE: Duration = Duration::from_secs(5);
/// Variables of the worker that are no matter of its jobs.
const PRIVATE_VARIABLES: [&str; 13] = [
    "ASSAY_API_KEY",
    "ASSAY_KEY_FILE",
    "ASSAY_DATABASE",
    "ASSAY_JOBS_DB",
    "ASSAY_EVENTS_DB",
    "ASSAY_HOME",
    "ASSAY_NATS_URL",
    "ASSAY_KAFKA_BROKERS",
    "ASSAY_KAFKA_USER",
    "ASSAY_KAFKA_PASSWORD",
    "ASSAY_RPC_URL",
    "PGPASSWORD",
    // May hold the collector's token.
    "OTEL_EXPORTER_OTLP_HEADERS",
];

/// What the holder of the lease wants of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To go on.
    GoOn,
    /// To end for good.
    Cancel,
    /// To end here, because the worker does.
    Leave,
}

/// A process at work; killed when dropped.
pub struct Process {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// How long it may say nothing.
    silence: Duration,
}

impl Process {
    /// Starts a process and gives it the request.
    pub async fn start(place: &Place, request: &str) -> Result<Self, WorkerError> {
        let failed = |action| move |source| WorkerError::Process { action, source };
        let mut command = Command::new(&place.program);
        command.args(place.arguments()).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        for name in PRIVATE_VARIABLES {
            command.env_remove(name);
        }
        let mut child = command.spawn().map_err(failed("start"))?;
        let closed = || failed("speak with")(std::io::ErrorKind::BrokenPipe.into());
        let input = child.stdin.take().ok_or_else(closed)?;
        let output = child.stdout.take().ok_or_else(closed)?;
        let mut process = Self { child, input, lines: Lines::new(BufReader::new(output)), silence: CHILD_SILENCE };
        // What is stored is JSON; anything else goes as a text that no request is.
        let request = serde_json::from_str(request).unwrap_or_else(|_| Value::String(request.to_owned()));
        process.order(&Order::Run(request)).await.map_err(failed("speak with"))?;
        Ok(process)
    }

    async fn order(&mut self, order: &Order) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.input.write_all(&line).await?;
        self.input.flush().await
    }

    /// Listens until the process ends, passing on what it tells and what is wanted.
    pub async fn listen(
        mut self,
        progress: &watch::Sender<Option<String>>,
        mut wishes: watch::Receiver<Wish>,
    ) -> JobEnding {
        let mut heard = Instant::now();
        let mut killed_at: Option<Instant> = None;
        let mut outcome = None;
        while outcome.is_none() {
            let deadline = killed_at.unwrap_or(heard + self.silence);
            tokio::select! {
                line = self.lines.next() => {
                    heard = Instant::now();
                    match line {
                        Ok(Some(line)) => outcome = self.hear(&line, progress),
                        // Without a last word: it died.
                        Ok(None) => break,
                        Err(error) => {
                            tracing::warn!(%error, "the process of a job cannot be heard");
                            break;
                        }
                    }
                }
                () = turned(&mut wishes, |wish| *wish != Wish::GoOn), if killed_at.is_none() => {
                    killed_at = Some(Instant::now() + CANCEL_GRACE);
                    // It may have ended by itself; then its last word is on the way.
                    let _ = self.order(&Order::Cancel).await;
                }
                () = tokio::time::sleep_until(deadline) => {
                    tracing::warn!(silent = killed_at.is_none(), "the process of a job is killed");
                    break;
                }
            }
        }
        self.end(outcome.is_some()).await;
        let wish = *wishes.borrow();
        match (outcome, wish) {
            (Some(JobEnding::Cancelled) | None, Wish::Leave) => JobEnding::Later { after_ms: 0 },
            (None, Wish::Cancel) => JobEnding::Cancelled,
            (Some(ending), _) => ending,
            (None, Wish::GoOn) => JobEnding::Interrupted,
        }
    }

    fn hear(&self, line: &[u8], progress: &watch::Sender<Option<String>>) -> Option<JobEnding> {
        match serde_json::from_slice::<Told>(line) {
            Ok(Told::Alive) => None,
            Ok(Told::Progress(told)) => {
                progress.send_replace(Some(told.to_string()));
                None
            }
            Ok(Told::Done(done)) => Some(JobEnding::Done(done.into())),
            Ok(Told::Failed { code, message }) => Some(JobEnding::Failed { code, message }),
            Ok(Told::Cancelled) => Some(JobEnding::Cancelled),
            Ok(Told::InUse { message }) => {
                tracing::info!(message, "a job waits for what is in use");
                Some(JobEnding::Later { after_ms: IN_USE_MS })
            }
            Err(error) => {
                tracing::warn!(%error, "a line of a job's process does not read");
                None
            }
        }
    }

    /// Ends the process, at once unless it has said its last word.
    async fn end(mut self, is_over: bool) {
        drop(self.input);
        let ended = is_over && tokio::time::timeout(END_GRACE, self.child.wait()).await.is_ok();
        if !ended && let Err(error) = self.child.kill().await {
            tracing::warn!(%error, "the process of a job cannot be killed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A process that runs `script`; the folder is its home.
    async fn process(folder: &tempfile::TempDir, script: &str) -> Process {
        let program = folder.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let place = Place { program, home: folder.path().to_owned(), lake: None, threads: 1 };
        Process::start(&place, "{}").await.unwrap()
    }

    #[tokio::test]
    async fn a_process_that_falls_silent_is_killed() {
        assert_eq!(CHILD_SILENCE, Duration::from_secs(30));
        let folder = tempfile::tempdir().unwrap();
        let talk = "for word in 1 2 3 4 5 6; do echo '\"alive\"'; sleep 0.3; done; exec sleep 600";
        let mut process = process(&folder, talk).await;
        assert_eq!(process.silence, CHILD_SILENCE);
        process.silence = Duration::from_secs(1);
        let id = process.child.id().unwrap();
        let (progress, _told) = watch::channel(None);
        let (_wish, wishes) = watch::channel(Wish::GoOn);
        let begun = Instant::now();
        assert_eq!(process.listen(&progress, wishes).await, JobEnding::Interrupted);
        // It talked for a second and a half, and was left alone for so long.
        assert!(begun.elapsed() > Duration::from_millis(2_400), "{:?}", begun.elapsed());
        assert!(!std::path::Path::new(&format!("/proc/{id}")).exists(), "it lives on");
    }

    #[tokio::test]
    async fn a_process_that_does_not_end_on_request_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let process = process(&folder, "exec sleep 600").await;
        let (progress, _told) = watch::channel(None);
        let (wish, wishes) = watch::channel(Wish::GoOn);
        wish.send_replace(Wish::Cancel);
        let begun = Instant::now();
        assert_eq!(process.listen(&progress, wishes).await, JobEnding::Cancelled);
        assert!((CANCEL_GRACE..2 * CANCEL_GRACE).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
}
