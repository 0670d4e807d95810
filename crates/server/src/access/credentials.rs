//! From what a request carries to who calls.
//!
//! A key's slow hash is checked once; then a keyed hash of the key, under a key of this process,
//! remembers that it was. Whether the key or session still stands is asked of the database
//! again twice a second, because another server may have ended it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use assay_store::database::{CredentialRow, PlatformDatabase, Session};
use assay_types::Secret;
use axum::http::{HeaderMap, header};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::Semaphore;

use super::keys::{parse_key, random, verify_secret};
use super::layers::too_many;
use super::{Buckets, Caller, Role, Scope, SessionCookie, session_hash};
use crate::problem::{Code, Problem};

/// How long what the database said of a credential holds.
const FRESH: Duration = Duration::from_millis(500);
/// Credentials remembered; beyond it all are forgotten, and asked for again.
const MAX_REMEMBERED: usize = 10_000;
/// Slow hashes at one time.
const MAX_HASHING: usize = 2;

/// What a request carried.
#[derive(Debug, Clone)]
pub(crate) enum Presented {
    /// An API key.
    Key(Secret),
    /// The token of a session.
    Session(Secret),
}

impl Presented {
    /// What the request carries, if anything. A key that is sent counts, never the cookie
    /// beside it.
    pub fn of(headers: &HeaderMap, cookie: SessionCookie) -> Result<Option<Self>, Problem> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let bearer = value.to_str().ok().and_then(|text| text.split_once(' '));
            let key = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, key)| key.trim());
            let key = key.filter(|key| !key.is_empty()).ok_or_else(refused)?;
            return Ok(Some(Self::Key(Secret::new(key.to_owned()))));
        }
        Ok(cookie.read(headers).map(Self::Session))
    }
}

/// What a guess costs of the requests that an address has.
pub(super) const GUESS_TOKENS: u32 = 10;

/// Slow hashes are computed for addresses that have requests left.
pub(crate) struct Gate<'a> {
    pub by_address: &'a Buckets,
    pub address: &'a str,
}

impl Gate<'_> {
    fn pass(&self) -> Result<(), Problem> {
        self.by_address.take(self.address, GUESS_TOKENS, Instant::now()).map_err(too_many)
    }
}

/// Whom credentials belong to.
pub(crate) struct Credentials {
    process_key: [u8; 32],
    keys: Mutex<HashMap<[u8; 32], Remembered<CredentialRow>>>,
    sessions: Mutex<HashMap<String, Remembered<Session>>>,
    hashing: Semaphore,
}

#[derive(Clone)]
struct Remembered<T> {
    row: T,
    asked: Instant,
}

impl Credentials {
    pub fn new() -> Result<Self, Problem> {
        Ok(Self {
            process_key: random()?,
            keys: Mutex::default(),
            sessions: Mutex::default(),
            hashing: Semaphore::new(MAX_HASHING),
        })
    }

    /// Who presents this; refuses what does not hold.
    pub async fn check(
        &self,
        database: &PlatformDatabase,
        presented: &Presented,
        gate: &Gate<'_>,
        now_ms: i64,
    ) -> Result<Caller, Problem> {
        match presented {
            Presented::Key(text) => self.check_key(database, text, gate, now_ms).await,
            Presented::Session(token) => self.check_session(database, token, now_ms).await,
        }
    }

    /// Whether what opened a socket holds still, and for whom: it was proven then, and what a
    /// credential is proven against never changes, so no slow hash is computed again.
    pub async fn check_again(
        &self,
        database: &PlatformDatabase,
        presented: &Presented,
        now_ms: i64,
    ) -> Result<Caller, Problem> {
        let text = match presented {
            Presented::Key(text) => text,
            Presented::Session(token) => return self.check_session(database, token, now_ms).await,
        };
        let (key_id, _) = parse_key(text.reveal()).ok_or_else(refused)?;
        let proof = self.proof(text);
        let fresh = recall(&self.keys, &proof).filter(|known| known.asked.elapsed() < FRESH);
        let row = match fresh {
            Some(known) => known.row,
            None => {
                let asked = Instant::now();
                let row = database.credential(key_id).await?.ok_or_else(refused)?;
                let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
                // Sockets of one key share an answer; what was not proven here is not remembered.
                if let Some(known) = keys.get_mut(&proof) {
                    *known = Remembered { row: row.clone(), asked };
                }
                row
            }
        };
        caller_of(row, now_ms)
    }

    async fn check_key(
        &self,
        database: &PlatformDatabase,
        text: &Secret,
        gate: &Gate<'_>,
        now_ms: i64,
    ) -> Result<Caller, Problem> {
        let (key_id, secret) = parse_key(text.reveal()).ok_or_else(refused)?;
        let proof = self.proof(text);
        let fresh = recall(&self.keys, &proof).filter(|known| known.asked.elapsed() < FRESH);
        let row = match fresh {
            Some(known) => known.row,
            None => {
                let asked = Instant::now();
                let row = database.credential(key_id).await?.ok_or_else(refused)?;
                if !self.is_proven(&proof, &row) {
                    gate.pass()?;
                    let _turn = self.hashing.acquire().await.map_err(|_| refused())?;
                    // A request that waited for its turn may find the work done.
                    let hash = row.key.hash.clone();
                    if !self.is_proven(&proof, &row) && !verify_secret(Secret::new(secret.to_owned()), hash).await? {
                        return Err(refused());
                    }
                }
                remember(&self.keys, proof, row.clone(), asked);
                row
            }
        };
        caller_of(row, now_ms)
    }

    async fn check_session(&self, database: &PlatformDatabase, token: &Secret, now_ms: i64) -> Result<Caller, Problem> {
        let hash = session_hash(token);
        let fresh = recall(&self.sessions, &hash).filter(|known| known.asked.elapsed() < FRESH);
        let session = match fresh {
            Some(known) => known.row,
            None => {
                let asked = Instant::now();
                let session = database.session(&hash, now_ms).await?.ok_or_else(refused)?;
                remember(&self.sessions, hash, session.clone(), asked);
                session
            }
        };
        let role = Role::parse(&session.role).filter(|_| session.expires_at > now_ms);
        Ok(Caller {
            role: role.ok_or_else(refused)?,
            scopes: Scope::parse_all(&session.scopes),
            credential: "session".to_owned(),
            user_id: session.user_id,
        })
    }

    /// Forgets one session, after it ended here.
    pub fn forget_session(&self, session_hash: &str) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(session_hash);
    }

    /// Forgets what is known, after a user or key was changed here.
    pub fn forget_all(&self) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).values_mut().for_each(|known| known.asked = past());
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn proof(&self, text: &Secret) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.process_key).expect("HMAC takes keys of any length");
        mac.update(text.reveal().as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Whether this key was checked against this very hash before.
    fn is_proven(&self, proof: &[u8; 32], row: &CredentialRow) -> bool {
        recall(&self.keys, proof).is_some_and(|known| known.row.key.hash == row.key.hash)
    }
}

/// Who calls with a key, if it has not ended.
fn caller_of(row: CredentialRow, now_ms: i64) -> Result<Caller, Problem> {
    let has_ended = row.key.expires_at.is_some_and(|end| end <= now_ms);
    let role = Role::parse(&row.role).filter(|_| row.active && !has_ended && row.key.revoked_at.is_none());
    Ok(Caller {
        role: role.ok_or_else(refused)?,
        scopes: Scope::parse_all(&row.key.scopes),
        credential: format!("key {}", row.key.key_id),
        user_id: row.key.user_id,
    })
}

/// A time at which nothing known is fresh any more.
fn past() -> Instant {
    let now = Instant::now();
    now.checked_sub(FRESH).unwrap_or(now)
}

fn recall<K: std::hash::Hash + Eq, T: Clone>(map: &Mutex<HashMap<K, Remembered<T>>>, key: &K) -> Option<Remembered<T>> {
    map.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

fn remember<K: std::hash::Hash + Eq, T>(map: &Mutex<HashMap<K, Remembered<T>>>, key: K, row: T, asked: Instant) {
    let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
    if map.len() >= MAX_REMEMBERED {
        map.clear();
    }
    map.insert(key, Remembered { row, asked });
}

/// One answer for all that does not hold: it tells nobody what was nearly right.
pub(super) fn refused() -> Problem {
    Problem::new(Code::Unauthenticated, "the credential does not hold: it is wrong, has ended or was revoked")
}

#[cfg(test)]
mod tests {
    use assay_store::database::DatabaseLocation;

    use super::super::{NewKey, begin_session};
    use super::*;
    use crate::clock::now_ms;
    use assay_store::database::UserRow;

    async fn database(folder: &tempfile::TempDir) -> PlatformDatabase {
        let location = DatabaseLocation::Sqlite(folder.path().join("platform.db"));
        let database = PlatformDatabase::open(&location).await.unwrap();
        let user = UserRow {
            user_id: "ada".to_owned(),
            number: 0,
            name: "ada".to_owned(),
            role: "trader".to_owned(),
            address: None,
            active: true,
            created_at: 0,
        };
        database.put_user(&user).await.unwrap();
        database
    }

    #[tokio::test]
    async fn one_session_is_forgotten_and_the_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (database, credentials) = (database(&folder).await, Credentials::new().unwrap());
        let now = now_ms();
        let mut tokens = Vec::new();
        for _ in 0..2 {
            let (token, _) = begin_session(&database, "ada", None, &[Scope::Read], now).await.unwrap();
            credentials.check_session(&database, &token, now).await.unwrap();
            tokens.push(token);
        }
        credentials.forget_session(&session_hash(&tokens[0]));
        let known = |token: &Secret| recall(&credentials.sessions, &session_hash(token)).is_some();
        assert_eq!((known(&tokens[0]), known(&tokens[1])), (false, true));
    }

    /// Sockets ask again at any rate: no bucket is emptied, and no secret is hashed.
    #[tokio::test]
    async fn what_opened_a_socket_is_checked_again_without_a_guess() {
        let folder = tempfile::tempdir().unwrap();
        let (database, credentials) = (database(&folder).await, Credentials::new().unwrap());
        let now = now_ms();
        let key = NewKey::draw("ada", "bot", &[Scope::Read], now).await.unwrap();
        database.put_key(&key.row).await.unwrap();
        let presented = Presented::Key(key.text.clone());
        let begun = Instant::now();
        for _ in 0..500 {
            let caller = credentials.check_again(&database, &presented, now).await.unwrap();
            assert_eq!(caller.user_id, "ada");
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert!(credentials.keys.lock().unwrap().is_empty(), "what was not proven is not remembered");
        database.revoke_key(&key.row.key_id, now).await.unwrap();
        let error = credentials.check_again(&database, &presented, now).await.unwrap_err();
        assert_eq!(error.code, Code::Unauthenticated);
    }
}
