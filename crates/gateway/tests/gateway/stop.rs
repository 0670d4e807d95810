//! Stopped is stopped: also for what is on its way, and after a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use assay_gateway::{GatewaySettings, signals_of};
use assay_store::StopMark;
use assay_store::database::DestinationKind;
use assay_testkit::{NatsServer, TcpProxy};
use assay_types::Secret;
use futures::StreamExt as _;
use tokio::io::AsyncReadExt as _;

use crate::receiver::{Answer, Receiver};
use crate::support::{MODEL, Platform, check_log, settings};

#[tokio::test]
async fn nothing_leaves_within_a_second_of_a_stop() {
    let platform = Platform::new().await;
    let receiver = Receiver::start(|_| Answer::Slow(Duration::from_millis(3))).await;
    platform.destination("one", DestinationKind::Webhook, &receiver.url()).await;
    let running = platform.run(settings());
    let mut stored = platform.publish(MODEL, 0..500).await;
    receiver.has(60).await;
    let mark = StopMark::new("2025-09-03T14:00:00Z".into(), "test".into(), "a burst".into());
    platform.stop().set(&mark).unwrap();
    let stopped_at = Instant::now();
    stored.extend(platform.publish(MODEL, 500..600).await);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let posts = receiver.posts();
    let last = posts.last().unwrap().at.saturating_duration_since(stopped_at);
    assert!(last < Duration::from_secs(1), "a signal left {last:?} after the stop");
    assert!(posts.len() < 500, "the stop came in the middle");
    running.end().await;

    let again = platform.run(settings());
    stored.extend(platform.publish(MODEL, 600..610).await);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(receiver.posts().len(), posts.len(), "a restart resumes nothing");
    platform.stop().clear(&mark).unwrap();
    platform.reaches("one", 610, Duration::from_secs(30)).await;
    again.end().await;
    // The one under way when the stop came may have arrived unconfirmed.
    assert!(check_log(&receiver.bodies(), &stored) <= 1);
}

/// Destinations that send at once over one connection.
const AT_ONCE: usize = 24;
/// So long that the kernel does not take what all of them send.
const LONG: usize = 900_000;

/// Lets all destinations send over a connection that takes nothing more, and stops; how many of the
/// signals arrive once it does again.
async fn arrive_after_a_stop(
    platform: &Platform,
    kind: DestinationKind,
    settings: GatewaySettings,
    proxy: &TcpProxy,
    mut count: impl FnMut() -> usize,
) {
    let topic = signals_of(MODEL).unwrap();
    for number in 0..AT_ONCE {
        platform.destination(&number.to_string(), kind, &topic).await;
    }
    let running = platform.run(settings);
    platform.publish(MODEL, 0..1).await;
    for number in 0..AT_ONCE {
        platform.reaches(&number.to_string(), 1, Duration::from_secs(30)).await;
    }
    proxy.hold();
    platform.publish_long(MODEL, 1, LONG).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let mark = StopMark::new("2025-09-03T14:00:00Z".into(), "test".into(), "a burst".into());
    platform.stop().set(&mark).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    proxy.release();
    tokio::time::sleep(Duration::from_secs(3)).await;
    // What the kernel had taken may still come, what the client kept may not.
    let arrived = count();
    assert!(arrived < AT_ONCE * 2 / 3, "{arrived} of {AT_ONCE} signals left after the stop");
    platform.stop().clear(&mark).unwrap();
    for number in 0..AT_ONCE {
        platform.reaches(&number.to_string(), 2, Duration::from_secs(60)).await;
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_in_the_client_of_nats_does_not_leave_after_a_stop() {
    let server = NatsServer::start();
    let proxy = TcpProxy::start(server.address());
    let platform = Platform::new().await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let mut heard = client.subscribe(signals_of(MODEL).unwrap()).await.unwrap();
    client.flush().await.unwrap();
    let arrived = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&arrived);
    tokio::spawn(async move {
        while let Some(message) = heard.next().await {
            counter.fetch_add(usize::from(message.payload.len() > LONG), Ordering::SeqCst);
        }
    });
    let nats_url = Some(Secret::new(format!("nats://{}", proxy.address())));
    let settings = GatewaySettings { nats_url, send_timeout: Duration::from_secs(20), ..settings() };
    let count = || arrived.load(Ordering::SeqCst);
    arrive_after_a_stop(&platform, DestinationKind::Nats, settings, &proxy, count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_ends_with_all_that_it_would_still_do() {
    let platform = Platform::new().await;
    // A server that takes the connection and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    platform.destination("one", DestinationKind::Kafka, &signals_of(MODEL).unwrap()).await;
    let kafka_brokers = vec![address.to_string()];
    let running = platform.run(GatewaySettings { kafka_brokers, send_timeout: Duration::from_secs(30), ..settings() });
    platform.publish(MODEL, 0..1).await;
    let (mut broker, _) = listener.accept().await.unwrap();
    let mut said = vec![0; 4];
    broker.read_exact(&mut said).await.unwrap();
    let mark = StopMark::new("2025-09-03T14:00:00Z".into(), "test".into(), "a burst".into());
    platform.stop().set(&mark).unwrap();
    // The connection is given up within a second, so nothing more can come over it.
    let ended = tokio::time::timeout(Duration::from_secs(1), broker.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "the client goes on");
    let log = platform.database.deliveries("one", None, 10).await.unwrap();
    assert!(log.is_empty(), "a stop is no failure of the destination: {log:?}");
    running.end().await;
}
