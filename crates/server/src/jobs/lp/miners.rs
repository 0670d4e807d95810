//! The miners of a round: built-in strategies by name, trained ones by folder.

use std::path::Path;

use assay_lp::record::MinerRecord;
use assay_lp::strategy::KNOWN;
use assay_lp::{Entrant, Job, RebalanceQuery, Reply, Strategy};

use crate::error::JobError;
use crate::jobs::lp::policy::{PREFIX, PolicyMiner};

/// Miners of one round, as many as R6 foresees.
pub const MAX_MINERS: usize = 256;
/// The word for one built-in strategy of every kind.
pub const ALL: &str = "all";

/// Whom a round asks.
#[derive(Debug, Clone)]
pub enum Miner {
    /// A strategy of ours.
    BuiltIn(Strategy),
    /// A trained policy.
    Policy(Box<PolicyMiner>),
}

impl Miner {
    /// Its name in records.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::BuiltIn(strategy) => strategy.to_string(),
            Self::Policy(policy) => policy.name().to_owned(),
        }
    }

    /// Asks it.
    pub fn ask(&mut self, query: &RebalanceQuery) -> Reply {
        match self {
            Self::BuiltIn(strategy) => Reply::Answer(strategy.answer(query)),
            Self::Policy(policy) => Reply::Answer(policy.answer(query)),
        }
    }

    /// Its seat in a round.
    #[must_use]
    pub fn entrant(&self) -> Entrant {
        let built_in = matches!(self, Self::BuiltIn(_));
        Entrant { miner: self.name(), registered_at: 0, built_in, authenticated: false, combined_before: 0 }
    }
}

/// The seat that a record tells of.
#[must_use]
pub fn recorded_entrant(miner: &MinerRecord) -> Entrant {
    Entrant {
        miner: miner.miner.clone(),
        registered_at: miner.registered_at,
        built_in: miner.built_in,
        authenticated: miner.authenticated,
        combined_before: miner.combined_before,
    }
}

/// The miners that a comma-separated list names, in the order in which rounds seat them.
///
/// # Errors
/// [`JobError::Input`] naming what no strategy is, does not fit the job, or comes twice.
pub fn read_miners(list: &str, job: &Job) -> Result<Vec<Miner>, JobError> {
    let (mut strategies, mut policies) = (Vec::new(), Vec::new());
    for text in list.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        match text {
            ALL => strategies.extend(Strategy::baselines(job)),
            text => match text.strip_prefix(PREFIX) {
                Some(folder) => policies.push(PolicyMiner::open(Path::new(folder))?.for_job(job)),
                None => strategies.push(text.parse().map_err(|error| {
                    JobError::Input(format!("--miners: {error}, or {PREFIX}FOLDER of a trained one"))
                })?),
            },
        }
    }
    let fitted = strategies.into_iter().map(|strategy: Strategy| strategy.for_job(job)).collect::<Result<Vec<_>, _>>();
    let fitted = fitted.map_err(|error| JobError::Input(format!("--miners: {error}")))?;
    let mut miners: Vec<Miner> = fitted.into_iter().map(Miner::BuiltIn).collect();
    miners.extend(policies.into_iter().map(|policy| Miner::Policy(Box::new(policy))));
    miners.sort_by_key(Miner::name);
    if miners.is_empty() {
        return Err(JobError::Input(format!("--miners: nobody is named; take `{ALL}`, or some of {KNOWN}")));
    }
    if let Some(pair) = miners.windows(2).find(|pair| pair[0].name() == pair[1].name()) {
        return Err(JobError::Input(format!("--miners: {} comes twice; name it once", pair[0].name())));
    }
    if miners.len() > MAX_MINERS {
        return Err(JobError::Input(format!("--miners: {} are more than {MAX_MINERS}", miners.len())));
    }
    Ok(miners)
}
