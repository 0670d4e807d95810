//! The nonces of requests that verified, so that none is taken twice.

use std::collections::{BTreeMap, BTreeSet};

use super::auth::{AuthError, Checked, Verified, WINDOW_BACK_NS};

/// Requests of one sender within the time window; more are refused, none forgotten early.
pub const MAX_NONCES_PER_SENDER: usize = 1024;
/// Senders within the time window.
pub const MAX_SENDERS: usize = 1024;

/// Remembers nonces for as long as the time window would let them in again. Each sender has
/// room of its own, so nobody can push another's nonces out or lock another sender out
/// while there is an allow-list.
#[derive(Debug, Default)]
pub struct NonceMemory {
    senders: BTreeMap<String, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    nonces: BTreeSet<u64>,
    /// The newest nonce that was dropped: a clock that is set back must not let it in again.
    dropped: Option<u64>,
}

impl NonceMemory {
    /// Takes a request whose signature holds, once.
    ///
    /// # Errors
    /// [`AuthError::Replayed`] when its nonce was taken before, [`AuthError::Crowded`] when
    /// there is no room to remember it.
    pub fn remember(&mut self, request: Checked, now_ns: u64) -> Result<Verified, AuthError> {
        let oldest = now_ns.saturating_sub(WINDOW_BACK_NS);
        if !self.senders.contains_key(&request.sender) && self.senders.len() >= MAX_SENDERS {
            self.senders.retain(|_, seen| seen.nonces.last().is_some_and(|newest| *newest >= oldest));
            if self.senders.len() >= MAX_SENDERS {
                return Err(AuthError::Crowded { what: "senders", limit: MAX_SENDERS });
            }
        }
        let seen = self.senders.entry(request.sender.clone()).or_default();
        while let Some(nonce) = seen.nonces.first().copied().filter(|nonce| *nonce < oldest) {
            seen.nonces.remove(&nonce);
            seen.dropped = seen.dropped.max(Some(nonce));
        }
        if seen.nonces.contains(&request.nonce) || seen.dropped.is_some_and(|dropped| request.nonce <= dropped) {
            return Err(AuthError::Replayed(request.nonce));
        }
        if seen.nonces.len() >= MAX_NONCES_PER_SENDER {
            return Err(AuthError::Crowded { what: "requests of one sender", limit: MAX_NONCES_PER_SENDER });
        }
        seen.nonces.insert(request.nonce);
        Ok(Verified { sender: request.sender, digest: request.digest })
    }
}

#[cfg(test)]
mod tests {
    use assay_types::Hash;

    use super::*;

    const NOW: u64 = 1_700_000_000_000_000_000;

    fn request(sender: &str, nonce: u64) -> Checked {
        Checked { sender: sender.into(), nonce, digest: Hash::of(b"") }
    }

    #[test]
    fn a_nonce_is_taken_once_per_sender() {
        let mut memory = NonceMemory::default();
        assert!(memory.remember(request("a", NOW), NOW).is_ok());
        assert_eq!(memory.remember(request("a", NOW), NOW), Err(AuthError::Replayed(NOW)));
        assert!(memory.remember(request("b", NOW), NOW).is_ok());
        assert!(memory.remember(request("a", NOW - 1), NOW).is_ok(), "requests may overtake each other");
        // The oldest time at which the window still lets it in.
        assert_eq!(memory.remember(request("a", NOW), NOW + WINDOW_BACK_NS), Err(AuthError::Replayed(NOW)));
    }

    #[test]
    fn a_full_sender_waits_and_harms_no_other() {
        let mut memory = NonceMemory::default();
        for n in 0..MAX_NONCES_PER_SENDER as u64 {
            memory.remember(request("a", NOW + n), NOW).unwrap();
        }
        let crowded = AuthError::Crowded { what: "requests of one sender", limit: MAX_NONCES_PER_SENDER };
        assert_eq!(memory.remember(request("a", NOW + 5_000), NOW), Err(crowded));
        assert_eq!(memory.remember(request("a", NOW), NOW), Err(AuthError::Replayed(NOW)), "nothing was pushed out");
        assert!(memory.remember(request("b", NOW), NOW).is_ok());
        let later = NOW + WINDOW_BACK_NS + 1_000_000;
        assert!(memory.remember(request("a", later), later).is_ok());
        assert_eq!(memory.senders["a"].nonces.len(), 1, "expired ones are gone");
    }

    #[test]
    fn senders_are_bounded_and_make_room_when_they_expire() {
        let mut memory = NonceMemory::default();
        for n in 0..MAX_SENDERS {
            memory.remember(request(&n.to_string(), NOW), NOW).unwrap();
        }
        let crowded = AuthError::Crowded { what: "senders", limit: MAX_SENDERS };
        assert_eq!(memory.remember(request("late", NOW), NOW), Err(crowded));
        assert!(memory.remember(request("7", NOW + 1), NOW).is_ok(), "who is known may go on");
        let later = NOW + WINDOW_BACK_NS + 2;
        assert!(memory.remember(request("late", later), later).is_ok());
        assert_eq!(memory.senders.len(), 1);
    }

    #[test]
    fn a_clock_set_back_lets_nothing_in_again() {
        let mut memory = NonceMemory::default();
        memory.remember(request("a", NOW), NOW).unwrap();
        let jump = NOW + 60_000_000_000;
        memory.remember(request("a", jump), jump).unwrap();
        assert_eq!(memory.remember(request("a", NOW), NOW + 1), Err(AuthError::Replayed(NOW)));
        assert!(memory.remember(request("a", NOW + 2), NOW + 2).is_ok(), "and new ones still pass");
    }
}
