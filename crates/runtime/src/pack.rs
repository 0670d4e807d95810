//! The folder that `assay model pack` writes, read back and proven.

use std::collections::BTreeMap;
use std::path::Path;

use assay_engine::PolicyFile;
use assay_features::StreamState;
use assay_model::Policy;
use assay_sim::Rules;
use assay_types::{Dataset, Hash};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::RuntimeError;

const MANIFEST: &str = "pack.json";
const WEIGHTS: &str = "weights.safetensors";
const POLICY: &str = "policy.json";
const STREAM: &str = "stream.json";
/// The version of packs that is read.
const VERSION: u32 = 1;

/// What `pack.json` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    pack_version: u32,
    model_id: String,
    #[serde(rename = "name")]
    _name: String,
    dataset: String,
    rules: Rules,
    /// SHA-256 of each file by name.
    files: BTreeMap<String, Hash>,
}

/// A packed model.
pub struct Pack {
    /// The model's id: SHA-256 of its weights.
    pub model_id: String,
    /// The series that it speaks about.
    pub dataset: Dataset,
    /// What its paper account pays.
    pub rules: Rules,
    /// The indicators where the run ended.
    pub stream: StreamState,
    /// The policy.
    pub policy: Policy,
}

impl Pack {
    /// Reads the folder, checking each file against its hash.
    ///
    /// # Errors
    /// [`RuntimeError::Damaged`] naming the file; [`RuntimeError::Io`].
    pub fn read(folder: &Path) -> Result<Self, RuntimeError> {
        let path = folder.join(MANIFEST);
        let manifest: Manifest = json(&path, &bytes(&path)?)?;
        if manifest.pack_version != VERSION {
            let found = manifest.pack_version;
            return Err(RuntimeError::damaged(&path, format!("it is of version {found}, this reads {VERSION}")));
        }
        let checked = |name: &str| {
            let path = folder.join(name);
            let content = bytes(&path)?;
            let (found, expected) = (Hash::of(&content), manifest.files.get(name));
            if expected == Some(&found) {
                Ok(content)
            } else {
                Err(RuntimeError::damaged(&path, format!("its SHA-256 is {found}, the pack says otherwise")))
            }
        };
        let weights = checked(WEIGHTS)?;
        if Hash::of(&weights).to_string() != manifest.model_id {
            return Err(RuntimeError::damaged(&path, "its model_id is not the hash of the weights"));
        }
        let file: PolicyFile = json(&folder.join(POLICY), &checked(POLICY)?)?;
        let policy = file.policy(&weights).map_err(|error| RuntimeError::damaged(&folder.join(WEIGHTS), error))?;
        let stream: StreamState = json(&folder.join(STREAM), &checked(STREAM)?)?;
        let dataset = manifest.dataset.parse().map_err(|error| RuntimeError::damaged(&path, error))?;
        Ok(Self { model_id: manifest.model_id, dataset, rules: manifest.rules, stream, policy })
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, RuntimeError> {
    std::fs::read(path).map_err(|source| RuntimeError::io("read", &path.display().to_string(), source))
}

fn json<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, RuntimeError> {
    serde_json::from_slice(bytes).map_err(|error| RuntimeError::damaged(path, error))
}
