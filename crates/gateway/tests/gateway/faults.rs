//! Connections that break: nothing is lost, nothing overtakes.

use std::time::Duration;

use assay_store::database::DestinationKind;
use assay_testkit::TcpProxy;

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
