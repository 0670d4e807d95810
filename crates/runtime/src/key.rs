//! The key that signs, and the clock.

use std::io::Write as _;
use std::path::Path;

use assay_types::SigningKey;

use crate::error::RuntimeError;

/// The 32 secret bytes at `path`, drawn when there are none.
pub fn load_or_create(path: &Path) -> Result<SigningKey, RuntimeError> {
    let shown = path.display().to_string();
    if !path.exists() {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|error| RuntimeError::io("draw randomness for", &shown, std::io::Error::other(error)))?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(path).and_then(|mut file| {
            file.write_all(&secret)?;
            file.sync_all()
        });
        written.map_err(|source| RuntimeError::io("write", &shown, source))?;
    }
    let bytes = std::fs::read(path).map_err(|source| RuntimeError::io("read", &shown, source))?;
    let length = bytes.len();
    let secret: [u8; 32] =
        bytes.try_into().map_err(|_| RuntimeError::damaged(path, format!("a key is 32 bytes, this is {length}")))?;
    Ok(SigningKey::from_bytes(&secret))
}

/// Milliseconds since 1970 UTC.
pub fn now_ms() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
