//! `get_dy` of two real Curve pools.

use std::hint::black_box;

use assay_amm::kind::curve_crypto::CryptoGeneration;
use assay_amm::snapshot::Snapshot;
use assay_amm::{Pool, U256};

use crate::data;
use crate::measure::{Contender, race};

const THREE_POOL: &str = "arbitrage/quotes/states/chain_data/1/curve_tripool_block_24407242.json";
const TRICRYPTO: &str = "arbitrage/quotes/states/chain_data/1/curve_tricrypto_block_24407242.json";

pub fn run() {
    let three = data::state(THREE_POOL);
    let tricrypto = data::state(TRICRYPTO);
    let (three_peer, tricrypto_peer) = (stable(&three), crypto(&tricrypto));
    compare("Curve 3pool get_dy, 1,000 DAI to USDC", &three, &three_peer, U256::from(10).pow(U256::from(21)));
    compare("Curve tricrypto get_dy, 1,000 USDT to WBTC", &tricrypto, &tricrypto_peer, U256::from(1_000_000_000));
}

fn compare(name: &str, ours: &Snapshot, peer: &curve_math::Pool, amount: U256) {
    let (pool, context) = (&ours.pool, ours.context());
    let expected = pool.quote_exact_in(0, 1, amount, &context).expect("the pool has this much").amount_out;
    assert_eq!(peer.get_amount_out(0, 1, amount), Some(expected), "{name}");
    race(
        name,
        vec![
            Contender::new("assay", 1, || pool.quote_exact_in(0, 1, black_box(amount), &context)),
            Contender::new("curve-math", 1, || peer.get_amount_out(0, 1, black_box(amount))),
        ],
    );
}

fn stable(snapshot: &Snapshot) -> curve_math::Pool {
    let Pool::CurvePlain(pool) = &snapshot.pool else { panic!("{THREE_POOL} is no plain pool") };
    curve_math::Pool::StableSwapV1 {
        balances: pool.balances.clone(),
        rates: pool.rates.clone(),
        amp: pool.amplification.at(&snapshot.context()).expect("a ramp that is over"),
        fee: U256::from(pool.fee),
    }
}

fn crypto(snapshot: &Snapshot) -> curve_math::Pool {
    let Pool::CurveCryptoThree(pool) = &snapshot.pool else { panic!("{TRICRYPTO} has no three coins") };
    // The first tricrypto counts A in hundredths, the peer in ten thousandths.
    let unit = if pool.generation == CryptoGeneration::FirstTricrypto { 100 } else { 1 };
    let three = |values: &[U256]| <[U256; 3]>::try_from(values).expect("three coins");
    curve_math::Pool::TriCryptoV1 {
        balances: three(&pool.balances),
        precisions: three(&pool.precisions),
        price_scale: pool.price_scale[..].try_into().expect("two prices"),
        d: pool.d,
        ann: pool.shape.a[1] * U256::from(unit),
        gamma: pool.shape.gamma[1],
        mid_fee: U256::from(pool.fee.mid),
        out_fee: U256::from(pool.fee.out),
        fee_gamma: pool.fee.gamma,
    }
}
