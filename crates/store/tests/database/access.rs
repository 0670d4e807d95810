//! Users, keys, sessions, nonces, the audit log and kept replies.

use assay_store::database::{
    IdempotentClaim, KeyRow, NewAudit, NewIdempotent, PlatformDatabase, Session, StoredReply, UserChange, UserRow,
};

use tokio::task::JoinSet;

use crate::both::both;

fn user(id: &str, role: &str, address: Option<&str>) -> UserRow {
    UserRow {
        user_id: id.to_owned(),
        number: 0,
        name: format!("name of {id}"),
        role: role.to_owned(),
        address: address.map(str::to_owned),
        active: true,
        created_at: 5,
    }
}

fn key(id: &str, user_id: &str) -> KeyRow {
    KeyRow {
        key_id: id.to_owned(),
        number: 0,
        user_id: user_id.to_owned(),
        name: "a key".to_owned(),
        hash: "$argon2id$…".to_owned(),
        scopes: "read run".to_owned(),
        created_at: 6,
        expires_at: Some(900),
        revoked_at: None,
    }
}

#[tokio::test]
async fn only_one_of_many_first_starts_makes_the_owner() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let mut starts = JoinSet::new();
        for number in 0..8 {
            let database = database.clone();
            starts.spawn(async move {
                let (id, key_id) = (format!("u{number}"), format!("k{number}"));
                database.put_first_user(&user(&id, "owner", None), &key(&key_id, &id)).await.unwrap()
            });
        }
        let made = starts.join_all().await;
        assert_eq!(made.iter().filter(|made| **made).count(), 1);
        assert_eq!(database.users(None, 10).await.unwrap().len(), 1);
        let owner = database.first_owner().await.unwrap().unwrap();
        assert_eq!(database.keys(Some(&owner.user_id), None, 10).await.unwrap().len(), 1);
        assert_eq!(database.keys(None, None, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn users_keep_their_wallets_and_an_owner() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        assert_eq!(database.put_user(&user("a", "owner", Some("0x1"))).await.unwrap(), UserChange::Done);
        assert_eq!(database.put_user(&user("b", "viewer", Some("0x1"))).await.unwrap(), UserChange::AddressTaken);
        assert_eq!(database.put_user(&user("b", "owner", Some("0x2"))).await.unwrap(), UserChange::Done);
        assert_eq!(database.user_of_address("0x2").await.unwrap().unwrap().user_id, "b");
        assert_eq!(database.user_of_address("0x3").await.unwrap(), None);
        assert_eq!(database.change_user(&user("c", "viewer", None)).await.unwrap(), UserChange::NoUser);
        assert_eq!(database.change_user(&user("a", "owner", Some("0x2"))).await.unwrap(), UserChange::AddressTaken);
        // Two owners take the role from each other at one time: one of them stays.
        let (a, b) = (user("a", "viewer", None), user("b", "viewer", None));
        let (first, second) = tokio::join!(database.change_user(&a), database.change_user(&b));
        let mut changes = [first.unwrap(), second.unwrap()];
        changes.sort_by_key(|change| *change != UserChange::Done);
        assert_eq!(changes, [UserChange::Done, UserChange::LastOwner]);
        let users = database.users(None, 10).await.unwrap();
        assert_eq!(users.iter().filter(|user| user.role == "owner").count(), 1);
        assert_eq!(users.iter().map(|user| user.user_id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(database.users(Some(users[0].number), 10).await.unwrap(), users[1..]);
    }
}

#[tokio::test]
async fn keys_and_sessions_end() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        database.put_first_user(&user("a", "owner", None), &key("k1", "a")).await.unwrap();
        let credential = database.credential("k1").await.unwrap().unwrap();
        assert_eq!((credential.key.scopes.as_str(), credential.role.as_str()), ("read run", "owner"));
        assert!(!format!("{credential:?}").contains("argon2"));
        assert_eq!(database.credential("k2").await.unwrap(), None);
        let session = Session {
            user_id: "a".to_owned(),
            key_id: Some("k1".to_owned()),
            scopes: "read".to_owned(),
            expires_at: 100,
            role: "owner".to_owned(),
        };
        database.put_session("h1", &session, 10).await.unwrap();
        database.put_session("h2", &Session { key_id: None, ..session.clone() }, 10).await.unwrap();
        assert_eq!(database.session("h1", 99).await.unwrap(), Some(session));
        assert_eq!(database.session("h1", 100).await.unwrap(), None);
        assert!(database.revoke_key("k1", 50).await.unwrap());
        assert!(database.revoke_key("k1", 60).await.unwrap());
        assert!(!database.revoke_key("k2", 60).await.unwrap());
        assert_eq!(database.credential("k1").await.unwrap().unwrap().key.revoked_at, Some(50));
        assert_eq!(database.session("h1", 51).await.unwrap(), None);
        // Who is not active any more has no session.
        assert!(database.session("h2", 51).await.unwrap().is_some());
        database.put_user(&user("b", "owner", None)).await.unwrap();
        database.change_user(&UserRow { active: false, ..user("a", "owner", None) }).await.unwrap();
        assert_eq!(database.session("h2", 51).await.unwrap(), None);
        database.change_user(&user("a", "owner", None)).await.unwrap();
        database.end_session("h2").await.unwrap();
        assert_eq!(database.session("h2", 51).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_nonce_is_used_once() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        database.put_nonce("n", "siwe", 100).await.unwrap();
        assert!(database.put_nonce("n", "siwe", 200).await.is_err());
        assert!(!database.use_nonce("n", "other", 50).await.unwrap());
        assert!(!database.use_nonce("n", "siwe", 100).await.unwrap());
        assert!(!database.use_nonce("m", "siwe", 50).await.unwrap());
        let mut uses = JoinSet::new();
        for _ in 0..8 {
            let database = database.clone();
            uses.spawn(async move { database.use_nonce("n", "siwe", 50).await.unwrap() });
        }
        assert_eq!(uses.join_all().await.into_iter().filter(|used| *used).count(), 1);
        assert_eq!(database.prune_access(99, 0).await.unwrap(), 0);
        assert_eq!(database.prune_access(100, 0).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn the_audit_log_tells_what_was_tried_and_what_became_of_it() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let entry = |at: i64| NewAudit {
            at,
            user_id: Some("a".to_owned()),
            credential: None,
            action: "POST /v1/x".to_owned(),
            subject: None,
            address: Some("127.0.0.1".to_owned()),
        };
        for number in 1..=3 {
            assert_eq!(database.begin_audit(&entry(number)).await.unwrap(), number.unsigned_abs());
        }
        database.finish_audit(1, 201, Some("id".to_owned())).await.unwrap();
        database.finish_audit(2, 403, None).await.unwrap();
        let log = database.audit_log(None, 10).await.unwrap();
        let told: Vec<_> = log.iter().map(|e| (e.number, e.status, e.tried.subject.as_deref())).collect();
        assert_eq!(told, [(3, None, None), (2, Some(403), None), (1, Some(201), Some("id"))]);
        assert_eq!(database.audit_log(Some(3), 1).await.unwrap(), log[1..2]);
    }
}

#[tokio::test]
async fn a_key_belongs_to_one_request_and_one_try() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let new = |request_hash: &'static str, claim: &'static str, now: i64| NewIdempotent {
            user_id: "u",
            idempotency_key: "k",
            request_hash,
            claim,
            claimed_until: now + 60,
            forget_before: now - 1_000,
        };
        let claim =
            async |request_hash, claim, now| database.claim_key(&new(request_hash, claim, now), now).await.unwrap();
        assert_eq!(claim("h", "1", 10).await, IdempotentClaim::Claimed);
        assert_eq!(claim("h", "2", 69).await, IdempotentClaim::UnderWay);
        assert_eq!(claim("other", "2", 69).await, IdempotentClaim::OtherRequest);
        // The first try died, or is slow: whether it was done is not known, so no second one begins.
        assert_eq!(claim("h", "2", 70).await, IdempotentClaim::OutcomeUnknown);
        assert_eq!(claim("other", "2", 70).await, IdempotentClaim::OtherRequest);
        let reply = |text: &str| StoredReply { status: 201, kind: None, reply: Some(text.to_owned()) };
        database.keep_reply(&new("h", "2", 70), &reply("of nobody")).await.unwrap();
        database.release_key(&new("h", "2", 70)).await.unwrap();
        assert_eq!(claim("h", "3", 69).await, IdempotentClaim::UnderWay);
        database.end_claim(&new("h", "2", 20), 20).await.unwrap();
        assert_eq!(claim("h", "3", 69).await, IdempotentClaim::UnderWay, "the claim is another's");
        database.end_claim(&new("h", "1", 20), 20).await.unwrap();
        assert_eq!(claim("h", "3", 21).await, IdempotentClaim::OutcomeUnknown);
        database.keep_reply(&new("h", "1", 70), &reply("done")).await.unwrap();
        assert_eq!(claim("h", "3", 500).await, IdempotentClaim::Answered(reply("done")));
        assert_eq!(claim("other", "3", 500).await, IdempotentClaim::OtherRequest);
        database.release_key(&new("h", "2", 70)).await.unwrap();
        assert_eq!(claim("h", "3", 1_009).await, IdempotentClaim::Answered(reply("done")));
        // A day later it is forgotten.
        assert_eq!(claim("other", "4", 1_070).await, IdempotentClaim::Claimed);
        database.release_key(&new("other", "4", 1_070)).await.unwrap();
        assert_eq!(claim("h", "5", 1_071).await, IdempotentClaim::Claimed);
        assert_eq!(database.prune_access(2_000, 1_071).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn refusals_of_nobody_are_pruned_and_what_users_tried_is_not() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let tried = |user_id: Option<&str>| NewAudit {
            at: 1,
            user_id: user_id.map(str::to_owned),
            credential: None,
            action: "POST /v1/session".to_owned(),
            subject: None,
            address: None,
        };
        for (user, status) in [(None, 401), (Some("ada"), 403), (None, 401), (None, 200), (None, 429), (None, 401)] {
            let number = database.begin_audit(&tried(user)).await.unwrap();
            database.finish_audit(number, status, None).await.unwrap();
        }
        assert_eq!(database.prune_refusals(4).await.unwrap(), 0);
        assert_eq!(database.prune_refusals(2).await.unwrap(), 2);
        let left: Vec<u64> = database.audit_log(None, 50).await.unwrap().iter().map(|entry| entry.number).collect();
        assert_eq!(left, [6, 5, 4, 2]);
    }
}
