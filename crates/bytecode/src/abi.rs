//! Calls and answers in the contracts' binary interface.

use alloy_primitives::{Address, Bytes, I256, U256, keccak256};
use alloy_sol_types::abi::TokenSeq;
use alloy_sol_types::{SolType, SolValue};

/// The call data of `signature` (as `transfer(address,uint256)`) with a tuple of arguments.
pub fn call_data<A: SolValue>(signature: &str, arguments: &A) -> Bytes
where
    for<'a> <A::SolType as SolType>::Token<'a>: TokenSeq<'a>,
{
    let mut data = keccak256(signature)[..4].to_vec();
    data.extend(arguments.abi_encode_params());
    data.into()
}

/// An answer, read as a row of 32-byte words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(pub Bytes);

impl Words {
    /// The word at `index` as an unsigned number.
    ///
    /// # Panics
    /// An answer that is shorter.
    #[must_use]
    pub fn unsigned(&self, index: usize) -> U256 {
        let word = self.0.get(32 * index..32 * (index + 1));
        U256::from_be_slice(word.expect("the contract answers with as many words as its interface says"))
    }

    /// The word at `index` as a signed number.
    #[must_use]
    pub fn signed(&self, index: usize) -> I256 {
        I256::from_raw(self.unsigned(index))
    }

    /// The word at `index` as an address.
    #[must_use]
    pub fn address(&self, index: usize) -> Address {
        Address::from_word(self.unsigned(index).into())
    }

    /// The word at `index` as a number of at most 128 bits.
    ///
    /// # Panics
    /// A wider number.
    #[must_use]
    pub fn narrow(&self, index: usize) -> u128 {
        u128::try_from(self.unsigned(index)).expect("the interface gives this word at most 128 bits")
    }

    /// The word at `index` as a tick.
    ///
    /// # Panics
    /// A number beyond 32 bits.
    #[must_use]
    pub fn tick(&self, index: usize) -> i32 {
        i32::try_from(self.signed(index)).expect("ticks have 24 bits")
    }
}
