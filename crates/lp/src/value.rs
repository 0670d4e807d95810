//! What tokens are worth in token 1 at a square-root price.

use assay_amm::{U256, U512};

use crate::amounts::Amounts;

/// `floor(amount0 · price) + amount1`, in units of token 1; `None` above 256 bits.
#[must_use]
pub fn value_in_token1(amounts: Amounts, sqrt_price_x96: U256) -> Option<U256> {
    token0_value(amounts.amount0, sqrt_price_x96)?.checked_add(amounts.amount1)
}

/// `floor(amount0 · price)`, in units of token 1; `None` above 256 bits.
#[must_use]
pub fn token0_value(amount0: U256, sqrt_price_x96: U256) -> Option<U256> {
    if sqrt_price_x96.bit_len() > 160 || amount0.bit_len() > 192 {
        return None;
    }
    let square: U512 = U512::from(sqrt_price_x96) * U512::from(sqrt_price_x96);
    let value: U512 = (square * U512::from(amount0)) >> 192;
    (value.bit_len() <= 256).then(|| U256::from_limbs_slice(&value.as_limbs()[..4]))
}

/// The price as a float, token 1 per token 0 in smallest units; for people.
#[must_use]
pub fn price_float(sqrt_price_x96: U256) -> f64 {
    const Q96: f64 = 79_228_162_514_264_337_593_543_950_336.0;
    let root = assay_amm::integer::to_f64(sqrt_price_x96) / Q96;
    root * root
}

/// The most liquidity that `amounts` pay for in a range at a price, rounded down as the
/// periphery's `LiquidityAmounts` does; `None` above 128 bits. The bounds are square-root
/// prices, the lower one below the upper one.
#[must_use]
pub fn liquidity_for(amounts: Amounts, sqrt_price: U256, lower: U256, upper: U256) -> Option<u128> {
    use assay_amm::integer::mul_div;
    let q96 = U256::ONE << 96;
    let of_token0 = |from: U256, to: U256| mul_div(amounts.amount0, mul_div(from, to, q96)?, to - from);
    let of_token1 = |from: U256, to: U256| mul_div(amounts.amount1, q96, to - from);
    let liquidity = if sqrt_price <= lower {
        of_token0(lower, upper)?
    } else if sqrt_price < upper {
        of_token0(sqrt_price, upper)?.min(of_token1(lower, sqrt_price)?)
    } else {
        of_token1(lower, upper)?
    };
    u128::try_from(liquidity).ok()
}

#[cfg(test)]
mod tests {
    use assay_amm::concentrated::{amount1_delta, sqrt_price_at_tick};

    use super::*;

    /// A position entered at tick 0 in [−100, 100] with 1e8 of both, valued at tick 200.
    #[test]
    fn the_published_position() {
        let price = |tick| sqrt_price_at_tick(tick).unwrap();
        let amounts = Amounts::from([U256::from(100_000_000); 2]);
        let liquidity = liquidity_for(amounts, price(0), price(-100), price(100)).unwrap();
        assert_eq!(amount1_delta(price(-100), price(100), liquidity, false), U256::from(200_501_226));
        assert_eq!(value_in_token1(amounts, price(200)), Some(U256::from(202_020_031)));
    }
}
