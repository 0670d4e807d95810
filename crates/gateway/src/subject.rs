//! What subjects and topics are called.

use crate::error::GatewayError;

/// Subjects and topics of signals begin with it.
pub const SIGNALS: &str = "assay.signals";
/// Subjects and topics of heartbeats begin with it.
pub const HEARTBEATS: &str = "assay.heartbeats";
/// Longest model id in a subject; Kafka takes topics of 249 bytes.
const MAX_ID_BYTES: usize = 128;

/// The subject, and topic, of a model's signals.
///
/// # Errors
/// [`GatewayError::Target`] when the id has other characters than letters, digits, `-` and `_`:
/// in a subject the others part or match names.
pub fn signals_of(model_id: &str) -> Result<String, GatewayError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if model_id.is_empty() || model_id.len() > MAX_ID_BYTES || !model_id.bytes().all(is_plain) {
        let shown: String = model_id.chars().take(MAX_ID_BYTES).collect();
        return Err(GatewayError::Target(format!(
            "model id `{shown}` cannot be part of a subject: it needs 1 to {MAX_ID_BYTES} letters, digits, `-` or `_`"
        )));
    }
    Ok(format!("{SIGNALS}.{model_id}"))
}

/// The subject, and topic, of its heartbeats.
#[must_use]
pub fn heartbeats_of(model_id: &str) -> String {
    format!("{HEARTBEATS}.{model_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cannot_reach_other_subjects() {
        assert_eq!(signals_of("ab-c_1").unwrap(), "assay.signals.ab-c_1");
        for bad in ["", "a.b", "*", ">", "a b", "a\n", "é", &"a".repeat(129)] {
            assert!(signals_of(bad).is_err(), "{bad}");
        }
    }
}
