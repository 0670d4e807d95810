//! The deployed contracts in an in-process EVM, for tests and benches: the judge of the
//! AMM engine. Never a dependency of the product.
//!
//! The bytecode is that of the published packages which `testdata/contracts` pins; the
//! folder they are installed in is named by `ASSAY_CONTRACTS`. One file per protocol
//! deploys it, sends it what a test asks for and reads its whole state back as plain
//! structs; nothing here knows the AMM engine.

#![allow(clippy::disallowed_methods, reason = "test kit: reads the folder of contracts that ASSAY_CONTRACTS names")]

mod abi;
mod artefact;
mod assembly;
mod concentrated;
mod evm;
mod market;
mod pair;
mod revert;
mod singleton;
mod storage;
mod token;
mod vault;

pub use abi::{Words, call_data};
pub use alloy_primitives::{Address, B256, Bytes, I256, U256, keccak256};
pub use artefact::{contracts_folder, creation_code, linked_code};
pub use assembly::Trader;
pub use concentrated::{Concentrated, ConcentratedFork, ConcentratedState, PositionState, TickState};
pub use evm::{Evm, OWNER, Snapshot};
pub use market::{Market, MarketSwap};
pub use pair::{Pair, PairFork, PairState};
pub use revert::Revert;
pub use singleton::{Singleton, SingletonPosition, SingletonState};
pub use token::Token;
pub use vault::{Kind as VaultPoolKind, PoolTokenData, RateData, Settings as VaultPoolSettings, VaultPool};
