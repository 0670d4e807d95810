//! Logs and events to what the tables hold: checked, in order, each once.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use assay_amm::event::{BlockHeader, Event, FeeEvent, GaugeEvent, Located, Logged, Place, RawLog};

use super::pools::{ContractRole, PoolRow};
use super::text::hex;
use crate::database::DatabaseError;

/// One row to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub place: Place,
    pub tx_hash: Option<[u8; 32]>,
    /// The contract that logged it.
    pub contract: [u8; 20],
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Pool(Event),
    Gauge(GaugeEvent),
    Fee(FeeEvent),
}

/// What logs say about a pool, and what they do not.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// By block and log index.
    pub events: Vec<Stored>,
    /// Logs not stored, by the name of their event or, of unknown ones, the first topic.
    pub skipped: BTreeMap<String, u64>,
    /// Logs of contracts that do not speak for the pool, by address.
    pub foreign: BTreeMap<String, u64>,
}

pub(super) fn decode(
    pool: &PoolRow,
    range: &RangeInclusive<u64>,
    headers: &[BlockHeader],
    logs: &[RawLog],
) -> Result<Decoded, DatabaseError> {
    let hashes: HashMap<u64, [u8; 32]> = headers.iter().map(|header| (header.number, header.hash)).collect();
    let mut decoded = Decoded::default();
    for log in logs {
        let fail = |reason: String| DatabaseError::Log { place: log.place.to_string(), reason };
        if !range.contains(&log.place.block) {
            return Err(fail(format!("its block is outside {} to {}", range.start(), range.end())));
        }
        let known = hashes.get(&log.place.block).ok_or(DatabaseError::NoHeader { block: log.place.block })?;
        if *known != log.block_hash {
            return Err(DatabaseError::Reorganised {
                block: log.place.block,
                known: hex(known),
                given: hex(&log.block_hash),
            });
        }
        let role = pool.contracts.iter().find(|contract| contract.address == log.address).map(|found| found.role);
        let is_pool = log.address == pool.pool;
        if !is_pool && role.is_none() {
            *decoded.foreign.entry(hex(&log.address)).or_default() += 1;
            continue;
        }
        let what = match (log.decode().map_err(fail)?, role) {
            (Logged::Pool(event), _) if is_pool => What::Pool(event),
            (Logged::Gauge(event), Some(ContractRole::Gauge)) => What::Gauge(event),
            (Logged::Fee(event), Some(_)) if event.pool.is_none_or(|of| of == pool.pool) => What::Fee(event),
            (other, _) => {
                *decoded.skipped.entry(name(&other)).or_default() += 1;
                continue;
            }
        };
        decoded.events.push(Stored { place: log.place, tx_hash: Some(log.tx_hash), contract: log.address, what });
    }
    decoded.events = sorted(decoded.events)?;
    Ok(decoded)
}

/// Events that are decoded already, of the pool itself.
pub(super) fn take(
    pool: [u8; 20],
    range: &RangeInclusive<u64>,
    headers: &[BlockHeader],
    events: &[Located],
) -> Result<Decoded, DatabaseError> {
    let numbers: std::collections::HashSet<u64> = headers.iter().map(|header| header.number).collect();
    let mut stored = Vec::with_capacity(events.len());
    for Located { place, event, .. } in events {
        if !range.contains(&place.block) {
            let reason = format!("its block is outside {} to {}", range.start(), range.end());
            return Err(DatabaseError::Log { place: place.to_string(), reason });
        }
        if !numbers.contains(&place.block) {
            return Err(DatabaseError::NoHeader { block: place.block });
        }
        stored.push(Stored { place: *place, tx_hash: None, contract: pool, what: What::Pool(*event) });
    }
    Ok(Decoded { events: sorted(stored)?, ..Decoded::default() })
}

/// By block and log index; what is there twice alike is there once.
fn sorted(mut events: Vec<Stored>) -> Result<Vec<Stored>, DatabaseError> {
    events.sort_by_key(|event| (event.place.block, event.place.log_index));
    events.dedup();
    let key = |event: &Stored| (event.place.block, event.place.log_index);
    if let Some(pair) = events.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
        let reason = "two different logs have this block and log index (which must count through the block)".into();
        return Err(DatabaseError::Log { place: pair[1].place.to_string(), reason });
    }
    Ok(events)
}

fn name(logged: &Logged) -> String {
    match logged {
        Logged::Pool(event) => event.name().to_owned(),
        Logged::Gauge(event) => event.name().to_owned(),
        Logged::Fee(event) => event.kind.name().to_owned(),
        Logged::Ignored(name) => (*name).to_owned(),
        Logged::Unknown(topic) => format!("0x{topic:064x}"),
    }
}
