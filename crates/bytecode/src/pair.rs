//! Uniswap V2 and Pancake V2: factory and pair.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use crate::artefact::creation_code;
use crate::evm::{Evm, OWNER};
use crate::revert::Revert;
use crate::token::Token;

/// Slot of the packed reserves in the pair's storage.
const RESERVES_SLOT: u64 = 8;

/// Whose pair contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairFork {
    /// Uniswap V2.
    Uniswap,
    /// PancakeSwap V2, as published in its package.
    Pancake,
}

impl PairFork {
    fn artefacts(self) -> [&'static str; 2] {
        match self {
            Self::Uniswap => {
                ["@uniswap/v2-core/build/UniswapV2Factory.json", "@uniswap/v2-core/build/UniswapV2Pair.json"]
            }
            Self::Pancake => [
                "@pancakeswap-libs/pancake-swap-core/build/PancakeFactory.json",
                "@pancakeswap-libs/pancake-swap-core/build/PancakePair.json",
            ],
        }
    }

    /// Hash of the pair's creation code.
    #[must_use]
    pub fn init_code_hash(self) -> B256 {
        keccak256(creation_code(self.artefacts()[1]))
    }
}

/// A deployed pair with a trader's purse.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// Where the pair lives.
    pub address: Address,
    /// Token 0 and token 1.
    pub tokens: [Token; 2],
}

/// What the pair stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairState {
    /// Reserves of token 0 and token 1.
    pub reserves: [u128; 2],
    /// Time of the last update, seconds modulo 2³².
    pub updated_at: u32,
}

impl Pair {
    /// Deploys a factory, two tokens and their empty pair.
    ///
    /// # Panics
    /// The factory refuses, which it never does.
    pub fn deploy(evm: &mut Evm, fork: PairFork) -> Self {
        let tokens = Token::deploy_sorted::<2>(evm);
        let factory = evm.deploy(&creation_code(fork.artefacts()[0]), &(OWNER,)).expect("the factory deploys");
        let pair = (tokens[0].address, tokens[1].address);
        let answer = evm.transact(OWNER, factory, "createPair(address,address)", &pair).expect("a new pair");
        Self { address: answer.address(0), tokens }
    }

    /// What the pair stores now.
    #[must_use]
    pub fn state(&self, evm: &Evm) -> PairState {
        let packed = evm.slot(self.address, U256::from(RESERVES_SLOT));
        let mask = U256::from((1_u128 << 112) - 1);
        let reserves = [packed & mask, (packed >> 112_usize) & mask];
        PairState { reserves: reserves.map(|reserve| reserve.to()), updated_at: (packed >> 224_usize).to() }
    }

    /// Makes reserves and balances what is given, as after a deposit and `sync`.
    ///
    /// # Panics
    /// A reserve above 112 bits.
    pub fn set_reserves(&self, evm: &mut Evm, reserves: [u128; 2]) {
        for (token, reserve) in self.tokens.iter().zip(reserves) {
            token.set_balance(evm, self.address, U256::from(reserve));
        }
        evm.transact(OWNER, self.address, "sync()", &()).expect("reserves of at most 112 bits");
    }

    /// Pays `amounts_in` into the pair and asks for `amounts_out`; undone when it reverts.
    ///
    /// # Errors
    /// What the pair reverts with.
    pub fn swap(&self, evm: &mut Evm, amounts_in: [U256; 2], amounts_out: [U256; 2]) -> Result<(), Revert> {
        let before = self.tokens.map(|token| token.balance(evm, self.address));
        for (token, amount) in self.tokens.iter().zip(amounts_in) {
            if !amount.is_zero() {
                token.pay(evm, self.address, amount);
            }
        }
        let arguments = (amounts_out[0], amounts_out[1], OWNER, Bytes::new());
        let done = evm.transact(OWNER, self.address, "swap(uint256,uint256,address,bytes)", &arguments);
        if done.is_err() {
            for (token, balance) in self.tokens.iter().zip(before) {
                token.set_balance(evm, self.address, balance);
            }
        }
        done.map(|_| ())
    }

    /// Pays `amounts` in and mints shares for them.
    ///
    /// # Errors
    /// What the pair reverts with; the amounts then stay in the pair until `sync`.
    pub fn mint(&self, evm: &mut Evm, amounts: [U256; 2]) -> Result<U256, Revert> {
        for (token, amount) in self.tokens.iter().zip(amounts) {
            token.pay(evm, self.address, amount);
        }
        Ok(evm.transact(OWNER, self.address, "mint(address)", &(OWNER,))?.unsigned(0))
    }

    /// Burns `shares` of the owner; returns both amounts.
    ///
    /// # Errors
    /// What the pair reverts with.
    pub fn burn(&self, evm: &mut Evm, shares: U256) -> Result<[U256; 2], Revert> {
        evm.transact(OWNER, self.address, "transfer(address,uint256)", &(self.address, shares))?;
        let answer = evm.transact(OWNER, self.address, "burn(address)", &(OWNER,))?;
        Ok([answer.unsigned(0), answer.unsigned(1)])
    }

    /// Takes what the pair holds beyond its reserves.
    ///
    /// # Panics
    /// The pair refuses, which it never does.
    pub fn skim(&self, evm: &mut Evm) {
        evm.transact(OWNER, self.address, "skim(address)", &(OWNER,)).expect("skim takes the surplus");
    }
}
