//! Two contracts of a few instructions, assembled here: the trader that pays what a
//! pool's callback asks for, and the deployer a pool asks for its parameters.

use alloy_primitives::{Address, Bytes, U256, address};
use alloy_sol_types::abi::TokenSeq;
use alloy_sol_types::{SolType, SolValue};

use crate::abi::{Words, call_data};
use crate::evm::{Evm, OWNER};
use crate::revert::Revert;
use crate::token::Token;

const ADD: u8 = 0x01;
const MUL: u8 = 0x02;
const SUB: u8 = 0x03;
const SLT: u8 = 0x12;
const EQ: u8 = 0x14;
const IS_ZERO: u8 = 0x15;
const CALLER: u8 = 0x33;
const CALL_DATA_LOAD: u8 = 0x35;
const CALL_DATA_SIZE: u8 = 0x36;
const CALL_DATA_COPY: u8 = 0x37;
const RETURN_DATA_SIZE: u8 = 0x3d;
const RETURN_DATA_COPY: u8 = 0x3e;
const MSTORE: u8 = 0x52;
const SLOAD: u8 = 0x54;
const JUMP_IF: u8 = 0x57;
const GAS: u8 = 0x5a;
const JUMP_TARGET: u8 = 0x5b;
const DUP1: u8 = 0x80;
const CREATE: u8 = 0xf0;
const CALL: u8 = 0xf1;
const RETURN: u8 = 0xf3;
const REVERT: u8 = 0xfd;

/// Instructions with jumps to places that come later.
#[derive(Default)]
struct Assembly {
    code: Vec<u8>,
}

impl Assembly {
    fn op(&mut self, instructions: &[u8]) -> &mut Self {
        self.code.extend(instructions);
        self
    }

    fn push(&mut self, value: u64) -> &mut Self {
        self.code.push(0x67);
        self.code.extend(value.to_be_bytes());
        self
    }

    fn push_address(&mut self, value: Address) -> &mut Self {
        self.code.push(0x73);
        self.code.extend(value.as_slice());
        self
    }

    fn push_word(&mut self, value: U256) -> &mut Self {
        self.code.push(0x7f);
        self.code.extend(value.to_be_bytes::<32>());
        self
    }

    /// Jumps to a place that [`Self::land`] settles, when the top of the stack is not zero.
    fn jump_if(&mut self) -> usize {
        self.code.push(0x61);
        let hole = self.code.len();
        self.code.extend([0, 0]);
        self.code.push(JUMP_IF);
        hole
    }

    fn land(&mut self, hole: usize) -> &mut Self {
        let here = u16::try_from(self.code.len()).expect("programs here are short");
        self.code[hole..hole + 2].copy_from_slice(&here.to_be_bytes());
        self.op(&[JUMP_TARGET])
    }

    /// Ends a call, whose success is on the stack, with its answer.
    fn answer(&mut self) -> &mut Self {
        self.op(&[RETURN_DATA_SIZE]).push(0).push(0).op(&[RETURN_DATA_COPY]);
        let success = self.jump_if();
        self.op(&[RETURN_DATA_SIZE]).push(0).op(&[REVERT]);
        self.land(success).op(&[RETURN_DATA_SIZE]).push(0).op(&[RETURN])
    }
}

/// A contract that forwards the owner's calls and pays in callbacks.
///
/// A callback has the shape `(amount0, amount1, bytes data)`. The trader pays its caller
/// every positive amount, plus the number in word 0 and word 1 of `data` (both taken as
/// zero where `data` ends): the principal of a flash loan, or less than nothing to cheat.
#[derive(Debug, Clone, Copy)]
pub struct Trader {
    /// Where it lives; positions it opens belong to this address.
    pub address: Address,
}

impl Trader {
    /// Places a trader that pays in these two tokens.
    pub fn place(evm: &mut Evm, tokens: [Token; 2]) -> Self {
        let trader = Self { address: address!("2000000000000000000000000000000000000002") };
        evm.place(trader.address, trader_code(tokens));
        trader
    }

    /// Calls `to` in the trader's name.
    ///
    /// # Errors
    /// What the contract reverts with.
    pub fn call<A: SolValue>(&self, evm: &mut Evm, to: Address, signature: &str, arguments: &A) -> Result<Words, Revert>
    where
        for<'a> <A::SolType as SolType>::Token<'a>: TokenSeq<'a>,
    {
        let mut data = to.into_word().to_vec();
        data.extend(call_data(signature, arguments));
        evm.transact_raw(OWNER, self.address, data.into())
    }
}

fn trader_code(tokens: [Token; 2]) -> Bytes {
    let mut code = Assembly::default();
    code.op(&[CALLER]).push_address(OWNER).op(&[EQ]);
    let owner = code.jump_if();
    for (index, token) in tokens.into_iter().enumerate() {
        let index = index as u64;
        // amount × (0 < amount) + what the data adds
        code.push(4 + 32 * index).op(&[CALL_DATA_LOAD, DUP1]).push(0).op(&[SLT, MUL]);
        code.push(0x84 + 32 * index).op(&[CALL_DATA_LOAD, ADD, DUP1, IS_ZERO]);
        let nothing = code.jump_if();
        // transfer(caller, amount), the amount still on the stack
        let selector = U256::from(0xa905_9cbb_u64) << 224;
        code.push_word(selector).push(0).op(&[MSTORE, CALLER]).push(4).op(&[MSTORE, DUP1]).push(36).op(&[MSTORE]);
        code.push(0).push(0).push(68).push(0).push(0).push_address(token.address).op(&[GAS, CALL]);
        let paid = code.jump_if();
        code.op(&[RETURN_DATA_SIZE]).push(0).push(0).op(&[RETURN_DATA_COPY, RETURN_DATA_SIZE]).push(0).op(&[REVERT]);
        code.land(paid);
        code.land(nothing);
    }
    code.push(0).push(0).op(&[RETURN]);
    code.land(owner);
    // The first word names the target, the rest is its call data.
    code.push(32).op(&[CALL_DATA_SIZE, SUB]).push(32).push(0).op(&[CALL_DATA_COPY]);
    code.push(0).push(0).push(32).op(&[CALL_DATA_SIZE, SUB]).push(0).push(0).push(0).op(&[CALL_DATA_LOAD, GAS, CALL]);
    code.answer();
    code.code.into()
}

/// Places a contract that answers every call with the number in its first slot.
pub(crate) fn place_number(evm: &mut Evm, at: Address) {
    let mut code = Assembly::default();
    code.push(0).op(&[SLOAD]).push(0).op(&[MSTORE]).push(32).push(0).op(&[RETURN]);
    evm.place(at, code.code.into());
}

/// Places a deployer that answers a question of four bytes with `answer` and takes any
/// other call data as creation code of a contract whose address it returns.
pub(crate) fn place_deployer(evm: &mut Evm, at: Address, answer: &[U256]) {
    let mut code = Assembly::default();
    code.push(4).op(&[CALL_DATA_SIZE, EQ]);
    let question = code.jump_if();
    code.op(&[CALL_DATA_SIZE]).push(0).push(0).op(&[CALL_DATA_COPY]);
    code.op(&[CALL_DATA_SIZE]).push(0).push(0).op(&[CREATE]).push(0).op(&[MSTORE]).push(32).push(0).op(&[RETURN]);
    code.land(question);
    for (index, word) in answer.iter().enumerate() {
        code.push_word(*word).push(32 * index as u64).op(&[MSTORE]);
    }
    code.push(32 * answer.len() as u64).push(0).op(&[RETURN]);
    evm.place(at, code.code.into());
}
