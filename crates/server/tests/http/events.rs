//! The event stream: no gap after a cut, bounded for those who do not read.

use std::time::{Duration, Instant};

use assay_server::access::{AccessOptions, Limits};
use assay_store::database::{NewEvent, NewStream};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::Site;

type Socket = WebSocketStream<TcpStream>;

/// The longest that a test waits for a message.
const PATIENCE: Duration = Duration::from_secs(30);

async fn open(site: &Site, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let address = site.server.address();
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

async fn listen(site: &Site, key: &str, path: &str) -> Socket {
    open(site, path, &[("authorization", &format!("Bearer {key}"))]).await.unwrap()
}

/// The same, once there is a place.
async fn listen_when_free(site: &Site, path: &str) -> Socket {
    let (bearer, begun) = (format!("Bearer {}", site.key), Instant::now());
    loop {
        match open(site, path, &[("authorization", &bearer)]).await {
            Ok(socket) => return socket,
            Err(status) => assert_eq!(status, 429),
        }
        assert!(begun.elapsed() < PATIENCE, "there is no place");
        tokio::task::yield_now().await;
    }
}

/// The next message, or the code that the socket was closed with.
async fn next(socket: &mut Socket) -> Result<Value, Option<u16>> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("a message in time") {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(None),
        }
    }
}

async fn next_event(socket: &mut Socket) -> Value {
    loop {
        let message = next(socket).await.unwrap();
        if message["type"] == "event" {
            return message;
        }
    }
}

fn event(number: usize, owner: Option<&str>, size: usize) -> NewEvent {
    NewEvent {
        topic: "job".to_owned(),
        subject: number.to_string(),
        owner: owner.map(str::to_owned),
        payload: format!("{{\"number\":{number},\"padding\":\"{}\"}}", "x".repeat(size)),
    }
}

async fn append(site: &Site, events: &[NewEvent]) {
    site.server.state().platform.append_events(events, assay_server::now_ms()).await.unwrap();
    site.server.state().events_appended.notify_one();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_socket_leaves_no_gap() {
    const EVENTS: usize = 10_000;
    const TOGETHER: usize = 50;
    let site = Site::start().await;
    let state = site.server.state().clone();
    let mut socket = listen(&site, &site.key, "/v1/events?after=0").await;
    assert_eq!(next(&mut socket).await.unwrap()["type"], "hello");
    let writer = tokio::spawn(async move {
        for first in (1..=EVENTS).step_by(TOGETHER) {
            let events: Vec<NewEvent> = (first..first + TOGETHER).map(|number| event(number, None, 0)).collect();
            state.platform.append_events(&events, 0).await.unwrap();
            state.events_appended.notify_one();
        }
    });
    let (mut seen, mut cuts) = (0, 0);
    while seen < EVENTS {
        let told = next_event(&mut socket).await;
        seen += 1;
        assert_eq!(told["seq"], seen);
        assert_eq!(
            (told["payload"]["number"].as_u64(), told["at"].as_str()),
            (Some(seen as u64), Some("1970-01-01T00:00:00Z"))
        );
        if seen % 1_777 == 0 {
            // Cut without a farewell, with messages on their way.
            drop(socket);
            cuts += 1;
            socket = listen(&site, &site.key, &format!("/v1/events?after={seen}")).await;
        }
    }
    writer.await.unwrap();
    assert_eq!(cuts, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_let_go_and_can_resume() {
    let limits = Limits { send_timeout: Duration::from_secs(2), sockets: 2, ..Limits::default() };
    let site = Site::with(AccessOptions { limits, ..AccessOptions::default() }).await;
    let mut lazy = listen(&site, &site.key, "/v1/events?after=0").await;
    let mut keen = listen(&site, &site.key, "/v1/events?after=0").await;
    let keen = tokio::spawn(async move {
        for number in 1..=400 {
            assert_eq!(next_event(&mut keen).await["seq"], number);
        }
    });
    // More than the buffers of both sides of a socket hold.
    let events: Vec<NewEvent> = (1..=400).map(|number| event(number, None, 100_000)).collect();
    for chunk in events.chunks(50) {
        append(&site, chunk).await;
    }
    // Others are served all the while.
    keen.await.unwrap();
    // The place of the one that never reads becomes free, beside that of the other.
    let places = [listen_when_free(&site, "/v1/events").await, listen_when_free(&site, "/v1/events").await];
    let mut last = 0;
    let code = loop {
        match next(&mut lazy).await {
            Ok(message) => last = message["seq"].as_u64().unwrap_or(last),
            Err(code) => break code,
        }
    };
    assert!(last < 400, "it was not let go");
    assert!(matches!(code, Some(4408) | None), "{code:?}");
    drop(places);
    let mut again = listen_when_free(&site, &format!("/v1/events?after={last}")).await;
    for number in last + 1..=400 {
        assert_eq!(next_event(&mut again).await["seq"], number);
    }
}

#[tokio::test]
async fn what_is_private_is_told_to_its_owner_alone() {
    let site = Site::start().await;
    let (ada, bob) = (site.user("ada", "trader", None).await, site.user("bob", "trader", None).await);
    let (adas, _) = site.key_of(&ada, &["read"]).await;
    let (bobs, bobs_id) = site.key_of(&bob, &["read"]).await;
    let mut sockets = Vec::new();
    for key in [&adas, &bobs, &site.key] {
        sockets.push(listen(&site, key, "/v1/events?after=0").await);
    }
    append(&site, &[event(1, Some(&ada), 0), event(2, Some(&bob), 0), event(3, None, 0)]).await;
    for (socket, expected) in sockets.iter_mut().zip([&[1, 3][..], &[2, 3], &[1, 2, 3]]) {
        for number in expected {
            assert_eq!(next_event(socket).await["seq"], *number);
        }
    }
    let polled = site.with_key(&adas, "GET", "/v1/events?after=0", None).await.is(200).json();
    let numbers: Vec<u64> = polled["events"].as_array().unwrap().iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert_eq!((numbers, polled["next_after"].as_u64()), (vec![1, 3], Some(3)));
    let page = site.with_key(&adas, "GET", "/v1/events?after=1&limit=1", None).await.is(200).json();
    assert_eq!((page["events"].as_array().unwrap().len(), page["next_after"].as_u64()), (0, Some(2)));
    // A key that is revoked ends its socket too.
    site.with_key(&site.key, "DELETE", &format!("/v1/keys/{bobs_id}"), None).await.is(204);
    let code = loop {
        if let Err(code) = next(&mut sockets[1]).await {
            break code;
        }
    };
    assert_eq!(code, Some(4401));
}

#[tokio::test]
async fn a_number_from_elsewhere_is_torn() {
    let site = Site::start().await;
    append(&site, &[event(1, None, 0)]).await;
    let mut socket = listen(&site, &site.key, "/v1/events?after=99").await;
    assert_eq!(next(&mut socket).await.unwrap()["type"], "hello");
    let torn = next(&mut socket).await.unwrap();
    assert_eq!((torn["type"].as_str(), torn["resumed_after"].as_u64()), (Some("torn"), Some(1)));
    append(&site, &[event(2, None, 0)]).await;
    assert_eq!(next_event(&mut socket).await["seq"], 2);
    assert_eq!(site.get("/v1/events?after=99").await.is(200).json()["is_torn"], true);
    for query in ["after=-1", "after=x", "after=99999999999999999999", "limit=0", "limit=1001"] {
        site.get(&format!("/v1/events?{query}")).await.is_problem(400, "bad_request");
    }
}

#[tokio::test]
async fn events_that_are_not_kept_any_more_are_told_as_torn() {
    const MORE: usize = 10;
    let site = Site::start().await;
    let database = &site.server.state().platform;
    for first in (0..100_000 + MORE).step_by(5_000) {
        let events: Vec<NewEvent> = (first..first + 5_000).map(|number| event(number, None, 0)).collect();
        database.append_events(&events, 0).await.unwrap();
    }
    assert_eq!(database.prune_events().await.unwrap(), 5_000);
    let mut socket = listen(&site, &site.key, "/v1/events?after=7").await;
    next(&mut socket).await.unwrap();
    let torn = next(&mut socket).await.unwrap();
    assert_eq!((torn["after"].as_u64(), torn["resumed_after"].as_u64()), (Some(7), Some(5_000)));
    assert_eq!(next(&mut socket).await.unwrap()["seq"], 5_001);
}

#[tokio::test]
async fn sockets_have_callers_origins_heartbeats_and_an_end() {
    let limits = Limits { heartbeat: Duration::from_millis(50), sockets: 2, ..Limits::default() };
    let site = Site::with(AccessOptions { limits, ..AccessOptions::default() }).await;
    assert_eq!(open(&site, "/v1/events", &[]).await.unwrap_err(), 401);
    let (cookie, _) = site.session(&site.key).await;
    let evil = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(open(&site, "/v1/events", &evil).await.unwrap_err(), 403);
    let origin = site.server.url();
    let mut socket = open(&site, "/v1/events", &[("cookie", &cookie), ("origin", &origin)]).await.unwrap();
    assert_eq!(next(&mut socket).await.unwrap()["after"], 0);
    let heartbeat = next(&mut socket).await.unwrap();
    assert_eq!((heartbeat["type"].as_str(), heartbeat["seq"].as_u64()), (Some("heartbeat"), Some(0)));
    let _second = open(&site, "/v1/events", &[("cookie", &cookie)]).await.unwrap();
    assert_eq!(open(&site, "/v1/events", &[("cookie", &cookie)]).await.unwrap_err(), 429);
    // A client that talks too much is let go.
    socket.send(Message::Text("x".repeat(10_000).into())).await.unwrap();
    while next(&mut socket).await.is_ok() {}
    // Who listens is told that the server stops.
    let mut last = open(&site, "/v1/events", &[("cookie", &cookie)]).await.unwrap();
    next(&mut last).await.unwrap();
    let stopped = tokio::spawn(site.server.stop());
    let code = loop {
        if let Err(code) = next(&mut last).await {
            break code;
        }
    };
    assert_eq!(code, Some(1001));
    stopped.await.unwrap();
}

/// Whatever a socket is opened with, and wherever.
#[tokio::test]
async fn a_socket_ends_within_seconds_of_its_credential() {
    let site = Site::start().await;
    let me = site.get("/v1/me").await.json()["user_id"].as_str().unwrap().to_owned();
    let stream = NewStream {
        stream_id: "stream".to_owned(),
        model_id: "m".to_owned(),
        run_id: "run".to_owned(),
        owner: me.clone(),
        source: "{}".to_owned(),
        feed: "feed".to_owned(),
        limits: "{}".to_owned(),
        after: None,
    };
    site.server.state().platform.insert_stream(&stream, 10, 1).await.unwrap();
    for path in ["/v1/events", "/v1/stream/m"] {
        let (key, key_id) = site.key_of(&me, &["read"]).await;
        let (cookie, token) = site.session(&site.key).await;
        let mut keyed = listen(&site, &key, path).await;
        let mut signed_in = open(&site, path, &[("cookie", &cookie)]).await.unwrap();
        let mut stays = listen(&site, &site.key, path).await;
        for socket in [&mut keyed, &mut signed_in, &mut stays] {
            assert_eq!(next(socket).await.unwrap()["type"], "hello");
        }
        site.with_key(&site.key, "DELETE", &format!("/v1/keys/{key_id}"), None).await.is(204);
        let own = [("cookie", cookie.as_str()), ("x-csrf-token", token.as_str())];
        site.ask("DELETE", "/v1/session", &own, None).await.is(204);
        let ended = Instant::now();
        for socket in [&mut keyed, &mut signed_in] {
            let code = loop {
                if let Err(code) = next(socket).await {
                    break code;
                }
            };
            assert_eq!(code, Some(4401), "{path}");
        }
        assert!(ended.elapsed() < Duration::from_secs(4), "{path}: {:?}", ended.elapsed());
        let quiet = tokio::time::timeout(Duration::from_millis(2_500), next(&mut stays)).await;
        assert!(quiet.is_err() || quiet.is_ok_and(|message| message.is_ok()), "{path}: another's socket ended");
    }
}
