//! The wire of Bittensor's v10 axon, for miners and validators that speak nothing else.
//!
//! It authenticates little: the signature does not cover the body, a server of that kind
//! takes requests without a signature, and nobody signs responses. What comes over it is
//! marked unauthenticated and never moves money. One thing is stricter here than there: the
//! nonce of an unsigned request is not remembered, so nobody can lock another caller out.

use std::collections::{BTreeMap, BTreeSet};

use assay_amm::U256;
use base64::Engine as _;
use schnorrkel::{PublicKey, Signature, signing_context};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha3::{Digest as _, Sha3_256};

use super::ss58;
use crate::amounts::Amounts;
use crate::query::{DesiredPosition, RebalanceAnswer, RebalanceQuery, RoundType};

/// Name of the one synapse, which is also its path.
pub const SYNAPSE: &str = "RebalanceQuery";
/// Signing context of sr25519 signatures.
pub const SIGNING_CONTEXT: &[u8] = b"substrate";
/// Version that our requests name: 10.2.0.
pub const VERSION: u64 = 10_002_000;
/// Seconds a caller waits when it does not say.
pub const DEFAULT_TIMEOUT_S: f64 = 12.0;
/// From this version on, a first nonce must be fresh.
const FRESH_NONCE_VERSION: u64 = 7_002_000;
/// How much older than its time-out a first nonce may be, in nanoseconds.
const NONCE_SLACK_NS: u64 = 4_000_000_000;
/// Callers whose last nonce is remembered; the one with the oldest nonce is forgotten first.
pub const MAX_CALLERS: usize = 4096;

/// The fields that the synapse requires, each with the base64 of an empty value's JSON.
pub const INPUT_OBJECTS: [(&str, &str); 8] = [
    ("job_id", "IiI="),
    ("sn_liquidity_manager_address", "IiI="),
    ("pair_address", "IiI="),
    ("round_id", "IiI="),
    ("round_type", "IiI="),
    ("block_number", "MA=="),
    ("current_price", "MC4w"),
    ("current_positions", "W10="),
];

/// Why a request is refused, as that axon would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AxonError {
    /// The path names no synapse.
    #[error("`{0}` is not the name of a synapse")]
    BadName(String),
    /// There is no such synapse.
    #[error("synapse `{0}` is unknown here; RebalanceQuery is the only one")]
    UnknownSynapse(String),
    /// A header is missing or does not read.
    #[error("header {header}: {reason}")]
    Header {
        /// The header.
        header: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The caller is not wanted.
    #[error("caller {0} is not on the list")]
    Blacklisted(String),
    /// Nonce, signature or body hash do not hold.
    #[error("not verified: {0}")]
    NotVerified(String),
    /// The body is no query.
    #[error("the body does not read: {0}")]
    Body(String),
}

impl AxonError {
    /// The HTTP status that says so.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::BadName(_) => 400,
            Self::NotVerified(_) => 401,
            Self::Blacklisted(_) => 403,
            Self::UnknownSynapse(_) => 404,
            Self::Body(_) => 422,
            Self::Header { .. } => 500,
        }
    }
}

/// Hexadecimal SHA3-256 of the joined hexadecimal SHA3-256 of each hashed field; the
/// synapse hashes none.
#[must_use]
pub fn computed_body_hash(fields: &[&str]) -> String {
    let joined: String = fields.iter().map(|field| hex::encode(Sha3_256::digest(field.as_bytes()))).collect();
    hex::encode(Sha3_256::digest(joined.as_bytes()))
}

/// The text that the caller signs.
#[must_use]
pub fn signing_message(nonce: u64, dendrite: &str, axon: &str, uuid: &str, body_hash: &str) -> String {
    format!("{nonce}.{dendrite}.{axon}.{uuid}.{body_hash}")
}

/// Whether `signature` (`0x` and 128 hexadecimal digits) is sr25519 of `hotkey` over `message`.
#[must_use]
pub fn signature_holds(message: &str, signature: &str, hotkey: &str) -> bool {
    let mut bytes = [0; 64];
    let Some(digits) = signature.strip_prefix("0x") else { return false };
    let Ok(key) = ss58::decode(hotkey) else { return false };
    if hex::decode_to_slice(digits, &mut bytes).is_err() {
        return false;
    }
    let (Ok(key), Ok(signature)) = (PublicKey::from_bytes(&key), Signature::from_bytes(&bytes)) else { return false };
    key.verify(signing_context(SIGNING_CONTEXT).bytes(message.as_bytes()), &signature).is_ok()
}

/// Who calls whom, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Call<'a> {
    /// Address of the miner's host.
    pub axon_ip: &'a str,
    /// Its port.
    pub axon_port: u16,
    /// SS58 key of the miner.
    pub axon_hotkey: &'a str,
    /// Address of the caller's host.
    pub dendrite_ip: &'a str,
    /// SS58 key of the caller.
    pub dendrite_hotkey: &'a str,
    /// Id of the calling client.
    pub uuid: &'a str,
    /// Nanoseconds since 1970, above the last one.
    pub nonce: u64,
    /// Seconds the caller waits.
    pub timeout_s: f64,
}

impl Call<'_> {
    /// The text to sign.
    #[must_use]
    pub fn message(&self) -> String {
        signing_message(self.nonce, self.dendrite_hotkey, self.axon_hotkey, self.uuid, &computed_body_hash(&[]))
    }

    /// All headers of the request; `signature` is `0x` and 128 hexadecimal digits.
    #[must_use]
    pub fn headers(&self, signature: &str, body_bytes: usize) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> = [
            ("name", SYNAPSE.to_owned()),
            ("timeout", format!("{:?}", self.timeout_s)),
            ("bt_header_axon_ip", self.axon_ip.to_owned()),
            ("bt_header_axon_port", self.axon_port.to_string()),
            ("bt_header_axon_hotkey", self.axon_hotkey.to_owned()),
            ("bt_header_dendrite_ip", self.dendrite_ip.to_owned()),
            ("bt_header_dendrite_version", VERSION.to_string()),
            ("bt_header_dendrite_nonce", self.nonce.to_string()),
            ("bt_header_dendrite_uuid", self.uuid.to_owned()),
            ("bt_header_dendrite_hotkey", self.dendrite_hotkey.to_owned()),
            ("bt_header_dendrite_signature", signature.to_owned()),
            ("header_size", "0".to_owned()),
            ("total_size", body_bytes.to_string()),
            ("computed_body_hash", computed_body_hash(&[])),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        headers.extend(INPUT_OBJECTS.map(|(field, empty)| (format!("bt_header_input_obj_{field}"), empty.to_owned())));
        headers
    }
}

/// The headers of a request that arrived, as far as they matter.
#[derive(Debug, Clone, PartialEq)]
pub struct AxonHeaders {
    timeout_s: f64,
    body_hash: Option<String>,
    version: Option<u64>,
    nonce: Option<u64>,
    uuid: Option<String>,
    hotkey: Option<String>,
    signature: Option<String>,
}

impl AxonHeaders {
    /// Reads the headers by their lower-case names.
    ///
    /// # Errors
    /// [`AxonError::Header`] when a required field has no empty value, or a number is none.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, AxonError> {
        let wrong = |header: &str, reason| AxonError::Header { header: header.to_owned(), reason };
        for (field, _) in INPUT_OBJECTS {
            let header = format!("bt_header_input_obj_{field}");
            let value = get(&header).ok_or_else(|| wrong(&header, "is missing"))?;
            let json = base64::engine::general_purpose::STANDARD.decode(&value).ok();
            if json.and_then(|json| serde_json::from_slice::<Value>(&json).ok()).is_none() {
                return Err(wrong(&header, "is not the base64 of JSON"));
            }
        }
        let number = |header: &str| {
            get(header).map(|text| text.parse::<u64>().map_err(|_| wrong(header, "is not a number"))).transpose()
        };
        let timeout_s = match get("timeout").map(|text| text.parse::<f64>()) {
            None => DEFAULT_TIMEOUT_S,
            Some(Ok(seconds)) if seconds.is_finite() && seconds >= 0.0 => seconds,
            Some(_) => return Err(wrong("timeout", "is not a number of seconds")),
        };
        Ok(Self {
            timeout_s,
            body_hash: get("computed_body_hash"),
            version: number("bt_header_dendrite_version")?,
            nonce: number("bt_header_dendrite_nonce")?,
            uuid: get("bt_header_dendrite_uuid"),
            hotkey: get("bt_header_dendrite_hotkey"),
            signature: get("bt_header_dendrite_signature"),
        })
    }

    /// Checks caller, nonce, signature and body hash of a request to `us` in the order of
    /// that axon; `allowed` are the callers that may ask, everybody when `None`. Returns
    /// whether the request was signed.
    ///
    /// # Errors
    /// [`AxonError::Blacklisted`] or [`AxonError::NotVerified`].
    pub fn verify(
        &self,
        us: &str,
        allowed: Option<&BTreeSet<String>>,
        nonces: &mut AxonNonces,
        now_ns: u64,
    ) -> Result<bool, AxonError> {
        let fail = |reason: String| Err(AxonError::NotVerified(reason));
        let caller = self.hotkey.as_deref().unwrap_or_default();
        if allowed.is_some_and(|allowed| !allowed.contains(caller)) {
            return Err(AxonError::Blacklisted(caller.chars().take(80).collect()));
        }
        if let Err(error) = ss58::decode(caller) {
            return fail(error.to_string());
        }
        let Some(nonce) = self.nonce else { return fail("there is no nonce".into()) };
        let uuid = self.uuid.as_deref().unwrap_or("None");
        let endpoint = format!("{caller}:{}", uuid.chars().take(80).collect::<String>());
        match nonces.last.get(&endpoint) {
            Some(last) if nonce <= *last => return fail("the nonce is not above the last one".into()),
            None if self.version.is_some_and(|version| version >= FRESH_NONCE_VERSION) => {
                let age_ns = now_ns.saturating_sub(nonce);
                // Saturates for absurd time-outs, which then let every nonce in, as there.
                let window = NONCE_SLACK_NS.saturating_add((self.timeout_s * 1e9) as u64);
                if age_ns >= window {
                    return fail(format!(
                        "the nonce is {} s old, {} s are allowed",
                        age_ns / 1_000_000_000,
                        window / 1_000_000_000
                    ));
                }
            }
            _ => {}
        }
        let body_hash = self.body_hash.as_deref().unwrap_or("None");
        if body_hash != computed_body_hash(&[]) {
            return fail(format!("computed_body_hash is not {}", computed_body_hash(&[])));
        }
        let Some(signature) = &self.signature else { return Ok(false) };
        if !signature_holds(&signing_message(nonce, caller, us, uuid, body_hash), signature, caller) {
            return fail("the signature does not match".into());
        }
        nonces.remember(endpoint, nonce);
        Ok(true)
    }
}

/// The last nonce of each caller.
#[derive(Debug, Default)]
pub struct AxonNonces {
    last: BTreeMap<String, u64>,
}

impl AxonNonces {
    fn remember(&mut self, endpoint: String, nonce: u64) {
        if !self.last.contains_key(&endpoint) && self.last.len() >= MAX_CALLERS {
            let oldest = self.last.iter().min_by_key(|(_, nonce)| **nonce).map(|(endpoint, _)| endpoint.clone());
            oldest.map(|oldest| self.last.remove(&oldest));
        }
        self.last.insert(endpoint, nonce);
    }
}

/// The name of the synapse that a path asks for.
///
/// # Errors
/// [`AxonError::BadName`] or [`AxonError::UnknownSynapse`].
pub fn synapse_of(path: &str) -> Result<(), AxonError> {
    let name = path.strip_prefix('/').unwrap_or(path).split('/').next().unwrap_or_default();
    let shown = || name.chars().take(80).collect();
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match name {
        SYNAPSE => Ok(()),
        _ if name.is_empty() || !name.chars().all(letter) => Err(AxonError::BadName(shown())),
        _ => Err(AxonError::UnknownSynapse(shown())),
    }
}

#[derive(Deserialize)]
struct Body {
    job_id: String,
    sn_liquidity_manager_address: String,
    pair_address: String,
    #[serde(default = "base_chain")]
    chain_id: u64,
    round_id: String,
    round_type: RoundType,
    block_number: u64,
    current_price: f64,
    #[serde(default)]
    sqrt_price_x96: Option<String>,
    current_positions: Vec<DesiredPosition>,
    #[serde(default)]
    inventory_remaining: Option<Amounts>,
    #[serde(default)]
    rebalances_so_far: u32,
    #[serde(default)]
    tick_spacing: Option<i32>,
}

const fn base_chain() -> u64 {
    8453
}

/// Reads a query. Without our own field `sqrt_price_x96`, `current_price` is the square-root
/// price that callers of this wire send there, with the 53 bits it has.
///
/// # Errors
/// [`AxonError::Body`] when a field is missing or does not read.
pub fn read_query(body: &[u8]) -> Result<RebalanceQuery, AxonError> {
    let fail = |reason: String| AxonError::Body(reason);
    let body: Body = serde_json::from_slice(body).map_err(|error| fail(error.to_string()))?;
    let digits = body.sqrt_price_x96.unwrap_or_else(|| format!("{:.0}", body.current_price.trunc()));
    let sqrt_price_x96: U256 = digits.parse().map_err(|_| fail(format!("`{digits}` is not a square-root price")))?;
    Ok(RebalanceQuery {
        job_id: body.job_id,
        sn_liquidity_manager_address: body.sn_liquidity_manager_address,
        pair_address: body.pair_address,
        chain_id: body.chain_id,
        round_id: body.round_id,
        round_type: body.round_type,
        block_number: body.block_number,
        current_price: body.current_price,
        sqrt_price_x96,
        current_positions: body.current_positions,
        inventory_remaining: body.inventory_remaining.unwrap_or_default(),
        rebalances_so_far: body.rebalances_so_far,
        tick_spacing: body.tick_spacing.unwrap_or(1),
    })
}

/// The body of a query on this wire: `current_price` is the square-root price as a float, as
/// its miners expect; the exact one stands beside it.
#[must_use]
pub fn query_body(query: &RebalanceQuery) -> Value {
    let mut body = fields(query);
    let rounded: f64 = query.sqrt_price_x96.to_string().parse().unwrap_or_default();
    body.insert("name".into(), json!(SYNAPSE));
    body.insert("current_price".into(), json!(rounded));
    Value::Object(body)
}

/// The body of a response: the query with the answer's fields.
#[must_use]
pub fn answer_body(query: &RebalanceQuery, answer: &RebalanceAnswer) -> Value {
    let mut body = fields(query);
    body.insert("name".into(), json!(SYNAPSE));
    body.extend(fields(answer));
    Value::Object(body)
}

fn fields<T: Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
#[path = "axon_v10_tests.rs"]
mod tests;
