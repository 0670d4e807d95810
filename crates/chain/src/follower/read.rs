//! One range of blocks, read so that headers and logs are of the same chain.
//!
//! The last header is read before the logs and after them: while it is the same, so are all
//! blocks below it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use assay_amm::event::RawLog;

use super::memory::REMEMBERED_BLOCKS;
use super::{FollowOptions, HeaderMode};
use crate::calls::Header;
use crate::client::RpcClient;
use crate::error::ChainError;

/// What a reading came to.
pub(super) enum Reading {
    /// Headers and logs fit together; the headers are not empty.
    Steady { headers: Vec<Header>, logs: Vec<RawLog> },
    /// They do not: the chain changed in between.
    Changed(String),
}

pub(super) async fn read(
    client: &RpcClient,
    options: &FollowOptions,
    range: RangeInclusive<u64>,
    head: u64,
) -> Result<Reading, ChainError> {
    let (first, last) = (*range.start(), *range.end());
    let Some(before) = client.headers(&[last]).await?.pop().flatten() else {
        return Ok(Reading::Changed(format!("no block {last} below the head {head}")));
    };
    let (logs, numbers, mut answers) = match options.headers {
        HeaderMode::All => {
            let numbers: Vec<u64> = range.clone().collect();
            let lower = &numbers[..numbers.len() - 1];
            let (logs, headers) = tokio::try_join!(client.logs(&options.addresses, range), client.headers(lower))?;
            (logs, numbers, headers)
        }
        HeaderMode::WithLogs => {
            let logs = client.logs(&options.addresses, range).await?;
            let recent = head.saturating_sub(REMEMBERED_BLOCKS).max(first)..=last;
            let wanted = logs.iter().map(|log| log.place.block).chain([first, last]).chain(recent);
            let numbers: Vec<u64> = wanted.collect::<BTreeSet<u64>>().into_iter().collect();
            (logs, numbers, Vec::new())
        }
    };
    // Those left, the last one among them, only now that the logs are here.
    answers.extend(client.headers(&numbers[answers.len()..]).await?);
    let mut headers = Vec::with_capacity(numbers.len());
    for (number, header) in numbers.iter().zip(answers) {
        let Some(header) = header else { return Ok(Reading::Changed(format!("block {number} is gone"))) };
        headers.push(header);
    }
    Ok(match misfit(&before, &headers, &logs) {
        Some(detail) => Reading::Changed(detail),
        None => Reading::Steady { headers, logs },
    })
}

/// What shows that the chain changed between the questions.
fn misfit(before: &Header, headers: &[Header], logs: &[RawLog]) -> Option<String> {
    if headers.last().is_none_or(|last| last.hash != before.hash) {
        return Some(format!("block {} has another hash after its logs than before", before.number));
    }
    for pair in headers.windows(2) {
        if pair[0].number + 1 == pair[1].number && pair[0].hash != pair[1].parent_hash {
            return Some(format!("block {} does not follow block {}", pair[1].number, pair[0].number));
        }
        if pair[0].timestamp > pair[1].timestamp {
            return Some(format!("block {} is older than block {}", pair[1].number, pair[0].number));
        }
    }
    let hashes: BTreeMap<u64, _> = headers.iter().map(|header| (header.number, header.hash)).collect();
    let stranger = logs.iter().find(|log| hashes.get(&log.place.block) != Some(&log.block_hash));
    stranger.map(|log| format!("the log at {} is of another block than the header", log.place))
}
