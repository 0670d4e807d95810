//! A strategy of this program as a miner that validators ask over HTTP.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use assay_lp::protocol::auth::is_key_text;
use assay_lp::protocol::ss58;
use assay_lp::{RebalanceAnswer, RebalanceQuery, RoundType};
use assay_miner::{AxonServer, MinerServer, serve, system_clock};
use assay_types::public_key_text;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::error::JobError;
use crate::jobs::lp::job_file::read_job;
use crate::jobs::lp::own::Own;
use crate::workspace::Workspace;

/// Jobs whose rounds a miner remembers at once; the longest unasked is forgotten first.
const MAX_REMEMBERED: usize = 256;

/// What to serve.
#[derive(Debug, Clone)]
pub struct ServeRequest {
    /// The strategy.
    pub strategy: String,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Keys that may ask, and on the v10 axon wire SS58 addresses; everybody when there is
    /// none of a wire's kind.
    pub validators: Vec<String>,
    /// The miner's SS58 address, to speak the v10 axon wire too.
    pub hotkey: Option<String>,
    /// A job file whose limits the strategy keeps to; the defaults when `None`.
    pub job: Option<PathBuf>,
}

/// A miner at work.
#[derive(Debug, Serialize)]
pub struct Serving {
    /// Where it listens.
    pub address: String,
    /// Its key, under which it registers.
    pub key: String,
    /// Its strategy.
    pub strategy: String,
    /// Keys that may ask; everybody when `None`.
    pub validators: Option<BTreeSet<String>>,
    /// The v10 axon wire, when it is spoken: address and SS58 addresses that may ask.
    pub axon: Option<ServedAxon>,
}

/// The v10 axon wire of a miner.
#[derive(Debug, Serialize)]
pub struct ServedAxon {
    /// SS58 address of the miner.
    pub hotkey: String,
    /// SS58 addresses that may ask; everybody when `None`.
    pub validators: Option<BTreeSet<String>>,
}

impl ServeRequest {
    /// Answers validators until the process ends; `ready` is told once it listens. A dry
    /// run listens and stops.
    ///
    /// # Errors
    /// [`JobError::Input`] for an unknown strategy, a key that is none, or an address that
    /// cannot be listened on.
    pub fn run(
        self,
        workspace: &Workspace,
        ready: impl FnOnce(&Serving) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        let input = |option: &str, error: &dyn std::fmt::Display| JobError::Input(format!("{option}: {error}"));
        let mut strategy = Own::read(&self.strategy).map_err(|error| input("--strategy", &error))?;
        if let Some(path) = &self.job {
            strategy = strategy.for_job(&read_job(path)?).map_err(|error| input("--strategy", &error))?;
        }
        let (validators, axon) = self.callers()?;
        if workspace.dry_run && !workspace.home.has_signing_key() {
            return Err(input("--dry-run", &"the home has no signing key yet, and a dry run makes none"));
        }
        let key = workspace.home.signing_key()?;
        let failed = |error: &dyn std::fmt::Display| JobError::Failed(format!("the miner: {error}"));
        let runtime = Builder::new_multi_thread().worker_threads(workspace.threads).enable_all().build();
        runtime.map_err(|error| failed(&error))?.block_on(async {
            let listener = TcpListener::bind(self.listen).await;
            let listener = listener.map_err(|error| input(&format!("--listen {}", self.listen), &error))?;
            let address = listener.local_addr().map_err(|error| failed(&error))?;
            let serving = Serving {
                address: format!("http://{address}"),
                key: public_key_text(&key),
                strategy: strategy.name(),
                validators: validators.clone(),
                axon: axon
                    .as_ref()
                    .map(|axon| ServedAxon { hotkey: axon.hotkey.clone(), validators: axon.validators.clone() }),
            };
            ready(&serving)?;
            if workspace.dry_run {
                return Ok(());
            }
            let memory = Mutex::new(Memory { fresh: strategy, jobs: VecDeque::new() });
            let answer =
                move |query: &RebalanceQuery| memory.lock().unwrap_or_else(PoisonError::into_inner).answer(query);
            let server = MinerServer { key, validators, axon, strategy: Arc::new(answer), clock: system_clock() };
            serve(listener, server, std::future::pending()).await.map_err(|error| failed(&error))
        })
    }
}

impl ServeRequest {
    /// Who may ask on either wire.
    fn callers(&self) -> Result<(Option<BTreeSet<String>>, Option<AxonServer>), JobError> {
        let input = |option: &str, reason: String| JobError::Input(format!("{option}: {reason}"));
        let (keys, others): (Vec<&String>, Vec<&String>) = self.validators.iter().partition(|key| is_key_text(key));
        let rule = match self.hotkey {
            Some(_) => "64 lower-case hexadecimal digits, or an SS58 address",
            None => "64 lower-case hexadecimal digits (an SS58 address needs --wire axon-v10)",
        };
        let wrong = |key: &&&String| self.hotkey.is_none() || ss58::decode(key).is_err();
        if let Some(key) = others.iter().find(wrong) {
            return Err(input("--validator", format!("`{key}` is no key: write {rule}")));
        }
        let set = |list: Vec<&String>| (!list.is_empty()).then(|| list.into_iter().cloned().collect::<BTreeSet<_>>());
        let axon = match &self.hotkey {
            Some(hotkey) => {
                ss58::decode(hotkey).map_err(|error| input("--hotkey", format!("`{hotkey}`: {error}")))?;
                Some(AxonServer { hotkey: hotkey.clone(), validators: set(others) })
            }
            None => None,
        };
        Ok((set(keys), axon))
    }
}

/// One strategy per job and kind of round, each with its own memory.
struct Memory {
    fresh: Own,
    jobs: VecDeque<((String, RoundType), Own)>,
}

impl Memory {
    fn answer(&mut self, query: &RebalanceQuery) -> RebalanceAnswer {
        let key = (query.job_id.clone(), query.round_type);
        let known = self.jobs.iter().position(|(known, _)| *known == key).and_then(|place| self.jobs.remove(place));
        let (key, mut strategy) = known.unwrap_or_else(|| (key, self.fresh.clone()));
        let answer = strategy.answer(query);
        if self.jobs.len() == MAX_REMEMBERED {
            self.jobs.pop_front();
        }
        self.jobs.push_back((key, strategy));
        answer
    }
}
