//! Trials: every evaluation on a test period is written down, because the deflated
//! Sharpe ratio needs to know how often a period was looked at (R3).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::files::{append_line, read};
use crate::lock::Lock;

/// One evaluation of one strategy on one test period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Dataset name.
    pub dataset: String,
    /// First candle of the period, open time in milliseconds.
    pub from_ms: i64,
    /// Just after the last candle of the period, milliseconds.
    pub to_ms: i64,
    /// What was evaluated: a run's weights hash, or a rule's text.
    pub subject: String,
    /// Sharpe ratio per bar, not annualised; `None` when undefined.
    pub sharpe_per_bar: Option<f64>,
    /// When, milliseconds since 1970 UTC.
    pub at_ms: i64,
}

/// The list of all trials of a home folder.
#[derive(Debug, Clone)]
pub struct Trials {
    path: PathBuf,
    lock: PathBuf,
}

impl Trials {
    pub(crate) fn new(home: &Path) -> Self {
        Self { path: home.join("trials.jsonl"), lock: home.join("locks/trials.lock") }
    }

    /// Records `trial`. The same subject on the same period counts once, however often
    /// it is looked at again: it is the same trial.
    ///
    /// # Errors
    /// [`StoreError`] when the list cannot be read or written.
    pub fn record(&self, trial: &Trial) -> Result<(), StoreError> {
        let _lock = self.lock_patiently()?;
        let known = self.on(&trial.dataset, trial.from_ms, trial.to_ms)?;
        let same = |other: &Trial| {
            (other.from_ms, other.to_ms, &other.subject) == (trial.from_ms, trial.to_ms, &trial.subject)
        };
        if known.iter().any(same) {
            return Ok(());
        }
        append_line(&self.path, &serde_json::to_string(trial).expect("a trial is plain data"))
    }

    /// The trials on periods of `dataset` that overlap `[from_ms, to_ms)`, oldest first:
    /// a period that is moved by a candle is looked at again all the same. A line that a
    /// killed process left unfinished is passed over.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn on(&self, dataset: &str, from_ms: i64, to_ms: i64) -> Result<Vec<Trial>, StoreError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let bytes = read(&self.path)?;
        let text = String::from_utf8_lossy(&bytes);
        let trials = text.lines().filter_map(|line| serde_json::from_str::<Trial>(line).ok());
        Ok(trials.filter(|t| t.dataset == dataset && t.from_ms < to_ms && from_ms < t.to_ms).collect())
    }

    /// The list's lock is held for milliseconds only, so it is worth waiting for.
    fn lock_patiently(&self) -> Result<Lock, StoreError> {
        const ATTEMPTS: u32 = 200;
        const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);
        for _ in 1..ATTEMPTS {
            match Lock::take(&self.lock, "the list of trials") {
                Err(StoreError::Locked { .. }) => std::thread::sleep(PAUSE),
                other => return other,
            }
        }
        Lock::take(&self.lock, "the list of trials")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_subject_counts_once_per_period() {
        let home = tempfile::tempdir().unwrap();
        let trials = Trials::new(home.path());
        let trial = |subject: &str, from_ms| Trial {
            dataset: "synthetic/BTC-USD/1h".into(),
            from_ms,
            to_ms: 100,
            subject: subject.into(),
            sharpe_per_bar: Some(0.01),
            at_ms: 5,
        };
        for t in [trial("a", 0), trial("a", 0), trial("b", 0), trial("a", 50)] {
            trials.record(&t).unwrap();
        }
        assert_eq!(trials.on("synthetic/BTC-USD/1h", 0, 100).unwrap().len(), 3);
        assert_eq!(trials.on("synthetic/BTC-USD/1h", 0, 50).unwrap().len(), 2);
        assert_eq!(trials.on("synthetic/BTC-USD/1h", 100, 200).unwrap().len(), 0);
        assert_eq!(trials.on("other/BTC-USD/1h", 0, 100).unwrap().len(), 0);
    }

    #[test]
    fn many_writers_lose_nothing() {
        let home = tempfile::tempdir().unwrap();
        let trials = Trials::new(home.path());
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let trials = &trials;
                scope.spawn(move || {
                    for number in 0..10 {
                        let subject = format!("{writer}-{number}");
                        let dataset = "synthetic/BTC-USD/1h".to_owned();
                        let t = Trial { dataset, from_ms: 0, to_ms: 1, subject, sharpe_per_bar: None, at_ms: 0 };
                        trials.record(&t).unwrap();
                    }
                });
            }
        });
        assert_eq!(trials.on("synthetic/BTC-USD/1h", 0, 1).unwrap().len(), 40);
    }
}
