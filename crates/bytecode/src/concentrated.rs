//! Uniswap V3 and Pancake V3: factory, pool, and what the pool stores.

use alloy_primitives::{Address, B256, Bytes, I256, U256, address, keccak256};
use alloy_sol_types::abi::TokenSeq;
use alloy_sol_types::{SolType, SolValue};

use crate::abi::Words;
use crate::artefact::creation_code;
use crate::assembly::{Trader, place_deployer};
use crate::evm::{Evm, OWNER};
use crate::revert::Revert;
use crate::storage::{self, bits, tick_bits, words};
use crate::token::Token;

const UNISWAP_FACTORY: &str = "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json";
const UNISWAP_POOL: &str = "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json";
const PANCAKE_POOL: &str = "@pancakeswap/v3-core/artifacts/contracts/PancakeV3Pool.sol/PancakeV3Pool.json";

/// Whose pool contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConcentratedFork {
    /// Uniswap V3.
    Uniswap,
    /// PancakeSwap V3.
    Pancake,
}

impl ConcentratedFork {
    /// Hash of the pool's creation code.
    #[must_use]
    pub fn init_code_hash(self) -> B256 {
        keccak256(creation_code(match self {
            Self::Uniswap => UNISWAP_POOL,
            Self::Pancake => PANCAKE_POOL,
        }))
    }
}

/// A deployed pool with its trader, who owns every position.
#[derive(Debug, Clone, Copy)]
pub struct Concentrated {
    /// Where the pool lives.
    pub address: Address,
    /// Token 0 and token 1.
    pub tokens: [Token; 2],
    /// Who swaps, mints, burns and collects.
    pub trader: Trader,
    fork: ConcentratedFork,
}

/// What the pool stores outside its ticks and positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConcentratedState {
    /// Square root of the price of token 0 in token 1, as 64.96 bits.
    pub sqrt_price_x96: U256,
    /// The tick the price is in.
    pub tick: i32,
    /// Liquidity in range.
    pub liquidity: u128,
    /// The protocol's share, as the contract packs it.
    pub fee_protocol: u32,
    /// Fees of token 0 and token 1 per unit of liquidity, as 128.128 bits.
    pub fee_growth_global_x128: [U256; 2],
    /// Fees of token 0 and token 1 owed to the protocol.
    pub protocol_fees: [u128; 2],
}

/// What the pool stores of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickState {
    /// Liquidity of the positions that begin or end here.
    pub liquidity_gross: u128,
    /// Liquidity that comes in when the price rises through the tick.
    pub liquidity_net: i128,
    /// Fees of token 0 and token 1 on the other side of the tick, as 128.128 bits.
    pub fee_growth_outside_x128: [U256; 2],
    /// Whether a position begins or ends here.
    pub initialized: bool,
}

/// What the pool stores of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionState {
    /// Liquidity of the position.
    pub liquidity: u128,
    /// Fees inside its range at its last change, as 128.128 bits.
    pub fee_growth_inside_last_x128: [U256; 2],
    /// What it may collect of token 0 and token 1.
    pub tokens_owed: [u128; 2],
}

impl Concentrated {
    /// Deploys a pool with `fee` (millionths) and `tick_spacing`, not yet initialised, whose
    /// trader holds 2²⁵⁴ units of each token.
    ///
    /// # Panics
    /// The factory refuses the fee or the spacing.
    pub fn deploy(evm: &mut Evm, fork: ConcentratedFork, fee: u32, tick_spacing: i32) -> Self {
        let tokens = Token::deploy_sorted::<2>(evm);
        let trader = Trader::place(evm, tokens);
        for token in tokens {
            token.set_balance(evm, trader.address, U256::ONE << 254);
        }
        let address = match fork {
            ConcentratedFork::Uniswap => deploy_uniswap(evm, tokens, fee, tick_spacing),
            ConcentratedFork::Pancake => deploy_pancake(evm, tokens, fee, tick_spacing),
        };
        Self { address, tokens, trader, fork }
    }

    /// Sets the first price.
    ///
    /// # Errors
    /// What the pool reverts with.
    pub fn initialize(&self, evm: &mut Evm, sqrt_price_x96: U256) -> Result<(), Revert> {
        self.call(evm, "initialize(uint160)", &(sqrt_price_x96,)).map(|_| ())
    }

    /// Swaps; `amount` is the input when positive and the output when negative. Returns what
    /// the pool receives of each token, negative where it pays.
    ///
    /// # Errors
    /// What the pool reverts with.
    pub fn swap(&self, evm: &mut Evm, zero_for_one: bool, amount: I256, limit: U256) -> Result<[I256; 2], Revert> {
        let arguments = (self.trader.address, zero_for_one, amount, limit, Bytes::new());
        let answer = self.call(evm, "swap(address,bool,int256,uint160,bytes)", &arguments)?;
        Ok([answer.signed(0), answer.signed(1)])
    }

    /// Adds liquidity to a position; returns what it costs.
    ///
    /// # Errors
    /// What the pool reverts with.
    pub fn mint(&self, evm: &mut Evm, lower: i32, upper: i32, liquidity: u128) -> Result<[U256; 2], Revert> {
        let arguments = (self.trader.address, lower, upper, liquidity, Bytes::new());
        pair(&self.call(evm, "mint(address,int24,int24,uint128,bytes)", &arguments)?)
    }

    /// Takes liquidity out of a position; returns what it is then owed.
    ///
    /// # Errors
    /// What the pool reverts with.
    pub fn burn(&self, evm: &mut Evm, lower: i32, upper: i32, liquidity: u128) -> Result<[U256; 2], Revert> {
        pair(&self.call(evm, "burn(int24,int24,uint128)", &(lower, upper, liquidity))?)
    }

    /// Collects at most `amounts` of what a position is owed; returns what was paid.
    ///
    /// # Errors
    /// What the pool reverts with.
    pub fn collect(&self, evm: &mut Evm, lower: i32, upper: i32, amounts: [u128; 2]) -> Result<[U256; 2], Revert> {
        let arguments = (self.trader.address, lower, upper, amounts[0], amounts[1]);
        pair(&self.call(evm, "collect(address,int24,int24,uint128,uint128)", &arguments)?)
    }

    /// Borrows `amounts` and pays back those, the fees and `extra`.
    ///
    /// # Errors
    /// What the pool reverts with.
    pub fn flash(&self, evm: &mut Evm, amounts: [U256; 2], extra: [U256; 2]) -> Result<(), Revert> {
        let data: Bytes = (amounts[0] + extra[0], amounts[1] + extra[1]).abi_encode_params().into();
        let arguments = (self.trader.address, amounts[0], amounts[1], data);
        self.call(evm, "flash(address,uint256,uint256,bytes)", &arguments).map(|_| ())
    }

    /// The owner sets the protocol's share of the fees of each token, in the contract's unit.
    ///
    /// # Errors
    /// What the pool reverts with.
    pub fn set_fee_protocol(&self, evm: &mut Evm, shares: [u32; 2]) -> Result<(), Revert> {
        let signature = match self.fork {
            ConcentratedFork::Uniswap => "setFeeProtocol(uint8,uint8)",
            ConcentratedFork::Pancake => "setFeeProtocol(uint32,uint32)",
        };
        evm.transact(OWNER, self.address, signature, &(shares[0], shares[1])).map(|_| ())
    }

    /// The owner collects at most `amounts` of the protocol's fees; returns what was paid.
    ///
    /// # Errors
    /// What the pool reverts with.
    pub fn collect_protocol(&self, evm: &mut Evm, amounts: [u128; 2]) -> Result<[U256; 2], Revert> {
        let arguments = (OWNER, amounts[0], amounts[1]);
        pair(&evm.transact(OWNER, self.address, "collectProtocol(address,uint128,uint128)", &arguments)?)
    }

    /// What the pool stores outside its ticks and positions.
    #[must_use]
    pub fn state(&self, evm: &Evm) -> ConcentratedState {
        let [slot0, overflow] = words(evm, self.address, U256::ZERO);
        let [growth_0, growth_1, fees, liquidity] = words(evm, self.address, self.field(1));
        ConcentratedState {
            sqrt_price_x96: bits(slot0, 0, 160),
            tick: tick_bits(slot0, 160),
            liquidity: bits(liquidity, 0, 128),
            fee_protocol: match self.fork {
                ConcentratedFork::Uniswap => bits(slot0, 232, 8),
                ConcentratedFork::Pancake => bits(overflow, 0, 32),
            },
            fee_growth_global_x128: [growth_0, growth_1],
            protocol_fees: [bits(fees, 0, 128), bits(fees, 128, 128)],
        }
    }

    /// What the pool stores of a tick.
    #[must_use]
    pub fn tick(&self, evm: &Evm, tick: i32) -> TickState {
        storage::tick(evm, self.address, self.field(5), tick)
    }

    /// What the pool stores of the trader's position between two ticks.
    #[must_use]
    pub fn position(&self, evm: &Evm, lower: i32, upper: i32) -> PositionState {
        let place = storage::position(self.trader.address, lower, upper, &[], self.field(7));
        let [liquidity, inside_0, inside_1, owed] = words(evm, self.address, place);
        PositionState {
            liquidity: bits(liquidity, 0, 128),
            fee_growth_inside_last_x128: [inside_0, inside_1],
            tokens_owed: [bits(owed, 0, 128), bits(owed, 128, 128)],
        }
    }

    /// The slot of a field by its place in Uniswap's contract; Pancake's first one takes two.
    fn field(&self, place: u64) -> U256 {
        U256::from(place + u64::from(self.fork == ConcentratedFork::Pancake))
    }

    /// What the pool holds of each token.
    #[must_use]
    pub fn balances(&self, evm: &Evm) -> [U256; 2] {
        self.tokens.map(|token| token.balance(evm, self.address))
    }

    fn call<A: SolValue>(&self, evm: &mut Evm, signature: &str, arguments: &A) -> Result<Words, Revert>
    where
        for<'a> <A::SolType as SolType>::Token<'a>: TokenSeq<'a>,
    {
        self.trader.call(evm, self.address, signature, arguments)
    }
}

fn pair(words: &Words) -> Result<[U256; 2], Revert> {
    Ok([words.unsigned(0), words.unsigned(1)])
}

fn deploy_uniswap(evm: &mut Evm, tokens: [Token; 2], fee: u32, tick_spacing: i32) -> Address {
    let factory = evm.deploy(&creation_code(UNISWAP_FACTORY), &()).expect("the factory deploys");
    let known = evm.view(factory, "feeAmountTickSpacing(uint24)", &(fee,)).expect("a getter");
    if known.unsigned(0).is_zero() {
        let arguments = (fee, tick_spacing);
        evm.transact(OWNER, factory, "enableFeeAmount(uint24,int24)", &arguments).expect("a fee and spacing in range");
    }
    let arguments = (tokens[0].address, tokens[1].address, fee);
    evm.transact(OWNER, factory, "createPool(address,address,uint24)", &arguments).expect("a new pool").address(0)
}

/// The package lacks the code of Pancake's deployer: one of our own answers the pool's
/// constructor, and names the owner as the factory.
fn deploy_pancake(evm: &mut Evm, tokens: [Token; 2], fee: u32, tick_spacing: i32) -> Address {
    let deployer = address!("3000000000000000000000000000000000000003");
    let words = [OWNER, tokens[0].address, tokens[1].address].map(|address| address.into_word().into());
    let spacing = I256::try_from(tick_spacing).expect("a small number").into_raw();
    place_deployer(evm, deployer, &[words[0], words[1], words[2], U256::from(fee), spacing]);
    evm.transact_raw(OWNER, deployer, creation_code(PANCAKE_POOL)).expect("the pool deploys").address(0)
}
