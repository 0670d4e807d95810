//! What this program plays itself: built-in strategies by name, trained ones by folder.

use std::path::Path;

use assay_lp::{Job, RebalanceAnswer, RebalanceQuery, Strategy, StrategyError};

use crate::jobs::lp::policy::{PREFIX, PolicyMiner};

/// A strategy with its memory.
#[derive(Debug, Clone)]
pub enum Own {
    /// A baseline of every round.
    BuiltIn(Strategy),
    /// A trained policy.
    Policy(Box<PolicyMiner>),
}

impl Own {
    /// Reads `recentre:1000`, `policy:FOLDER` and the like.
    ///
    /// # Errors
    /// Why it names nothing that can be played.
    pub fn read(text: &str) -> Result<Self, String> {
        match text.strip_prefix(PREFIX) {
            Some(folder) => {
                let policy = PolicyMiner::open(Path::new(folder)).map_err(|error| format!("`{text}`: {error}"))?;
                Ok(Self::Policy(Box::new(policy)))
            }
            None => {
                let strategy = text.parse().map_err(|error: StrategyError| format!("{error}, {PREFIX}FOLDER"));
                strategy.map(Self::BuiltIn)
            }
        }
    }

    /// The strategy with the limits of a job, which its questions do not show.
    ///
    /// # Errors
    /// Why it does not fit the job.
    pub fn for_job(self, job: &Job) -> Result<Self, String> {
        match self {
            Self::BuiltIn(strategy) => strategy.for_job(job).map(Self::BuiltIn).map_err(|error| error.to_string()),
            Self::Policy(policy) => Ok(Self::Policy(Box::new(policy.for_job(job)))),
        }
    }

    /// Its name in records.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::BuiltIn(strategy) => strategy.to_string(),
            Self::Policy(policy) => policy.name().to_owned(),
        }
    }

    /// Answers a question.
    pub fn answer(&mut self, query: &RebalanceQuery) -> RebalanceAnswer {
        match self {
            Self::BuiltIn(strategy) => strategy.answer(query),
            Self::Policy(policy) => policy.answer(query),
        }
    }
}
