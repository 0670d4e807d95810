//! Creation code out of the published packages.

use std::path::PathBuf;

use alloy_primitives::{Address, Bytes};

/// The folder that holds `node_modules` with the packages of `testdata/contracts`.
///
/// # Panics
/// `ASSAY_CONTRACTS` is not set or names no such folder: a differential test without the
/// contracts proves nothing, so it fails instead of skipping.
#[must_use]
pub fn contracts_folder() -> PathBuf {
    let folder = std::env::var_os("ASSAY_CONTRACTS").map(PathBuf::from);
    let folder =
        folder.expect("ASSAY_CONTRACTS is not set: run the tests by `make test`, which installs the contracts");
    let modules = folder.join("node_modules");
    assert!(modules.is_dir(), "ASSAY_CONTRACTS: no folder {}; `make contracts` installs it", modules.display());
    modules
}

/// The creation code of an artefact that calls one library, at the address given.
///
/// # Panics
/// As [`creation_code`].
#[must_use]
pub fn linked_code(path: &str, library: Address) -> Bytes {
    let mut text = code_text(path);
    // The compiler leaves 40 characters for the address: `__$`, 34 of a hash, `$__`.
    while let Some(place) = text.find("__$") {
        text.replace_range(place..place + 40, &hex::encode(library));
    }
    decoded(path, &text)
}

/// The creation code in the artefact `path` (as `@uniswap/v2-core/build/UniswapV2Pair.json`).
///
/// # Panics
/// The file is missing or has no code that is complete (unlinked libraries).
#[must_use]
pub fn creation_code(path: &str) -> Bytes {
    decoded(path, &code_text(path))
}

fn code_text(path: &str) -> String {
    let path = contracts_folder().join(path);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let json: serde_json::Value =
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // Two generations of compilers' drivers: a plain string and an object.
    let code = ["/bytecode", "/bytecode/object"].iter().find_map(|field| json.pointer(field)?.as_str());
    code.unwrap_or_else(|| panic!("{}: no creation code", path.display())).to_owned()
}

fn decoded(path: &str, code: &str) -> Bytes {
    hex::decode(code.trim_start_matches("0x")).unwrap_or_else(|error| panic!("{path}: {error}")).into()
}
