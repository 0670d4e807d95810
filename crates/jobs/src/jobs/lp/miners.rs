//! The miners of a round: strategies of this program by name, others by address and key.

use assay_lp::record::MinerRecord;
use assay_lp::strategy::KNOWN;
use assay_lp::{Entrant, Job, Strategy};
use assay_miner::{MinerEndpoint, Wire};

use crate::error::JobError;
use crate::jobs::lp::own::Own;

/// Miners of one round, as many as R6 foresees.
pub const MAX_MINERS: usize = 256;
/// The word for one built-in strategy of every kind.
pub const ALL: &str = "all";

/// Whom a round asks.
#[derive(Debug, Clone)]
pub enum Miner {
    /// A strategy of this program.
    Own(Own),
    /// Somebody's program, over HTTP.
    Remote(MinerEndpoint),
}

impl Miner {
    /// Its name in records.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Own(own) => own.name(),
            Self::Remote(endpoint) => endpoint.key().to_owned(),
        }
    }

    /// Its seat in a round.
    #[must_use]
    pub fn entrant(&self) -> Entrant {
        let built_in = matches!(self, Self::Own(Own::BuiltIn(_)));
        let authenticated = matches!(self, Self::Remote(_));
        Entrant { miner: self.name(), registered_at: 0, built_in, authenticated, combined_before: 0 }
    }

    fn read(text: &str, job: &Job) -> Result<Self, String> {
        if text.starts_with("http://") || text.starts_with("https://") {
            let Some((url, key)) = text.split_once('#') else {
                return Err(format!("{text}: write its key behind it, as {text}#KEY; `assay miner serve` prints it"));
            };
            return MinerEndpoint::new(key, url, Wire::Native).map(Self::Remote).map_err(|error| error.to_string());
        }
        Own::read(text)?.for_job(job).map(Self::Own)
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
    let input = |error: String| JobError::Input(format!("--miners: {error}"));
    let mut miners = Vec::new();
    for text in list.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        match text {
            ALL => {
                let fitted = Strategy::baselines(job).into_iter().map(|strategy| strategy.for_job(job));
                for strategy in fitted {
                    let strategy = strategy.map_err(|error| input(error.to_string()))?;
                    miners.push(Miner::Own(Own::BuiltIn(strategy)));
                }
            }
            text => miners.push(Miner::read(text, job).map_err(input)?),
        }
    }
    miners.sort_by_key(Miner::name);
    if miners.is_empty() {
        return Err(JobError::Input(format!(
            "--miners: nobody is named; take `{ALL}`, or some of {}",
            KNOWN.join(", ")
        )));
    }
    if let Some(pair) = miners.windows(2).find(|pair| pair[0].name() == pair[1].name()) {
        return Err(JobError::Input(format!("--miners: {} comes twice; name it once", pair[0].name())));
    }
    if miners.len() > MAX_MINERS {
        return Err(JobError::Input(format!("--miners: {} are more than {MAX_MINERS}", miners.len())));
    }
    Ok(miners)
}
