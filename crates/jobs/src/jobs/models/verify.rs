//! A model proven again on this machine: its files by their content ids, its equity by a replay.

use assay_registry::ContentId;
use assay_sim::backtest;
use assay_store::RunFolder;
use assay_types::Hash;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::JobError;
use crate::jobs::models::card::{Card, CardFile};
use crate::jobs::models::files::WEIGHTS;
use crate::jobs::policy_decider::PolicyDecider;
use crate::jobs::runs::LoadedRun;
use crate::workspace::Workspace;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = VerifiedModel)]
pub struct Verified {
    /// The model.
    pub model_id: String,
    /// Whether everything holds.
    pub holds: bool,
    /// SHA-256 of the weights as they are now; null when there are none.
    #[schema(required)]
    pub weights_hash: Option<String>,
    /// Each artefact.
    pub files: Vec<FileCheck>,
    /// The equity of a replay.
    pub equity: EquityCheck,
    /// What does not hold, in words.
    pub problems: Vec<String>,
}

/// One artefact, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FileCheck {
    /// Its name.
    pub name: String,
    /// The content id on the card.
    pub content_id: String,
    /// Whether every copy here has that content.
    pub holds: bool,
    /// What is wrong with it.
    #[schema(required)]
    pub problem: Option<String>,
}

/// The equity hash, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EquityCheck {
    /// The hash on the card.
    pub expected: String,
    /// The hash of a replay here; null when there was none.
    #[schema(required)]
    pub found: Option<String>,
    /// Whether they are the same.
    pub holds: bool,
    /// Why there was no replay, or what is wrong.
    #[schema(required)]
    pub problem: Option<String>,
}

/// Recomputes the weights' hash, every content id and, by a replay, the equity hash of the
/// model with that card.
///
/// # Errors
/// When the run's folder is not there at all; what does not hold is in the answer.
pub fn verify_model(workspace: &Workspace<'_>, card: &Card) -> Result<Verified, JobError> {
    let folder = workspace.home.runs().find(&card.lineage.run_id)?;
    workspace.progress.stage("files");
    let files: Vec<FileCheck> = card.files.iter().map(|file| check_file(workspace, &folder, file)).collect();
    let weights_hash = folder.read(WEIGHTS).ok().map(|bytes| Hash::of(&bytes).to_string());
    let mut problems: Vec<String> = files.iter().filter_map(|file| file.problem.clone()).collect();
    if weights_hash.as_ref() != Some(&card.model_id) && problems.is_empty() {
        problems.push(format!("{WEIGHTS} is not what the model's id says"));
    }
    let expected = card.hashes.equity.clone();
    let equity = if problems.is_empty() {
        workspace.progress.stage("replay");
        match replay(workspace, &card.lineage.run_id) {
            Ok(found) => {
                let problem = (found != expected).then(|| format!("a replay here came to equity hash {found}"));
                EquityCheck { holds: problem.is_none(), expected, found: Some(found), problem }
            }
            Err(error) => EquityCheck { expected, found: None, holds: false, problem: Some(error.to_string()) },
        }
    } else {
        let problem = Some("not replayed: a file does not hold".to_owned());
        EquityCheck { expected, found: None, holds: false, problem }
    };
    if files.iter().all(|file| file.holds) {
        problems.extend(equity.problem.clone());
    }
    Ok(Verified { model_id: card.model_id.clone(), holds: problems.is_empty(), weights_hash, files, equity, problems })
}

/// Whether the run's file and the object with that content id are what the card says.
fn check_file(workspace: &Workspace<'_>, folder: &RunFolder, file: &CardFile) -> FileCheck {
    let CardFile { name, content_id, .. } = file;
    let problem = match (folder.read(name), content_id.parse::<ContentId>()) {
        (_, Err(error)) => Some(error.to_string()),
        (Err(error), _) => Some(format!("{name}: {error}")),
        (Ok(bytes), Ok(_)) if ContentId::of(&bytes).to_string() != *content_id => {
            let (found, path) = (ContentId::of(&bytes), folder.file(name));
            Some(format!("{name} was changed: {} has content id {found}, the card says {content_id}", path.display()))
        }
        (Ok(_), Ok(id)) => match workspace.home.objects().get(id.hash()) {
            Ok(_) => None,
            Err(error) => Some(format!("{name}: {error}")),
        },
    };
    FileCheck { name: name.clone(), content_id: content_id.clone(), holds: problem.is_none(), problem }
}

/// The equity hash of the run's policy over its test split, replayed candle by candle; not a
/// trial, because nothing is chosen by it.
fn replay(workspace: &Workspace<'_>, run_id: &str) -> Result<String, JobError> {
    let run = LoadedRun::load(workspace, run_id)?;
    let candles = run.candles(workspace)?;
    let test = run.pins.split.test();
    let mut decider = PolicyDecider::new(run.strategy()?, &candles, test.clone())?;
    let result = backtest(&candles, &run.pins.rules, test, |view| decider.decide(view))?;
    decider.finish()?;
    Ok(result.equity_hash().to_string())
}
