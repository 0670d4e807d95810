//! The one place that knows the EVM library.

use alloy_primitives::{Address, Bytes, TxKind, U256, address};
use alloy_sol_types::abi::TokenSeq;
use alloy_sol_types::{SolType, SolValue};
use revm::bytecode::Bytecode;
use revm::context::result::ExecutionResult;
use revm::context::{BlockEnv, CfgEnv, Context, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::database_interface::DatabaseRef;
use revm::handler::{MainnetContext, MainnetEvm};
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use revm::{DatabaseCommit, ExecuteEvm, MainBuilder};

use crate::abi::{Words, call_data};
use crate::revert::Revert;

type Database = CacheDB<EmptyDB>;

/// Who deploys the contracts and owns what has an owner.
pub const OWNER: Address = address!("1000000000000000000000000000000000000001");

/// Gas of one transaction: enough for every operation, so that none fails for want of it.
const GAS_LIMIT: u64 = 1 << 40;

/// A chain in memory whose transactions cost nothing.
pub struct Evm {
    machine: MainnetEvm<MainnetContext<Database>>,
}

/// Every account and slot of a chain at one moment.
pub struct Snapshot(Database);

impl Default for Evm {
    fn default() -> Self {
        Self::new()
    }
}

impl Evm {
    /// An empty chain with the rules of the Cancun fork, at block 1 and second 1,700,000,000.
    #[must_use]
    pub fn new() -> Self {
        let mut config = CfgEnv::new_with_spec(SpecId::CANCUN);
        config.disable_nonce_check = true;
        config.limit_contract_code_size = Some(usize::MAX);
        config.limit_contract_initcode_size = Some(usize::MAX);
        let block = BlockEnv {
            number: U256::ONE,
            timestamp: U256::from(1_700_000_000_u64),
            gas_limit: u64::MAX,
            basefee: 0,
            ..BlockEnv::default()
        };
        let context: MainnetContext<Database> = Context::new(CacheDB::new(EmptyDB::new()), SpecId::CANCUN);
        Self { machine: context.with_cfg(config).with_block(block).build_mainnet() }
    }

    /// The time of the block, in seconds.
    #[must_use]
    pub fn timestamp(&self) -> u64 {
        self.machine.ctx.block.timestamp.saturating_to()
    }

    /// Moves to the next block, `seconds` later.
    pub fn advance(&mut self, seconds: u64) {
        self.machine.ctx.block.number += U256::ONE;
        self.machine.ctx.block.timestamp += U256::from(seconds);
    }

    /// Deploys creation code with its encoded constructor arguments; returns where it lives.
    ///
    /// # Errors
    /// What the constructor reverts with.
    ///
    /// # Panics
    /// The machine refuses the transaction itself, which only a defect here can cause.
    pub fn deploy_raw(&mut self, code: Bytes) -> Result<Address, Revert> {
        let nonce = self.account(OWNER).nonce;
        self.send(OWNER, TxKind::Create, code, true)?;
        Ok(OWNER.create(nonce))
    }

    /// Deploys creation code with a tuple of constructor arguments.
    ///
    /// # Errors
    /// What the constructor reverts with.
    pub fn deploy<A: SolValue>(&mut self, code: &Bytes, arguments: &A) -> Result<Address, Revert>
    where
        for<'a> <A::SolType as SolType>::Token<'a>: TokenSeq<'a>,
    {
        let mut whole = code.to_vec();
        whole.extend(arguments.abi_encode_params());
        self.deploy_raw(whole.into())
    }

    /// Puts run-time code at an address.
    pub fn place(&mut self, at: Address, code: Bytes) {
        let info = AccountInfo::default().with_code(Bytecode::new_raw(code));
        self.database_mut().insert_account_info(at, info);
    }

    /// The code of a contract.
    ///
    /// # Panics
    /// Never: a database in memory always answers.
    #[must_use]
    pub fn code(&self, of: Address) -> Bytes {
        let info = self.database().basic_ref(of).expect("a database in memory always answers").unwrap_or_default();
        let code = self.database().code_by_hash_ref(info.code_hash).expect("a database in memory always answers");
        info.code.unwrap_or(code).original_bytes()
    }

    /// Sends a transaction; a reverted one changes nothing.
    ///
    /// # Errors
    /// What the contract reverts with.
    pub fn transact<A: SolValue>(
        &mut self,
        from: Address,
        to: Address,
        signature: &str,
        arguments: &A,
    ) -> Result<Words, Revert>
    where
        for<'a> <A::SolType as SolType>::Token<'a>: TokenSeq<'a>,
    {
        self.transact_raw(from, to, call_data(signature, arguments))
    }

    /// Sends a transaction with encoded call data.
    ///
    /// # Errors
    /// What the contract reverts with.
    pub fn transact_raw(&mut self, from: Address, to: Address, data: Bytes) -> Result<Words, Revert> {
        self.send(from, TxKind::Call(to), data, true).map(Words)
    }

    /// Sends native coins along with encoded call data; the sender is given them first.
    ///
    /// # Errors
    /// What the contract reverts with.
    pub fn transact_paying(&mut self, from: Address, to: Address, value: U256, data: Bytes) -> Result<Words, Revert> {
        let mut account = self.account(from);
        account.balance = account.balance.saturating_add(value);
        self.database_mut().insert_account_info(from, account);
        self.send_paying(from, TxKind::Call(to), value, data, true).map(Words)
    }

    /// The native coins of an account.
    #[must_use]
    pub fn coins(&self, of: Address) -> U256 {
        self.account(of).balance
    }

    /// Asks a view: as a transaction, without its effects.
    ///
    /// # Errors
    /// What the contract reverts with.
    pub fn view<A: SolValue>(&mut self, to: Address, signature: &str, arguments: &A) -> Result<Words, Revert>
    where
        for<'a> <A::SolType as SolType>::Token<'a>: TokenSeq<'a>,
    {
        self.view_raw(to, call_data(signature, arguments))
    }

    /// Asks a view with encoded call data.
    ///
    /// # Errors
    /// What the contract reverts with.
    pub fn view_raw(&mut self, to: Address, data: Bytes) -> Result<Words, Revert> {
        self.send(OWNER, TxKind::Call(to), data, false).map(Words)
    }

    /// Reads a storage slot.
    #[must_use]
    pub fn slot(&self, of: Address, slot: U256) -> U256 {
        self.database().storage_ref(of, slot).expect("a database in memory always answers")
    }

    /// Writes a storage slot.
    pub fn set_slot(&mut self, of: Address, slot: U256, value: U256) {
        self.database_mut().insert_account_storage(of, slot, value).expect("a database in memory always answers");
    }

    /// Everything as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.database().clone())
    }

    /// Everything as it was then; the block stays.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        *self.database_mut() = snapshot.0.clone();
    }

    fn send(&mut self, from: Address, kind: TxKind, data: Bytes, keep: bool) -> Result<Bytes, Revert> {
        self.send_paying(from, kind, U256::ZERO, data, keep)
    }

    fn send_paying(
        &mut self,
        from: Address,
        kind: TxKind,
        value: U256,
        data: Bytes,
        keep: bool,
    ) -> Result<Bytes, Revert> {
        let transaction = TxEnv {
            caller: from,
            kind,
            value,
            data,
            gas_limit: GAS_LIMIT,
            gas_price: 0,
            chain_id: Some(1),
            ..TxEnv::default()
        };
        let outcome = self.machine.transact(transaction).expect("the chain accepts every transaction of a test");
        match outcome.result {
            ExecutionResult::Success { output, .. } => {
                if keep {
                    self.database_mut().commit(outcome.state);
                }
                Ok(output.into_data())
            }
            ExecutionResult::Revert { output, .. } => Err(Revert::decode(&output)),
            ExecutionResult::Halt { reason, .. } => Err(Revert::Halt(format!("{reason:?}"))),
        }
    }

    fn account(&self, of: Address) -> AccountInfo {
        self.database().basic_ref(of).expect("a database in memory always answers").unwrap_or_default()
    }

    fn database(&self) -> &Database {
        &self.machine.ctx.journaled_state.database
    }

    fn database_mut(&mut self) -> &mut Database {
        &mut self.machine.ctx.journaled_state.database
    }
}
