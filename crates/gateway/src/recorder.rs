//! Writes what was delivered: reports that come at once share a transaction, since each costs
//! a write to the disk.

use std::time::Duration;

use assay_store::database::{DatabaseError, DeliveryReport, PlatformDatabase};
use tokio::sync::{mpsc, oneshot};

use crate::clock::now_ms;

/// Reports in one transaction.
const MAX_REPORTS: usize = 128;
/// Reports that wait; those who bring more wait themselves.
const QUEUE: usize = 256;
/// Between attempts while the database is away.
const RETRY: Duration = Duration::from_millis(500);

type Reply = oneshot::Sender<bool>;

/// Takes reports.
#[derive(Clone)]
pub(crate) struct Recorder(mpsc::Sender<(DeliveryReport, Reply)>);

impl Recorder {
    /// Starts writing; it ends when the last recorder is dropped.
    pub fn start(database: PlatformDatabase) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(write(database, receiver));
        Self(sender)
    }

    /// Writes a report, waiting for a database that is away; whether it was taken.
    pub async fn record(&self, report: DeliveryReport) -> bool {
        let (reply, answer) = oneshot::channel();
        if self.0.send((report, reply)).await.is_err() {
            return false;
        }
        answer.await.unwrap_or(false)
    }
}

async fn write(database: PlatformDatabase, mut queue: mpsc::Receiver<(DeliveryReport, Reply)>) {
    let mut waiting = Vec::with_capacity(MAX_REPORTS);
    while queue.recv_many(&mut waiting, MAX_REPORTS).await > 0 {
        let (reports, replies): (Vec<DeliveryReport>, Vec<Reply>) = waiting.drain(..).unzip();
        let taken = loop {
            match database.record_deliveries(&reports, now_ms()).await {
                Ok(taken) => break taken,
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "deliveries are not written yet");
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => break one_by_one(&database, &reports, error).await,
            }
        };
        for (reply, taken) in replies.into_iter().zip(taken) {
            // Fails when the destination's task was ended meanwhile.
            let _ = reply.send(taken);
        }
    }
}

/// Writes each report by itself, so that one that cannot be written stays alone with it.
async fn one_by_one(database: &PlatformDatabase, reports: &[DeliveryReport], error: DatabaseError) -> Vec<bool> {
    tracing::error!(%error, "deliveries cannot be written together");
    let mut taken = Vec::with_capacity(reports.len());
    for report in reports {
        let written = database.record_deliveries(std::slice::from_ref(report), now_ms()).await;
        if let Err(error) = &written {
            tracing::error!(%error, destination = report.destination_id, "a delivery cannot be written");
        }
        taken.push(written.is_ok_and(|taken| taken == [true]));
    }
    taken
}
