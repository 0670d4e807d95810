//! Spans of requests, as a collector receives them.

use std::process::Command;
use std::sync::{Arc, Mutex};

use assay_server::{LogFormat, start_logs};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::net::TcpListener;

use crate::support::Site;

/// A query that no span may hold.
const QUERY: &str = "canary-in-a-query";
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// A field of a message: its number, and its bytes where it has some.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn number(bytes: &mut &[u8]) -> u64 {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = bytes.split_first().expect("a whole number");
            *bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = number(&mut bytes);
        let length = match tag & 7 {
            0 => {
                number(&mut bytes);
                0
            }
            1 => 8,
            2 => usize::try_from(number(&mut bytes)).unwrap(),
            5 => 4,
            other => panic!("{other} is no kind of field"),
        };
        let (content, rest) = bytes.split_at(length);
        found.push((tag >> 3, content));
        bytes = rest;
    }
    found
}

/// The contents of the fields along a path of numbers.
fn at<'a>(message: &'a [u8], path: &[u64]) -> Vec<&'a [u8]> {
    path.iter().fold(vec![message], |messages, number| {
        let of = |message: &&'a [u8]| fields(message).into_iter().filter(|(found, _)| found == number);
        messages.iter().flat_map(of).map(|(_, content)| content).collect()
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Names and texts of attributes.
fn attributes(attributes: Vec<&[u8]>) -> Vec<(String, String)> {
    let pair = |attribute: &[u8]| {
        let value = at(attribute, &[2, 1]).first().map(|value| text(value)).unwrap_or_default();
        (text(at(attribute, &[1])[0]), value)
    };
    attributes.into_iter().map(pair).collect()
}

/// A collector that takes every message, and what it took.
async fn collector() -> (String, Arc<Mutex<Vec<Bytes>>>) {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let seen = taken.clone();
    let take = move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let seen = seen.clone();
        async move {
            assert_eq!((uri.path(), headers["content-type"].as_bytes()), (EXPORT, &b"application/grpc"[..]));
            let (head, message) = body.split_at(5);
            assert_eq!((head[0], u32::from_be_bytes(head[1..].try_into().unwrap())), (0, message.len() as u32));
            seen.lock().unwrap().push(body.slice(5..));
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            let frames = [Frame::data(Bytes::from_static(&[0; 5])), Frame::trailers(trailers)];
            let frames = futures::stream::iter(frames.map(Ok::<_, std::convert::Infallible>));
            let mut response = Response::new(Body::new(StreamBody::new(frames)));
            response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
            response
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
    (url, taken)
}

/// Not a test: the process whose variable names the collector.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of `a_collector_receives_a_span_of_each_request`"]
async fn exporting() {
    let logs = start_logs(LogFormat::Json, "info").unwrap();
    let site = Site::start().await;
    site.get("/v1/me").await.is(200);
    site.get(&format!("/v1/users?secret={QUERY}")).await.is(400);
    println!("the key is {}", site.key);
    site.server.stop().await;
    tokio::task::spawn_blocking(move || drop(logs)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_receives_a_span_of_each_request() {
    let (url, taken) = collector().await;
    let exporting = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "otel::exporting", "--ignored", "--nocapture"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", url)
            .output()
            .unwrap()
    });
    let output = exporting.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let key = said.split("the key is assay_").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let secret = key.split_once('_').unwrap().1;

    let taken = taken.lock().unwrap();
    let mut routes = Vec::new();
    for message in taken.iter() {
        for hidden in [secret, QUERY] {
            assert!(!message.windows(hidden.len()).any(|window| window == hidden.as_bytes()), "{hidden} was sent");
        }
        for spans in at(message, &[1]) {
            let service = attributes(at(spans, &[1, 1]));
            assert!(service.contains(&("service.name".to_owned(), "assay".to_owned())), "{service:?}");
            for span in at(spans, &[2, 2]).into_iter().filter(|span| at(span, &[5]) == [b"request"]) {
                let attributes = attributes(at(span, &[9]));
                let named = |name: &str| attributes.iter().find(|(found, _)| found == name).unwrap().1.clone();
                assert!(!named("id").is_empty());
                // A trace and a span, each with an id, and an end not before its beginning.
                assert_eq!((at(span, &[1])[0].len(), at(span, &[2])[0].len()), (16, 8));
                let time = |number| u64::from_le_bytes(at(span, &[number])[0].try_into().unwrap());
                assert!(time(7) > 0 && time(8) >= time(7));
                routes.push(format!("{} {}", named("method"), named("route")));
            }
        }
    }
    assert_eq!(routes, ["GET /v1/me", "GET /v1/users"]);
}
