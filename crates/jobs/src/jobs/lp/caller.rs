//! Asks miners over HTTP from a job that is not asynchronous.

use std::time::Duration;

use assay_lp::protocol::RevealRequest;
use assay_lp::{Job, RebalanceQuery, Reply};
use assay_miner::{Ask, MinerClient, MinerEndpoint, Outcome, Reveal, system_clock};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::error::JobError;
use crate::workspace::Workspace;

/// A miner that practises has no longer to answer, whatever its job allows.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);
/// The least that it has to answer and to reveal.
const SHORTEST: Duration = Duration::from_secs(1);

/// A validator's side without a validator.
pub struct Caller {
    runtime: Runtime,
    client: MinerClient,
    answer: Duration,
    reveal: Duration,
}

impl Caller {
    /// Asks with the home's signing key and within the job's times.
    ///
    /// # Errors
    /// [`JobError`] when there is no key, no thread or no HTTP client.
    pub fn open(workspace: &Workspace, job: &Job) -> Result<Self, JobError> {
        if workspace.dry_run && !workspace.home.has_signing_key() {
            let text =
                "miners over HTTP are asked with the home's signing key, and a dry run makes none: leave out --dry-run";
            return Err(JobError::Input(text.to_owned()));
        }
        let failed = |error: &dyn std::fmt::Display| JobError::Failed(format!("asking miners: {error}"));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let client = MinerClient::new(workspace.home.signing_key()?, None, system_clock());
        Ok(Self {
            runtime: runtime.map_err(|error| failed(&error))?,
            client: client.map_err(|error| failed(&error))?,
            answer: Duration::from_secs(job.answer_seconds).clamp(SHORTEST, LONGEST_ANSWER),
            reveal: Duration::from_secs(job.reveal_seconds).clamp(SHORTEST, LONGEST_ANSWER),
        })
    }

    /// Asks all at once and has what they sealed opened; the replies are in the order of
    /// the questions.
    pub fn ask(&self, questions: Vec<(MinerEndpoint, RebalanceQuery)>) -> Vec<Reply> {
        let asks = questions.iter().map(|(endpoint, query)| Ask { endpoint: endpoint.clone(), query: query.clone() });
        let asks: Vec<Ask> = asks.collect();
        self.runtime.block_on(async {
            let asked = self.client.ask_all(asks, Instant::now() + self.answer).await;
            let mut replies: Vec<Option<Reply>> = asked.iter().map(assay_miner::Asked::reply).collect();
            let mut sealed = Vec::new();
            let mut reveals = Vec::new();
            for (place, ((endpoint, query), asked)) in questions.into_iter().zip(&asked).enumerate() {
                if let Outcome::Committed(commitment) = asked.outcome {
                    let (job_id, round_id, checkpoint) = (query.job_id, query.round_id, query.block_number);
                    sealed.push(place);
                    reveals
                        .push(Reveal { endpoint, request: RevealRequest { job_id, round_id, checkpoint, commitment } });
                }
            }
            let revealed = self.client.reveal_all(reveals, Instant::now() + self.reveal).await;
            for (place, revealed) in sealed.into_iter().zip(revealed) {
                replies[place] = Some(revealed.reply());
            }
            let none = || Reply::Missed("no answer".to_owned());
            replies.into_iter().map(|reply| reply.unwrap_or_else(none)).collect()
        })
    }
}
