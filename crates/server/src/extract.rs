//! What handlers take out of a request; what does not fit becomes a [`Problem`].
//!
//! `utoipa` does not know these names: a handler states `params(…)` and `request_body = …`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::{Code, Problem};

/// Deepest nesting of arrays and objects in a body.
pub const MAX_JSON_DEPTH: usize = 32;
/// Longest part of a parser's message that is told.
const MAX_MESSAGE: usize = 300;

/// A JSON body, and a JSON answer.
#[derive(Debug, Clone, Copy)]
pub struct ApiJson<T>(pub T);

/// The query of the URL.
#[derive(Debug, Clone, Copy)]
pub struct ApiQuery<T>(pub T);

/// The variable parts of the path.
#[derive(Debug, Clone, Copy)]
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "the body must be JSON: send it with `Content-Type: application/json`";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| body_problem(&error))?;
        parse_json(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for ApiJson<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::from_request_parts(parts, state).await;
        query.map(|Query(query)| Self(query)).map_err(|error: QueryRejection| {
            Problem::new(Code::BadRequest, format!("the query of the URL: {}", shortened(&error.body_text())))
        })
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ApiPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(path)| Self(path)).map_err(|error: PathRejection| {
            let code = if error.status().is_client_error() { Code::BadRequest } else { Code::Internal };
            Problem::new(code, format!("the path of the URL: {}", shortened(&error.body_text())))
        })
    }
}

/// Reads a JSON body, naming the field that is wrong.
///
/// # Errors
/// [`Code::BadRequest`] for what is no JSON, nested deeper than [`MAX_JSON_DEPTH`], or no `T`.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if depth(bytes) > MAX_JSON_DEPTH {
        let detail = format!("the body is nested deeper than {MAX_JSON_DEPTH} levels");
        return Err(Problem::new(Code::BadRequest, detail));
    }
    let wrong = |message: &str| Problem::new(Code::BadRequest, format!("the body: {}", shortened(message)));
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let problem = wrong(&error.inner().to_string());
        if path == "." { problem } else { problem.field(shortened(&path)) }
    })?;
    reader.end().map_err(|error| wrong(&error.to_string()))?;
    Ok(value)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn body_problem(error: &BytesRejection) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::TooLarge, "the body is larger than its limit"),
        _ => Problem::new(Code::BadRequest, "the body ended early or could not be read; send it again"),
    }
}

/// The deepest nesting of arrays and objects, texts left out.
fn depth(bytes: &[u8]) -> usize {
    let (mut open, mut deepest, mut is_text, mut is_escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match (is_text, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => is_text = !is_text,
            (false, b'[' | b'{') => {
                open += 1;
                deepest = deepest.max(open);
            }
            (false, b']' | b'}') => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Messages quote the input, which may be long.
fn shortened(text: &str) -> String {
    if text.chars().count() <= MAX_MESSAGE {
        return text.to_owned();
    }
    text.chars().take(MAX_MESSAGE).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "only read")]
        lines: Vec<u8>,
    }

    #[test]
    fn a_wrong_field_is_named() {
        parse_json::<Order>(br#"{"lines":[1,2]}"#).unwrap();
        for (body, field) in [
            (&br#"{"lines":[1,-2]}"#[..], Some("lines[1]")),
            (br#"{"lines":[1],"more":1}"#, Some("more")),
            (br#"{"lines":[1]} {}"#, None),
            (br#"{"lines":"\ud800"}"#, Some("lines")),
            (b"{\"lines\":\"\xff\"}", Some("lines")),
            (b"", None),
        ] {
            let problem = parse_json::<Order>(body).unwrap_err();
            assert_eq!((problem.code, problem.field.as_deref()), (Code::BadRequest, field), "{}", problem.detail);
        }
    }

    #[test]
    fn deep_bodies_are_refused_before_they_are_read() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse_json::<serde_json::Value>(nested(MAX_JSON_DEPTH).as_bytes()).is_ok());
        let problem = parse_json::<serde_json::Value>(nested(MAX_JSON_DEPTH + 1).as_bytes()).unwrap_err();
        assert!(problem.detail.contains("32 levels"), "{}", problem.detail);
        assert!(parse_json::<String>(format!("\"\\\"{}\"", "[".repeat(99)).as_bytes()).is_ok());
        assert!(parse_json::<serde_json::Value>("[".repeat(1_000_000).as_bytes()).is_err());
    }
}
