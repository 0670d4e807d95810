//! API keys: `assay_ID_SECRET`. The secret has 256 random bits; only its argon2id hash is kept.

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use assay_store::database::KeyRow;
use assay_types::Secret;

use super::Scope;
use crate::problem::{Code, Problem};

const PREFIX: &str = "assay";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// A key as it is shown once, and as it is kept.
pub(crate) struct NewKey {
    /// The whole key.
    pub text: Secret,
    /// What is kept.
    pub row: KeyRow,
}

impl NewKey {
    /// Draws a key of a user.
    pub async fn draw(user_id: &str, name: &str, scopes: &[Scope], now_ms: i64) -> Result<Self, Problem> {
        let key_id = hex::encode(random::<ID_BYTES>()?);
        let secret = hex::encode(random::<SECRET_BYTES>()?);
        let text = Secret::new(format!("{PREFIX}_{key_id}_{secret}"));
        let hash = hash_secret(Secret::new(secret)).await?;
        let row = KeyRow {
            key_id,
            number: 0,
            user_id: user_id.to_owned(),
            name: name.to_owned(),
            hash,
            scopes: Scope::join(scopes),
            created_at: now_ms,
            expires_at: None,
            revoked_at: None,
        };
        Ok(Self { text, row })
    }
}

/// Id and secret of a key; `None` for any other text.
pub(super) fn parse_key(text: &str) -> Option<(&str, &str)> {
    let (key_id, secret) = text.strip_prefix(PREFIX)?.strip_prefix('_')?.split_once('_')?;
    let is_hex = |part: &str, bytes: usize| {
        part.len() == 2 * bytes && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    (is_hex(key_id, ID_BYTES) && is_hex(secret, SECRET_BYTES)).then_some((key_id, secret))
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the system gives no randomness");
        Problem::new(Code::Internal, "the system gives no randomness")
    })?;
    Ok(bytes)
}

/// The argon2id hash of a secret, in PHC form.
pub(crate) async fn hash_secret(secret: Secret) -> Result<String, Problem> {
    let hash = move || Argon2::default().hash_password(secret.reveal().as_bytes()).map(|hash| hash.to_string());
    blocking(hash).await?.map_err(|error| failed(&error))
}

/// Whether a hash is that of a secret.
pub(super) async fn verify_secret(secret: Secret, hash: String) -> Result<bool, Problem> {
    let verify = move || {
        let hash = PasswordHash::new(&hash)?;
        match Argon2::default().verify_password(secret.reveal().as_bytes(), &hash) {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(error),
        }
    };
    blocking(verify).await?.map_err(|error: argon2::password_hash::Error| failed(&error))
}

/// Hashing takes tens of milliseconds and 19 MiB, by design.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a key could not be hashed");
    Problem::new(Code::Internal, "the key could not be hashed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_proven_by_its_secret_alone() {
        let key = NewKey::draw("u1", "mine", &[Scope::Read], 5).await.unwrap();
        let (key_id, secret) = parse_key(key.text.reveal()).unwrap();
        assert_eq!(key_id, key.row.key_id);
        assert!(key.row.hash.starts_with("$argon2id$") && !key.row.hash.contains(secret));
        assert!(verify_secret(Secret::new(secret.to_owned()), key.row.hash.clone()).await.unwrap());
        let other = secret.replace(&secret[..1], if secret.starts_with('0') { "1" } else { "0" });
        assert!(!verify_secret(Secret::new(other), key.row.hash.clone()).await.unwrap());
        for text in ["", "assay", "assay_", "assay_1_2", &key.text.reveal()[1..], &format!("{}0", key.text.reveal())] {
            assert_eq!(parse_key(text), None, "{text}");
        }
    }
}
