//! What a trainer logs, seen by whoever listens to the server's events.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use assay_testkit::TcpProxy;
use assay_types::time::parse_utc;
use futures::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::jobs::training;
use crate::series::with_candles;
use crate::served::Up;
use crate::support::{tell, text};

/// How long the socket is away.
const CUT: Duration = Duration::from_secs(10);
/// Values that are waited for before the cut, and after it.
const VALUES: usize = 20;
/// The longest that a test waits for them.
const PATIENCE: Duration = Duration::from_secs(90);

async fn listen(address: SocketAddr, key: &str, after: u64) -> WebSocketStream<TcpStream> {
    let mut request = format!("ws://{address}/v1/events?after={after}").into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    client_async(request, stream).await.unwrap().0
}

/// An event, and when it came, in ms since 1970.
struct Heard {
    event: Value,
    at_ms: i64,
}

impl Heard {
    /// When the trainer told its figures, if it did.
    fn logged_ms(&self) -> Option<i64> {
        let progress = &self.event["payload"]["progress"];
        progress["figures"].as_object().filter(|figures| !figures.is_empty())?;
        Some(parse_utc(text(&progress["at"])).unwrap())
    }
}

/// Hears events until `count` of them have figures, or the socket is cut.
async fn hear(socket: &mut WebSocketStream<TcpStream>, heard: &mut Vec<Heard>, count: usize) {
    let (begun, first) = (Instant::now(), heard.len());
    while heard[first..].iter().filter(|heard| heard.logged_ms().is_some()).count() < count {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let message = tokio::time::timeout(left, socket.next()).await.expect("the trainer logs too little");
        match message {
            Some(Ok(Message::Text(message))) => {
                let event: Value = serde_json::from_str(message.as_str()).unwrap();
                assert_ne!(event["type"], "torn", "{event}");
                if event["type"] == "event" {
                    heard.push(Heard { event, at_ms: assay_server::now_ms() });
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logged_value_is_heard_within_a_second_and_a_cut_leaves_no_hole() {
    let home = with_candles(1_500);
    let up = Up::start(&home, &[]);
    let key = up.key().to_owned();
    let proxy = TcpProxy::start(up.url().strip_prefix("http://").unwrap().parse().unwrap());
    let mut heard: Vec<Heard> = Vec::new();
    let mut socket = listen(proxy.address(), &key, 0).await;
    let body = training(1, 100_000_000).to_string();
    let answer = up.ask("POST", "/v1/jobs", &format!("authorization: Bearer {key}\r\n"), &body);
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    hear(&mut socket, &mut heard, VALUES).await;
    let mut late: Vec<i64> = heard.iter().filter_map(|heard| Some(heard.at_ms - heard.logged_ms()?)).collect();
    late.sort_unstable();
    let p95 = late[(late.len() - 1) * 95 / 100];
    tell(&format!("from the trainer to a socket: p95 {p95} ms of {} values", late.len()));
    assert!(p95 <= 1_000, "{late:?}");
    // The network is away while the trainer goes on.
    proxy.down();
    while let Ok(Some(Ok(_))) = tokio::time::timeout(CUT, socket.next()).await {}
    tokio::time::sleep(CUT).await;
    proxy.up();
    let last = heard.last().unwrap().event["seq"].as_u64().unwrap();
    let mut socket = listen(proxy.address(), &key, last).await;
    hear(&mut socket, &mut heard, 2 * VALUES).await;
    let numbers: Vec<u64> = heard.iter().map(|heard| heard.event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "a hole: {numbers:?}");
    let told: Vec<i64> = heard.iter().filter_map(Heard::logged_ms).collect();
    let widest = told.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(told.is_sorted() && widest < 5_000, "the curve has a hole of {widest} ms");
}
