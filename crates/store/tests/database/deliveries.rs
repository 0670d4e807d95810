//! Destinations: a cursor moves with the log or not at all.

use assay_store::database::{
    DatabaseError, Delivery, DeliveryOutcome, DeliveryReport, DestinationKind, DestinationRight, ModelRow,
    NewDestination, NewStream, PlatformDatabase, Setback, UserRow,
};

use crate::both::{both, postgres, server};

fn new(id: &str) -> NewDestination {
    NewDestination {
        destination_id: id.to_owned(),
        model_id: "aa".to_owned(),
        owner: "user".to_owned(),
        kind: DestinationKind::Webhook,
        target: "https://example.com/secret-path".to_owned(),
        secret: Some("00ff".to_owned()),
        heartbeats: false,
        next_seq: 5,
    }
}

fn delivered(seq: u64) -> Delivery {
    let outcome = DeliveryOutcome::Delivered;
    Delivery { seq: Some(seq), attempt: 1, outcome, detail: None, latency_ms: Some(40), at: 1_000 }
}

fn report(from_seq: u64, next_seq: u64) -> DeliveryReport {
    DeliveryReport {
        destination_id: "one".to_owned(),
        model_id: "aa".to_owned(),
        from_seq,
        next_seq,
        deliveries: (from_seq..next_seq).map(delivered).collect(),
        setback: None,
        was_failing: false,
    }
}

#[tokio::test]
async fn a_cursor_moves_together_with_the_log() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let added = database.insert_destination(&new("one"), 50, 7).await.unwrap();
        assert_eq!((added.number, added.next_seq, added.is_active, added.created_at), (1, 5, true, 7));
        assert!(database.insert_destination(&new("one"), 50, 7).await.is_err(), "an id is taken once");

        assert_eq!(database.record_deliveries(&[report(5, 8), report(5, 6)], 9).await.unwrap(), [true, false]);
        let seqs = |log: &[assay_store::database::LoggedDelivery]| -> Vec<u64> {
            log.iter().filter_map(|entry| entry.delivery.seq).collect()
        };
        let log = database.deliveries("one", None, 50).await.unwrap();
        assert_eq!(seqs(&log), [7, 6, 5]);
        assert_eq!(seqs(&database.deliveries("one", Some(log[1].number), 50).await.unwrap()), [5]);
        let kept = database.destination("one").await.unwrap().unwrap();
        assert_eq!((kept.next_seq, kept.failures, kept.retry_at), (8, 0, 0));

        let setback = Setback { failures: 1, error: "500".to_owned(), retry_at: 99, is_paused: false };
        let failed = Delivery {
            outcome: DeliveryOutcome::Failed,
            detail: Some("500".to_owned()),
            latency_ms: None,
            ..delivered(9)
        };
        let failing =
            DeliveryReport { deliveries: vec![delivered(8), failed], setback: Some(setback.clone()), ..report(8, 9) };
        assert_eq!(database.record_deliveries(&[failing], 10).await.unwrap(), [true]);
        let kept = database.destination("one").await.unwrap().unwrap();
        assert_eq!((kept.next_seq, kept.failures, kept.retry_at, kept.is_active), (9, 1, 99, true));
        assert_eq!(kept.last_error.as_deref(), Some("500"));

        let gone = Setback { is_paused: true, failures: 2, ..setback };
        let paused = DeliveryReport { setback: Some(gone), ..report(9, 9) };
        database.record_deliveries(&[paused], 11).await.unwrap();
        assert!(database.active_destinations(0).await.unwrap().is_empty());
        let resumed = database.set_destination_active("one", true, 12).await.unwrap().unwrap();
        assert_eq!((resumed.is_active, resumed.failures, resumed.last_error), (true, 0, None));
        assert_eq!(database.prune_deliveries("one", 2).await.unwrap(), 3);
        assert_eq!(seqs(&database.deliveries("one", None, 50).await.unwrap()), [9, 8]);
        assert_eq!(database.prune_deliveries("one", 2).await.unwrap(), 0);

        assert_eq!(database.rewind_destination("one", 3, 13).await.unwrap().unwrap().next_seq, 3);
        assert_eq!(database.record_deliveries(&[report(9, 10)], 14).await.unwrap(), [false], "it was rewound");
        assert!(database.remove_destination("one", 15).await.unwrap());
        assert!(!database.remove_destination("one", 15).await.unwrap());
        assert!(database.deliveries("one", None, 50).await.unwrap().is_empty());
        assert_eq!(database.record_deliveries(&[report(3, 4)], 16).await.unwrap(), [false], "it is gone");

        let events = database.events_after(0, 100).await.unwrap().events;
        let told: Vec<serde_json::Value> =
            events.iter().map(|event| serde_json::from_str(&event.event.payload).unwrap()).collect();
        let words: Vec<&str> = told.iter().filter_map(|payload| payload["status"].as_str()).collect();
        assert_eq!(words, ["active", "active", "paused", "active", "active", "removed"]);
        assert!(events.iter().all(|event| event.event.owner.as_deref() == Some("user")));
        assert!(!events.iter().any(|event| event.event.payload.contains("secret-path")));
    }
}

#[tokio::test]
async fn destinations_are_listed_by_owner_and_model() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        for (id, owner, model_id) in [("a", "u", "m"), ("b", "v", "m"), ("c", "u", "n")] {
            let new = NewDestination { owner: owner.to_owned(), model_id: model_id.to_owned(), ..new(id) };
            database.insert_destination(&new, 50, 1).await.unwrap();
        }
        let ids = async |owner, model, after, limit| -> Vec<String> {
            let found = database.destinations(owner, model, after, limit).await.unwrap();
            found.into_iter().map(|destination| destination.destination_id).collect()
        };
        assert_eq!(ids(None, None, 0, 50).await, ["a", "b", "c"]);
        assert_eq!(ids(Some("u"), None, 0, 50).await, ["a", "c"]);
        assert_eq!(ids(Some("u"), Some("m"), 0, 50).await, ["a"]);
        assert_eq!(ids(None, None, 1, 1).await, ["b"]);
        database.set_destination_active("b", false, 2).await.unwrap();
        assert_eq!(database.active_destinations(1).await.unwrap().len(), 1);
        assert!(database.set_destination_active("none", false, 2).await.unwrap().is_none());
    }
}

/// Each report is news, so that each batch moves rows and takes numbers of events.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_in_any_order_never_wait_in_a_circle() {
    const ROUNDS: u64 = 20;
    const DESTINATIONS: u64 = 6;
    let empty = postgres(server());
    let database = PlatformDatabase::open(&empty.location).await.unwrap();
    for number in 0..DESTINATIONS {
        let new = NewDestination { next_seq: 0, ..new(&format!("d{number}")) };
        database.insert_destination(&new, 50, 1).await.unwrap();
    }
    let one = |round: u64, number: u64| DeliveryReport {
        destination_id: format!("d{number}"),
        was_failing: true,
        ..report(round, round + 1)
    };
    for round in 0..ROUNDS {
        // Two that report the same from both ends, and an owner who pauses and resumes meanwhile.
        let forwards: Vec<DeliveryReport> = (0..DESTINATIONS).map(|number| one(round, number)).collect();
        let backwards: Vec<DeliveryReport> = forwards.iter().rev().cloned().collect();
        let owner = async {
            database.set_destination_active("d3", false, 2).await?;
            database.set_destination_active("d3", true, 2).await
        };
        let (first, second, changed) =
            tokio::join!(database.record_deliveries(&forwards, 2), database.record_deliveries(&backwards, 2), owner);
        let (first, second) = (first.unwrap(), second.unwrap());
        changed.unwrap();
        assert!(first.iter().zip(second.iter().rev()).all(|(one, other)| one != other), "each is taken once");
    }
    assert_eq!(database.destination("d0").await.unwrap().unwrap().next_seq, ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_has_so_many_destinations_however_many_are_added_at_once() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let adding = (0..8).map(|number| {
            let database = database.clone();
            tokio::spawn(async move { database.insert_destination(&new(&format!("d{number}")), 3, 1).await })
        });
        let mut added = 0;
        for task in adding.collect::<Vec<_>>() {
            match task.await.unwrap() {
                Ok(_) => added += 1,
                Err(DatabaseError::Quota { quota: 3, found: 3, .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(added, 3);
        assert_eq!(database.destinations(Some("user"), None, 0, 50).await.unwrap().len(), 3);
        database.insert_destination(&NewDestination { owner: "other".to_owned(), ..new("x") }, 3, 1).await.unwrap();
    }
}

#[tokio::test]
async fn a_destination_hears_what_its_owner_may_hear_now() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let right = async || database.destination_right("one").await.unwrap();
        assert_eq!(right().await, None);
        database.insert_destination(&new("one"), 50, 1).await.unwrap();
        assert_eq!(right().await, Some(DestinationRight::OwnerGone), "there is no such user");
        let user = |role: &str, active| UserRow {
            user_id: "user".to_owned(),
            number: 0,
            name: "u".to_owned(),
            role: role.to_owned(),
            address: None,
            active,
            created_at: 1,
        };
        let boss = UserRow { user_id: "boss".to_owned(), ..user("owner", true) };
        database.put_user(&boss).await.unwrap();
        database.put_user(&user("trader", true)).await.unwrap();
        assert_eq!(right().await, Some(DestinationRight::Hears { hears_paper: true }));
        for (role, active, expected) in [
            ("viewer", true, DestinationRight::RoleTaken),
            ("trader", false, DestinationRight::OwnerGone),
            ("trader", true, DestinationRight::Hears { hears_paper: true }),
        ] {
            database.change_user(&user(role, active)).await.unwrap();
            assert_eq!(right().await, Some(expected));
        }
        let stream = NewStream {
            stream_id: "s".into(),
            model_id: "aa".into(),
            run_id: "run".into(),
            owner: "boss".into(),
            source: "{}".into(),
            feed: "feed".into(),
            limits: "{}".into(),
            after: None,
        };
        database.insert_stream(&stream, 50, 2).await.unwrap();
        assert_eq!(right().await, Some(DestinationRight::Hears { hears_paper: false }));
        let model = ModelRow {
            model_id: "aa".to_owned(),
            number: 0,
            name: "m".to_owned(),
            owner: "boss".to_owned(),
            run_id: "run".to_owned(),
            is_private: true,
            model_cid: String::new(),
            config_cid: String::new(),
            fee_bps: 0,
            card: "{}".to_owned(),
            probe: String::new(),
            published_at: 0,
        };
        database.publish_model(&model, 3).await.unwrap().unwrap();
        assert_eq!(right().await, Some(DestinationRight::Private));
        // Owners of the platform see every model.
        database.change_user(&user("owner", true)).await.unwrap();
        assert_eq!(right().await, Some(DestinationRight::Hears { hears_paper: false }));
    }
}
