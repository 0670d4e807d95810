//! Whether the chain's node answers, where one is configured.

use std::time::Duration;

use assay_chain::{ClientOptions, RpcClient};

use super::{Doctor, Line};
use crate::jobs::lp::registry::runtime;

/// Longest wait for the node.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn check(doctor: &Doctor<'_>) -> Line {
    const CHECK: &str = "node";
    const FIX: &str = "export ASSAY_RPC_URL=https://…";
    let Some(endpoint) = doctor.rpc.clone() else {
        return Line::ok(CHECK, "not configured: no chain is followed");
    };
    let asked = RpcClient::with(endpoint, ClientOptions { max_attempts: 1, ..ClientOptions::default() })
        .map_err(|error| error.to_string())
        .and_then(|client| {
            let runtime = runtime(2).map_err(|error| error.to_string())?;
            runtime.block_on(async {
                let answer = tokio::time::timeout(TIMEOUT, client.chain_id()).await;
                let late = |_| format!("{} does not answer within {} s", client.endpoint(), TIMEOUT.as_secs());
                answer.map_err(late)?.map_err(|error| error.to_string())
            })
        });
    match asked {
        Ok(chain_id) => Line::ok(CHECK, format!("answers for chain {chain_id}")),
        Err(error) => Line::fail(CHECK, error, FIX),
    }
}
