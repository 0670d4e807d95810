//! The folder of recorded market data.

use std::path::PathBuf;

use assay_amm::snapshot::{Snapshot, decode};

/// A path in the folder that `ASSAY_TEST_DATA` names.
pub fn path(name: &str) -> PathBuf {
    let root = std::env::var_os("ASSAY_TEST_DATA").map(PathBuf::from);
    let path = root.expect("ASSAY_TEST_DATA names the folder of recorded data").join(name);
    assert!(path.exists(), "{}: no such file", path.display());
    path
}

/// A recorded pool state.
pub fn state(name: &str) -> Snapshot {
    let path = path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    decode(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
