//! A model as a folder that speaks by itself: the runtime's binary, the weights and what they
//! need, and a container file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assay_store::{StoreError, write_atomic};
use assay_types::Hash;
use serde::Serialize;
use serde_json::json;

use crate::error::JobError;
use crate::jobs::models::card::Card;
use crate::jobs::models::files::WEIGHTS;
use crate::jobs::runs::LoadedRun;
use crate::workspace::Workspace;

/// Version of the folder.
const PACK_VERSION: u32 = 1;
/// The runtime's name, in the folder and beside this program.
pub const RUNTIME: &str = "assay-runtime";
/// A system with nothing but the pack; the binary must be static for it.
const CONTAINERFILE: &str = "\
FROM scratch
COPY assay-runtime pack.json weights.safetensors policy.json stream.json /
ENTRYPOINT [\"/assay-runtime\", \"--pack\", \"/\", \"--key\", \"/keys/signing.key\"]
";

/// A packed model.
#[derive(Debug, Clone, Serialize)]
pub struct Packed {
    /// The model.
    pub model_id: String,
    /// The folder.
    pub out: String,
    /// Its files with their sizes.
    pub files: BTreeMap<String, u64>,
    /// Bytes in all.
    pub bytes: u64,
    /// Whether nothing was written.
    pub dry_run: bool,
}

/// Packs the model with that card into the folder `out`; `runtime` is the runtime's binary,
/// [`RUNTIME`] beside this program when `None`.
///
/// # Errors
/// When the run is not here or damaged, there is no such binary, `out` holds something already,
/// or a file cannot be written.
pub fn pack_model(
    workspace: &Workspace<'_>,
    card: &Card,
    out: &Path,
    runtime: Option<&Path>,
) -> Result<Packed, JobError> {
    let run = LoadedRun::load(workspace, &card.lineage.run_id)?;
    if run.weights_hash.to_string() != card.model_id {
        return Err(JobError::Check(format!("run {} has other weights than the card says", card.lineage.run_id)));
    }
    if out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(JobError::Conflict(format!("{} is not empty: name another folder", out.display())));
    }
    let binary = runtime_bytes(runtime)?;
    let mut files: Vec<(&str, Vec<u8>)> = Vec::new();
    for name in [WEIGHTS, "policy.json", "stream.json"] {
        files.push((name, run.folder.read(name)?));
    }
    let hashes: BTreeMap<&str, Hash> = files.iter().map(|(name, bytes)| (*name, Hash::of(bytes))).collect();
    let manifest = json!({
        "pack_version": PACK_VERSION, "model_id": card.model_id, "name": card.name,
        "dataset": card.lineage.dataset, "rules": run.pins.rules, "files": hashes,
    });
    files.push(("pack.json", serde_json::to_vec_pretty(&manifest).expect("plain data")));
    files.push(("Containerfile", CONTAINERFILE.as_bytes().to_vec()));
    files.push((RUNTIME, binary));
    if !workspace.dry_run {
        for (name, bytes) in &files {
            write_atomic(&out.join(name), bytes)?;
        }
        make_executable(&out.join(RUNTIME))?;
    }
    let files: BTreeMap<String, u64> =
        files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.len() as u64)).collect();
    Ok(Packed {
        model_id: card.model_id.clone(),
        out: out.display().to_string(),
        bytes: files.values().sum(),
        files,
        dry_run: workspace.dry_run,
    })
}

fn runtime_bytes(given: Option<&Path>) -> Result<Vec<u8>, JobError> {
    let beside = || std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(RUNTIME)));
    let path: PathBuf = given.map(Path::to_owned).or_else(beside).unwrap_or_else(|| PathBuf::from(RUNTIME));
    if !path.is_file() {
        return Err(JobError::Input(format!(
            "there is no runtime at {}: build it with `cargo build --release -p assay-runtime` and pass --runtime FILE",
            path.display()
        )));
    }
    Ok(assay_store::read(&path)?)
}

fn make_executable(path: &Path) -> Result<(), JobError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
            .map_err(StoreError::io("write", path))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
