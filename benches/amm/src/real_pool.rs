//! The real WBTC/WETH pool in each contender's own form.

use std::collections::HashMap;

use amms::amms::Token;
use amms::amms::uniswap_v3::{Info, UniswapV3Pool};
use assay_amm::kind::UniswapV3;
use assay_amm::{Pool, U256};
use assay_bytecode::{Address, Bytes, Concentrated, ConcentratedFork, Evm, Words, call_data, creation_code, keccak256};

use crate::data;

const STATE: &str = "arbitrage/quotes/states/chain_data/1/uniswap_v3_wbtc_weth_block_24407242.json";
const QUOTER: &str = "@uniswap/v3-periphery/artifacts/contracts/lens/Quoter.sol/Quoter.json";

/// The tokens' addresses where a contender wants some.
pub const TOKENS: [Address; 2] = [Address::repeat_byte(1), Address::repeat_byte(2)];

/// Our pool.
pub fn ours() -> Pool {
    data::state(STATE).pool
}

/// The kind behind [`ours`].
pub fn v3(pool: &Pool) -> &UniswapV3 {
    let Pool::UniswapV3(pool) = pool else { panic!("{STATE} is no V3 pool") };
    pool
}

/// The pool of amms-rs.
pub fn of_amms(pool: &UniswapV3) -> UniswapV3Pool {
    let core = &pool.core;
    let mut tick_bitmap: HashMap<i16, U256> = HashMap::new();
    let mut ticks = HashMap::new();
    for tick in core.ticks.iter() {
        let (word, bit) = place_in_bitmap(tick.index, core.tick_spacing());
        *tick_bitmap.entry(word).or_default() |= U256::ONE << bit;
        ticks.insert(tick.index, Info::new(tick.liquidity_gross, tick.liquidity_net, true));
    }
    UniswapV3Pool {
        address: Address::repeat_byte(3),
        token_a: Token::new_with_decimals(TOKENS[0], 8),
        token_b: Token::new_with_decimals(TOKENS[1], 18),
        liquidity: core.liquidity,
        sqrt_price: core.sqrt_price_x96,
        fee: pool.fee_pips(),
        tick: core.tick,
        tick_spacing: core.tick_spacing(),
        tick_bitmap,
        ticks,
    }
}

/// The deployed contracts: the pool with its storage written slot by slot, and the quoter.
pub struct OnChain {
    evm: Evm,
    quoter: Address,
    tokens: [Address; 2],
    fee_pips: u32,
}

impl OnChain {
    pub fn new(pool: &UniswapV3) -> Self {
        let core = &pool.core;
        let mut evm = Evm::new();
        let contract = Concentrated::deploy(&mut evm, ConcentratedFork::Uniswap, pool.fee_pips(), core.tick_spacing());
        contract.initialize(&mut evm, core.sqrt_price_x96).expect("a price in range");
        for token in contract.tokens {
            token.set_balance(&mut evm, contract.address, U256::ONE << 128);
        }
        // Slot 0 packs price, tick and the oracle's place, which stays as initialised.
        let slot0 = evm.slot(contract.address, U256::ZERO);
        let tick = U256::from(core.tick as u32 & 0xff_ffff) << 160;
        let others = slot0 >> 184_usize << 184_usize;
        evm.set_slot(contract.address, U256::ZERO, others | tick | core.sqrt_price_x96);
        evm.set_slot(contract.address, U256::from(4), U256::from(core.liquidity));
        let mut bitmap: HashMap<i16, U256> = HashMap::new();
        for tick in core.ticks.iter() {
            let info = mapping_slot(tick.index.into(), 5);
            let net = U256::from(tick.liquidity_net as u128) << 128;
            evm.set_slot(contract.address, info, U256::from(tick.liquidity_gross) | net);
            evm.set_slot(contract.address, info + U256::from(3), U256::ONE << 248);
            let (word, bit) = place_in_bitmap(tick.index, core.tick_spacing());
            *bitmap.entry(word).or_default() |= U256::ONE << bit;
        }
        for (word, bits) in bitmap {
            evm.set_slot(contract.address, mapping_slot(word.into(), 6), bits);
        }
        let factory = evm.view(contract.address, "factory()", &()).expect("a getter").address(0);
        let quoter =
            evm.deploy(&creation_code(QUOTER), &(factory, Address::repeat_byte(4))).expect("the quoter deploys");
        Self { evm, quoter, tokens: contract.tokens.map(|token| token.address), fee_pips: pool.fee_pips() }
    }

    /// The call that asks the quoter.
    pub fn question(&self, token_in: usize, amount: U256) -> Bytes {
        let arguments = (self.tokens[token_in], self.tokens[1 - token_in], self.fee_pips, amount, U256::ZERO);
        call_data("quoteExactInputSingle(address,address,uint24,uint256,uint160)", &arguments)
    }

    /// What the quoter answers.
    pub fn answer(&mut self, question: &Bytes) -> Words {
        self.evm.view_raw(self.quoter, question.clone()).expect("the quoter answers")
    }
}

fn place_in_bitmap(tick: i32, spacing: i32) -> (i16, usize) {
    let compressed = tick.div_euclid(spacing);
    ((compressed >> 8) as i16, (compressed & 0xff) as usize)
}

/// Where a mapping from a signed number keeps its value.
fn mapping_slot(key: i64, slot: u8) -> U256 {
    let sign = if key < 0 { u64::MAX } else { 0 };
    let mut preimage = U256::from_limbs([key as u64, sign, sign, sign]).to_be_bytes::<32>().to_vec();
    preimage.extend(U256::from(slot).to_be_bytes::<32>());
    keccak256(preimage).into()
}
