//! What stands before every route, from the outside in: [`timed`], [`guard`], [`authenticate`],
//! [`super::audit`], [`admit`], [`super::idempotency`].

use std::net::IpAddr;
use std::time::{Duration, Instant};

use assay_types::Secret;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::credentials::{GUESS_TOKENS, Gate};
use super::sessions::{CSRF_HEADER, is_csrf_token};
use super::{Caller, Presented, SessionCookie, hosts};
use crate::clock::now_ms;
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// The address that a connection came from, put into requests by the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The address of who asks; empty texts where none is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Address {
    /// The whole address.
    pub text: String,
    /// What requests are counted by.
    pub counted: String,
}

impl Address {
    fn of(ip: Option<IpAddr>) -> Self {
        ip.map_or_else(Self::default, |ip| Self { text: ip.to_string(), counted: counted_address(ip) })
    }
}

/// One subscriber has one address of version 4, and at least 2^64 of version 6.
fn counted_address(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// A credential that did not hold; the request goes on to be noted, and is refused then.
#[derive(Debug, Clone)]
pub(crate) struct Refused(Problem);

/// Whether a method changes nothing.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// The address of who asks: of the connection, or what the proxy before us says.
fn address_of(state: &ServerState, request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    if !state.access.options.behind_proxy {
        return peer;
    }
    // The proxy appends the address it saw; what stands before it is the client's word.
    let forwarded = request.headers().get_all("x-forwarded-for").iter().next_back();
    let last = forwarded.and_then(|value| value.to_str().ok()).and_then(|text| text.rsplit(',').next());
    last.and_then(|text| text.trim().parse().ok()).or(peer)
}

/// Ends requests that take too long, a body that trickles in included.
pub(crate) async fn timed(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    in_time(state.access.options.limits.request_timeout, next.run(request)).await
}

/// The answer, or that there was none in time; then what is left of the body is not waited for.
pub(super) async fn in_time(limit: Duration, answer: impl Future<Output = Response>) -> Response {
    if let Ok(response) = tokio::time::timeout(limit, answer).await {
        return response;
    }
    let detail = format!("the request took longer than {} s; send its body faster, or ask for less", limit.as_secs());
    let mut response = Problem::new(Code::Timeout, detail).into_response();
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    response
}

/// Refuses other hosts and other sites' pages.
pub(crate) async fn guard(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    let is_sensitive = !is_safe(request.method()) || request.headers().contains_key(header::UPGRADE);
    let options = &state.access.options;
    match hosts::check(options, request.uri(), request.headers(), is_sensitive) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Finds out who calls, and counts it.
pub(crate) async fn authenticate(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    let address = Address::of(address_of(&state, &request));
    let cookie = state.session_cookie();
    let presented = Presented::of(request.headers(), cookie);
    let checked = match &presented {
        Ok(Some(presented)) => {
            let gate = Gate { by_address: &state.access.by_address, address: &address.counted };
            state.access.credentials.check(&state.platform, presented, &gate, now_ms()).await.map(Some)
        }
        Ok(None) => Ok(request.extensions().get::<Caller>().cloned()),
        Err(problem) => Err(problem.clone()),
    };
    let counted = match &checked {
        Ok(Some(caller)) => state.access.by_credential.take(&counted_as(caller), 1, Instant::now()),
        Ok(None) => state.access.by_address.take(&address.counted, 1, Instant::now()),
        Err(problem) if problem.code != Code::Unauthenticated => return problem.clone().into_response(),
        Err(_) => state.access.by_address.take(&address.counted, GUESS_TOKENS, Instant::now()),
    };
    if let Err(wait) = counted {
        return too_many(wait).into_response();
    }
    match (checked, presented) {
        (Ok(Some(caller)), presented) => {
            request.extensions_mut().insert(caller);
            if let Ok(Some(presented)) = presented {
                request.extensions_mut().insert(presented);
            }
        }
        // A cookie that has ended is no reason to refuse what is open to everyone.
        (Err(_), Ok(Some(Presented::Session(_)))) | (Ok(None), _) => {}
        (Err(problem), _) => {
            request.extensions_mut().insert(Refused(problem));
        }
    }
    request.extensions_mut().insert(address);
    next.run(request).await
}

/// A user's sessions share one count; each key has its own.
fn counted_as(caller: &Caller) -> String {
    format!("{} {}", caller.user_id, caller.credential)
}

/// Refuses wrong credentials, and writes that a page of another site could have caused.
pub(crate) async fn admit(State(_): State<ServerState>, request: Request, next: Next) -> Response {
    if let Some(Refused(problem)) = request.extensions().get() {
        return problem.clone().into_response();
    }
    if let Some(Presented::Session(token)) = request.extensions().get()
        && !is_safe(request.method())
        && !sends_csrf_token(request.headers(), token)
    {
        let detail = "a write with a session needs the header X-CSRF-Token: `csrf_token` of GET /v1/session";
        return Problem::new(Code::Forbidden, detail).into_response();
    }
    next.run(request).await
}

fn sends_csrf_token(headers: &HeaderMap, token: &Secret) -> bool {
    headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).is_some_and(|given| is_csrf_token(token, given))
}

pub(crate) fn too_many(wait_s: u64) -> Problem {
    Problem::new(Code::TooMany, format!("too many requests; try again in {wait_s} s")).retry_after(wait_s)
}

impl ServerState {
    /// The cookie of this server's sessions.
    pub(crate) fn session_cookie(&self) -> SessionCookie {
        SessionCookie { is_secure: self.access.options.is_secure() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_is_counted_once_however_many_addresses_it_has() {
        let counted = |text: &str| counted_address(text.parse().unwrap());
        assert_eq!(counted("192.0.2.7"), "192.0.2.7");
        assert_eq!(counted("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(counted("2001:db8:1:2::1"), counted("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(counted("2001:db8:1:2::1"), counted("2001:db8:1:3::1"));
    }
}
