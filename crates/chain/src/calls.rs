//! The questions we ask, with their answers as values.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use assay_amm::U256;
use assay_amm::event::{Place, RawLog};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::client::{Call, RpcClient};
use crate::error::ChainError;
use crate::hexadecimal::{bytes_of, data_of, quantity, quantity_of, show_address};
use crate::refusal::{LOGS, Refusal, meaning};
use crate::{Address, Hash};

const HEADER: &str = "eth_getBlockByNumber";
const NUMBER: &str = "eth_blockNumber";
const CALL: &str = "eth_call";
const CODE: &str = "eth_getCode";
const CHAIN_ID: &str = "eth_chainId";

/// The most addresses in one question for logs.
pub const MAX_ADDRESSES: usize = 100;

/// What is known of a block without its transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: Hash,
    /// Hash of the block before.
    pub parent_hash: Hash,
    /// Its time in seconds since 1970.
    pub timestamp: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeaderWords<'a> {
    #[serde(borrow)]
    number: Cow<'a, str>,
    #[serde(borrow)]
    hash: Cow<'a, str>,
    #[serde(borrow)]
    parent_hash: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogWords<'a> {
    #[serde(borrow)]
    address: Cow<'a, str>,
    #[serde(borrow)]
    topics: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(borrow)]
    block_number: Cow<'a, str>,
    #[serde(borrow)]
    block_hash: Cow<'a, str>,
    #[serde(borrow)]
    transaction_hash: Cow<'a, str>,
    #[serde(borrow)]
    transaction_index: Cow<'a, str>,
    #[serde(borrow)]
    log_index: Cow<'a, str>,
    #[serde(default)]
    removed: bool,
}

impl RpcClient {
    /// Which chain the node follows.
    ///
    /// # Errors
    /// As [`RpcClient::call`], or an answer that is no number.
    pub async fn chain_id(&self) -> Result<u64, ChainError> {
        let answer = self.call(Call::new(CHAIN_ID, json!([]))).await?;
        self.number_in(CHAIN_ID, &answer)
    }

    /// The number of the newest block.
    ///
    /// # Errors
    /// As [`RpcClient::call`], or an answer that is no number.
    pub async fn block_number(&self) -> Result<u64, ChainError> {
        let answer = self.call(Call::new(NUMBER, json!([]))).await?;
        self.number_in(NUMBER, &answer)
    }

    /// The number of the newest block, and the header of block `number` as of the same moment.
    ///
    /// # Errors
    /// As [`RpcClient::headers`].
    pub async fn head_and_header(&self, number: u64) -> Result<(u64, Option<Header>), ChainError> {
        let answers = self.batch(&[Call::new(NUMBER, json!([])), header_call(number)]).await?;
        Ok((self.number_in(NUMBER, &answers[0])?, self.header_in(number, &answers[1])?))
    }

    /// The headers of these blocks, in their order; `None` where the node has no such block.
    ///
    /// # Errors
    /// As [`RpcClient::call`], or an answer that is no header or that of another block.
    pub async fn headers(&self, numbers: &[u64]) -> Result<Vec<Option<Header>>, ChainError> {
        let calls: Vec<Call> = numbers.iter().map(|number| header_call(*number)).collect();
        let answers = self.batch(&calls).await?;
        numbers.iter().zip(&answers).map(|(number, answer)| self.header_in(*number, answer)).collect()
    }

    /// All logs of these contracts in these blocks, in the order of the chain. Each is of an
    /// asked contract and block, none twice and none marked as removed.
    ///
    /// # Errors
    /// [`ChainError::RangeRefused`] when the node wants to be asked for fewer blocks, else as
    /// [`RpcClient::call`].
    pub async fn logs(&self, addresses: &[Address], range: RangeInclusive<u64>) -> Result<Vec<RawLog>, ChainError> {
        if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
            let count = addresses.len();
            return Err(ChainError::Invalid(format!("logs of {count} contracts: ask for 1 to {MAX_ADDRESSES}")));
        }
        let contracts: Vec<String> = addresses.iter().map(|address| show_address(*address)).collect();
        let (from, to) = (quantity(*range.start()), quantity(*range.end()));
        let params = json!([{ "address": contracts, "fromBlock": from, "toBlock": to }]);
        let call = Call { method: LOGS, params, divisible: range.start() < range.end() };
        let item = self.items(&[call]).await?.pop();
        let answer = match item.ok_or_else(|| self.malformed(LOGS, "no answer".into()))? {
            Ok(answer) => answer,
            Err(error) if meaning(LOGS, error.code, &error.message) == Refusal::FewerBlocks => {
                let detail = format!("{} (code {})", error.message, error.code);
                return Err(ChainError::RangeRefused { node: self.endpoint().to_string(), range, detail });
            }
            Err(error) => return Err(self.refused(LOGS, error)),
        };
        read_logs(&answer, addresses, &range).map_err(|detail| self.malformed(LOGS, detail))
    }

    /// What a contract answers to `data` as of the newest block, or `None` when it reverts.
    ///
    /// # Errors
    /// As [`RpcClient::call`].
    pub async fn eth_call(&self, to: Address, data: &[u8]) -> Result<Option<Vec<u8>>, ChainError> {
        let params = json!([{ "to": show_address(to), "data": format!("0x{}", hex::encode(data)) }, "latest"]);
        let item = self.items(&[Call::new(CALL, params)]).await?.pop();
        match item.ok_or_else(|| self.malformed(CALL, "no answer".into()))? {
            Ok(answer) => self.bytes_in(CALL, &answer).map(Some),
            Err(error) if meaning(CALL, error.code, &error.message) == Refusal::Reverted => Ok(None),
            Err(error) => Err(self.refused(CALL, error)),
        }
    }

    /// The code at an address as of the newest block; empty where there is no contract.
    ///
    /// # Errors
    /// As [`RpcClient::call`].
    pub async fn code(&self, address: Address) -> Result<Vec<u8>, ChainError> {
        let answer = self.call(Call::new(CODE, json!([show_address(address), "latest"]))).await?;
        self.bytes_in(CODE, &answer)
    }

    /// Whether there is a contract at an address after block `number`; nodes that keep no old
    /// states refuse.
    ///
    /// # Errors
    /// As [`RpcClient::call`].
    pub async fn has_code_at(&self, address: Address, number: u64) -> Result<bool, ChainError> {
        let answer = self.call(Call::new(CODE, json!([show_address(address), quantity(number)]))).await?;
        self.bytes_in(CODE, &answer).map(|code| !code.is_empty())
    }

    fn number_in(&self, method: &'static str, answer: &RawValue) -> Result<u64, ChainError> {
        let text: Result<Cow<'_, str>, String> = serde_json::from_str(answer.get()).map_err(|error| error.to_string());
        text.and_then(|text| quantity_of(&text)).map_err(|detail| self.malformed(method, detail))
    }

    fn bytes_in(&self, method: &'static str, answer: &RawValue) -> Result<Vec<u8>, ChainError> {
        let text: Result<Cow<'_, str>, String> = serde_json::from_str(answer.get()).map_err(|error| error.to_string());
        text.and_then(|text| data_of(&text)).map_err(|detail| self.malformed(method, detail))
    }

    fn header_in(&self, number: u64, answer: &RawValue) -> Result<Option<Header>, ChainError> {
        read_header(number, answer).map_err(|detail| self.malformed(HEADER, detail))
    }
}

fn header_call(number: u64) -> Call {
    Call::new(HEADER, Value::Array(vec![quantity(number).into(), false.into()]))
}

fn read_header(number: u64, answer: &RawValue) -> Result<Option<Header>, String> {
    let words: Option<HeaderWords> = serde_json::from_str(answer.get()).map_err(|error| error.to_string())?;
    let Some(words) = words else { return Ok(None) };
    let header = Header {
        number: quantity_of(&words.number)?,
        hash: bytes_of(&words.hash)?,
        parent_hash: bytes_of(&words.parent_hash)?,
        timestamp: quantity_of(&words.timestamp)?,
    };
    if header.number != number {
        return Err(format!("block {} where block {number} was asked for", header.number));
    }
    Ok(Some(header))
}

fn read_logs(answer: &RawValue, asked: &[Address], range: &RangeInclusive<u64>) -> Result<Vec<RawLog>, String> {
    let rows: Vec<LogWords> = serde_json::from_str(answer.get()).map_err(|error| error.to_string())?;
    let mut logs = rows.iter().map(read_log).collect::<Result<Vec<RawLog>, String>>()?;
    for log in &logs {
        if !range.contains(&log.place.block) || !asked.contains(&log.address) {
            return Err(format!("a log of {} at {}, which was not asked for", show_address(log.address), log.place));
        }
    }
    let order = |log: &RawLog| (log.place.block, log.place.log_index);
    logs.sort_by_key(order);
    match logs.windows(2).find(|pair| order(&pair[0]) == order(&pair[1])) {
        Some(pair) => Err(format!("two logs at {}", pair[0].place)),
        None => Ok(logs),
    }
}

fn read_log(words: &LogWords<'_>) -> Result<RawLog, String> {
    let place = Place {
        block: quantity_of(&words.block_number)?,
        tx_index: quantity_of(&words.transaction_index)?,
        log_index: quantity_of(&words.log_index)?,
    };
    if words.removed {
        return Err(format!("a removed log at {place}"));
    }
    let topic = |word: &Cow<'_, str>| bytes_of::<32>(word).map(U256::from_be_bytes);
    Ok(RawLog {
        place,
        block_hash: bytes_of(&words.block_hash)?,
        tx_hash: bytes_of(&words.transaction_hash)?,
        address: bytes_of(&words.address)?,
        topics: words.topics.iter().map(topic).collect::<Result<_, _>>()?,
        data: data_of(&words.data)?,
    })
}
