//! ONNX Runtime: exported policies run on it elsewhere; nothing here needs it.

use std::path::{Path, PathBuf};

use super::{Doctor, Line};

/// The variable by which programs find the library elsewhere.
const VARIABLE: &str = "ORT_DYLIB_PATH";
/// Where distributions put shared libraries.
const FOLDERS: [&str; 5] =
    ["/usr/lib", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/opt/onnxruntime/lib"];

pub(super) fn check(_doctor: &Doctor<'_>) -> Line {
    if let Some(named) = named().filter(|named| !named.exists()) {
        let found = format!("{VARIABLE} names {}, which is not there", named.display());
        return Line::warning("onnx runtime", found, format!("unset {VARIABLE}"));
    }
    match library() {
        Some(path) => Line::ok("onnx runtime", format!("{} is there; policies are served without it", path.display())),
        None => Line::ok("onnx runtime", "none, and none is needed: policies are served by this binary"),
    }
}

fn named() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn library() -> Option<PathBuf> {
    let usual = FOLDERS.iter().map(|folder| Path::new(folder).join("libonnxruntime.so"));
    named().into_iter().chain(usual).find(|path| path.exists())
}
