//! A webhook's receiver, which answers as a test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

/// A POST that came.
#[derive(Debug, Clone)]
pub struct Post {
    pub headers: HeaderMap,
    pub body: String,
    pub at: Instant,
}

impl Post {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What to answer to the POST of that number.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    Status(u16),
    /// A status with a header.
    With(u16, &'static str, &'static str),
    /// Takes the signal and never says so.
    Hang,
    /// Takes its time.
    Slow(Duration),
    /// A body without an end.
    Endless,
}

type Rule = Box<dyn Fn(usize) -> Answer + Send + Sync>;

pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    posts: Mutex<Vec<Post>>,
    rule: Rule,
}

impl Receiver {
    pub async fn start(rule: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { posts: Mutex::default(), rule: Box::new(rule) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn posts(&self) -> Vec<Post> {
        self.shared.posts.lock().unwrap().clone()
    }

    pub fn bodies(&self) -> Vec<String> {
        self.posts().into_iter().map(|post| post.body).collect()
    }

    /// Waits until so many came.
    pub async fn has(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.shared.posts.lock().unwrap().len() < count {
            assert!(Instant::now() < deadline, "{} of {count} came", self.posts().len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let post = Post { headers, body: String::from_utf8(body.to_vec()).unwrap(), at: Instant::now() };
    let number = {
        let mut posts = shared.posts.lock().unwrap();
        posts.push(post);
        posts.len() - 1
    };
    match (shared.rule)(number) {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::With(status, name, value) => (StatusCode::from_u16(status).unwrap(), [(name, value)]).into_response(),
        Answer::Hang => std::future::pending().await,
        Answer::Slow(wait) => {
            tokio::time::sleep(wait).await;
            StatusCode::OK.into_response()
        }
        Answer::Endless => {
            let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 4096])));
            axum::body::Body::from_stream(chunks).into_response()
        }
    }
}
