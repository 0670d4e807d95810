//! A Uniswap V3 market on a running node: the real factory, position manager, router and
//! tokens, with traffic from the node's first unlocked account.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolValue;
use serde_json::{Value, json};

use crate::abi::call_data;
use crate::artefact::creation_code;

const FACTORY: &str = "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json";
const MANAGER: &str =
    "@uniswap/v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json";
const ROUTER: &str = "@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json";
const TOKEN: &str = "@uniswap/v2-core/build/ERC20.json";

/// Gas of every transaction: what the largest here needs, below the most that a chain allows.
const GAS: u64 = 16_000_000;

/// A swap of an exact input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketSwap {
    /// Whether token 0 is paid in.
    pub zero_for_one: bool,
    /// The input, or the output when `exact_out`.
    pub amount: u128,
    /// Whether `amount` is what the swap pays out.
    pub exact_out: bool,
}

/// A pool on a node, and the contracts around it.
pub struct Market<R> {
    /// The pool.
    pub pool: Address,
    /// Its factory.
    pub factory: Address,
    /// Token 0 and token 1.
    pub tokens: [Address; 2],
    /// The owner of all positions.
    pub manager: Address,
    /// The fee in millionths.
    pub fee_pips: u32,
    rpc: R,
    account: Address,
    router: Address,
}

impl<R: Fn(&str, Value) -> Value> Market<R> {
    /// Deploys everything and sets the pool's first price. `rpc` asks the node one thing and
    /// panics when it says no; `fee_pips` is 500, 3,000 or 10,000.
    ///
    /// # Panics
    /// The node refuses a transaction, or does not mine each at once.
    pub fn deploy(rpc: R, fee_pips: u32, sqrt_price_x96: U256) -> Self {
        let account = address_of(&rpc("eth_accounts", json!([]))[0]);
        let create = |path: &str, arguments: Vec<u8>| {
            let code = [creation_code(path).as_ref(), &arguments].concat();
            address_of(&transact(&rpc, account, None, &code.into())["contractAddress"])
        };
        let mut tokens = [(); 2].map(|()| create(TOKEN, (U256::MAX,).abi_encode_params()));
        tokens.sort();
        let factory = create(FACTORY, Vec::new());
        // Nobody pays with the chain's own coin here, so it needs no wrapper.
        let router = create(ROUTER, (factory, Address::ZERO).abi_encode_params());
        let manager = create(MANAGER, (factory, Address::ZERO, Address::ZERO).abi_encode_params());
        let mut market = Self { pool: Address::ZERO, factory, tokens, manager, fee_pips, rpc, account, router };
        for token in tokens {
            for spender in [router, manager] {
                market.send(token, &call_data("approve(address,uint256)", &(spender, U256::MAX)));
            }
        }
        let signature = "createAndInitializePoolIfNecessary(address,address,uint24,uint160)";
        market.send(manager, &call_data(signature, &(tokens[0], tokens[1], fee_pips, sqrt_price_x96)));
        let question = call_data("getPool(address,address,uint24)", &(tokens[0], tokens[1], fee_pips));
        let answer =
            (market.rpc)("eth_call", json!([{ "to": factory.to_string(), "data": question.to_string() }, "latest"]));
        market.pool = Address::from_word(word_of(&answer));
        market
    }

    /// Opens a position with at most `amount` of each token.
    pub fn mint(&self, lower: i32, upper: i32, amount: u128) {
        let signature = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))";
        let [token_0, token_1] = self.tokens;
        let none = U256::ZERO;
        let (amount, end) = (U256::from(amount), U256::MAX);
        let arguments = (token_0, token_1, self.fee_pips, lower, upper, amount, amount, none, none, self.account, end);
        self.send(self.manager, &call_data(signature, &arguments));
    }

    /// Takes liquidity out of the position with this number; the first one minted is 1.
    pub fn burn(&self, position: u64, liquidity: u128) {
        let signature = "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))";
        let arguments = (U256::from(position), liquidity, U256::ZERO, U256::ZERO, U256::MAX);
        self.send(self.manager, &call_data(signature, &arguments));
    }

    /// Collects everything that the position is owed.
    pub fn collect(&self, position: u64) {
        let signature = "collect((uint256,address,uint128,uint128))";
        let arguments = (U256::from(position), self.account, u128::MAX, u128::MAX);
        self.send(self.manager, &call_data(signature, &arguments));
    }

    /// Swaps one after the other in one transaction.
    pub fn swap(&self, swaps: &[MarketSwap]) {
        let calls: Vec<Bytes> = swaps.iter().map(|swap| self.swap_data(*swap)).collect();
        self.send(self.router, &call_data("multicall(bytes[])", &(calls,)));
    }

    /// Every kind of traffic, over the edges of several positions: 53 transactions with 4 mints,
    /// 43 swaps, 8 burns (every collect touches its position by one) and 4 collects. Taken twice, its positions are still the first ones.
    ///
    /// # Panics
    /// As [`Market::deploy`].
    pub fn traffic(&self) {
        self.mint(-600, 600, 10_u128.pow(18));
        self.mint(-60, 120, 10_u128.pow(18));
        self.mint(-6000, -60, 10_u128.pow(17));
        for round in 0..40_u64 {
            let amount = 10_u128.pow(15) * u128::from(1 + round * 7 % 13) * if round % 9 == 8 { 12 } else { 1 };
            self.swap(&[MarketSwap { zero_for_one: round % 3 != 1, amount, exact_out: round % 5 == 4 }]);
            if round % 10 == 9 {
                self.burn(1 + round / 10 % 3, 10_u128.pow(17));
                self.collect(1 + round / 10 % 3);
            }
        }
        self.mint(-120, 60, 10_u128.pow(16));
        let small = |zero_for_one| MarketSwap { zero_for_one, amount: 777, exact_out: false };
        self.swap(&[false, true, false].map(small));
    }

    fn swap_data(&self, swap: MarketSwap) -> Bytes {
        let name = if swap.exact_out { "exactOutputSingle" } else { "exactInputSingle" };
        let signature = format!("{name}((address,address,uint24,address,uint256,uint256,uint256,uint160))");
        let [token_in, token_out] = if swap.zero_for_one { self.tokens } else { [self.tokens[1], self.tokens[0]] };
        let bound = if swap.exact_out { U256::MAX } else { U256::ZERO };
        let amount = U256::from(swap.amount);
        let arguments = (token_in, token_out, self.fee_pips, self.account, U256::MAX, amount, bound, U256::ZERO);
        call_data(&signature, &arguments)
    }

    fn send(&self, to: Address, data: &Bytes) {
        transact(&self.rpc, self.account, Some(to), data);
    }
}

/// The receipt of a transaction that is mined and succeeds.
fn transact(rpc: &impl Fn(&str, Value) -> Value, from: Address, to: Option<Address>, data: &Bytes) -> Value {
    let mut transaction = json!({ "from": from.to_string(), "data": data.to_string(), "gas": format!("{GAS:#x}") });
    if let Some(to) = to {
        transaction["to"] = json!(to.to_string());
    }
    let receipt = rpc("eth_sendTransactionSync", json!([transaction]));
    assert!(receipt["status"] == "0x1", "the transaction reverts: {receipt}");
    receipt
}

fn word_of(value: &Value) -> B256 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no word"))
}

fn address_of(value: &Value) -> Address {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no address"))
}
