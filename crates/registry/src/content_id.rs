//! CIDv1 of raw bytes under SHA-256.

use std::fmt;
use std::str::FromStr;

use assay_types::Hash;
use cid::Cid;
use cid::multihash::Multihash;

/// Multicodec of raw bytes.
const RAW: u64 = 0x55;
/// Multihash code of SHA-256.
const SHA2_256: u64 = 0x12;

/// The content id of some bytes; printed in base 32 (`bafkrei…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(Hash);

/// A text that is no content id of the one kind used here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a content id: expected CIDv1, raw codec, SHA-256 (it starts with bafkrei)")]
pub struct ContentIdError(String);

impl ContentId {
    /// The content id of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Hash::of(bytes))
    }

    /// The content id of bytes whose SHA-256 is `hash`.
    #[must_use]
    pub const fn from_hash(hash: Hash) -> Self {
        Self(hash)
    }

    /// The SHA-256 inside.
    #[must_use]
    pub const fn hash(self) -> Hash {
        self.0
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = Multihash::wrap(SHA2_256, &self.0.0).expect("32 bytes fit into a multihash");
        f.pad(&Cid::new_v1(RAW, digest).to_string())
    }
}

impl FromStr for ContentId {
    type Err = ContentIdError;
    fn from_str(text: &str) -> Result<Self, ContentIdError> {
        let error = || ContentIdError(text.chars().take(80).collect());
        let cid = Cid::try_from(text).map_err(|_| error())?;
        let digest: [u8; 32] = cid.hash().digest().try_into().map_err(|_| error())?;
        let id = Self(Hash(digest));
        // Printing it again refuses other versions, codecs, hashes and bases at once.
        if id.to_string() == text { Ok(id) } else { Err(error()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_known_bytes_is_the_published_one() {
        // `ipfs add --cid-version=1 --raw-leaves` of the six bytes "hello\n".
        let id = ContentId::of(b"hello\n");
        assert_eq!(id.to_string(), "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn other_kinds_are_refused() {
        for text in [
            "",
            "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
            "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        ] {
            assert!(text.parse::<ContentId>().is_err(), "{text}");
        }
    }
}
