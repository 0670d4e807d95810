//! Who may not hear a model any more is sent nothing more.

use std::time::Duration;

use assay_store::database::{Destination, DestinationKind, ModelRow};
use tokio::time::{Instant, sleep};

use crate::receiver::{Answer, Receiver};
use crate::support::{MODEL, Platform, settings};

/// How long a receiver is watched that should get nothing.
const QUIET: Duration = Duration::from_millis(700);

/// Waits until the destination is paused.
async fn paused(platform: &Platform, id: &str) -> Destination {
    let begun = Instant::now();
    loop {
        let destination = platform.database.destination(id).await.unwrap().unwrap();
        if !destination.is_active {
            return destination;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "still at {destination:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_destination_is_paused_with_the_reason_when_its_user_may_not_hear_any_more() {
    let platform = Platform::new().await;
    let receiver = Receiver::start(|_| Answer::Status(204)).await;
    let mut next = 0;
    platform.destination("one", DestinationKind::Webhook, &receiver.url()).await;
    let running = platform.run(settings());
    for (role, active, word) in [("trader", false, "not active"), ("viewer", true, "role")] {
        platform.publish(MODEL, next..next + 3).await;
        next += 3;
        platform.reaches("one", next, Duration::from_secs(20)).await;
        platform.user(role, active).await;
        // What was asked of the database holds for half a second.
        sleep(QUIET).await;
        platform.publish(MODEL, next..next + 3).await;
        let destination = paused(&platform, "one").await;
        assert!(destination.last_error.as_ref().unwrap().contains(word), "{destination:?}");
        sleep(QUIET).await;
        assert_eq!(receiver.bodies().len() as u64, next, "it was sent on");
        // Resumed by mistake it pauses again, and with the right it goes on where it was.
        platform.database.set_destination_active("one", true, 1).await.unwrap();
        running.dispatcher.destinations_changed();
        paused(&platform, "one").await;
        platform.user("trader", true).await;
        platform.database.set_destination_active("one", true, 1).await.unwrap();
        running.dispatcher.destinations_changed();
        next += 3;
        platform.reaches("one", next, Duration::from_secs(20)).await;
    }
    // The model becomes another user's private one.
    let model = ModelRow {
        model_id: MODEL.to_owned(),
        number: 0,
        name: "m".to_owned(),
        owner: "owner".to_owned(),
        run_id: "run".to_owned(),
        is_private: true,
        model_cid: String::new(),
        config_cid: String::new(),
        fee_bps: 0,
        card: "{}".to_owned(),
        probe: String::new(),
        published_at: 0,
    };
    platform.database.publish_model(&model, 1).await.unwrap().unwrap();
    sleep(QUIET).await;
    platform.publish(MODEL, next..next + 3).await;
    let destination = paused(&platform, "one").await;
    assert!(destination.last_error.as_ref().unwrap().contains("private"), "{destination:?}");
    sleep(QUIET).await;
    assert_eq!(receiver.bodies().len() as u64, next);
    running.end().await;
}
