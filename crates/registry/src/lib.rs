//! What the registry knows an artefact by: its content id.
//!
//! A content id here is always CIDv1 with the raw codec and SHA-256 (R1), so it can be
//! computed from the bytes alone and is the same on every store, IPFS included.

mod content_id;

pub use content_id::{ContentId, ContentIdError};
