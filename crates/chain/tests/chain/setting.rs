//! A node with a market, and followers of it.

use std::time::Duration;

use assay_amm::event::RawLog;
use assay_bytecode::{Market, U256};
use assay_chain::{
    Address, BlockRef, ClientOptions, Endpoint, Extension, FollowOptions, Header, HeaderMode, LogFollower, Progress,
    RpcClient, Step,
};
use assay_testkit::Anvil;
use serde_json::{Value, json};

type Rpc<'a> = Box<dyn Fn(&str, Value) -> Value + 'a>;
pub type NodeMarket<'a> = Market<Rpc<'a>>;

/// A market with a fee of 0.3 % at the price 1.
pub fn market(anvil: &Anvil) -> NodeMarket<'_> {
    let rpc: Rpc<'_> = Box::new(|method, params| anvil.rpc(method, params));
    Market::deploy(rpc, 3000, U256::ONE << 96)
}

pub fn client(url: &str) -> RpcClient {
    let options = ClientOptions { first_backoff: Duration::from_millis(5), ..ClientOptions::default() };
    RpcClient::with(Endpoint::parse(url).unwrap(), options).unwrap()
}

pub fn address(market: &NodeMarket<'_>) -> Address {
    market.pool.into_array()
}

pub fn options(pool: Address, headers: HeaderMode) -> FollowOptions {
    FollowOptions { headers, poll_interval: Duration::from_millis(20), ..FollowOptions::new(vec![pool]) }
}

/// What a reader of the steps ends up with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    pub headers: Vec<Header>,
    pub logs: Vec<RawLog>,
    pub steps: usize,
    pub rollbacks: Vec<u64>,
}

impl Indexed {
    pub fn apply(&mut self, step: Step) {
        self.steps += 1;
        match step {
            Step::Extend(Extension { range, headers, logs, .. }) => {
                let next = self.headers.last().map(|last| last.number + 1);
                assert!(next.is_none_or(|next| next == *range.start()), "{range:?} after {next:?}");
                assert_eq!((headers[0].number, headers.last().unwrap().number), (*range.start(), *range.end()));
                self.headers.extend(headers);
                self.logs.extend(logs);
            }
            Step::Rollback { to_block } => {
                self.headers.retain(|header| header.number <= to_block.number);
                self.logs.retain(|log| log.place.block <= to_block.number);
                assert_eq!(self.headers.last().map(|last| last.hash), Some(to_block.hash));
                self.rollbacks.push(to_block.number);
            }
        }
    }

    /// Follows until the head is reached.
    pub async fn follow_to_head(&mut self, follower: &mut LogFollower) {
        while let Progress::Step(step) = follower.poll().await.unwrap() {
            self.apply(step);
        }
    }

    pub fn known(&self) -> Vec<BlockRef> {
        self.headers.iter().map(|header| (*header).into()).collect()
    }

    /// Headers and logs are those that the node has in one answer.
    pub fn assert_is_all_of(&self, anvil: &Anvil, pool: Address) {
        let filter = json!([{ "address": assay_chain::show_address(pool), "fromBlock": "0x0", "toBlock": "latest" }]);
        let rows = anvil.rpc("eth_getLogs", filter);
        let rows = rows.as_array().unwrap();
        assert_eq!(self.logs.len(), rows.len());
        for (log, row) in self.logs.iter().zip(rows) {
            let number = |name: &str| u64::from_str_radix(&row[name].as_str().unwrap()[2..], 16).unwrap();
            let place = [log.place.block, log.place.tx_index, log.place.log_index];
            assert_eq!(place, ["blockNumber", "transactionIndex", "logIndex"].map(number));
            let topics: Vec<String> = log.topics.iter().map(|topic| format!("{topic:#066x}")).collect();
            assert_eq!(json!(topics), row["topics"]);
            assert_eq!(format!("0x{}", hex::encode(&log.data)), row["data"]);
            assert_eq!(assay_chain::show_hash(log.block_hash), row["blockHash"]);
            assert_eq!(assay_chain::show_hash(log.tx_hash), row["transactionHash"]);
        }
        for header in &self.headers {
            let block = anvil.rpc("eth_getBlockByNumber", json!([format!("{:#x}", header.number), false]));
            assert_eq!(assay_chain::show_hash(header.hash), block["hash"]);
            assert_eq!(assay_chain::show_hash(header.parent_hash), block["parentHash"]);
            assert_eq!(format!("{:#x}", header.timestamp), block["timestamp"]);
        }
        let head = anvil.rpc("eth_blockNumber", json!([]));
        assert_eq!(self.headers.last().map(|last| format!("{:#x}", last.number)).as_deref(), head.as_str());
    }
}
