//! Off-policy learning: SAC, TD3 and DDPG with the semantics and defaults of
//! Stable-Baselines3. Steps are kept in a replay buffer, and each step of the
//! environments is followed by gradient steps on minibatches drawn from it.
//!
//! The action is one number in [−1, 1]. A truncated episode has a value at its last
//! observation, a terminated one has none.

mod actor;
mod batch;
mod critics;
mod normals;
mod replay;
mod sac;
mod saved;
mod squashed;
mod td3;
mod temperature;

use assay_model::{Activation, Isa, Mlp, scalar_target};
use assay_sim::End;

use crate::candles::CandleEnvironments;
use crate::checkpoint::{Reader, Writer};
use crate::config::{Algorithm, TrainConfig};
use crate::environments::Environments;
use crate::error::TrainError;
use crate::rng::Rng;
use crate::set::TrainingSet;
use crate::stats::UpdateStats;
use batch::{Batch, Features};
use normals::fill_normals;
use replay::{ReplayBuffer, Transition};
use sac::Sac;
use td3::Td3;

/// What all off-policy algorithms have.
#[derive(Debug, Clone)]
struct Settings {
    net_arch: Vec<usize>,
    activation: Activation,
    learning_rate: f64,
    batch_size: usize,
    buffer_size: usize,
    learning_starts: u64,
    gamma: f32,
    tau: f32,
    train_freq: u64,
    /// `None`: as many as steps were taken.
    gradient_steps: Option<u64>,
    /// Standard deviation; 0 for none.
    action_noise: f32,
    threads: usize,
}

impl Settings {
    fn new(config: &TrainConfig, threads: usize) -> Result<Self, TrainError> {
        let gradient_steps = config.need("gradient_steps", config.gradient_steps)?;
        Ok(Self {
            net_arch: config.net_arch.clone(),
            activation: config.activation,
            learning_rate: config.learning_rate,
            batch_size: config.need("batch_size", config.batch_size)?,
            buffer_size: config.need("buffer_size", config.buffer_size)?,
            learning_starts: config.need("learning_starts", config.learning_starts)? as u64,
            gamma: config.gamma as f32,
            tau: config.need("tau", config.tau)? as f32,
            train_freq: config.need("train_freq", config.train_freq)? as u64,
            gradient_steps: u64::try_from(gradient_steps).ok(),
            action_noise: config.action_noise.unwrap_or(0.0) as f32,
            threads,
        })
    }
}

/// Losses of the last gradient step.
#[derive(Debug, Clone, Copy, Default)]
struct Losses {
    /// What the actor's step went down on.
    actor: f32,
    /// The critics' regression loss, summed over them.
    critic: f32,
    /// Weight of the entropy (SAC).
    temperature: Option<f32>,
}

#[derive(Debug)]
enum Agent {
    Sac(Sac),
    Td3(Td3),
}

/// Labels of the seed's streams; others have those of the on-policy family.
const ENVIRONMENTS: u64 = 1;
const WEIGHTS: u64 = 2;
const ACTIONS: u64 = 3;
const MINIBATCHES: u64 = 5;

/// A run of SAC, TD3 or DDPG.
#[derive(Debug)]
pub struct OffPolicy<'a> {
    settings: Settings,
    isa: Isa,
    environments: CandleEnvironments<'a>,
    features: Features<'a>,
    agent: Agent,
    replay: ReplayBuffer,
    batch: Batch,
    /// For actions and their noise.
    actions: Rng,
    /// For minibatches and the noise of their actions.
    minibatches: Rng,
    observations: Vec<f32>,
    timesteps: u64,
    losses: Losses,
    reward_scale: f64,
}

impl<'a> OffPolicy<'a> {
    /// A fresh run.
    ///
    /// # Errors
    /// [`TrainError`] when config and set do not fit.
    pub fn new(
        set: &TrainingSet<'a>,
        config: &TrainConfig,
        seed: u64,
        threads: usize,
        isa: Isa,
    ) -> Result<Self, TrainError> {
        let settings = Settings::new(config, threads)?;
        let root = Rng::new(seed);
        let environments = CandleEnvironments::new(
            set,
            config.n_envs,
            config.episode_steps,
            config.reward_scale,
            &root.fork(ENVIRONMENTS),
        )?;
        let inputs = set.inputs();
        let mut weights = root.fork(WEIGHTS);
        let agent = match config.algorithm {
            Algorithm::Sac => Agent::Sac(Sac::new(config, &settings, inputs, &mut weights)?),
            _ => Agent::Td3(Td3::new(config, &settings, inputs, &mut weights)?),
        };
        let mut learner = Self {
            isa,
            features: Features::new(set.features, set.columns),
            agent,
            replay: ReplayBuffer::new(settings.buffer_size),
            batch: Batch::default(),
            actions: root.fork(ACTIONS),
            minibatches: root.fork(MINIBATCHES),
            observations: vec![0.0; config.n_envs * inputs],
            timesteps: 0,
            losses: Losses::default(),
            reward_scale: config.reward_scale,
            settings,
            environments,
        };
        learner.observe();
        Ok(learner)
    }

    fn observe(&mut self) {
        let inputs = self.features.inputs();
        for (index, row) in self.observations.chunks_exact_mut(inputs).enumerate() {
            self.environments.observe(index, row);
        }
    }

    /// The network of the deterministic policy: the tanh of its one output is the action.
    #[must_use]
    pub fn network(&self) -> Mlp {
        match &self.agent {
            Agent::Sac(sac) => sac.policy_network(),
            Agent::Td3(td3) => td3.policy_network(),
        }
    }

    /// `train_freq` steps in each environment and the gradient steps that follow; also
    /// gives the number of environment steps.
    ///
    /// # Errors
    /// [`TrainError::Sim`] when the ledger overflows.
    pub fn update(&mut self) -> Result<(u64, UpdateStats), TrainError> {
        let mut paid = 0.0;
        for _ in 0..self.settings.train_freq {
            paid += self.collect()?;
        }
        let steps = self.settings.train_freq * self.environments.count() as u64;
        let mut stats = UpdateStats { mean_reward: paid / steps as f64 / self.reward_scale, ..UpdateStats::default() };
        if self.timesteps > self.settings.learning_starts {
            let (mut actor, mut critic) = (0.0, 0.0);
            let gradient_steps = self.settings.gradient_steps.unwrap_or(steps);
            for _ in 0..gradient_steps {
                self.learn();
                actor += f64::from(self.losses.actor);
                critic += f64::from(self.losses.critic);
            }
            stats.policy_loss = Some(actor / gradient_steps as f64);
            stats.value_loss = Some(critic / gradient_steps as f64);
            stats.entropy_coefficient = self.losses.temperature.map(f64::from);
        }
        Ok((steps, stats))
    }

    /// One step in each environment; gives the sum of the rewards.
    fn collect(&mut self) -> Result<f64, TrainError> {
        let inputs = self.features.inputs();
        let random = self.timesteps < self.settings.learning_starts;
        let mut paid = 0.0;
        for index in 0..self.environments.count() {
            let observation = &mut self.observations[index * inputs..][..inputs];
            let rng = &mut self.actions;
            let action = if random {
                (2.0 * rng.uniform() - 1.0) as f32
            } else {
                match &mut self.agent {
                    Agent::Sac(sac) => sac.explore(self.isa, observation, rng),
                    Agent::Td3(td3) => disturbed(td3.act(self.isa, observation), self.settings.action_noise, rng),
                }
            };
            let (bar, before) = (self.environments.candle(index), account(observation));
            let outcome = self.environments.step_to(index, scalar_target(action), observation)?;
            if outcome.end.is_none() {
                self.environments.observe(index, observation);
            }
            self.replay.push(Transition {
                bar: u32::try_from(bar).expect("fewer than 2^32 candles"),
                account: before,
                action,
                reward: outcome.reward,
                next_account: account(observation),
                terminated: outcome.end == Some(End::Terminated),
            });
            if outcome.end.is_some() {
                self.environments.observe(index, observation);
            }
            paid += f64::from(outcome.reward);
            self.timesteps += 1;
        }
        Ok(paid)
    }

    /// One gradient step.
    fn learn(&mut self) {
        let Self { settings, isa, features, replay, batch, minibatches: rng, .. } = self;
        batch.draw(rng, replay, *features, settings.batch_size);
        self.losses = match &mut self.agent {
            Agent::Sac(sac) => sac.update(*isa, batch, settings, rng),
            Agent::Td3(td3) => td3.update(*isa, batch, settings, rng),
        };
    }

    /// Writes everything the run depends on, the replay buffer included.
    pub fn save(&self, writer: &mut Writer) {
        writer.u64(self.timesteps);
        writer.u64(self.actions.state());
        writer.u64(self.minibatches.state());
        self.environments.save(writer);
        match &self.agent {
            Agent::Sac(sac) => sac.save(writer),
            Agent::Td3(td3) => td3.save(writer),
        }
        self.replay.save(writer);
    }

    /// Restores what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError`] when the bytes belong to another run.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        self.timesteps = reader.u64()?;
        self.actions = Rng::from_state(reader.u64()?);
        self.minibatches = Rng::from_state(reader.u64()?);
        self.environments.restore(reader)?;
        match &mut self.agent {
            Agent::Sac(sac) => sac.restore(reader)?,
            Agent::Td3(td3) => td3.restore(reader)?,
        }
        self.replay.restore(reader, self.features.bars())?;
        self.observe();
        Ok(())
    }
}

/// `action` with normal noise, clamped to [−1, 1].
fn disturbed(action: f32, deviation: f32, rng: &mut Rng) -> f32 {
    if deviation == 0.0 {
        return action;
    }
    let mut noise = [0.0];
    fill_normals(rng, &mut noise);
    (action + deviation * noise[0]).clamp(-1.0, 1.0)
}

/// The account inputs at the end of an observation.
fn account(observation: &[f32]) -> [f32; 2] {
    *observation.last_chunk().expect("an observation ends with the account's inputs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_sim::{Reward, Rules};
    use assay_types::{Candle, Candles, Market, Price, Qty, Timeframe};

    /// Prices that stand still except for one jump to the tenfold, which ruins a short.
    fn candles() -> Candles {
        let mut candles = Candles::new(Market::new("synthetic", "A-B").unwrap(), Timeframe::H1);
        for bar in 0..40_i64 {
            let price: Price = if bar < 20 { "10" } else { "100" }.parse().unwrap();
            let volume: Qty = "1".parse().unwrap();
            let open_time_ms = bar * Timeframe::H1.ms();
            candles.push(Candle { open_time_ms, open: price, high: price, low: price, close: price, volume });
        }
        candles
    }

    fn learner<'a>(set: &TrainingSet<'a>, more: &serde_json::Value) -> OffPolicy<'a> {
        let mut keys = serde_json::json!({
            "dataset": "synthetic/A-B/1h", "algorithm": "ddpg", "net_arch": [8], "batch_size": 4,
            "learning_starts": 1_000_000,
        });
        keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        OffPolicy::new(set, &TrainConfig::from_value(&keys).unwrap(), 1, 1, Isa::detect()).unwrap()
    }

    #[test]
    fn only_ruin_ends_the_future_and_each_transition_leads_to_the_next_bar() {
        let (candles, features) = (candles(), vec![0.5; 80]);
        let set = TrainingSet {
            candles: &candles,
            features: &features,
            columns: 2,
            train: 0..40,
            validation: 0..0,
            rules: Rules::new("0.01".parse().unwrap()),
            reward: Reward::ReturnMinusCost,
        };
        let mut learner = learner(&set, &serde_json::json!({"episode_steps": 8}));
        let mut actions = [0; 3];
        for _ in 0..2_000 {
            learner.update().unwrap();
        }
        let (mut ruined, mut cut) = (0, 0);
        for slot in 0..learner.replay.len() {
            let transition = learner.replay.get(slot);
            let target = scalar_target(transition.action);
            actions[(target.sign() + 1) as usize] += 1;
            let ruin = transition.bar == 19 && target.sign() < 0;
            assert_eq!(transition.terminated, ruin, "slot {slot}");
            assert_eq!(transition.reward <= -100.0, ruin, "the whole equity is lost");
            if !ruin {
                assert_eq!(transition.next_account[0], f32::from(target.sign()), "what is held at the next close");
            }
            if slot > 0 {
                let before = learner.replay.get(slot - 1);
                let goes_on = transition.bar == before.bar + 1 && transition.account == before.next_account;
                let starts = transition.account == [0.0, 0.0];
                assert!(goes_on || starts, "slot {slot}");
                cut += usize::from(!before.terminated && !goes_on);
            }
            ruined += usize::from(ruin);
        }
        assert!(ruined > 10 && cut > 100, "{ruined} ruined, {cut} cut off");
        // Random actions are uniform: a third for each target.
        assert!(actions.iter().all(|count| (550..790).contains(count)), "{actions:?}");
    }

    #[test]
    fn learning_starts_after_its_steps_and_takes_the_gradient_steps_asked_for() {
        let (candles, features) = (candles(), vec![0.5; 80]);
        let set = TrainingSet {
            candles: &candles,
            features: &features,
            columns: 2,
            train: 0..40,
            validation: 0..0,
            rules: Rules::new("0.01".parse().unwrap()),
            reward: Reward::ReturnMinusCost,
        };
        for (more, expected) in [
            (serde_json::json!({}), 6),
            (serde_json::json!({"gradient_steps": 3}), 18),
            (serde_json::json!({"train_freq": 2}), 3),
            (serde_json::json!({"train_freq": 2, "gradient_steps": -1, "n_envs": 2}), 8),
        ] {
            let mut more = more;
            more["learning_starts"] = 10.into();
            let mut learner = learner(&set, &more);
            while learner.timesteps < 16 {
                let (steps, stats) = learner.update().unwrap();
                assert_eq!(stats.value_loss.is_some(), learner.timesteps > 10, "{more}");
                assert_eq!(steps * (learner.timesteps / steps), learner.timesteps);
            }
            let Agent::Td3(agent) = &learner.agent else { panic!("ddpg") };
            assert_eq!(agent.updates, expected, "{more}");
        }
    }
}
