//! A real NATS server that is cut off and killed while signals keep coming.

use std::time::Duration;

use assay_gateway::{GatewaySettings, NATS_STREAM, signals_of};
use assay_store::database::DestinationKind;
use assay_testkit::{NatsServer, TcpProxy};
use assay_types::Secret;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures::StreamExt as _;

use crate::support::{MODEL, Platform, check_log, settings};

fn with_nats(url: &str) -> GatewaySettings {
    GatewaySettings { nats_url: Some(Secret::new(url.to_owned())), ..settings() }
}

/// Everything that the server holds of the model, with its message ids.
pub async fn stored_by(url: &str) -> (Vec<String>, Vec<String>) {
    let context = async_nats::jetstream::new(async_nats::connect(url).await.unwrap());
    let mut stream = context.get_stream(NATS_STREAM).await.unwrap();
    let held = stream.info().await.unwrap().state.messages;
    let config =
        pull::Config { deliver_policy: DeliverPolicy::All, ack_policy: AckPolicy::None, ..pull::Config::default() };
    let consumer = stream.create_consumer(config).await.unwrap();
    let mut messages = consumer.messages().await.unwrap();
    let (mut bodies, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..held {
        let message = messages.next().await.unwrap().unwrap();
        assert_eq!(message.subject.as_str(), signals_of(MODEL).unwrap());
        let headers = message.headers.as_ref().unwrap();
        ids.push(headers.get("Nats-Msg-Id").unwrap().to_string());
        assert_eq!(headers.get("Assay-Mode").unwrap().as_str(), "live");
        bodies.push(String::from_utf8(message.payload.to_vec()).unwrap());
    }
    (bodies, ids)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_misses_nothing_and_stores_nothing_twice() {
    let mut server = NatsServer::start();
    let proxy = TcpProxy::start(server.address());
    let platform = Platform::new().await;
    platform.destination("one", DestinationKind::Nats, &signals_of(MODEL).unwrap()).await;
    let running = platform.run(with_nats(&format!("nats://{}", proxy.address())));
    let mut stored = Vec::new();
    // 200 signals over 20 s; the server is dead for 12 of them and its connections break besides.
    for tick in 0..200_u64 {
        stored.extend(platform.publish(MODEL, tick..tick + 1).await);
        match tick {
            10 | 15 => proxy.cut(),
            30 => server.kill(),
            150 => server.resume(),
            170 => proxy.down(),
            175 => proxy.up(),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    platform.reaches("one", 200, Duration::from_secs(30)).await;
    running.end().await;
    let (bodies, ids) = stored_by(&server.url()).await;
    assert_eq!(check_log(&bodies, &stored), 0);
    assert_eq!(ids, (0..200).map(|seq| format!("{MODEL}:{seq}")).collect::<Vec<_>>());
    let log = platform.database.deliveries("one", None, 1_000).await.unwrap();
    assert!(log.iter().any(|entry| entry.delivery.detail.is_some()), "the server was away");
}

#[tokio::test]
async fn heartbeats_come_while_nothing_is_said() {
    let server = NatsServer::start();
    let platform = Platform::new().await;
    platform.publish(MODEL, 0..3).await;
    platform.destination("one", DestinationKind::Nats, &signals_of(MODEL).unwrap()).await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let mut heartbeats = client.subscribe(assay_gateway::heartbeats_of(MODEL)).await.unwrap();
    client.flush().await.unwrap();
    let running = platform.run(GatewaySettings { heartbeat: Duration::from_millis(150), ..with_nats(&server.url()) });
    for _ in 0..3 {
        let heard = tokio::time::timeout(Duration::from_secs(10), heartbeats.next()).await.unwrap().unwrap();
        let body: serde_json::Value = serde_json::from_slice(&heard.payload).unwrap();
        assert_eq!((&body["type"], &body["next_seq"]), (&"heartbeat".into(), &3.into()));
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_in_the_address_opens_a_server_and_is_told_to_nobody_else() {
    const PASSWORD: &str = "p@ss/w%rd";
    let server = NatsServer::start_for("ann", PASSWORD);
    let platform = Platform::new().await;
    platform.destination("one", DestinationKind::Nats, &signals_of(MODEL).unwrap()).await;
    let wrong = platform.run(with_nats(&format!("nats://ann:other-word@{}", server.address())));
    platform.publish(MODEL, 0..3).await;
    let begun = tokio::time::Instant::now();
    let refused = loop {
        let destination = platform.database.destination("one").await.unwrap().unwrap();
        if let Some(error) = destination.last_error {
            break error;
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(!refused.contains("other-word"), "{refused}");
    wrong.end().await;
    let right = platform.run(with_nats(&format!("nats://ann:p%40ss%2fw%25rd@{}", server.address())));
    platform.reaches("one", 3, Duration::from_secs(20)).await;
    right.end().await;
}
