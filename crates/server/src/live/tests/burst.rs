//! A stop in the middle of a burst, over every way out at once; and a database that goes away while
//! signals are on their way.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use assay_gateway::{Backoff, GatewaySettings, signals_of};
use assay_store::database::{Stream, StreamStatus, UserRow};
use assay_testkit::NatsServer;
use assay_testkit::postgres::Postgres;
use assay_types::{Secret, Signal};
use axum::http::StatusCode;
use futures::StreamExt as _;
use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::support::{PATIENCE, Running, all_signals, audited, begin, replay, replayed, settings, trained};
use crate::access::Role;
use crate::state::ServerState;
use crate::testing::{Routes, caller};

/// What came over one way: when, and the signal as text.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(Instant, String)>>>);

impl Heard {
    fn take(&self, text: &str) {
        self.0.lock().unwrap().push((Instant::now(), text.to_owned()));
    }

    fn seqs(&self) -> Vec<u64> {
        let heard = self.0.lock().unwrap();
        heard.iter().map(|(_, text)| serde_json::from_str::<Signal>(text).unwrap().seq).collect()
    }

    async fn has(&self, count: u64) {
        let wait = async {
            while self.seqs().iter().max().is_none_or(|last| last + 1 < count) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{:?} of {count}", self.seqs().last());
    }

    /// That everything came, as it was stored, each for the first time after the one before it.
    fn is_whole(&self, stored: &[String]) {
        let mut next = 0;
        for (seq, (_, text)) in self.seqs().into_iter().zip(self.0.lock().unwrap().iter()) {
            let place = usize::try_from(seq).unwrap();
            assert!(place <= next, "signal {seq} overtook signal {next}");
            assert_eq!(*text, stored[place]);
            next = next.max(place + 1);
        }
        assert_eq!(next, stored.len(), "signals are missing at the end");
    }
}

/// A webhook's receiver.
async fn webhook(heard: Heard) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(move |body: String| async move {
        heard.take(&body);
        StatusCode::OK
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn nats(heard: Heard, url: &str, subject: String) {
    let client = async_nats::connect(url).await.unwrap();
    let mut messages = client.subscribe(subject).await.unwrap();
    client.flush().await.unwrap();
    tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            heard.take(std::str::from_utf8(&message.payload).unwrap());
        }
    });
}

fn kafka(heard: Heard, brokers: &str, topic: &str) -> JoinHandle<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "check").set("auto.offset.reset", "earliest");
    // The topic comes with its first signal.
    let consumer: StreamConsumer = config.set("topic.metadata.refresh.interval.ms", "200").create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    tokio::spawn(async move {
        loop {
            if let Ok(message) = consumer.recv().await {
                heard.take(std::str::from_utf8(message.payload().unwrap()).unwrap());
            }
        }
    })
}

async fn socket(heard: Heard, address: std::net::SocketAddr, model_id: &str) {
    let url = format!("ws://{address}/v1/stream/{model_id}?after=-1");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            let text = message.to_text().unwrap();
            if serde_json::from_str::<Value>(text).is_ok_and(|said| said.get("type").is_none()) {
                heard.take(text);
            }
        }
    });
}

/// Asks again and again for what it does not have yet, as a poller does.
async fn poll(heard: Heard, address: std::net::SocketAddr, model_id: String) {
    #[derive(serde::Deserialize)]
    struct Page {
        items: Vec<Item>,
    }
    #[derive(serde::Deserialize)]
    struct Item {
        signal: Box<serde_json::value::RawValue>,
    }
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut next = 0;
    loop {
        let url = format!("http://{address}/v1/signals/{model_id}?from_seq={next}&limit=200");
        let page = async { http.get(url).send().await?.error_for_status()?.text().await };
        if let Ok(Ok(page)) = page.await.map(|text| serde_json::from_str::<Page>(&text)) {
            next += page.items.len();
            page.items.iter().for_each(|item| heard.take(item.signal.get()));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The owner as a user of the database, without whom no destination is sent to.
async fn know_owner(state: &ServerState) {
    let owner = UserRow {
        user_id: "owner".to_owned(),
        number: 0,
        name: "owner".to_owned(),
        role: "owner".to_owned(),
        address: None,
        active: true,
        created_at: 1,
    };
    state.platform.put_user(&owner).await.unwrap();
}

async fn add(routes: &Routes, stream: &Stream, more: Value) {
    let mut body = json!({ "model_id": stream.model_id });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, added) = routes.post(&caller("owner", Role::Owner), "/v1/destinations", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{added}");
}

fn gateway() -> GatewaySettings {
    GatewaySettings {
        allow_private_webhooks: true,
        backoff: Backoff { first: Duration::from_millis(50), most: Duration::from_secs(1) },
        poll: Duration::from_millis(200),
        ..GatewaySettings::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_in_a_burst_is_a_stop_over_every_way() {
    let (server, cluster) = (NatsServer::start(), MockCluster::new(1).unwrap());
    let brokers = cluster.bootstrap_servers();
    let kafka_brokers = brokers.split(',').map(str::to_owned).collect();
    let nats_url = Some(Secret::new(server.url()));
    let routes = Routes::with(GatewaySettings { nats_url, kafka_brokers, ..gateway() }).await;
    know_owner(&routes.state).await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let owner = caller("owner", Role::Owner);
    // It speaks once the listeners are there.
    let stream = begin(&routes.state, &runs[0], replay(20)).await;
    let ways: [(&str, Heard); 5] = ["socket", "poll", "webhook", "nats", "kafka"].map(|way| (way, Heard::default()));
    let heard = |way: usize| ways[way].1.clone();
    let (topic, address) = (signals_of(&stream.model_id).unwrap(), routes.serve(owner.clone()).await);
    socket(heard(0), address, &stream.model_id).await;
    let polling = tokio::spawn(poll(heard(1), address, stream.model_id.clone()));
    add(&routes, &stream, json!({ "kind": "webhook", "url": webhook(heard(2)).await })).await;
    nats(heard(3), &server.url(), topic.clone()).await;
    let consuming = kafka(heard(4), &brokers, &topic);
    add(&routes, &stream, json!({ "kind": "nats" })).await;
    add(&routes, &stream, json!({ "kind": "kafka" })).await;
    let (shutdown, watched) = watch::channel(false);
    let delivery = tokio::spawn(crate::delivery::run(routes.state.clone(), watched));
    let running = Running::over(routes.state.clone());
    for (_, way) in &ways {
        way.has(8).await;
    }
    let stopped_at = Instant::now();
    assert_eq!(routes.post(&owner, "/v1/stop", &json!({ "reason": "storm" })).await.0.as_u16(), 200);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let said = all_signals(&routes.state, &stream.model_id).await.len();
    for (way, heard) in &ways {
        let last = heard.0.lock().unwrap().last().unwrap().0.saturating_duration_since(stopped_at);
        assert!(last < Duration::from_secs(1), "{way}: a signal left {last:?} after the stop");
    }
    let stream_now = running.stream(&stream.stream_id).await;
    assert_eq!(stream_now.status, StreamStatus::Running, "the stop came in the middle");
    assert_eq!(routes.post(&owner, "/v1/resume", &json!({ "reason": "calm" })).await.0.as_u16(), 200);
    running.until(&stream.stream_id, StreamStatus::Ended).await;
    let stored: Vec<String> =
        all_signals(&routes.state, &stream.model_id).await.into_iter().map(|row| row.signal).collect();
    assert!(said > 7 && said < stored.len(), "{said} of {}", stored.len());
    for (way, heard) in &ways {
        heard.has(stored.len() as u64).await;
        println!("{way}: {} of {} signals", heard.seqs().len(), stored.len());
        heard.is_whole(&stored);
    }
    assert_eq!(replayed(&routes.state, &runs[0]).await.0, stored);
    polling.abort();
    // The consumer leaves while its brokers are still there.
    consuming.abort();
    assert!(consuming.await.is_err());
    shutdown.send(true).unwrap();
    delivery.await.unwrap().unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_goes_away_loses_nothing_and_doubles_nothing() {
    let postgres = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let mut settings = settings(folder.path());
    settings.platform = postgres.database().parse().unwrap();
    settings.gateway = gateway();
    let state = ServerState::open(settings).await.unwrap();
    know_owner(&state).await;
    let routes = Routes::over(state.clone(), folder);
    let stream = begin(&state, &runs[0], replay(10)).await;
    let heard = Heard::default();
    add(&routes, &stream, json!({ "kind": "webhook", "url": webhook(heard.clone()).await })).await;
    let (shutdown, watched) = watch::channel(false);
    let delivery = tokio::spawn(crate::delivery::run(state.clone(), watched));
    let running = Running::over(state.clone());
    for round in 1..=4 {
        heard.has(round * 12).await;
        postgres.stop();
        tokio::time::sleep(Duration::from_millis(300 * round)).await;
        postgres.resume();
    }
    let ended = async {
        loop {
            match state.platform.stream(&stream.stream_id).await {
                Ok(Some(now)) if now.status == StreamStatus::Ended => return,
                Ok(Some(now)) => assert_eq!(now.status, StreamStatus::Running, "{:?}", now.reason),
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
    let (lines, _) = replayed(&state, &runs[0]).await;
    let said = all_signals(&state, &stream.model_id).await;
    assert_eq!(said.iter().map(|row| row.signal.as_str()).collect::<Vec<_>>(), lines);
    assert!(audited(&state, &stream).await.is_clean());
    heard.has(lines.len() as u64).await;
    heard.is_whole(&lines);
    shutdown.send(true).unwrap();
    delivery.await.unwrap().unwrap();
    running.stop().await;
}
