//! ONNX Runtime: exported policies run on it elsewhere; nothing here needs it.

use std::path::{Path, PathBuf};

use super::{Doctor, Line};

/// Where distributions put shared libraries.
const FOLDERS: [&str; 5] =
    ["/usr/lib", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/opt/onnxruntime/lib"];

pub(super) fn check(_doctor: &Doctor<'_>) -> Line {
    match library() {
        Some(path) => Line::ok("onnx runtime", format!("{} is there; policies are served without it", path.display())),
        None => Line::ok("onnx runtime", "none, and none is needed: policies are served by this binary"),
    }
}

fn library() -> Option<PathBuf> {
    let named = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    let usual = FOLDERS.iter().map(|folder| Path::new(folder).join("libonnxruntime.so"));
    named.into_iter().chain(usual).find(|path| path.exists())
}
