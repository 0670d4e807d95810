//! Uniswap V4: the pool manager, its test routers, and what the manager stores of a pool
//! without hooks.

use alloy_primitives::{Address, B256, Bytes, I256, U256, keccak256};
use alloy_sol_types::SolValue;

use crate::abi::Words;
use crate::artefact::creation_code;
use crate::concentrated::TickState;
use crate::evm::{Evm, OWNER};
use crate::revert::Revert;
use crate::storage::{self, bits, mapped, tick_bits, words};
use crate::token::Token;

/// Slot of the mapping of pools in the manager's storage.
const POOLS_SLOT: u64 = 6;
/// Places of a pool's mappings after its first slot.
const TICKS_OFFSET: u64 = 4;
const POSITIONS_OFFSET: u64 = 6;

type Key = (Address, Address, u32, i32, Address);

/// A deployed manager with one pool, and the routers that act for the owner.
#[derive(Debug, Clone, Copy)]
pub struct Singleton {
    /// Where the manager lives.
    pub manager: Address,
    /// Token 0 and token 1.
    pub tokens: [Token; 2],
    /// The router whose address owns every position.
    pub liquidity_router: Address,
    swap_router: Address,
    donate_router: Address,
    fee: u32,
    tick_spacing: i32,
}

/// What the manager stores of a pool outside its ticks and positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SingletonState {
    /// Square root of the price of token 0 in token 1, as 64.96 bits.
    pub sqrt_price_x96: U256,
    /// The tick the price is in.
    pub tick: i32,
    /// The protocol's fee for swaps of token 0 and of token 1, millionths.
    pub protocol_fee_pips: [u32; 2],
    /// The liquidity providers' fee, millionths.
    pub lp_fee_pips: u32,
    /// Liquidity in range.
    pub liquidity: u128,
    /// Fees of token 0 and token 1 per unit of liquidity, as 128.128 bits.
    pub fee_growth_global_x128: [U256; 2],
    /// Fees of token 0 and token 1 owed to the protocol.
    pub protocol_fees: [U256; 2],
}

/// What the manager stores of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SingletonPosition {
    /// Liquidity of the position.
    pub liquidity: u128,
    /// Fees inside its range at its last change, as 128.128 bits.
    pub fee_growth_inside_last_x128: [U256; 2],
}

impl Singleton {
    /// Deploys manager, routers and two tokens; the pool is not yet initialised.
    ///
    /// # Panics
    /// A constructor refuses, which none does.
    pub fn deploy(evm: &mut Evm, fee: u32, tick_spacing: i32) -> Self {
        let tokens = Token::deploy_sorted::<2>(evm);
        let code = |name: &str| creation_code(&format!("@uniswap/v4-core/out/{name}.sol/{name}.json"));
        let manager = evm.deploy(&code("PoolManager"), &(OWNER,)).expect("the manager deploys");
        let routers = ["PoolModifyLiquidityTestNoChecks", "PoolSwapTest", "PoolDonateTest"]
            .map(|name| evm.deploy(&code(name), &(manager,)).expect("the router deploys"));
        for router in routers {
            for token in tokens {
                token.approve(evm, OWNER, router);
            }
        }
        evm.transact(OWNER, manager, "setProtocolFeeController(address)", &(OWNER,)).expect("the owner may");
        let [liquidity_router, swap_router, donate_router] = routers;
        Self { manager, tokens, liquidity_router, swap_router, donate_router, fee, tick_spacing }
    }

    /// Sets the first price.
    ///
    /// # Errors
    /// What the manager reverts with.
    pub fn initialize(&self, evm: &mut Evm, sqrt_price_x96: U256) -> Result<(), Revert> {
        let signature = "initialize((address,address,uint24,int24,address),uint160)";
        evm.transact(OWNER, self.manager, signature, &(self.key(), sqrt_price_x96)).map(|_| ())
    }

    /// Swaps; `amount` is the input when negative and the output when positive. Returns what
    /// the owner receives of each token, negative where it pays.
    ///
    /// # Errors
    /// What the manager reverts with.
    pub fn swap(&self, evm: &mut Evm, zero_for_one: bool, amount: I256, limit: U256) -> Result<[i128; 2], Revert> {
        let signature = "swap((address,address,uint24,int24,address),(bool,int256,uint160),(bool,bool),bytes)";
        let arguments = (self.key(), (zero_for_one, amount, limit), (false, false), Bytes::new());
        Ok(delta(&evm.transact(OWNER, self.swap_router, signature, &arguments)?))
    }

    /// Changes a position's liquidity. Returns what the owner receives of each token,
    /// negative where it pays, fees included.
    ///
    /// # Errors
    /// What the manager reverts with.
    pub fn modify(&self, evm: &mut Evm, lower: i32, upper: i32, liquidity: I256) -> Result<[i128; 2], Revert> {
        let signature = "modifyLiquidity((address,address,uint24,int24,address),(int24,int24,int256,bytes32),bytes)";
        let arguments = (self.key(), (lower, upper, liquidity, B256::ZERO), Bytes::new());
        Ok(delta(&evm.transact(OWNER, self.liquidity_router, signature, &arguments)?))
    }

    /// Gives `amounts` to the liquidity in range.
    ///
    /// # Errors
    /// What the manager reverts with.
    pub fn donate(&self, evm: &mut Evm, amounts: [U256; 2]) -> Result<(), Revert> {
        let signature = "donate((address,address,uint24,int24,address),uint256,uint256,bytes)";
        let arguments = (self.key(), amounts[0], amounts[1], Bytes::new());
        evm.transact(OWNER, self.donate_router, signature, &arguments).map(|_| ())
    }

    /// Sets the protocol's fee for swaps of token 0 and of token 1, millionths.
    ///
    /// # Errors
    /// What the manager reverts with.
    pub fn set_protocol_fee(&self, evm: &mut Evm, pips: [u32; 2]) -> Result<(), Revert> {
        let signature = "setProtocolFee((address,address,uint24,int24,address),uint24)";
        evm.transact(OWNER, self.manager, signature, &(self.key(), pips[0] | pips[1] << 12)).map(|_| ())
    }

    /// What the manager stores of the pool outside its ticks and positions.
    ///
    /// # Panics
    /// The manager does not answer its getter, which it always does.
    pub fn state(&self, evm: &mut Evm) -> SingletonState {
        let [packed, growth_0, growth_1, liquidity] = words(evm, self.manager, self.pool_slot());
        let pips: u32 = bits(packed, 184, 24);
        let fees = self.tokens.map(|token| {
            evm.view(self.manager, "protocolFeesAccrued(address)", &(token.address,)).expect("a getter").unsigned(0)
        });
        SingletonState {
            sqrt_price_x96: bits(packed, 0, 160),
            tick: tick_bits(packed, 160),
            protocol_fee_pips: [pips & 0xfff, pips >> 12],
            lp_fee_pips: bits(packed, 208, 24),
            liquidity: bits(liquidity, 0, 128),
            fee_growth_global_x128: [growth_0, growth_1],
            protocol_fees: fees,
        }
    }

    /// What the manager stores of a tick.
    #[must_use]
    pub fn tick(&self, evm: &Evm, tick: i32) -> TickState {
        storage::tick(evm, self.manager, self.pool_slot().wrapping_add(U256::from(TICKS_OFFSET)), tick)
    }

    /// What the manager stores of the position between two ticks.
    #[must_use]
    pub fn position(&self, evm: &Evm, lower: i32, upper: i32) -> SingletonPosition {
        let slot = self.pool_slot().wrapping_add(U256::from(POSITIONS_OFFSET));
        let place = storage::position(self.liquidity_router, lower, upper, &[0; 32], slot);
        let [liquidity, inside_0, inside_1] = words(evm, self.manager, place);
        SingletonPosition { liquidity: bits(liquidity, 0, 128), fee_growth_inside_last_x128: [inside_0, inside_1] }
    }

    /// What the manager holds of each token.
    #[must_use]
    pub fn balances(&self, evm: &Evm) -> [U256; 2] {
        self.tokens.map(|token| token.balance(evm, self.manager))
    }

    fn key(&self) -> Key {
        (self.tokens[0].address, self.tokens[1].address, self.fee, self.tick_spacing, Address::ZERO)
    }

    fn pool_slot(&self) -> U256 {
        mapped(keccak256(self.key().abi_encode()).into(), U256::from(POOLS_SLOT))
    }
}

/// The two halves of a balance delta.
fn delta(words: &Words) -> [i128; 2] {
    let word = words.unsigned(0);
    [bits::<u128>(word, 128, 128).cast_signed(), bits::<u128>(word, 0, 128).cast_signed()]
}
