//! Ed25519 signatures over canonical JSON and over plain bytes.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::Serialize;

use crate::hash::canonical_json;

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The key is not 64 hexadecimal digits of a point on the curve.
    #[error("the public key is not an Ed25519 key (64 hexadecimal digits)")]
    Key,
    /// The signature is not 128 hexadecimal digits.
    #[error("the signature is not 128 hexadecimal digits")]
    Malformed,
    /// The signature belongs to other bytes or to another key.
    #[error("the signature does not match")]
    Mismatch,
}

/// The public key of `key` as 64 hexadecimal digits.
#[must_use]
pub fn public_key_text(key: &SigningKey) -> String {
    hex::encode(key.verifying_key().to_bytes())
}

/// Signs the canonical JSON of `value` without its `signature` field; 128
/// hexadecimal digits.
#[must_use]
pub fn sign<T: Serialize>(value: &T, key: &SigningKey) -> String {
    sign_bytes(&signed_bytes(value), key)
}

/// Checks `signature` over the canonical JSON of `value` without its `signature`
/// field.
///
/// # Errors
/// [`SignatureError`] saying which part does not hold.
pub fn verify<T: Serialize>(value: &T, signature: &str, public_key: &str) -> Result<(), SignatureError> {
    verify_bytes(&signed_bytes(value), signature, public_key)
}

/// Signs `bytes` as they are; 128 hexadecimal digits.
#[must_use]
pub fn sign_bytes(bytes: &[u8], key: &SigningKey) -> String {
    hex::encode(key.sign(bytes).to_bytes())
}

/// Checks `signature` over `bytes`, refusing keys of small order and signatures with a
/// second spelling.
///
/// # Errors
/// [`SignatureError`] saying which part does not hold.
pub fn verify_bytes(bytes: &[u8], signature: &str, public_key: &str) -> Result<(), SignatureError> {
    let mut key = [0; 32];
    hex::decode_to_slice(public_key, &mut key).map_err(|_| SignatureError::Key)?;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| SignatureError::Key)?;
    let mut spelled = [0; 64];
    hex::decode_to_slice(signature, &mut spelled).map_err(|_| SignatureError::Malformed)?;
    key.verify_strict(bytes, &Signature::from_bytes(&spelled)).map_err(|_| SignatureError::Mismatch)
}

/// The canonical JSON of `value` without its `signature` field.
pub(crate) fn signed_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    let mut value = serde_json::to_value(value).expect("signed types serialise to JSON");
    if let Some(object) = value.as_object_mut() {
        object.remove("signature");
    }
    canonical_json(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_signed_as_rfc_8032_says() {
        // Test 2 of RFC 8032, section 7.1.
        let mut seed = [0; 32];
        hex::decode_to_slice("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", &mut seed).unwrap();
        let key = SigningKey::from_bytes(&seed);
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(public_key_text(&key), public);
        assert_eq!(sign_bytes(&[0x72], &key), signature);
        assert_eq!(verify_bytes(&[0x72], signature, public), Ok(()));
        assert_eq!(verify_bytes(&[0x73], signature, public), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_key_of_small_order_signs_nothing() {
        // The neutral element: without the strict check R = s·B holds for every message.
        let neutral = format!("01{}", "0".repeat(62));
        let signature = format!("01{}", "0".repeat(126));
        assert_eq!(verify_bytes(b"anything", &signature, &neutral), Err(SignatureError::Mismatch));
    }
}
