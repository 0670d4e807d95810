//! Sealed answers (R6): a miner first says a digest of its answer, then the answer, so that
//! nobody can copy what others answer.
//!
//! The digest is SHA-256 over netstrings (`LENGTH:TEXT,` with the length in bytes) of the
//! domain `assay/seal/1`, job, round, checkpoint, the miner's key, the salt and the answer.
//! The key is inside: a copied commitment cannot be opened by another miner.

use std::fmt;
use std::str::FromStr;

use assay_types::{Hash, HashError, Hasher};
use serde::{Deserialize, Serialize};

use super::messages::RevealReply;

/// First text under every seal.
pub const DOMAIN: &str = "assay/seal/1";

/// The seal of an answer; 64 lower-case hexadecimal digits in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitment(pub Hash);

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Commitment {
    type Err = HashError;
    fn from_str(text: &str) -> Result<Self, HashError> {
        text.parse().map(Self)
    }
}

/// Where a seal belongs: nowhere else can it be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealPlace<'a> {
    /// The job.
    pub job_id: &'a str,
    /// The round.
    pub round_id: &'a str,
    /// Block of the checkpoint.
    pub checkpoint: u64,
    /// Key of the miner that answers.
    pub miner: &'a str,
}

/// A reveal that does not open its commitment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The salt is not 64 lower-case hexadecimal digits.
    #[error("the salt is not 64 lower-case hexadecimal digits")]
    Salt,
    /// Salt and answer belong to another commitment, place or miner.
    #[error("the commitment was {expected}, but salt and answer give {found}")]
    Mismatch {
        /// What the miner committed to.
        expected: Commitment,
        /// What its reveal gives.
        found: Commitment,
    },
}

/// The commitment to `answer` at `place` under `salt`.
#[must_use]
pub fn commit(place: &SealPlace<'_>, salt: &[u8; 32], answer: &str) -> Commitment {
    let checkpoint = place.checkpoint.to_string();
    let salt = hex::encode(salt);
    let mut hasher = Hasher::default();
    for text in [DOMAIN, place.job_id, place.round_id, &checkpoint, place.miner, &salt, answer] {
        hasher.update(text.len().to_string().as_bytes());
        hasher.update(b":");
        hasher.update(text.as_bytes());
        hasher.update(b",");
    }
    Commitment(hasher.finish())
}

/// The reveal that opens `commit(_, salt, answer)`.
#[must_use]
pub fn reveal(salt: &[u8; 32], answer: &str) -> RevealReply {
    RevealReply { salt: hex::encode(salt), answer: answer.to_owned() }
}

/// Checks that `reveal` opens `commitment` at `place`.
///
/// # Errors
/// [`SealError`] when it does not.
pub fn verify(place: &SealPlace<'_>, commitment: Commitment, reveal: &RevealReply) -> Result<(), SealError> {
    let mut salt = [0; 32];
    hex::decode_to_slice(&reveal.salt, &mut salt).map_err(|_| SealError::Salt)?;
    if hex::encode(salt) != reveal.salt {
        return Err(SealError::Salt);
    }
    match commit(place, &salt, &reveal.answer) {
        found if found == commitment => Ok(()),
        found => Err(SealError::Mismatch { expected: commitment, found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: SealPlace<'_> =
        SealPlace { job_id: "weth-usdc", round_id: "weth-usdc_evaluation_7", checkpoint: 123, miner: "ab" };
    const SALT: [u8; 32] = [5; 32];

    #[test]
    fn the_sealed_text_is_written_out() {
        let text =
            format!("12:assay/seal/1,9:weth-usdc,22:weth-usdc_evaluation_7,3:123,2:ab,64:{},2:{{}},", "05".repeat(32));
        assert_eq!(commit(&PLACE, &SALT, "{}"), Commitment(Hash::of(text.as_bytes())));
    }

    #[test]
    fn only_the_same_answer_opens_a_commitment_and_only_in_its_place() {
        let commitment = commit(&PLACE, &SALT, "{\"accepted\":true}");
        let honest = reveal(&SALT, "{\"accepted\":true}");
        assert_eq!(verify(&PLACE, commitment, &honest), Ok(()));
        let refused = |place: SealPlace<'_>, reveal: &RevealReply| matches!(verify(&place, commitment, reveal), Err(SealError::Mismatch { expected, .. }) if expected == commitment);
        assert!(refused(SealPlace { miner: "cd", ..PLACE }, &honest), "a copied commitment");
        assert!(refused(SealPlace { checkpoint: 124, ..PLACE }, &honest));
        assert!(refused(SealPlace { round_id: "weth-usdc_evaluation_8", ..PLACE }, &honest));
        assert!(refused(SealPlace { job_id: "weth", ..PLACE }, &honest));
        assert!(refused(PLACE, &reveal(&SALT, "{\"accepted\": true}")), "one space more");
        assert!(refused(PLACE, &reveal(&[6; 32], "{\"accepted\":true}")));
    }

    #[test]
    fn a_salt_has_one_spelling() {
        let commitment = commit(&PLACE, &[0xab; 32], "{}");
        for salt in ["AB".repeat(32), "ab".repeat(31), String::new(), "zz".repeat(32)] {
            let reveal = RevealReply { salt, answer: "{}".into() };
            assert_eq!(verify(&PLACE, commitment, &reveal), Err(SealError::Salt));
        }
    }

    #[test]
    fn no_text_can_move_over_a_border() {
        let shifted = SealPlace { job_id: "weth-usdc,22:weth", ..PLACE };
        assert_ne!(commit(&PLACE, &SALT, "{}"), commit(&shifted, &SALT, "{}"));
        let (a, b) =
            (SealPlace { job_id: "a", round_id: "bc", ..PLACE }, SealPlace { job_id: "ab", round_id: "c", ..PLACE });
        assert_ne!(commit(&a, &SALT, "{}"), commit(&b, &SALT, "{}"));
    }
}
