//! One swap of a constant-product pair.

use std::hint::black_box;

use amms::amms::Token;
use amms::amms::amm::AutomatedMarketMaker;
use amms::amms::uniswap_v2::UniswapV2Pool;
use assay_amm::kind::UniswapV2;
use assay_amm::{Context, U256};
use assay_bytecode::{Address, Bytes, Evm, OWNER, Pair, PairFork, call_data};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::measure::{Contender, race};

const AMOUNTS: usize = 64;

/// A pair and the sizes of its swaps.
struct Case {
    name: &'static str,
    reserves: [u128; 2],
    /// The smallest amount; the largest is 1,000 times as much.
    least: u128,
}

pub fn run() {
    compare(&Case {
        name: "USDC to WETH",
        reserves: [31_847_209_411_502, 9_874_553_108_277_413_906_123],
        least: 10_000_000,
    });
    compare(&Case {
        name: "WETH to an 18-decimal token",
        reserves: [9_874_553_108_277_413_906_123, 31_847_209_411_502_884_197_169_399],
        least: 10_000_000_000_000_000,
    });
}

fn compare(case: &Case) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let amounts: Vec<U256> =
        (0..AMOUNTS).map(|_| U256::from(case.least + u128::from(random.next_u64()) % (case.least * 999))).collect();
    let ours = UniswapV2::new(case.reserves, 3, 1000).expect("reserves of a real pair");
    let context = Context::default();
    let expected: Vec<U256> = amounts
        .iter()
        .map(|amount| ours.quote_exact_in(0, 1, *amount, &context).expect("a swap of a real pair").amount_out)
        .collect();

    let tokens = [Address::repeat_byte(1), Address::repeat_byte(2)];
    let amms = UniswapV2Pool {
        address: Address::repeat_byte(3),
        token_a: Token::new_with_decimals(tokens[0], 18),
        token_b: Token::new_with_decimals(tokens[1], 18),
        reserve_0: case.reserves[0],
        reserve_1: case.reserves[1],
        fee: 300,
    };
    for (amount, out) in amounts.iter().zip(&expected) {
        assert_eq!(amms.simulate_swap(tokens[0], tokens[1], *amount).expect("amms answers"), *out, "{amount} in");
    }

    let mut evm = Evm::new();
    let pair = Pair::deploy(&mut evm, PairFork::Uniswap);
    pair.set_reserves(&mut evm, case.reserves);
    // Paid in beforehand, so that the timed transaction is the swap alone.
    pair.tokens[0].pay(&mut evm, pair.address, amounts[0]);
    let swap = |out: U256| call_data("swap(uint256,uint256,address,bytes)", &(U256::ZERO, out, OWNER, Bytes::new()));
    let (exact, more) = (swap(expected[0]), swap(expected[0] + U256::ONE));
    evm.view_raw(pair.address, exact.clone()).expect("the pair gives what we quote");
    evm.view_raw(pair.address, more).expect_err("and not a unit more");

    race(
        case.name,
        vec![
            Contender::new("assay", AMOUNTS, || {
                for amount in &amounts {
                    let _ = black_box(ours.quote_exact_in(0, 1, black_box(*amount), &context));
                }
            }),
            Contender::new("amms-rs", AMOUNTS, || {
                for amount in &amounts {
                    let _ = black_box(amms.simulate_swap(tokens[0], tokens[1], black_box(*amount)));
                }
            }),
            Contender::new("the pair in revm", 1, || evm.view_raw(pair.address, exact.clone())),
        ],
    );
}
