//! Destinations and sockets as a caller sees them.

use std::sync::Arc;
use std::time::Duration;

use assay_gateway::{Backoff, GatewaySettings, Published};
use assay_store::StopMark;
use assay_store::database::{CommittedClose, NewStream, StoredSignal, StreamMode};
use assay_testkit::TcpProxy;
use axum::http::StatusCode;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::access::Role;
use crate::clock::now_ms;
use crate::testing::{Routes, caller};

fn settings() -> GatewaySettings {
    GatewaySettings {
        allow_private_webhooks: true,
        send_timeout: Duration::from_secs(1),
        backoff: Backoff { first: Duration::from_millis(20), most: Duration::from_millis(200) },
        heartbeat: Duration::from_secs(30),
        poll: Duration::from_millis(100),
        ..GatewaySettings::default()
    }
}

/// A stream of `owner` for the model.
async fn stream(routes: &Routes, model_id: &str, owner: &str, is_live: bool) {
    let stream_id = format!("stream of {model_id}");
    let new = NewStream {
        stream_id: stream_id.clone(),
        model_id: model_id.to_owned(),
        run_id: "run".to_owned(),
        owner: owner.to_owned(),
        source: "{}".to_owned(),
        feed: "feed".to_owned(),
        limits: "{}".to_owned(),
        after: None,
    };
    routes.state.platform.insert_stream(&new, 1).await.unwrap();
    if is_live {
        routes.state.platform.set_stream_limits(&stream_id, "{}", "{}", true, 2).await.unwrap();
    }
}

/// A line as long as a signed signal.
fn line(model_id: &str, seq: u64) -> String {
    json!({ "seq": seq, "model_id": model_id, "signature": "0".repeat(500) }).to_string()
}

async fn publish_as(routes: &Routes, models: &[String], seqs: std::ops::Range<u64>, mode: StreamMode) {
    let row = |model_id: &String, seq| StoredSignal {
        model_id: model_id.clone(),
        seq,
        stream_id: "stream".to_owned(),
        mode,
        closed_at: now_ms() - 40,
        received_at: now_ms(),
        due_at: now_ms() - 40,
        stored_at: now_ms(),
        signal: line(model_id, seq),
        equity: "10000".to_owned(),
    };
    let signals: Vec<StoredSignal> =
        models.iter().flat_map(|model_id| seqs.clone().map(move |seq| row(model_id, seq))).collect();
    let published: Vec<Published> = signals
        .iter()
        .map(|row| Published {
            model_id: Arc::from(row.model_id.as_str()),
            seq: row.seq,
            mode: row.mode.name().into(),
            closed_at: row.closed_at,
            line: row.signal.as_str().into(),
        })
        .collect();
    let close = CommittedClose {
        feed: "feed".to_owned(),
        candle: None,
        signals,
        halted: Vec::new(),
        speakers: [].into(),
        changes: None,
    };
    routes.state.platform.commit_close(&close, now_ms()).await.unwrap();
    routes.state.live.hub.publish(&published);
}

async fn publish(routes: &Routes, model_id: &str, seqs: std::ops::Range<u64>) {
    publish_as(routes, &[model_id.to_owned()], seqs, StreamMode::Live).await;
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(address: std::net::SocketAddr, path: &str) -> Socket {
    connect_async(format!("ws://{address}{path}")).await.unwrap().0
}

async fn read(socket: &mut Socket) -> Value {
    let message = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap().unwrap().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

#[tokio::test]
async fn a_listener_reads_on_from_its_cursor_and_then_as_signals_come() {
    let routes = Routes::with(GatewaySettings { heartbeat: Duration::from_millis(200), ..settings() }).await;
    stream(&routes, "m", "ann", true).await;
    publish(&routes, "m", 0..250).await;
    let address = routes.serve(caller("ben", Role::Viewer)).await;
    let mut replayed = connect(address, "/v1/stream/m?after=99").await;
    let hello = read(&mut replayed).await;
    assert_eq!(hello, json!({ "type": "hello", "model_id": "m", "mode": "live", "next_seq": 100 }));
    for seq in 100..250 {
        assert_eq!(read(&mut replayed).await["seq"], seq);
    }
    let mut fresh = connect(address, "/v1/stream/m").await;
    assert_eq!(read(&mut fresh).await["next_seq"], 250);
    publish(&routes, "m", 250..251).await;
    for socket in [&mut replayed, &mut fresh] {
        let mut said = read(socket).await;
        while said["type"] == "heartbeat" {
            said = read(socket).await;
        }
        assert_eq!(said["seq"], 250);
        let heartbeat = read(socket).await;
        assert_eq!((&heartbeat["type"], &heartbeat["next_seq"]), (&json!("heartbeat"), &json!(251)));
        assert!(heartbeat["at"].as_str().unwrap().ends_with('Z'));
    }
    // Stored by another process: no one told the hub.
    fresh.send(Message::text("noise")).await.unwrap();
    let mut whole = connect(address, "/v1/stream/m?after=-1").await;
    assert_eq!(read(&mut whole).await["next_seq"], 0);
    assert_eq!(read(&mut whole).await, serde_json::from_str::<Value>(&line("m", 0)).unwrap());
}

#[tokio::test]
async fn paper_is_heard_by_its_owner_alone() {
    let routes = Routes::with(settings()).await;
    stream(&routes, "m", "ann", false).await;
    let (ann, ben) = (caller("ann", Role::Trader), caller("ben", Role::Trader));
    for path in ["/v1/stream/m", "/v1/signals/m/latency"] {
        let (status, problem) = routes.get(&ben, path).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{path}");
        assert_eq!(routes.ask(None, "GET", path, None).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(routes.get(&ann, "/v1/stream/m").await.0, StatusCode::BAD_REQUEST, "it is no WebSocket");
    assert_eq!(routes.get(&ann, "/v1/stream/m?after=-2").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(routes.get(&ann, "/v1/stream/unknown").await.0, StatusCode::NOT_FOUND);
    let body = json!({ "model_id": "m", "kind": "webhook", "url": "http://127.0.0.1:1/" });
    assert_eq!(routes.post(&ben, "/v1/destinations", &body).await.0, StatusCode::NOT_FOUND);

    // A live model may speak on paper again: who is not its owner does not hear that.
    stream(&routes, "n", "ann", true).await;
    let address = routes.serve(ben).await;
    let mut listener = connect(address, "/v1/stream/n").await;
    read(&mut listener).await;
    publish_as(&routes, &["n".to_owned()], 0..3, StreamMode::Paper).await;
    publish(&routes, "n", 3..4).await;
    assert_eq!(read(&mut listener).await["seq"], 3);
    let latency = routes.get(&ann, "/v1/signals/n/latency").await.1;
    assert_eq!((&latency["signals"], &latency["share_under_5s"]), (&json!(4), &json!(1.0)));
    assert!(latency["p50_ms"].as_i64().unwrap() >= 40, "{latency}");
}

#[tokio::test]
async fn nothing_is_said_while_stopped_and_all_of_it_after() {
    let routes = Routes::with(settings()).await;
    stream(&routes, "m", "ann", true).await;
    let address = routes.serve(caller("ann", Role::Trader)).await;
    let mut listener = connect(address, "/v1/stream/m").await;
    read(&mut listener).await;
    let mark = StopMark { at: String::new(), by: "ann".to_owned(), reason: "test".to_owned() };
    routes.state.live.stop.set(&mark).unwrap();
    publish(&routes, "m", 0..5).await;
    let silence = tokio::time::timeout(Duration::from_millis(700), listener.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    routes.state.live.stop.clear().unwrap();
    for seq in 0..5 {
        assert_eq!(read(&mut listener).await["seq"], seq);
    }
}

/// The memory of this process that is in use, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

/// A listener as cheap as can be: the socket after its handshake.
async fn bare(address: std::net::SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // So that little waits in the kernel on this side.
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream
}

/// Memory is that of a process, so this one is measured without others beside it.
#[test]
fn many_listeners_and_one_that_never_reads_cost_bounded_memory() {
    let measured = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "api::gateway_tests::memory_of_listeners", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&measured.stdout);
    assert!(
        measured.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&measured.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of `many_listeners_and_one_that_never_reads_cost_bounded_memory`"]
async fn memory_of_listeners() {
    let routes = Routes::with(settings()).await;
    stream(&routes, "m", "ann", true).await;
    let address = routes.serve(caller("ann", Role::Trader)).await;
    let before = resident();
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        idle.push(bare(address, "/v1/stream/m").await);
    }
    while routes.state.live.hub.listeners() < 1_000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let each = (resident().saturating_sub(before)) / 1_000;
    assert!(each < 64 << 10, "an idle listener costs {each} bytes");
    drop(idle);
    while routes.state.live.hub.listeners() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let mut stuck = bare(address, "/v1/stream/m").await;
    let before = resident();
    // 45 MB that nobody reads, far beyond what the kernel buffers.
    for batch in 0..80 {
        publish(&routes, "m", batch * 1_000..(batch + 1) * 1_000).await;
    }
    let grown = resident().saturating_sub(before);
    println!("an idle listener costs {each} bytes; one that does not read let {grown} more be in use");
    assert!(grown < 32 << 20, "a listener that does not read cost {grown} bytes");
    // Sent away, in words if it reads on within the limit.
    let mut heard = Vec::new();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    stuck.read_to_end(&mut heard).await.unwrap();
    let told = heard.windows(4).any(|part| part == [0x0f, 0xa8, b't', b'o']);
    assert!(told, "closed without the code 4008 after {} bytes", heard.len());
    while routes.state.live.hub.listeners() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // And the cursor gives everything.
    let mut whole = connect(address, "/v1/stream/m?after=-1").await;
    read(&mut whole).await;
    for seq in 0..80_000_u64 {
        let message = whole.next().await.unwrap().unwrap();
        assert!(message.to_text().unwrap().contains(&format!("\"seq\":{seq},")), "{seq}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_models_reach_a_thousand_listeners_at_once() {
    let routes = Routes::with(settings()).await;
    let models: Vec<String> = (0..1_000).map(|model| format!("model-{model}")).collect();
    for model in &models {
        stream(&routes, model, "ann", true).await;
    }
    let address = routes.serve(caller("ann", Role::Trader)).await;
    let (heard, mut times) = tokio::sync::mpsc::channel(1_000);
    for model in models.clone() {
        let mut socket = connect(address, &format!("/v1/stream/{model}")).await;
        read(&mut socket).await;
        let heard = heard.clone();
        tokio::spawn(async move {
            while let Some(Ok(_)) = socket.next().await {
                if heard.send(tokio::time::Instant::now()).await.is_err() {
                    return;
                }
            }
        });
    }
    for seq in 0..3 {
        publish_as(&routes, &models, seq..seq + 1, StreamMode::Live).await;
        let began = tokio::time::Instant::now();
        let mut last = began;
        for _ in 0..1_000 {
            last = last.max(times.recv().await.unwrap());
        }
        let took = last - began;
        println!("the last of 1,000 listeners heard {took:?} after the publication");
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

#[tokio::test]
async fn a_destination_lives_and_its_secret_is_shown_once() {
    let routes = Routes::with(settings()).await;
    stream(&routes, "m", "ann", true).await;
    publish(&routes, "m", 0..10).await;
    let (ann, ben, viewer) = (caller("ann", Role::Trader), caller("ben", Role::Trader), caller("vic", Role::Viewer));
    let body = json!({ "model_id": "m", "kind": "webhook", "url": "http://127.0.0.1:1/secret-path" });
    assert_eq!(routes.post(&viewer, "/v1/destinations", &body).await.0, StatusCode::FORBIDDEN);
    let (status, added) = routes.post(&ann, "/v1/destinations", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{added}");
    let secret = added["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 70);
    assert_eq!((&added["destination"]["next_seq"], &added["destination"]["status"]), (&json!(10), &json!("active")));
    let id = added["destination"]["destination_id"].as_str().unwrap();
    let path = format!("/v1/destinations/{id}");
    let shown = routes.get(&ann, &path).await.1;
    assert!(shown == added["destination"] && !shown.to_string().contains("whsec"));
    for (method, path) in [("GET", path.clone()), ("DELETE", path.clone()), ("POST", format!("{path}/test"))] {
        assert_eq!(routes.ask(Some(ben.clone()), method, &path, None).await.0, StatusCode::NOT_FOUND);
    }
    assert_eq!(routes.get(&ben, "/v1/destinations").await.1, json!({ "items": [], "next": null }));
    assert_eq!(routes.get(&ann, "/v1/destinations?model_id=m").await.1["items"][0]["destination_id"], id);

    let tested = routes.ask(Some(ann.clone()), "POST", &format!("{path}/test"), None).await.1;
    assert_eq!(tested["delivered"], false);
    assert!(!tested["detail"].as_str().unwrap().contains("secret-path"), "{tested}");
    let log = routes.get(&ann, &format!("{path}/deliveries?limit=1")).await.1;
    assert_eq!((&log["items"][0]["outcome"], &log["next"]), (&json!("test"), &Value::Null));
    let paused = routes.ask(Some(ann.clone()), "POST", &format!("{path}/pause"), None).await.1;
    assert_eq!(paused["status"], "paused");
    let replayed = routes.post(&ann, &format!("{path}/replay"), &json!({ "from_seq": 4 })).await.1;
    assert_eq!(replayed["next_seq"], 4);
    let (status, problem) = routes.post(&ann, &format!("{path}/replay"), &json!({ "from_seq": 11 })).await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("from_seq")));
    let resumed = routes.ask(Some(ann.clone()), "POST", &format!("{path}/resume"), None).await.1;
    assert_eq!(resumed["status"], "active");
    assert_eq!(routes.ask(Some(ann.clone()), "DELETE", &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(routes.get(&ann, &path).await.0, StatusCode::NOT_FOUND);

    for (change, field) in [
        (json!({ "url": "http://example.com/" }), "url"),
        (json!({ "url": null }), "url"),
        (json!({ "kind": "nats", "url": null }), "kind"),
        (json!({ "kind": "kafka" }), "url"),
        (json!({ "model_id": "a.b" }), "model_id"),
        (json!({ "after": -1 }), "after"),
        (json!({ "more": 1 }), "more"),
    ] {
        let mut wrong = body.clone();
        wrong.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, problem) = routes.post(&ann, "/v1/destinations", &wrong).await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!(field)), "{problem}");
    }
}

#[tokio::test]
async fn what_is_added_is_delivered_by_the_running_server() {
    let routes = Routes::with(settings()).await;
    stream(&routes, "m", "ann", true).await;
    publish(&routes, "m", 0..3).await;
    // A receiver that takes anything, behind a proxy that shows who came.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = TcpProxy::start(listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async || StatusCode::OK);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let (shutdown, watched) = watch::channel(false);
    let delivery = tokio::spawn(crate::delivery::run(routes.state.clone(), watched));
    let ann = caller("ann", Role::Trader);
    let url = format!("http://{}/", proxy.address());
    let body = json!({ "model_id": "m", "kind": "webhook", "url": url, "after": 0 });
    let added = routes.post(&ann, "/v1/destinations", &body).await.1;
    let path = format!("/v1/destinations/{}", added["destination"]["destination_id"].as_str().unwrap());
    publish(&routes, "m", 3..5).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while routes.get(&ann, &path).await.1["next_seq"] != 5 {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let log = routes.get(&ann, &format!("{path}/deliveries")).await.1;
    let seqs: Vec<u64> = log["items"].as_array().unwrap().iter().filter_map(|entry| entry["seq"].as_u64()).collect();
    assert_eq!(seqs, [4, 3, 2, 1]);
    assert!(proxy.accepted() >= 1);
    shutdown.send(true).unwrap();
    delivery.await.unwrap().unwrap();
}
