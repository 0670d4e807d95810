//! Connections that break: nothing is lost, nothing overtakes.

use std::time::Duration;

use assay_gateway::{Backoff, GatewaySettings, signals_of};
use assay_store::database::{DeliveryOutcome, DestinationKind};
use assay_testkit::{NatsServer, TcpProxy};
use assay_types::Secret;
use rdkafka::mocking::MockCluster;

use crate::receiver::{Answer, Receiver};
use crate::support::{MODEL, Platform, check_log, settings};

#[tokio::test]
async fn cut_connections_lose_no_signal() {
    let platform = Platform::new().await;
    let receiver = Receiver::start(|_| Answer::Slow(Duration::from_millis(2))).await;
    let proxy = TcpProxy::start(receiver.address);
    let url = format!("http://{}/hook", proxy.address());
    platform.destination("one", DestinationKind::Webhook, &url).await;
    let running = platform.run(settings());
    let mut stored = Vec::new();
    for round in 0..10 {
        stored.extend(platform.publish(MODEL, round * 30..(round + 1) * 30).await);
        receiver.has(stored.len() - 20).await;
        if round % 4 == 3 {
            proxy.down();
            tokio::time::sleep(Duration::from_millis(300)).await;
            proxy.up();
        } else {
            proxy.cut();
        }
    }
    platform.reaches("one", 300, Duration::from_secs(60)).await;
    running.end().await;
    assert!(proxy.accepted() >= 5, "{} connections", proxy.accepted());
    check_log(&receiver.bodies(), &stored);
}

/// How long nobody can be reached.
const AWAY: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_without_broker_and_receiver_loses_nothing() {
    let mut server = NatsServer::start();
    let cluster = MockCluster::new(1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let proxy = TcpProxy::start(receiver.address);
    let platform = Platform::new().await;
    let topic = signals_of(MODEL).unwrap();
    let url = format!("http://{}/hook", proxy.address());
    platform.destination("webhook", DestinationKind::Webhook, &url).await;
    platform.destination("nats", DestinationKind::Nats, &topic).await;
    platform.destination("kafka", DestinationKind::Kafka, &topic).await;
    let running = platform.run(GatewaySettings {
        nats_url: Some(Secret::new(server.url())),
        kafka_brokers: brokers.split(',').map(str::to_owned).collect(),
        backoff: Backoff { first: Duration::from_millis(100), most: Duration::from_secs(5) },
        ..settings()
    });
    let mut stored = platform.publish(MODEL, 0..10).await;
    for id in ["webhook", "nats", "kafka"] {
        platform.reaches(id, 10, Duration::from_secs(30)).await;
    }
    server.kill();
    cluster.broker_down(1).unwrap();
    proxy.down();
    let away = tokio::time::Instant::now();
    for seq in 10..130 {
        stored.extend(platform.publish(MODEL, seq..seq + 1).await);
        tokio::time::sleep(AWAY / 120).await;
    }
    assert!(away.elapsed() >= AWAY);
    for id in ["webhook", "nats", "kafka"] {
        let destination = platform.database.destination(id).await.unwrap().unwrap();
        assert!(destination.next_seq == 10 && destination.failures > 3, "{destination:?}");
    }
    server.resume();
    cluster.broker_up(1).unwrap();
    proxy.up();
    stored.extend(platform.publish(MODEL, 130..140).await);
    for id in ["webhook", "nats", "kafka"] {
        platform.reaches(id, 140, Duration::from_secs(60)).await;
    }
    running.end().await;
    check_log(&receiver.bodies(), &stored);
    assert_eq!(check_log(&crate::nats::stored_by(&server.url()).await.0, &stored), 0);
    check_log(&crate::kafka::consumed(&brokers, &topic, stored.last().unwrap()).await, &stored);
    for id in ["webhook", "nats", "kafka"] {
        let log = platform.database.deliveries(id, None, 1_000).await.unwrap();
        let mut delivered: Vec<u64> = log
            .iter()
            .filter(|entry| entry.delivery.outcome == DeliveryOutcome::Delivered)
            .filter_map(|entry| entry.delivery.seq)
            .collect();
        delivered.sort_unstable();
        assert_eq!(delivered, (0..140).collect::<Vec<_>>(), "the log of {id}");
    }
}
