//! Webhooks: what is sent, and who may receive it.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use assay_store::database::{DeliveryOutcome, DestinationKind};

use crate::receiver::{Answer, Receiver};
use crate::support::{MODEL, Platform, SECRET, check_log, now_ms, settings};

/// The standard library's HMAC over lines of `signature body`.
const CHECK: &str = "
import hmac, sys
secret = sys.argv[1].encode()
for line in sys.stdin.buffer:
    header, body = line.rstrip(b'\\n').split(b' ', 1)
    t, v1 = (part.split(b'=', 1)[1] for part in header.split(b','))
    expected = hmac.new(secret, t + b'.' + body, 'sha256').hexdigest().encode()
    assert hmac.compare_digest(expected, v1), header
print('ok')
";

fn check_with_python(lines: &str) {
    let python = std::env::var("ASSAY_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut child = Command::new(&python)
        .args(["-c", CHECK, SECRET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{python}: {error}; run the tests by `make test`, which sets ASSAY_PYTHON"));
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout == b"ok\n", "{output:?}");
}

#[tokio::test]
async fn a_webhook_gets_each_signal_as_stored_and_signed() {
    let platform = Platform::new().await;
    let receiver = Receiver::start(|_| Answer::Status(204)).await;
    let mut stored = platform.publish(MODEL, 0..40).await;
    platform.publish("other", 0..3).await;
    platform.destination("one", DestinationKind::Webhook, &receiver.url()).await;
    let running = platform.run(settings());
    receiver.has(40).await;
    for seq in 40..60 {
        stored.extend(platform.publish(MODEL, seq..seq + 1).await);
    }
    platform.reaches("one", 60, Duration::from_secs(30)).await;
    running.end().await;

    assert_eq!(check_log(&receiver.bodies(), &stored), 0);
    let mut lines = String::new();
    for (seq, post) in receiver.posts().iter().enumerate() {
        assert_eq!(post.header("assay-model"), MODEL);
        assert_eq!(post.header("assay-seq"), seq.to_string());
        assert_eq!((post.header("assay-mode"), post.header("assay-event")), ("live", "signal"));
        assert_eq!(post.header("content-type"), "application/json");
        let seconds: i64 = post.header("assay-timestamp").parse().unwrap();
        assert!((now_ms() / 1_000 - seconds).abs() < 60);
        let signature = post.header("assay-signature");
        assert!(signature.starts_with(&format!("t={seconds},v1=")));
        lines.push_str(&format!("{signature} {}\n", post.body));
    }
    check_with_python(&lines);
    let log = platform.database.deliveries("one", None, 100).await.unwrap();
    assert_eq!(log.len(), 60);
    assert!(log.iter().all(|entry| entry.delivery.latency_ms.is_some_and(|latency| (0..60_000).contains(&latency))));
}

#[tokio::test]
async fn a_receiver_in_trouble_gets_everything_in_order() {
    let platform = Platform::new().await;
    let receiver = Receiver::start(|number| match number {
        3 => Answer::Status(500),
        4 => Answer::With(503, "retry-after", "1"),
        7 => Answer::With(302, "location", "http://127.0.0.1:9/elsewhere"),
        10 => Answer::Hang,
        12 => Answer::Endless,
        14 => Answer::Status(404),
        _ => Answer::Status(200),
    })
    .await;
    let stored = platform.publish(MODEL, 0..20).await;
    platform.destination("one", DestinationKind::Webhook, &receiver.url()).await;
    let running = platform.run(settings());
    platform.reaches("one", 20, Duration::from_secs(30)).await;
    running.end().await;
    assert_eq!(check_log(&receiver.bodies(), &stored), 5);
    let posts = receiver.posts();
    let waited = posts[5].at - posts[4].at;
    assert!(waited >= Duration::from_millis(950), "it asked for a second and got {waited:?}");
    let log = platform.database.deliveries("one", None, 100).await.unwrap();
    let failed: Vec<_> = log.iter().filter(|entry| entry.delivery.outcome == DeliveryOutcome::Failed).collect();
    let details: Vec<&str> = failed.iter().rev().filter_map(|entry| entry.delivery.detail.as_deref()).collect();
    assert_eq!(details[..3], ["it answered 500", "it answered 503", "it answered 302: redirects are not followed"]);
    assert_eq!((details.len(), details[4]), (5, "it answered 404"));
    let third: Vec<u64> =
        log.iter().filter(|entry| entry.delivery.seq == Some(3)).map(|entry| entry.delivery.attempt).collect();
    assert_eq!(third, [3, 2, 1]);
    assert!(!details.iter().any(|detail| detail.contains("/hook")), "{details:?}");
}

#[tokio::test]
async fn one_that_hangs_holds_up_nobody_else() {
    let platform = Platform::new().await;
    let stuck = Receiver::start(|_| Answer::Hang).await;
    let well = Receiver::start(|_| Answer::Status(200)).await;
    platform.destination("stuck", DestinationKind::Webhook, &stuck.url()).await;
    platform.destination("well", DestinationKind::Webhook, &well.url()).await;
    let running = platform.run(settings());
    platform.publish(MODEL, 0..50).await;
    platform.reaches("well", 50, Duration::from_secs(10)).await;
    running.end().await;
    assert!(stuck.bodies().iter().all(|body| body == &stuck.bodies()[0]), "it is still at its first signal");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_paused_until_its_owner_resumes() {
    let platform = Platform::new().await;
    let receiver = Receiver::start(|number| Answer::Status(if number == 2 { 410 } else { 200 })).await;
    let stored = platform.publish(MODEL, 0..5).await;
    platform.destination("one", DestinationKind::Webhook, &receiver.url()).await;
    let running = platform.run(settings());
    receiver.has(3).await;
    let mut paused = platform.database.destination("one").await.unwrap().unwrap();
    while paused.is_active {
        tokio::time::sleep(Duration::from_millis(10)).await;
        paused = platform.database.destination("one").await.unwrap().unwrap();
    }
    assert_eq!((paused.next_seq, paused.last_error.as_deref()), (2, Some("it answered 410: it wants no more signals")));
    assert_eq!(receiver.posts().len(), 3);
    platform.database.set_destination_active("one", true, now_ms()).await.unwrap();
    running.dispatcher.destinations_changed();
    platform.reaches("one", 5, Duration::from_secs(10)).await;
    assert_eq!(check_log(&receiver.bodies(), &stored), 1);

    // What was sent is sent again from wherever its owner says.
    platform.database.rewind_destination("one", 1, now_ms()).await.unwrap();
    running.dispatcher.destinations_changed();
    receiver.has(10).await;
    platform.reaches("one", 5, Duration::from_secs(10)).await;
    running.end().await;
    assert_eq!(receiver.bodies()[6..], stored[1..]);
}

#[tokio::test]
async fn a_test_says_what_it_is_and_inside_addresses_get_nothing() {
    let platform = Platform::new().await;
    let receiver = Receiver::start(|number| Answer::Status(if number == 0 { 200 } else { 500 })).await;
    let destination = platform.destination("one", DestinationKind::Webhook, &receiver.url()).await;
    let dispatcher = platform.dispatcher(settings());
    assert_eq!(dispatcher.test(&destination).await.unwrap().failure, None);
    assert_eq!(dispatcher.test(&destination).await.unwrap().failure.as_deref(), Some("it answered 500"));
    let post = &receiver.posts()[0];
    assert_eq!((post.header("assay-event"), post.header("assay-seq")), ("test", ""));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&post.body).unwrap()["type"], "test");

    let strict = assay_gateway::GatewaySettings { allow_private_webhooks: false, ..settings() };
    let refused = platform.dispatcher(strict).test(&destination).await.unwrap().failure.unwrap();
    assert!(refused.contains("https://"), "{refused}");
    assert_eq!(receiver.posts().len(), 2);
    let log = platform.database.deliveries("one", None, 10).await.unwrap();
    assert!(log.len() == 3 && log.iter().all(|entry| entry.delivery.outcome == DeliveryOutcome::Test));
}

#[tokio::test]
async fn who_is_not_the_owner_hears_nothing_of_paper() {
    use assay_store::database::NewStream;
    let platform = Platform::new().await;
    let new = NewStream {
        stream_id: "stream".to_owned(),
        model_id: MODEL.to_owned(),
        run_id: "run".to_owned(),
        owner: "another user".to_owned(),
        source: "{}".to_owned(),
        feed: "test".to_owned(),
        limits: "{}".to_owned(),
        after: None,
    };
    platform.database.insert_stream(&new, now_ms()).await.unwrap();
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    platform.destination("one", DestinationKind::Webhook, &receiver.url()).await;
    let running = platform.run(settings());
    platform.publish_on_paper(MODEL, 0..70).await;
    platform.reaches("one", 70, Duration::from_secs(10)).await;
    let stored = platform.publish(MODEL, 70..72).await;
    platform.reaches("one", 72, Duration::from_secs(10)).await;
    running.end().await;
    assert_eq!(receiver.bodies(), stored);
}
