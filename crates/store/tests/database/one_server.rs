//! One home per database, and one server at a time.

use assay_store::database::{DatabaseError, NewEvent, PlatformDatabase, ServerIdentity};

use crate::both::both;

fn server(home: &str, holder: &str) -> ServerIdentity {
    ServerIdentity { home: home.into(), holder: holder.into(), place: format!("host:/{holder}") }
}

#[tokio::test]
async fn a_second_server_waits_and_the_first_writes_no_more_once_it_is_replaced() {
    for empty in both() {
        let open = PlatformDatabase::open(&empty.location).await.unwrap();
        let first = open.take_server_lease(&server("home", "a"), 0, 100).await.unwrap();
        let held = open.take_server_lease(&server("home", "b"), 99, 200).await.unwrap_err();
        assert!(matches!(held, DatabaseError::ServerHeld { place } if place == "host:/a"));
        let other = open.take_server_lease(&server("elsewhere", "b"), 99, 200).await.unwrap_err();
        assert!(matches!(other, DatabaseError::OtherHome { place } if place == "host:/a"));
        open.renew_server_lease(&first, 150).await.unwrap();
        assert!(open.take_server_lease(&server("home", "b"), 149, 200).await.is_err());

        let old = open.clone().fenced(&first);
        old.set_control("before", "1", 1).await.unwrap();
        let second = open.take_server_lease(&server("home", "b"), 150, 300).await.unwrap();
        let refused = old.set_control("after", "1", 2).await.unwrap_err();
        assert!(matches!(&refused, DatabaseError::ServerReplaced { place } if place == "host:/b"));
        assert!(!refused.is_retryable());
        assert_eq!(open.control("after").await.unwrap(), None);
        let replaced = open.renew_server_lease(&first, 900).await.unwrap_err();
        assert!(matches!(replaced, DatabaseError::ServerReplaced { .. }));

        // The replaced one gives nothing back that is not its own; the holder does.
        open.release_server_lease(&first).await.unwrap();
        assert!(open.take_server_lease(&server("home", "c"), 151, 300).await.is_err());
        open.release_server_lease(&second).await.unwrap();
        open.take_server_lease(&server("home", "c"), 151, 300).await.unwrap();
        // The same folder after a kill: its lock says that the last holder is gone.
        open.take_server_lease(&server("home", "c"), 152, 300).await.unwrap();
        // Of servers that come at once one gets it.
        open.release_server_lease(&open.take_server_lease(&server("home", "c"), 153, 300).await.unwrap())
            .await
            .unwrap();
        let names: Vec<String> = (0..8).map(|number| format!("n{number}")).collect();
        let takers = names.iter().map(|name| {
            let open = open.clone();
            let server = server("home", name);
            tokio::spawn(async move { open.take_server_lease(&server, 154, 300).await.is_ok() })
        });
        let mut taken = 0;
        for taker in takers.collect::<Vec<_>>() {
            taken += usize::from(taker.await.unwrap());
        }
        assert_eq!(taken, 1);
    }
}

/// A write under way ends before another server takes the database, and renewals wait for none.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_by_the_old_server_after_the_new_one_took_over() {
    for empty in both() {
        let open = PlatformDatabase::open(&empty.location).await.unwrap();
        let first = open.take_server_lease(&server("home", "a"), 0, 1).await.unwrap();
        let old = open.clone().fenced(&first);
        let writer = tokio::spawn(async move {
            let mut written = 0_u64;
            loop {
                match old.append_events(&[event(written)], 1).await {
                    Ok(()) => written += 1,
                    Err(DatabaseError::ServerReplaced { .. }) => return written,
                    Err(error) => panic!("{error}"),
                }
            }
        });
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        open.renew_server_lease(&first, 2).await.unwrap();
        open.take_server_lease(&server("home", "b"), 5, 100).await.unwrap();
        let when_taken = open.last_event().await.unwrap();
        let written = writer.await.unwrap();
        assert_eq!((open.last_event().await.unwrap(), written), (when_taken, when_taken));
    }
}

fn event(number: u64) -> NewEvent {
    NewEvent { topic: "test".into(), subject: number.to_string(), owner: None, payload: "{}".into() }
}
