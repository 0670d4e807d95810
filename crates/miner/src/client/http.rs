//! One POST with a bounded response.

use assay_lp::protocol::auth::AuthError;
use assay_lp::protocol::{MAX_BODY_BYTES, Problem};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Url};

use super::fault::Fault;

/// Characters of a miner's own words that are kept.
const MAX_MESSAGE: usize = 200;

pub(super) struct Response {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Posts JSON and reads at most [`MAX_BODY_BYTES`]; the caller bounds the time.
pub(super) async fn post(
    http: &Client,
    url: Url,
    headers: impl Iterator<Item = (String, String)>,
    body: Vec<u8>,
) -> Result<Response, Fault> {
    let request = headers.fold(http.post(url), |request, (name, value)| request.header(name, value));
    let request = request.header(CONTENT_TYPE, "application/json").body(body);
    let mut response = request.send().await.map_err(unreachable)?;
    if response.content_length().is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(Fault::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(Fault::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { status: response.status().as_u16(), headers: response.headers().clone(), body })
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    /// Nothing, when the miner agreed.
    pub(super) fn ok(&self) -> Result<(), Fault> {
        match self.status {
            200 => Ok(()),
            status => Err(Fault::Refused { status, message: self.message() }),
        }
    }

    /// What an unproven response is: a refusal needs no proof, because it gains nobody anything.
    pub(super) fn fault(&self, error: AuthError) -> Fault {
        match self.ok() {
            Err(refused) if error == AuthError::Unsigned => refused,
            _ => Fault::NotAuthentic(error),
        }
    }

    fn message(&self) -> String {
        let text = match serde_json::from_slice::<Problem>(&self.body) {
            Ok(problem) => format!("{}: {}", problem.error, problem.message),
            Err(_) => String::from_utf8_lossy(&self.body).into_owned(),
        };
        text.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect()
    }
}

/// The innermost reason, which names no address.
fn unreachable(error: reqwest::Error) -> Fault {
    let mut source: &dyn std::error::Error = &error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    Fault::Unreachable(source.to_string().chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect())
}
