//! Bytes of a V3 pool with 500 ticks.

use amms::amms::uniswap_v3::{Info, UniswapV3Pool};
use assay_amm::U256;
use assay_amm::concentrated::{Core, PositionKey};
use assay_amm::kind::UniswapV3;

use crate::real_pool::of_amms;

const TICKS: i32 = 500;
const SPACING: i32 = 60;

pub fn run() {
    let core = Core::new(SPACING, U256::ONE << 96).expect("a price in range");
    let mut pool = UniswapV3::new(core, 3000, false).expect("a fee in range");
    for index in 0..TICKS / 2 {
        let (tick_lower, tick_upper) = ((index - TICKS / 2) * SPACING, (index + 1) * SPACING);
        let key = PositionKey { owner: U256::ZERO, tick_lower, tick_upper };
        pool.mint(key, 1_000_000_000_000_000_000 + index.unsigned_abs() as u128).expect("liquidity at usable ticks");
    }
    assert_eq!(pool.core.ticks.len(), TICKS as usize);
    let peer = of_amms(&pool);
    println!(
        "{}",
        serde_json::json!({
            "case": "memory",
            "ticks": TICKS,
            "bytes": pool.core.bytes() + size_of::<UniswapV3>() - size_of::<Core>(),
            "amms_bytes": size_of::<UniswapV3Pool>()
                + table_bytes(peer.ticks.capacity(), size_of::<(i32, Info)>())
                + table_bytes(peer.tick_bitmap.capacity(), size_of::<(i16, U256)>()),
        })
    );
}

/// A hash map holds a power of two of entries with a byte of control each, of which seven
/// eighths count as its capacity.
fn table_bytes(capacity: usize, entry: usize) -> usize {
    (capacity * 8).div_ceil(7).next_power_of_two() * (entry + 1)
}
