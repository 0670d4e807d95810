//! A run with its judge: training, validation, the choice of the best checkpoint and
//! early stopping, in one thing that can be put down and taken up again.
//!
//! Only the validation split is read here (R3); the test split never enters this crate.

use assay_model::{Isa, Mlp};

use crate::checkpoint::{Reader, Writer};
use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::evaluate::{Selection, evaluate};
use crate::set::TrainingSet;
use crate::stats::UpdateStats;
use crate::trainer::Trainer;

/// A run in progress and the best policy so far.
#[derive(Debug)]
pub struct Session<'a> {
    trainer: Trainer<'a>,
    set: TrainingSet<'a>,
    isa: Isa,
    checkpoint_every: u64,
    selection: Selection,
    best: Option<Best>,
}

/// The best checkpoint so far.
#[derive(Debug, Clone)]
struct Best {
    timesteps: u64,
    network: Mlp,
}

/// What one step of a session did.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionStep {
    /// Counters of the update.
    pub stats: UpdateStats,
    /// Return of the policy over the validation split, when this was a checkpoint.
    pub validation_return: Option<f64>,
    /// Whether this was a checkpoint: the moment to keep [`Session::checkpoint`].
    pub is_checkpoint: bool,
    /// Whether the run is over: its budget spent, or patience lost.
    pub is_over: bool,
}

impl<'a> Session<'a> {
    /// A fresh run; as [`Trainer::new`].
    ///
    /// # Errors
    /// As there.
    pub fn new(
        set: &TrainingSet<'a>,
        config: &TrainConfig,
        seed: u64,
        threads: usize,
        isa: Isa,
    ) -> Result<Self, TrainError> {
        Ok(Self::with(Trainer::new(set, config, seed, threads, isa)?, set, config, isa))
    }

    /// The run that `bytes`, made by [`Self::checkpoint`], stopped at.
    ///
    /// # Errors
    /// As [`Trainer::resume`].
    pub fn resume(
        bytes: &[u8],
        set: &TrainingSet<'a>,
        config: &TrainConfig,
        seed: u64,
        threads: usize,
        isa: Isa,
    ) -> Result<Self, TrainError> {
        let mut reader = Reader::new(bytes)?;
        let trainer = Trainer::resume(reader.bytes()?, set, config, seed, threads, isa)?;
        let mut session = Self::with(trainer, set, config, isa);
        session.selection.since_best = reader.u64()?;
        if reader.u64()? == 1 {
            session.selection.best_return = Some(reader.f64()?);
            session.selection.best_update = reader.u64()?;
            let timesteps = reader.u64()?;
            let mut network = session.trainer.network();
            network.set_values(&reader.f32s()?)?;
            session.best = Some(Best { timesteps, network });
        }
        reader.finish()?;
        Ok(session)
    }

    fn with(trainer: Trainer<'a>, set: &TrainingSet<'a>, config: &TrainConfig, isa: Isa) -> Self {
        Self {
            trainer,
            set: set.clone(),
            isa,
            checkpoint_every: config.checkpoint_every.max(1),
            selection: Selection::new(config.patience),
            best: None,
        }
    }

    /// Everything the run and its judge depend on.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(&self.trainer.checkpoint());
        writer.u64(self.selection.since_best);
        writer.u64(u64::from(self.best.is_some()));
        if let (Some(best), Some(score)) = (&self.best, self.selection.best_return) {
            writer.f64(score);
            writer.u64(self.selection.best_update);
            writer.u64(best.timesteps);
            writer.f32s(best.network.values());
        }
        writer.finish()
    }

    /// One update, and the judgement when a checkpoint is due.
    ///
    /// # Errors
    /// As [`Trainer::update`].
    pub fn advance(&mut self) -> Result<SessionStep, TrainError> {
        let stats = self.trainer.update()?;
        let is_checkpoint = self.trainer.updates().is_multiple_of(self.checkpoint_every) || self.trainer.is_done();
        let validation_return = if is_checkpoint { self.judge()? } else { None };
        Ok(SessionStep { stats, validation_return, is_checkpoint, is_over: self.is_over() })
    }

    /// Whether the budget is spent or patience is lost.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.trainer.is_done() || self.selection.patience.is_some_and(|patience| self.selection.since_best >= patience)
    }

    /// Lets the policy trade the validation split and keeps it if no checkpoint before
    /// earned as much; of equal ones the first stays.
    fn judge(&mut self) -> Result<Option<f64>, TrainError> {
        let validation = self.set.validation.clone();
        if validation.len() < 2 {
            return Ok(None);
        }
        let network = self.trainer.network();
        let score = evaluate(&network, self.trainer.head(), &self.set, validation, self.isa)?.final_return;
        if self.selection.judge(self.trainer.updates(), score).is_best {
            self.best = Some(Best { timesteps: self.trainer.timesteps(), network });
        }
        Ok(Some(score))
    }

    /// The network chosen by the validation split: the best checkpoint's, or the latest
    /// one's when nothing was validated.
    #[must_use]
    pub fn network(&self) -> Mlp {
        self.best.as_ref().map_or_else(|| self.trainer.network(), |best| best.network.clone())
    }

    /// Validation return and environment steps of the chosen checkpoint; `None` before
    /// the first one.
    #[must_use]
    pub fn best(&self) -> Option<(f64, u64)> {
        self.selection.best_return.zip(self.best.as_ref().map(|best| best.timesteps))
    }

    /// The trainer inside.
    #[must_use]
    pub const fn trainer(&self) -> &Trainer<'a> {
        &self.trainer
    }
}
