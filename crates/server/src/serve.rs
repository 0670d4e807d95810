//! The listener: HTTP/1 and HTTP/2 on one port, over TLS or not, with limits on everything that
//! a client can hold open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use assay_jobs::JobError;
use assay_store::Lock;
use axum::Router;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::access::{AccessOptions, Peer};
use crate::live::LiveOptions;
use crate::parts::stopped;
use crate::state::{ServerState, Settings};
use crate::tls::{TlsFiles, acceptor};
use crate::{api, observe, parts, workers};

/// Longest wait for a TLS handshake, and for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest head of a request.
const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_HEADERS: usize = 100;
/// Requests at one time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// How often idle HTTP/2 connections are asked whether they live, and how long they may think.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest wait for requests under way when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait after the system refuses a connection, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// Where things are kept.
    pub state: Settings,
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The certificate; `None` for no TLS.
    pub tls: Option<TlsFiles>,
    /// Who may call, and how often; `is_loopback` and `is_tls` are set from the fields above.
    pub access: AccessOptions,
    /// How the candles of exchanges are reached.
    pub live: LiveOptions,
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    is_tls: bool,
    state: ServerState,
    tasks: JoinSet<()>,
    _lock: Lock,
}

impl Server {
    /// Opens the home and the databases, starts the parts and listens.
    ///
    /// # Errors
    /// [`JobError::Input`] for an address that would be open to the network without TLS or a
    /// proxy, or files that are no certificate; otherwise when a database, the lock of the home,
    /// or the port cannot be had.
    pub async fn start(settings: ServeSettings) -> Result<Self, JobError> {
        let ServeSettings { state, listen, tls, mut access, live } = settings;
        check_listen(listen, tls.is_some(), access.behind_proxy)?;
        let tls = tls.as_ref().map(acceptor).transpose()?;
        access.is_loopback = listen.ip().is_loopback();
        access.is_tls = tls.is_some();
        let lock = state.home.lock("server")?;
        observe::start_metrics();
        let connections = access.limits.connections;
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            JobError::Failed(format!("cannot listen on {listen}: {error}; stop what has the port or give --listen"))
        })?;
        let bound = |error| JobError::Failed(format!("the address of the listener is unknown: {error}"));
        let address = listener.local_addr().map_err(bound)?;
        let state = ServerState::serving(state, access).await?;
        if let Err(error) = state.settings.home.note_database(&state.settings.platform.to_string()) {
            tracing::warn!(%error, "`assay resume` will ask for the database while no server runs");
        }
        state.live.configure(live);
        let (router, _) = api::router(state.clone());
        let router = router.merge(workers::routes(&state).await?);
        // The stop may be known to the database alone, as on a copy of the home.
        crate::live::carry_once(&state).await?;
        let shutdown = state.stopping.subscribe();
        let mut tasks = parts::start(&state, &shutdown);
        let is_tls = tls.is_some();
        let listening = Listening { router, tls, shutdown, places: Arc::new(Semaphore::new(connections)) };
        tasks.spawn(listening.run(listener));
        Ok(Self { address, is_tls, state, tasks, _lock: lock })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.address)
    }

    /// What its handlers work with.
    #[must_use]
    pub const fn state(&self) -> &ServerState {
        &self.state
    }

    /// Waits until the server stops by itself, because another one has taken its database.
    pub async fn replaced(&self) {
        stopped(&mut self.state.stopping.subscribe()).await;
    }

    /// Stops: takes no more connections, lets requests under way end, ends the parts.
    pub async fn stop(mut self) {
        self.state.stopping.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, all).await.is_err() {
            tracing::warn!("parts of the server did not end in time and are cut off");
            self.tasks.shutdown().await;
        }
        if let Some(lease) = &self.state.lease
            && let Err(error) = self.state.platform.release_server_lease(lease).await
        {
            tracing::warn!(%error, "the platform database is not given back; its lease ends by itself");
        }
        self.state.platform.close().await;
    }
}

fn check_listen(listen: SocketAddr, has_tls: bool, behind_proxy: bool) -> Result<(), JobError> {
    if listen.ip().is_loopback() || has_tls || behind_proxy {
        return Ok(());
    }
    Err(JobError::Input(format!(
        "--listen {listen} is open to the network: give --tls-cert FILE and --tls-key FILE, or --behind-proxy when a \
         proxy that speaks TLS stands before it"
    )))
}

/// What every connection needs.
struct Listening {
    router: Router,
    tls: Option<TlsAcceptor>,
    shutdown: watch::Receiver<bool>,
    places: Arc<Semaphore>,
}

impl Listening {
    async fn run(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        let mut shutdown = self.shutdown.clone();
        loop {
            while connections.try_join_next().is_some() {}
            let accepted = async {
                let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
                Some((place, listener.accept().await))
            };
            let accepted = tokio::select! {
                accepted = accepted => accepted,
                () = stopped(&mut shutdown) => break,
            };
            match accepted {
                Some((place, Ok((stream, peer)))) => {
                    let (router, tls, shutdown) = (self.router.clone(), self.tls.clone(), self.shutdown.clone());
                    connections.spawn(async move {
                        let gauge = metrics::gauge!("assay_http_connections");
                        gauge.increment(1);
                        serve(stream, peer, router, tls, shutdown).await;
                        gauge.decrement(1);
                        drop(place);
                    });
                }
                Some((_, Err(error))) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                None => break,
            }
        }
        drop(listener);
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT / 2, all).await.is_err() {
            connections.shutdown().await;
        }
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    tls: Option<TlsAcceptor>,
    shutdown: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve_stream(stream, peer, router, shutdown).await,
        Some(tls) => match tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve_stream(stream, peer, router, shutdown).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

async fn serve_stream<S>(stream: S, peer: SocketAddr, router: Router, mut shutdown: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip().to_canonical()));
        router.clone().oneshot(request)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stopped(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_needs_tls_or_a_stated_proxy() {
        for address in ["127.0.0.1:1", "127.8.0.1:1", "[::1]:1"] {
            check_listen(address.parse().unwrap(), false, false).unwrap();
        }
        for address in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1"] {
            let address = address.parse().unwrap();
            let error = check_listen(address, false, false).unwrap_err().to_string();
            assert!(error.contains("--tls-cert") && error.contains("--behind-proxy"), "{error}");
            check_listen(address, true, false).unwrap();
            check_listen(address, false, true).unwrap();
        }
    }
}
