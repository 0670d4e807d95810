//! Logs and block headers as a node reports them.

use ruint::aliases::U256;

use super::gauge::{FeeEvent, GaugeEvent, ignored_name};
use super::raw_log::{Words, decode_words};
use super::{Event, Place};

/// A log as a node reports it, not decoded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLog {
    /// Where in the chain.
    pub place: Place,
    /// Hash of its block.
    pub block_hash: [u8; 32],
    /// Hash of its transaction.
    pub tx_hash: [u8; 32],
    /// The contract that logged it.
    pub address: [u8; 20],
    /// Topics, the event's signature first.
    pub topics: Vec<U256>,
    /// Data without the topics.
    pub data: Vec<u8>,
}

/// What a log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logged {
    /// An event of a pool.
    Pool(Event),
    /// Liquidity staked in a Slipstream gauge or taken out of it.
    Gauge(GaugeEvent),
    /// A change of a Slipstream fee, by a fee module or the factory.
    Fee(FeeEvent),
    /// An event of these contracts that changes neither liquidity nor fees: its name.
    Ignored(&'static str),
    /// A first topic that is none of theirs.
    Unknown(U256),
}

impl RawLog {
    /// What the log says, whichever contract logged it: the caller knows which addresses may
    /// say what.
    ///
    /// # Errors
    /// No topics, or a known event whose words have the wrong number or size.
    pub fn decode(&self) -> Result<Logged, String> {
        let Some((first, indexed)) = self.topics.split_first() else { return Err("a log without topics".into()) };
        if let Some(name) = ignored_name(*first) {
            return Ok(Logged::Ignored(name));
        }
        let (words, rest) = self.data.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(format!("{} bytes of data are no sequence of 32-byte words", self.data.len()));
        }
        let data: Vec<U256> = words.iter().map(|word| U256::from_be_bytes(*word)).collect();
        let log = Words { indexed, data: &data };
        if let Some(event) = GaugeEvent::decode(*first, &log)? {
            return Ok(Logged::Gauge(event));
        }
        if let Some(event) = FeeEvent::decode(*first, &log)? {
            return Ok(Logged::Fee(event));
        }
        Ok(decode_words(&self.topics, &data)?.map_or(Logged::Unknown(*first), Logged::Pool))
    }
}

/// A block as its header names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockHeader {
    /// Number in its chain.
    pub number: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// Its time in seconds since 1970.
    pub timestamp: u64,
}
