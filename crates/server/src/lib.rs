//! Serves everything: REST with its OpenAPI description, GraphQL, WebSocket and gRPC; who may do
//! what; scheduled jobs; live streams and their delivery; metrics.

#![allow(clippy::disallowed_methods, reason = "an edge: reads the clock, serves sockets")]

pub mod access;
mod api;
mod clock;
mod extract;
mod number;
mod page;
mod problem;
pub mod scheduler;
mod state;
#[cfg(test)]
mod testing;

pub use api::router;
pub use clock::now_ms;
pub use extract::{ApiJson, ApiPath, ApiQuery, MAX_JSON_DEPTH, parse_json};
pub use page::{DEFAULT_LIMIT, MAX_LIMIT, Page, PageQuery, Paging};
pub use problem::{Code, Problem};
pub use state::{ServerState, Settings};
