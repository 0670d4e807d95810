//! Feature sets that were computed once are read back, never computed again.

use assay_features::{FeatureSpec, FeatureTable, Split, StreamState, feature_hash, fit};
use assay_store::{read, write_atomic};
use assay_types::{Candles, Hash, InputScaling};
use serde::{Deserialize, Serialize};

use crate::error::JobError;
use crate::table_file::{from_parquet, to_parquet};
use crate::workspace::Workspace;

/// A feature set: raw columns, the scaling fitted on the training rows, and the state
/// in which a live stream goes on.
#[derive(Debug)]
pub struct FeatureSet {
    /// Its name (R1).
    pub hash: Hash,
    /// Raw values.
    pub table: FeatureTable,
    /// Fitted on the split's training rows.
    pub scaling: InputScaling,
    /// The indicators after the last candle.
    pub stream: StreamState,
    /// Whether this call computed it; false when it was read back.
    pub computed: bool,
}

/// What is kept beside the table, with a hash over all of it.
#[derive(Serialize, Deserialize)]
struct Sealed {
    sha256: Hash,
    beside: Beside,
}

#[derive(Serialize, Deserialize)]
struct Beside {
    table_sha256: Hash,
    warm_up: usize,
    scaling: InputScaling,
    stream: StreamState,
}

/// The feature set of `candles` under `spec` and `split`: read back when it was
/// computed before, else computed and kept (unless this is a dry run).
///
/// # Errors
/// [`JobError`] when the specification is wrong or the store fails. A damaged copy is
/// no error: it is computed again, with a note.
pub fn feature_set(
    workspace: &Workspace,
    candles: &Candles,
    data_hash: Hash,
    spec: &FeatureSpec,
    split: &Split,
) -> Result<FeatureSet, JobError> {
    let hash = feature_hash(data_hash, spec, split)?;
    let folder = workspace.home.features().join(hash.to_string());
    let (table_path, beside_path) = (folder.join("table.parquet"), folder.join("features.json"));
    if beside_path.exists() {
        let stored = read(&table_path).and_then(|table| Ok((table, read(&beside_path)?)));
        match stored.map_err(|error| error.to_string()).and_then(|(table, beside)| read_back(candles, &table, &beside))
        {
            Ok((table, beside)) => {
                let Beside { scaling, stream, .. } = beside;
                return Ok(FeatureSet { hash, table, scaling, stream, computed: false });
            }
            Err(reason) => {
                let path = folder.display();
                workspace.progress.note(&format!("{path}: damaged ({reason}); computing the features again"));
            }
        }
    }
    workspace.progress.stage("features");
    let (table, stream) = FeatureTable::build_with_stream(candles, spec)?;
    let scaling = fit(&table, &split.training_rows(), spec.scaler)?;
    let stream = stream.state()?;
    if !workspace.dry_run {
        let bytes = to_parquet(&table).map_err(JobError::Input)?;
        let warm_up = table.warm_up();
        let beside =
            Beside { table_sha256: Hash::of(&bytes), warm_up, scaling: scaling.clone(), stream: stream.clone() };
        write_atomic(&table_path, &bytes)?;
        // Written last: its presence says that the table is complete.
        let sealed = Sealed { sha256: seal(&beside), beside };
        write_atomic(&beside_path, &serde_json::to_vec_pretty(&sealed).expect("plain data"))?;
    }
    Ok(FeatureSet { hash, table, scaling, stream, computed: true })
}

fn seal(beside: &Beside) -> Hash {
    Hash::of_json(&serde_json::to_value(beside).expect("plain data"))
}

fn read_back(candles: &Candles, table: &[u8], beside: &[u8]) -> Result<(FeatureTable, Beside), String> {
    let Sealed { sha256, beside } = serde_json::from_slice(beside).map_err(|error| error.to_string())?;
    if seal(&beside) != sha256 {
        return Err("the scaling or the stream state was changed".to_owned());
    }
    if Hash::of(table) != beside.table_sha256 {
        return Err("the table's SHA-256 differs".to_owned());
    }
    let (names, columns) = from_parquet(table.to_vec())?;
    if columns.iter().any(|column| column.len() != candles.len()) {
        return Err("the table has another number of rows".to_owned());
    }
    let table = FeatureTable::from_columns(candles, names, columns, beside.warm_up);
    Ok((table, beside))
}
