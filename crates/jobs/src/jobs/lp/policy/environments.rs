//! Liquidity rounds as environments of the learner: observations, actions and rewards are
//! those of [`assay_lp::environment`].

use assay_lp::environment::{ACTIONS, Environment, EnvironmentState, INPUTS, Limits, RecordedRound};
use assay_lp::{Job, LpError};
use assay_sim::End;
use assay_train::checkpoint::{Reader, Writer};
use assay_train::{Environments, Outcome, TrainError};

/// Miners side by side, each alone in its rounds.
#[derive(Debug, Clone)]
pub struct RoundEnvironments<'a> {
    environments: Vec<Environment<'a>>,
    reward_scale: f64,
}

impl<'a> RoundEnvironments<'a> {
    /// Environment `i` starts at round `i / count` of the list and goes on from there.
    ///
    /// # Errors
    /// [`LpError`] when there are no rounds, or one cannot start.
    pub fn new(
        job: &'a Job,
        rounds: &'a [RecordedRound],
        limits: Limits,
        count: usize,
        reward_scale: f64,
    ) -> Result<Self, LpError> {
        let start = |index: usize| Environment::new(job, rounds, limits, index * rounds.len() / count);
        Ok(Self { environments: (0..count).map(start).collect::<Result<_, _>>()?, reward_scale })
    }
}

fn failed(error: &LpError) -> TrainError {
    TrainError::Environment(error.to_string())
}

impl Environments for RoundEnvironments<'_> {
    fn count(&self) -> usize {
        self.environments.len()
    }

    fn inputs(&self) -> usize {
        INPUTS
    }

    fn actions(&self) -> usize {
        ACTIONS.len()
    }

    fn observe(&self, index: usize, out: &mut [f32]) {
        out.copy_from_slice(self.environments[index].observation());
    }

    /// The end of a round is a termination: the next one has a fresh inventory.
    fn step(&mut self, index: usize, action: usize, last: &mut [f32]) -> Result<Outcome, TrainError> {
        last.copy_from_slice(self.environments[index].observation());
        let step = self.environments[index].step(action).map_err(|error| failed(&error))?;
        let end = step.over_hold.map(|_| End::Terminated);
        Ok(Outcome { reward: (step.reward * self.reward_scale) as f32, end })
    }

    fn save(&self, writer: &mut Writer) {
        writer.u64(self.environments.len() as u64);
        for environment in &self.environments {
            writer.bytes(&serde_json::to_vec(environment.state()).expect("the state is plain data"));
        }
    }

    fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        let (found, own) = (reader.usize()?, self.environments.len());
        if found != own {
            return Err(TrainError::Checkpoint(format!("it has {found} environments, the config {own}")));
        }
        for environment in &mut self.environments {
            let state: EnvironmentState = serde_json::from_slice(reader.bytes()?)
                .map_err(|error| TrainError::Checkpoint(format!("an environment does not read: {error}")))?;
            environment.restore(&state).map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}
