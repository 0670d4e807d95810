//! The artefacts of a run as files of a model: which there are, and sealing them.

use std::collections::BTreeMap;

use assay_registry::ContentId;
use assay_store::RunFolder;

use crate::error::JobError;
use crate::jobs::models::card::CardFile;
use crate::workspace::Workspace;

/// The weights.
pub(crate) const WEIGHTS: &str = "weights.safetensors";
/// The run's config.
pub(crate) const CONFIG: &str = "config.json";
/// Files of a run's folder from which the policy could be rebuilt.
const SECRET: [&str; 4] = [WEIGHTS, "policy.json", "policy.onnx", "checkpoint.bin"];

/// Every artefact of the run with its content id and size, by name.
pub(crate) fn artefacts(folder: &RunFolder) -> Result<Vec<CardFile>, JobError> {
    let path = folder.file("artefacts.json");
    let listed: BTreeMap<String, String> = serde_json::from_slice(&folder.read("artefacts.json")?)
        .map_err(|error| JobError::Check(format!("{} does not read: {error}", path.display())))?;
    let mut files = Vec::with_capacity(listed.len());
    for (name, content_id) in listed {
        let bytes = folder.read(&name)?;
        let found = ContentId::of(&bytes).to_string();
        if found != content_id {
            let path = folder.file(&name);
            return Err(JobError::Check(format!(
                "{} is damaged: its content id is {found}, the run recorded {content_id}",
                path.display()
            )));
        }
        files.push(CardFile { name, content_id, bytes: bytes.len() as u64 });
    }
    Ok(files)
}

/// Seals everything in the home folder that holds these weights: the objects of `files`, and
/// the files of every run with the same weights.
pub(crate) fn seal(workspace: &Workspace, weights_hash: &str, files: &[CardFile]) -> Result<(), JobError> {
    let objects = workspace.home.objects();
    for file in files {
        if let Ok(content_id) = file.content_id.parse::<ContentId>() {
            objects.seal(content_id.hash())?;
        }
    }
    let runs = workspace.home.runs();
    for run in runs.list()?.iter().filter(|run| run.weights_hash.as_deref() == Some(weights_hash)) {
        let folder = runs.folder(&run.run_id);
        for name in SECRET {
            folder.seal(name)?;
        }
    }
    Ok(())
}
