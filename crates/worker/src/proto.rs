//! The messages and calls of `proto/worker.proto`.

#![allow(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    reason = "generated; the file beside it documents"
)]

use assay_store::database::{JobEffects, JobEnding, WorkerLease};

tonic::include_proto!("assay.worker.v1");

impl From<&WorkerLease> for JobLease {
    fn from(lease: &WorkerLease) -> Self {
        Self { job_id: lease.job_id.clone(), worker: lease.worker.clone(), token: lease.token }
    }
}

impl From<JobLease> for WorkerLease {
    fn from(lease: JobLease) -> Self {
        Self { job_id: lease.job_id, worker: lease.worker, token: lease.token, expires_at: 0 }
    }
}

fn entries(rows: &[(String, String)]) -> Vec<Entry> {
    rows.iter().map(|(name, summary)| Entry { name: name.clone(), summary: summary.clone() }).collect()
}

fn rows(entries: Vec<Entry>) -> Vec<(String, String)> {
    entries.into_iter().map(|entry| (entry.name, entry.summary)).collect()
}

impl From<&JobEnding> for finish_request::Ending {
    fn from(ending: &JobEnding) -> Self {
        match ending {
            JobEnding::Done(effects) => Self::Done(Done {
                result: effects.result.clone(),
                runs: entries(&effects.runs),
                datasets: entries(&effects.datasets),
            }),
            JobEnding::Failed { code, message } => {
                Self::Failed(Failed { code: code.clone(), message: message.clone() })
            }
            JobEnding::Cancelled => Self::Cancelled(Cancelled {}),
            JobEnding::Interrupted => Self::Interrupted(Interrupted {}),
            JobEnding::Later { after_ms } => Self::Later(Later { after_ms: *after_ms }),
        }
    }
}

impl From<finish_request::Ending> for JobEnding {
    fn from(ending: finish_request::Ending) -> Self {
        use finish_request::Ending;
        match ending {
            Ending::Done(done) => {
                Self::Done(JobEffects { result: done.result, runs: rows(done.runs), datasets: rows(done.datasets) })
            }
            Ending::Failed(failed) => Self::Failed { code: failed.code, message: failed.message },
            Ending::Cancelled(_) => Self::Cancelled,
            Ending::Interrupted(_) => Self::Interrupted,
            Ending::Later(later) => Self::Later { after_ms: later.after_ms.clamp(0, 60_000) },
        }
    }
}
