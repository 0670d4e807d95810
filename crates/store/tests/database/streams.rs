//! Streams, their signals and the closes they were said at.

use assay_store::StopMark;
use assay_store::database::{
    Checkpoint, CommittedClose, DatabaseError, FeedCandle, NewStream, PlatformDatabase, Resumed, Speaker, StopControl,
    StoredSignal, Stream, StreamMode, StreamStatus,
};

use crate::both::both;

/// Running streams that each user of these tests may have.
const QUOTA: u32 = 100;

const LIMITS: &str = "{\"daily_loss\":\"5\"}";

fn new(stream_id: &str, model_id: &str) -> NewStream {
    NewStream {
        stream_id: stream_id.into(),
        model_id: model_id.into(),
        run_id: "run".into(),
        owner: "ann".into(),
        source: "{}".into(),
        feed: "feed".into(),
        limits: LIMITS.into(),
        after: None,
    }
}

fn signal(stream: &Stream, seq: u64, text: &str) -> StoredSignal {
    StoredSignal {
        model_id: stream.model_id.clone(),
        seq,
        stream_id: stream.stream_id.clone(),
        mode: StreamMode::Paper,
        closed_at: 60_000 * (seq as i64 + 1),
        received_at: 60_000 * (seq as i64 + 1) + 5,
        due_at: 60_000 * (seq as i64 + 1),
        stored_at: 60_000 * (seq as i64 + 1) + 9,
        signal: text.into(),
        equity: "10000".into(),
    }
}

fn close(open_time: i64, signals: Vec<StoredSignal>) -> CommittedClose {
    let candle =
        FeedCandle { open_time, candle: "1,2,1,2,3".into(), received_at: open_time + 60_005, origin: "socket".into() };
    CommittedClose {
        feed: "feed".into(),
        candle: Some(candle),
        signals,
        halted: Vec::new(),
        speakers: [].into(),
        changes: None,
    }
}

#[tokio::test]
async fn a_model_has_one_stream_that_speaks_and_numbers_go_on() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let first = database.insert_stream(&new("a", "m"), QUOTA, 1).await.unwrap();
        assert_eq!((first.first_seq, first.mode, first.status), (0, StreamMode::Paper, StreamStatus::Running));
        let taken = database.insert_stream(&new("b", "m"), QUOTA, 2).await.unwrap_err();
        assert!(matches!(taken, DatabaseError::ModelTaken { stream_id, .. } if stream_id == "a"));
        for seq in 0..3 {
            database.commit_close(&close(seq as i64 * 60_000, vec![signal(&first, seq, "s")]), 3).await.unwrap();
        }
        database.set_stream_status("a", StreamStatus::Stopped, Some("enough".into()), 4).await.unwrap();
        let astray = database.insert_stream(&new("b", "m"), QUOTA, 5).await.unwrap_err();
        assert!(matches!(astray, DatabaseError::StreamState { stream_id, .. } if stream_id == "a"));
        let loosened = NewStream { after: Some(("a".into(), "{}".into())), ..new("b", "m") };
        assert!(database.insert_stream(&loosened, QUOTA, 5).await.is_err(), "its limits are others by now");
        let follower = NewStream { after: Some(("a".into(), LIMITS.into())), ..new("b", "m") };
        let second = database.insert_stream(&follower, QUOTA, 5).await.unwrap();
        assert_eq!((second.first_seq, second.number), (3, 2));
        let late = database.set_stream_status("a", StreamStatus::Running, None, 6).await.unwrap_err();
        assert!(matches!(late, DatabaseError::ModelTaken { stream_id, .. } if stream_id == "b"));
        assert!(matches!(
            database.set_stream_status("b", StreamStatus::Running, None, 6).await,
            Err(DatabaseError::StreamState { .. })
        ));
        assert!(matches!(
            database.set_stream_status("no", StreamStatus::Stopped, None, 6).await,
            Err(DatabaseError::StreamState { .. })
        ));
        let running = database.running_streams().await.unwrap();
        assert_eq!(running.iter().map(|stream| stream.stream_id.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(database.stream_of_model("m").await.unwrap(), Some(second.clone()));
        assert_eq!(database.streams(Some("ben"), None, 10).await.unwrap(), []);
        let live = database.set_stream_limits("b", &second.limits, "{}", true, 7).await.unwrap();
        assert_eq!((live.mode, live.limits.as_str()), (StreamMode::Live, "{}"));
        let stale = database.set_stream_limits("b", &second.limits, "{\"daily_loss\":\"9\"}", false, 8).await;
        assert!(matches!(stale, Err(DatabaseError::StreamState { .. })));
        assert_eq!(database.streams(Some("ben"), None, 10).await.unwrap(), std::slice::from_ref(&live));
        assert_eq!(database.streams(None, Some(2), 10).await.unwrap().len(), 1);
        let told: Vec<_> = database.events_after(0, 100).await.unwrap().events;
        assert_eq!(told.len(), 4, "begun, stopped, begun, live");
        assert_eq!(told[0].event.owner.as_deref(), Some("ann"));
        assert_eq!(told[3].event.owner.as_deref(), Some("ann"), "its owner's, live too");
    }
}

#[tokio::test]
async fn a_close_is_stored_once_and_whole() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let mut streams = Vec::new();
        for number in 0..3 {
            streams.push(
                database.insert_stream(&new(&format!("s{number}"), &format!("m{number}")), QUOTA, 1).await.unwrap(),
            );
        }
        let said = |text: &str| streams.iter().map(|stream| signal(stream, 0, text)).collect::<Vec<_>>();
        let mut first = close(0, said("one"));
        first.halted = vec![("s1".into(), "daily loss".into())];
        database.commit_close(&first, 2).await.unwrap();
        // The answer was lost and it is tried again: nothing changes.
        database.commit_close(&first, 3).await.unwrap();
        let stored = database.signals_from("m1", 0, 10).await.unwrap();
        assert_eq!(stored, [signal(&streams[1], 0, "one")]);
        let halted = database.stream("s1").await.unwrap().unwrap();
        assert_eq!((halted.status, halted.reason.as_deref()), (StreamStatus::Halted, Some("daily loss")));
        // Another process said something else under these numbers.
        let other = database.commit_close(&close(0, said("two")), 4).await;
        assert!(matches!(other, Err(DatabaseError::FeedMoved { .. })));
        let mut torn = close(60_000, vec![signal(&streams[0], 1, "two"), signal(&streams[1], 0, "two")]);
        assert!(matches!(database.commit_close(&torn, 5).await, Err(DatabaseError::FeedMoved { .. })));
        assert_eq!(database.next_seq("m0").await.unwrap(), 1, "nothing of a torn close is kept");
        assert_eq!(database.last_feed_candle("feed").await.unwrap(), Some(0));
        torn.signals.pop();
        database.commit_close(&torn, 6).await.unwrap();
        assert_eq!(database.signals_between("m0", 100_000..200_000, 0, 10).await.unwrap().len(), 1);
        assert_eq!(database.feed_candles("feed", 1, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn checkpoints_and_controls_are_replaced() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let put = |open_time: i64, state: &str| ("feed".to_owned(), Checkpoint { open_time, state: state.to_owned() });
        assert_eq!(database.checkpoint("feed").await.unwrap(), None);
        database.put_checkpoints(&[put(1, "a")]).await.unwrap();
        database.put_checkpoints(&[put(2, "b")]).await.unwrap();
        assert_eq!(database.checkpoint("feed").await.unwrap(), Some(put(2, "b").1));
        assert_eq!(database.control("demo").await.unwrap(), None);
        database.set_control("demo", "{}", 1).await.unwrap();
        database.set_control("demo", "null", 2).await.unwrap();
        assert_eq!(database.control("demo").await.unwrap().as_deref(), Some("null"));
    }
}

#[tokio::test]
async fn a_resume_never_takes_a_newer_stop_away_and_is_told_with_its_reason() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let mark = |reason: &str| StopMark::new("t".to_owned(), "ann".to_owned(), reason.to_owned());
        let resumed = |id: &str| Resumed {
            id: id.to_owned(),
            at: "t".to_owned(),
            by: "ben".to_owned(),
            reason: "calm".to_owned(),
        };
        let (first, second) = (mark("storm"), mark("flood"));
        assert_eq!(database.stop_control().await.unwrap(), StopControl::default());
        database.carry_stop(&first, 1).await.unwrap();
        assert_eq!(database.carry_stop(&second, 2).await.unwrap().mark.as_ref(), Some(&second));
        let refused = database.resume_stop(&resumed(&first.id), 3).await.unwrap();
        assert_eq!((refused.mark.as_ref(), refused.resumed), (Some(&second), None));
        let done = database.resume_stop(&resumed(&second.id), 4).await.unwrap();
        assert_eq!(done, StopControl { mark: None, resumed: Some(resumed(&second.id)) });
        // A server that saw the stop before its resume carries it there no more; a new stop it does.
        assert_eq!(database.carry_stop(&second, 5).await.unwrap(), done);
        let events = database.events_after(0, 10).await.unwrap().events;
        let last = &events.last().unwrap().event;
        assert!(last.payload.contains("calm") && last.payload.contains("ben"), "{}", last.payload);
        assert_eq!(events.len(), 3, "what changes nothing is not told");
        let third = mark("again");
        assert_eq!(database.carry_stop(&third, 6).await.unwrap().mark, Some(third));
        // Both at once, many times: whatever the order, the newer stop stands.
        let mut seen = database.stop_control().await.unwrap().mark.unwrap();
        for _ in 0..20 {
            let newer = mark("newer");
            let (resume, stop) = (resumed(&seen.id), newer.clone());
            let (resume, stop) = tokio::join!(database.resume_stop(&resume, 7), database.carry_stop(&stop, 8));
            resume.unwrap();
            stop.unwrap();
            assert_eq!(database.stop_control().await.unwrap().mark.as_ref(), Some(&newer));
            seen = newer;
        }
    }
}

#[tokio::test]
async fn a_user_has_so_many_running_streams() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let begun: Vec<_> = (0..6)
            .map(|number| {
                let (database, new) = (database.clone(), new(&format!("s{number}"), &format!("m{number}")));
                tokio::spawn(async move { database.insert_stream(&new, 2, 1).await })
            })
            .collect();
        let (mut running, mut refused) = (Vec::new(), 0);
        for task in begun {
            match task.await.unwrap() {
                Ok(stream) => running.push(stream.stream_id),
                Err(DatabaseError::Quota { quota: 2, found: 2, .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((running.len(), refused), (2, 4));
        // Others have their own; who stops one may begin another, and not resume the first then.
        let other = NewStream { owner: "ben".into(), ..new("o", "o") };
        database.insert_stream(&other, 2, 2).await.unwrap();
        database.set_stream_status(&running[0], StreamStatus::Stopped, None, 3).await.unwrap();
        database.insert_stream(&new("s9", "m9"), 2, 4).await.unwrap();
        let error = database.resume_stream(&running[0], 2, 5).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Quota { .. }), "{error}");
        database.set_stream_status("s9", StreamStatus::Stopped, None, 6).await.unwrap();
        assert_eq!(database.resume_stream(&running[0], 2, 7).await.unwrap().status, StreamStatus::Running);
    }
}

#[tokio::test]
async fn signals_are_found_by_time_across_streams_and_by_hash() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        // Two hundred models and a few say the same at one close; then the second stream of one
        // begins at the first candle again.
        let mut streams = Vec::new();
        for number in 0..203 {
            let id = new(&format!("s{number}"), &format!("{number:064x}"));
            streams.push(database.insert_stream(&id, 3 * QUOTA, 1).await.unwrap());
        }
        let hash: assay_types::Hash = format!("{:064x}", 0xfeed_u64 << 40).parse().unwrap();
        let line = |seq: u64| format!("{{\"seq\":{seq},\"sig_hash\":\"{hash}\"}}");
        let said: Vec<StoredSignal> = streams.iter().map(|stream| signal(stream, 0, &line(0))).collect();
        database.commit_close(&close(0, said), 2).await.unwrap();
        let first = &streams[7];
        for seq in 1..50 {
            let said = vec![signal(first, seq, "{}")];
            database.commit_close(&close(60_000 * seq as i64, said), 2).await.unwrap();
        }
        database.set_stream_status("s7", StreamStatus::Ended, None, 3).await.unwrap();
        let again = NewStream { after: Some(("s7".into(), LIMITS.into())), ..new("again", &first.model_id) };
        let second = database.insert_stream(&again, 3 * QUOTA, 4).await.unwrap();
        for seq in 50..100 {
            let mut said = signal(&second, seq, "{}");
            said.closed_at = 60_000 * (seq as i64 - 49);
            let mut close = close(60_000 * seq as i64, vec![said]);
            close.feed = "replay".to_owned();
            database.commit_close(&close, 5).await.unwrap();
        }
        let model = first.model_id.as_str();
        let between = |closes: std::ops::Range<i64>, from: u64, limit: u32| {
            let database = &database;
            async move {
                let closed = 60_000 * closes.start..60_000 * closes.end;
                let found = database.signals_between(model, closed, from, limit).await.unwrap();
                found.iter().map(|signal| signal.seq).collect::<Vec<u64>>()
            }
        };
        let expected = |range: std::ops::Range<u64>| range.clone().chain(range.start + 50..range.end + 50);
        assert_eq!(between(11..21, 0, 1_000).await, expected(10..20).collect::<Vec<_>>());
        assert_eq!(between(11..21, 15, 8).await, expected(10..20).filter(|seq| *seq >= 15).take(8).collect::<Vec<_>>());
        assert_eq!(between(-5..2, 0, 10).await, [0, 50]);
        assert_eq!(between(50..500, 0, 10).await, [49, 99]);
        assert_eq!((between(51..500, 0, 10).await, between(9..9, 0, 10).await), (vec![], vec![]));
        let found = database.signals_by_hash(&hash, 1_000).await.unwrap();
        assert_eq!(found.len(), 203);
        assert_eq!((found[7].model_id.as_str(), found[7].signal.as_str()), (model, line(0).as_str()));
        assert_eq!(database.signals_by_hash(&assay_types::Hash::of(b"another"), 10).await.unwrap(), []);
        assert_eq!(database.signals_from(&format!("{:064x}", 202), 0, 10).await.unwrap().len(), 1);
        database.tidy().await.unwrap();
    }
}

/// A close counts only for streams that are still what they were when they spoke.
#[tokio::test]
async fn what_a_changed_stream_said_is_not_stored() {
    for empty in both() {
        let database = PlatformDatabase::open(&empty.location).await.unwrap();
        let stream = database.insert_stream(&new("a", "m"), QUOTA, 1).await.unwrap();
        let other = database.insert_stream(&new("b", "n"), QUOTA, 1).await.unwrap();
        let speaker = |stream: &Stream| Speaker {
            stream_id: stream.stream_id.clone(),
            mode: stream.mode,
            limits: stream.limits.clone(),
            closing: stream.closing.clone(),
        };
        let said = |seq: u64, speakers: Vec<Speaker>, changes: Option<u64>| CommittedClose {
            speakers: speakers.into(),
            changes,
            ..close(seq as i64 * 60_000, vec![signal(&stream, seq, "s")])
        };
        let both = vec![speaker(&stream), speaker(&other)];
        let changes = database.commit_close(&said(0, both.clone(), None), 2).await.unwrap();
        assert_eq!(changes, database.stream_changes().await.unwrap());
        assert_eq!(database.commit_close(&said(1, both.clone(), Some(changes)), 2).await.unwrap(), changes);
        // Tightened, published or stopped since: nothing of the close is stored.
        let tight = "{\"daily_loss\":\"1\"}";
        database.set_stream_limits("b", &other.limits, tight, false, 3).await.unwrap();
        for changes in [None, Some(changes)] {
            let refused = database.commit_close(&said(2, both.clone(), changes), 4).await.unwrap_err();
            assert!(
                matches!(&refused, DatabaseError::StreamsChanged { streams, .. } if *streams == ["b"]),
                "{refused}"
            );
        }
        assert_eq!(
            (database.next_seq("m").await.unwrap(), database.last_feed_candle("feed").await.unwrap()),
            (2, Some(60_000))
        );
        let tightened = database.stream("b").await.unwrap().unwrap();
        let both = vec![speaker(&stream), speaker(&tightened)];
        database.commit_close(&said(2, both.clone(), Some(changes)), 4).await.unwrap();
        database.set_stream_limits("b", tight, tight, true, 5).await.unwrap();
        assert!(database.commit_close(&said(3, both, Some(changes)), 6).await.is_err());
        database.set_stream_status("a", StreamStatus::Stopped, None, 7).await.unwrap();
        let alone = || vec![speaker(&stream)];
        assert!(database.commit_close(&said(3, alone(), None), 8).await.is_err());
        database.set_stream_status("a", StreamStatus::Running, None, 9).await.unwrap();
        database.commit_close(&said(3, alone(), None), 10).await.unwrap();
        // Nor is what it said before it was told to open nothing more.
        let closing = database.close_streams(Some("a"), "enough", 10).await.unwrap();
        assert_eq!((closing.len(), closing[0].closing.as_deref()), (1, Some("enough")));
        assert!(database.commit_close(&said(4, alone(), None), 10).await.is_err());
        let alone = || vec![speaker(&closing[0])];
        // A close that halts its own stream, and comes once more since its answer was lost.
        let halting = CommittedClose { halted: vec![("a".into(), "too much".into())], ..said(4, alone(), None) };
        database.commit_close(&halting, 11).await.unwrap();
        assert!(database.commit_close(&halting, 12).await.is_err());
        assert_eq!(database.next_seq("m").await.unwrap(), 5);
        assert_eq!(database.stream("a").await.unwrap().unwrap().closing, None, "it is over");
    }
}
