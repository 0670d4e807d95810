//! Serves everything: REST with its OpenAPI description, GraphQL, WebSocket and gRPC; who may do
//! what; scheduled jobs; live streams and their delivery; metrics.

#![allow(clippy::disallowed_methods, reason = "an edge: reads the clock, serves sockets")]

pub mod access;
mod api;
mod audience;
mod catalogue;
mod clock;
pub mod delivery;
mod extract;
mod feed;
mod first_run;
mod graphql;
mod holding;
pub mod live;
mod number;
mod observe;
mod page;
mod parts;
mod problem;
mod quiet;
pub mod scheduler;
mod serve;
mod state;
#[cfg(test)]
mod testing;
mod tls;
mod up;
mod workers;

pub use api::router;
pub use assay_gateway::GatewaySettings;
pub use clock::now_ms;
pub use extract::{ApiJson, ApiPath, ApiQuery, MAX_JSON_DEPTH, parse_json};
pub use observe::{LogFormat, Logs, start_logs};
pub use page::{DEFAULT_LIMIT, MAX_LIMIT, Page, PageQuery, Paging};
pub use problem::{Code, Problem};
pub use serve::{ServeSettings, Server};
pub use state::{ServerState, Settings};
pub use tls::TlsFiles;
pub use up::{DEFAULT_LISTEN, Ready, UpRequest, up};
