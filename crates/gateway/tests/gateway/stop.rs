//! Stopped is stopped: also for what is on its way, and after a restart.

use std::time::{Duration, Instant};

use assay_store::StopMark;
use assay_store::database::DestinationKind;

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
    let mark = StopMark { at: "2025-09-03T14:00:00Z".into(), by: "test".into(), reason: "a burst".into() };
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
    platform.stop().clear().unwrap();
    platform.reaches("one", 610, Duration::from_secs(30)).await;
    again.end().await;
    // The one under way when the stop came may have arrived unconfirmed.
    assert!(check_log(&receiver.bodies(), &stored) <= 1);
}
