//! Paths that a peer's solver got wrong in the field, as regression tests: the engine says
//! what the chain said. Sizing must chain the integer output of each hop.

use std::collections::BTreeMap;

use crate::recorded::read;
use assay_amm::concentrated::{Core, Tick};
use assay_amm::kind::{UniswapV2, UniswapV3, UniswapV4};
use assay_amm::{AmmError, Context, Pool, U256};
use serde::Deserialize;
use serde_json::value::RawValue;

const STATES: &str = "arbitrage/quotes/states";

#[derive(Deserialize)]
struct TickText {
    liquidity_gross: String,
    liquidity_net: String,
}

#[derive(Deserialize)]
struct Recorded {
    family: String,
    #[serde(default)]
    tick_spacing: i32,
    #[serde(default)]
    tick_data: BTreeMap<i32, TickText>,
    #[serde(default)]
    sqrt_price_x96: String,
    #[serde(default)]
    tick: i32,
    #[serde(default)]
    liquidity: String,
    fee_token0: Option<u32>,
    fee_currency0: Option<u32>,
    #[serde(default)]
    protocol_fee: u32,
    lp_fee: Option<u32>,
    #[serde(default)]
    reserve0: String,
    #[serde(default)]
    reserve1: String,
}

impl Recorded {
    fn core(&self) -> Result<Core, AmmError> {
        let ticks: Vec<Tick> = self
            .tick_data
            .iter()
            .map(|(index, tick)| Tick {
                index: *index,
                liquidity_gross: tick.liquidity_gross.parse().unwrap(),
                liquidity_net: tick.liquidity_net.parse().unwrap(),
                fee_growth_outside_x128: [U256::ZERO; 2],
            })
            .collect();
        let price = self.sqrt_price_x96.parse().unwrap();
        Core::recorded(self.tick_spacing, price, self.tick, self.liquidity.parse().unwrap(), &ticks)
    }

    fn pool(&self) -> Pool {
        match self.family.as_str() {
            "uniswap_v2" | "sushiswap_v2" => {
                let reserves = [self.reserve0.parse().unwrap(), self.reserve1.parse().unwrap()];
                Pool::UniswapV2(UniswapV2::new(reserves, 3, 1000).unwrap())
            }
            "uniswap_v3" | "pancakeswap_v3" => {
                let pancake = self.family.starts_with("pancake");
                Pool::UniswapV3(UniswapV3::new(self.core().unwrap(), self.fee_token0.unwrap(), pancake).unwrap())
            }
            "uniswap_v4" => {
                let fee = self.lp_fee.or(self.fee_currency0).unwrap();
                // Two fields of twelve bits: token 0 for token 1, then the other way.
                let protocol = [self.protocol_fee & 0xfff, self.protocol_fee >> 12];
                Pool::UniswapV4(UniswapV4::new(self.core().unwrap(), fee, protocol).unwrap())
            }
            other => panic!("family {other}"),
        }
    }
}

fn recorded(file: &str) -> BTreeMap<String, Recorded> {
    #[derive(Deserialize)]
    struct File<'a> {
        #[serde(borrow)]
        pools: BTreeMap<String, &'a RawValue>,
    }
    let text = read(&format!("{STATES}/{file}"));
    let file: File = serde_json::from_str(&text).unwrap();
    file.pools.into_iter().map(|(name, raw)| (name, serde_json::from_str(raw.get()).unwrap())).collect()
}

fn pools(file: &str) -> BTreeMap<String, Pool> {
    recorded(file).into_iter().map(|(name, recorded)| (name, recorded.pool())).collect()
}

fn sell(pool: &Pool, zero_for_one: bool, amount_in: u128) -> Result<U256, AmmError> {
    let (token_in, token_out) = if zero_for_one { (0, 1) } else { (1, 0) };
    Ok(pool.quote_exact_in(token_in, token_out, U256::from(amount_in), &Context::default())?.amount_out)
}

/// The last hop was priced at one unit more than the hop before delivers, so the pair
/// refused with `UniswapV2: K`.
#[test]
fn a_hop_over_predicted_by_one_unit() {
    let pools = pools("path110302_v3v4v2_block25711761.json");
    let pair = &pools["v2_2"];
    assert_eq!(sell(pair, false, 58_233_015).unwrap(), U256::from(30_263_206_361_603_722_u64));
    assert_eq!(sell(pair, false, 58_233_016).unwrap(), U256::from(30_263_206_881_291_235_u64));
    // What the solver wanted out costs the unit that was not there.
    let wanted = U256::from(30_263_206_881_291_235_u64);
    let paid = pair.quote_exact_out(1, 0, wanted, &Context::default()).unwrap().amount_in;
    assert_eq!(paid, U256::from(58_233_016));
    // Chained from the recorded input, each hop takes what the one before gave.
    let usdc = sell(&pools["v3_0"], false, 30_261_840_128_124_434).unwrap();
    let usdt = sell(&pools["v4"], true, usdc.to()).unwrap();
    crate::recorded::say(&format!("path110302: {usdc} then {usdt}, recorded 58199277 then 58233015"));
    assert_eq!((usdc, usdt), (U256::from(58_199_277), U256::from(58_233_015)));
}

#[test]
fn the_same_failure_on_another_path() {
    let pools = pools("path182449_v4v4v2_block25731019.json");
    let pair = &pools["v2_c"];
    assert_eq!(sell(pair, false, 9_085_365).unwrap(), U256::from(4_820_488_325_483_365_u64));
    let wanted = U256::from(4_820_488_856_043_000_u64);
    let paid = pair.quote_exact_out(1, 0, wanted, &Context::default()).unwrap().amount_in;
    assert_eq!(paid, U256::from(9_085_366));
    let usdc = sell(&pools["v4_a"], false, 4_820_058_343_725_384).unwrap();
    let usdt = sell(&pools["v4_b"], true, usdc.to()).unwrap();
    crate::recorded::say(&format!("path182449: {usdc} then {usdt}, recorded 9079140 then 9085365"));
    assert_eq!((usdc, usdt), (U256::from(9_079_140), U256::from(9_085_365)));
}

/// The hop runs out of liquidity 17 ticks above the price; the solver predicted an output.
#[test]
fn liquidity_that_ends_is_an_error() {
    let pools = pools("path5000_v2v4v3_block25704509.json");
    let first = sell(&pools["v2_0"], false, 609_423_299_125);
    assert_eq!(first.unwrap(), U256::from(15_351_327_867_212_777_u64));
    let pool = &pools["v4"];
    let all = pool.max_in(1, 0, &Context::default()).unwrap();
    crate::recorded::say(&format!("path5000: the V4 pool takes at most {all} of token 1"));
    assert!(sell(pool, false, all.to()).is_ok());
    let beyond = pool.quote_exact_in(1, 0, all + U256::ONE, &Context::default());
    assert!(matches!(beyond, Err(AmmError::LiquidityExhausted { .. })), "{beyond:?}");
}

/// The solver merged steps that the contract rounds one by one and said 3 units too much.
#[test]
fn steps_round_one_by_one() {
    let pools = pools("path73385_v4_block25706469.json");
    assert_eq!(sell(&pools["v4"], true, 85_060_245).unwrap(), U256::from(85_097_881));
}

/// The ticks of this record are older than its price: they do not sum to its liquidity, and
/// the engine says so. The hop itself reaches no tick.
#[test]
fn ticks_that_contradict_the_liquidity_are_refused() {
    let state = &recorded("v4_crossing_9a5c1d2f_block25673381.json")["v4"];
    let error = state.core().unwrap_err();
    assert!(error.to_string().contains("sum to 2184346460330939481"), "{error}");
    let mut core = Core::new(state.tick_spacing, state.sqrt_price_x96.parse().unwrap()).unwrap();
    (core.liquidity, core.known) = (state.liquidity.parse().unwrap(), (state.tick, state.tick + 1));
    let protocol = [state.protocol_fee & 0xfff, state.protocol_fee >> 12];
    let pool = Pool::UniswapV4(UniswapV4::new(core, 3000, protocol).unwrap());
    assert_eq!(sell(&pool, false, 3135).unwrap(), U256::from(772_076_574_181_336_u64));
    // Far beyond, the unknown ticks would decide.
    assert!(matches!(sell(&pool, false, 1 << 60), Err(AmmError::UnknownTicks { .. })));
}
