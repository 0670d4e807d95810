//! A plain ERC-20 token with as many units as anybody wants.

use alloy_primitives::{Address, Bytes, U256, keccak256};

use crate::artefact::creation_code;
use crate::evm::{Evm, OWNER};

/// Slot of `totalSupply` in the token's storage.
const SUPPLY_SLOT: u64 = 0;
/// Slot of the mapping `balanceOf`.
const BALANCE_SLOT: u64 = 1;

/// A deployed test token of the Uniswap V2 package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    /// Where it lives.
    pub address: Address,
}

impl Token {
    /// Deploys a token, of which the owner holds 2²⁵⁵ units.
    pub fn deploy(evm: &mut Evm) -> Self {
        Self::deploy_code(evm, &creation_code("@uniswap/v2-core/build/ERC20.json"))
    }

    fn deploy_code(evm: &mut Evm, code: &Bytes) -> Self {
        let address = evm.deploy(code, &(U256::MAX,)).expect("the token deploys");
        let token = Self { address };
        // Half of what there could be leaves room to receive.
        token.set_balance(evm, OWNER, U256::ONE << 255);
        token
    }

    /// Deploys a token whose amounts have `decimals` digits after the point instead of 18.
    ///
    /// # Panics
    /// The package's token is another one.
    pub fn deploy_with_decimals(evm: &mut Evm, decimals: u8) -> Self {
        let mut code = creation_code("@uniswap/v2-core/build/ERC20.json").to_vec();
        // The getter of the constant: JUMPDEST PUSH1 18 DUP2 JUMP.
        let getter = code.windows(5).position(|window| window == [0x5b, 0x60, 18, 0x81, 0x56]);
        code[getter.expect("the token says 18 in one place") + 2] = decimals;
        Self::deploy_code(evm, &code.into())
    }

    /// Deploys `N` tokens in the order of their addresses, which is their order in a pool.
    ///
    /// # Panics
    /// Never: every token has an address.
    pub fn deploy_sorted<const N: usize>(evm: &mut Evm) -> [Self; N] {
        let mut tokens = [(); N].map(|()| Self::deploy(evm));
        tokens.sort();
        tokens
    }

    /// What `of` holds.
    #[must_use]
    pub fn balance(&self, evm: &Evm, of: Address) -> U256 {
        evm.slot(self.address, balance_slot(of))
    }

    /// Makes `of` hold `amount`, whatever it held before.
    pub fn set_balance(&self, evm: &mut Evm, of: Address, amount: U256) {
        evm.set_slot(self.address, balance_slot(of), amount);
        evm.set_slot(self.address, U256::from(SUPPLY_SLOT), U256::MAX);
    }

    /// Lets `spender` take everything that `of` holds.
    ///
    /// # Panics
    /// The token refuses, which it never does.
    pub fn approve(&self, evm: &mut Evm, of: Address, spender: Address) {
        evm.transact(of, self.address, "approve(address,uint256)", &(spender, U256::MAX)).expect("approval");
    }

    /// The owner gives `amount` to `to`.
    ///
    /// # Panics
    /// The owner holds less.
    pub fn pay(&self, evm: &mut Evm, to: Address, amount: U256) {
        evm.transact(OWNER, self.address, "transfer(address,uint256)", &(to, amount)).expect("the owner holds enough");
    }
}

fn balance_slot(of: Address) -> U256 {
    let mut key = of.into_word().to_vec();
    key.extend(U256::from(BALANCE_SLOT).to_be_bytes::<32>());
    keccak256(key).into()
}
