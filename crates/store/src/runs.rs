//! Runs: one folder each, named by the run id.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::files::{read, read_to_string, write_atomic};
use crate::lock::Lock;
use crate::vault::{read_opened, seal_file};

/// Hexadecimal digits of a run id; folders with other names are not runs.
const ID_DIGITS: usize = 32;

/// The folder of all runs.
#[derive(Debug, Clone)]
pub struct Runs {
    folder: PathBuf,
    locks: PathBuf,
    home: PathBuf,
}

/// What a run is, in one file (`run.json`) that is rewritten as it moves on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run id of R1: 32 hexadecimal digits.
    pub run_id: String,
    /// `training`, `interrupted` is told from a missing lock, or `done`.
    pub status: String,
    /// How many times the run was started or resumed; not part of the id.
    pub attempts: u32,
    /// Algorithm name.
    pub algorithm: String,
    /// Dataset name.
    pub dataset: String,
    /// Seed.
    pub seed: u64,
    /// When the first attempt started, milliseconds since 1970 UTC.
    pub created_at_ms: i64,
    /// Environment steps trained so far.
    pub timesteps: u64,
    /// SHA-256 of the final weights; `None` until the run is done.
    pub weights_hash: Option<String>,
    /// `equity_hash` of the test back-test; `None` until the run is done.
    pub equity_hash: Option<String>,
    /// Final equity on the test split, decimal text; `None` until the run is done.
    pub final_equity: Option<String>,
    /// SHA-256 of `artefacts.json`, which pins every other file; `None` until the run is done.
    pub artefacts_hash: Option<String>,
}

impl Runs {
    pub(crate) fn new(home: &Path) -> Self {
        Self { folder: home.join("runs"), locks: home.join("locks"), home: home.to_owned() }
    }

    /// The folder of the run with exactly that id, whether it exists or not.
    #[must_use]
    pub fn folder(&self, run_id: &str) -> RunFolder {
        RunFolder {
            path: self.folder.join(run_id),
            lock: self.locks.join(format!("run-{run_id}.lock")),
            home: self.home.clone(),
            run_id: run_id.to_owned(),
        }
    }

    /// The one run whose id starts with `prefix`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or [`StoreError::Ambiguous`].
    pub fn find(&self, prefix: &str) -> Result<RunFolder, StoreError> {
        let plausible = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut ids = if plausible { self.ids()? } else { Vec::new() };
        ids.retain(|id| id.starts_with(&prefix.to_ascii_lowercase()));
        match &ids[..] {
            [id] => Ok(self.folder(id)),
            [] => Err(StoreError::NotFound {
                what: "run",
                id: prefix.to_owned(),
                home: self.home.clone(),
                fix: "`assay run list` shows the runs",
            }),
            several => Err(StoreError::Ambiguous {
                what: "run",
                id: prefix.to_owned(),
                matches: several.iter().take(3).cloned().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Every run's summary, newest first; folders without a readable summary are
    /// left out.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn list(&self) -> Result<Vec<RunSummary>, StoreError> {
        let mut runs: Vec<RunSummary> = self.ids()?.iter().filter_map(|id| self.folder(id).summary().ok()).collect();
        runs.sort_by(|a, b| b.created_at_ms.cmp(&a.created_at_ms).then_with(|| a.run_id.cmp(&b.run_id)));
        Ok(runs)
    }

    fn ids(&self) -> Result<Vec<String>, StoreError> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        let entries = std::fs::read_dir(&self.folder).map_err(StoreError::io("read", &self.folder))?;
        let is_id = |name: &String| name.len() == ID_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut ids: Vec<String> = names.filter(is_id).collect();
        ids.sort();
        Ok(ids)
    }
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    lock: PathBuf,
    home: PathBuf,
    run_id: String,
}

impl RunFolder {
    /// The run id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file of the run.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes the run's lock: one process trains a run.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn lock(&self) -> Result<Lock, StoreError> {
        Lock::take(&self.lock, &format!("run {}", self.run_id))
    }

    /// Whether some process holds the run's lock now.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        Lock::is_held(&self.lock)
    }

    /// Removes what killed writers of this run left behind. To be called by the holder
    /// of its lock.
    pub fn remove_temporary_files(&self) {
        let Ok(entries) = std::fs::read_dir(&self.path) else { return };
        let left = entries.filter_map(Result::ok).map(|entry| entry.path());
        for path in left.filter(|path| path.extension().is_some_and(|extension| extension == "tmp")) {
            // A file that cannot be removed only takes space.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Writes one file of the run atomically.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        write_atomic(&self.file(name), bytes)
    }

    /// Reads one file of the run, opening it when it is sealed.
    ///
    /// # Errors
    /// [`StoreError::Io`]; [`StoreError::Corrupt`] when it is sealed and does not open.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        read_opened(&self.home, &self.file(name), &self.context(name))
    }

    /// Reads one text file of the run.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn read_to_string(&self, name: &str) -> Result<String, StoreError> {
        read_to_string(&self.file(name))
    }

    /// Seals one file of the run under the home's vault; [`RunFolder::read`] opens it again.
    /// A file that is not there is as good as sealed.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn seal(&self, name: &str) -> Result<(), StoreError> {
        let path = self.file(name);
        if path.exists() { seal_file(&self.home, &path, &self.context(name)) } else { Ok(()) }
    }

    fn context(&self, name: &str) -> String {
        format!("run {} {name}", self.run_id)
    }

    /// The run's summary.
    ///
    /// # Errors
    /// [`StoreError::Io`] when there is none, [`StoreError::Corrupt`] when it does not
    /// read.
    pub fn summary(&self) -> Result<RunSummary, StoreError> {
        let path = self.file("run.json");
        let corrupt = |reason: String| StoreError::Corrupt {
            path: path.clone(),
            reason,
            fix: "remove its folder and train it again",
        };
        let summary: RunSummary = serde_json::from_slice(&read(&path)?).map_err(|error| corrupt(error.to_string()))?;
        if summary.run_id != self.run_id {
            return Err(corrupt(format!("it belongs to run {}", summary.run_id)));
        }
        Ok(summary)
    }

    /// Replaces the run's summary.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn set_summary(&self, summary: &RunSummary) -> Result<(), StoreError> {
        let text = serde_json::to_string_pretty(summary).expect("a summary is plain data");
        self.write("run.json", text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(run_id: &str, created_at_ms: i64) -> RunSummary {
        RunSummary {
            run_id: run_id.into(),
            status: "training".into(),
            attempts: 1,
            algorithm: "PPO".into(),
            dataset: "synthetic/BTC-USD/1h".into(),
            seed: 1,
            created_at_ms,
            timesteps: 0,
            weights_hash: None,
            equity_hash: None,
            final_equity: None,
            artefacts_hash: None,
        }
    }

    fn id(start: &str) -> String {
        format!("{start:0<32}")
    }

    #[test]
    fn runs_are_found_by_prefix() {
        let home = tempfile::tempdir().unwrap();
        let runs = Runs::new(home.path());
        for (start, time) in [("aa11", 1), ("aa22", 3), ("bb33", 2)] {
            runs.folder(&id(start)).set_summary(&summary(&id(start), time)).unwrap();
        }
        std::fs::create_dir_all(home.path().join("runs").join(id("aa22") + ".bak")).unwrap();
        assert_eq!(runs.find("BB").unwrap().run_id(), id("bb33"));
        assert_eq!(runs.find("aa2").unwrap().run_id(), id("aa22"));
        assert!(matches!(runs.find("aa"), Err(StoreError::Ambiguous { .. })));
        for missing in ["cc", "", "../aa11"] {
            assert!(matches!(runs.find(missing), Err(StoreError::NotFound { .. })), "{missing}");
        }
        let order: Vec<String> = runs.list().unwrap().into_iter().map(|run| run.run_id).collect();
        assert_eq!(order, ["aa22", "bb33", "aa11"].map(id));
    }

    #[test]
    fn a_held_lock_shows() {
        let home = tempfile::tempdir().unwrap();
        let run = Runs::new(home.path()).folder("aa11");
        assert!(!run.is_locked());
        let lock = run.lock().unwrap();
        assert!(run.is_locked());
        drop(lock);
        assert!(!run.is_locked());
    }
}
