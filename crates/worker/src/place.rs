//! Where jobs run.

use std::path::PathBuf;

/// The program and the folders of a job's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The program whose command `work` runs jobs.
    pub program: PathBuf,
    /// The home folder.
    pub home: PathBuf,
    /// Where candles are, when not in the home.
    pub lake: Option<String>,
    /// Threads of each process; results do not depend on it.
    pub threads: usize,
}

impl Place {
    /// The arguments of a job's process; none is secret.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--home".to_owned(), self.home.display().to_string()];
        if let Some(lake) = &self.lake {
            arguments.extend(["--lake".to_owned(), lake.clone()]);
        }
        arguments.extend(["--threads".to_owned(), self.threads.clamp(1, 256).to_string(), "work".to_owned()]);
        arguments
    }
}
