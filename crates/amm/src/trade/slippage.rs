//! What a trade loses against the price it starts from.

use ruint::aliases::{U256, U512};

use crate::context::{Context, MarginalPrice, Quote};
use crate::error::AmmError;
use crate::integer::to_f64;
use crate::kind::Pool;
use crate::kind::UniswapV2;

/// Loss against the spot price, as fractions of what the spot price promises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slippage {
    /// `1 − out / (in × spot)` with the spot price before the fee: fee, price movement and rounding.
    pub with_fee: f64,
    /// `1 − out / (in × spot)` with the spot price after the fee: price movement and rounding.
    pub price_impact: f64,
}

/// The slippage of a quote of any pool.
///
/// Binary floating point: the absolute error is below 1e-11, that of the marginal price,
/// so trades far smaller than their pool show that error; [`slippage_v2`] is exact.
#[must_use]
pub fn slippage(quote: &Quote, price: &MarginalPrice) -> Slippage {
    let received = to_f64(quote.amount_out) / to_f64(quote.amount_in);
    Slippage { with_fee: 1.0 - received / price.without_fee, price_impact: 1.0 - received / price.with_fee }
}

/// Quotes an exact input of any pool and says what it loses.
///
/// # Errors
/// As the quote and the marginal price.
pub fn quote_with_slippage(
    pool: &Pool,
    token_in: usize,
    token_out: usize,
    amount_in: U256,
    context: &Context,
) -> Result<(Quote, Slippage), AmmError> {
    let quote = pool.quote_exact_in(token_in, token_out, amount_in, context)?;
    let price = pool.marginal_price(token_in, token_out, context)?;
    Ok((quote, slippage(&quote, &price)))
}

/// The slippage of an exact input of a constant-product pair.
///
/// Numerators and denominators are exact integers, so the relative error of each fraction
/// itself is below 1e-15, however small the fraction is. The price impact is negative
/// when the rounding of the fee favours the trader by more than the price moves.
///
/// # Errors
/// As the quote.
pub fn slippage_v2(pool: &UniswapV2, token_in: usize, amount_in: U256) -> Result<Slippage, AmmError> {
    let quote = pool.quote_exact_in(token_in, 1_usize.wrapping_sub(token_in), amount_in, &Context::default())?;
    let reserve_in = U512::from(pool.reserves[token_in]);
    let reserve_out = U512::from(pool.reserves[1 - token_in]);
    let (paid, received) = (U512::from(quote.amount_in), U512::from(quote.amount_out));
    let scale = U512::from(pool.fee_denominator);
    let kept = U512::from(pool.fee_denominator - pool.fee[token_in]);
    Ok(Slippage {
        with_fee: loss(received * reserve_in, paid * reserve_out),
        price_impact: loss(received * reserve_in * scale, paid * reserve_out * kept),
    })
}

/// How far a swap moves the spot price of a constant-product pair, as a fraction of the
/// price before; the fee stays in the reserves, as in the contract. Relative error below 1e-15.
///
/// # Errors
/// As the quote.
pub fn market_impact_v2(pool: &UniswapV2, token_in: usize, amount_in: U256) -> Result<f64, AmmError> {
    let mut moved = pool.clone();
    moved.swap_exact_in(token_in, 1_usize.wrapping_sub(token_in), amount_in, &Context::default())?;
    let wide = |pool: &UniswapV2, token: usize| U512::from(pool.reserves[token]);
    let after = wide(&moved, 1 - token_in) * wide(pool, token_in);
    let before = wide(pool, 1 - token_in) * wide(&moved, token_in);
    Ok(loss(after, before))
}

/// `1 − part / whole`, the difference taken in integers.
fn loss(part: U512, whole: U512) -> f64 {
    let sign = if part > whole { -1.0 } else { 1.0 };
    let difference = part.abs_diff(whole);
    // One shift for both keeps the upper 256 bits of the larger.
    let cut = part.max(whole).bit_len().saturating_sub(256);
    // A difference shorter than the cut is below 2^-140 of the whole.
    sign * to_f64(U256::from(difference >> cut)) / to_f64(U256::from(whole >> cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: u128 = 1_000_000_000_000_000_000;

    fn pair(reserve_in: u128, reserve_out: u128) -> UniswapV2 {
        UniswapV2::new([reserve_in * UNIT, reserve_out * UNIT], 3, 1000).unwrap()
    }

    #[test]
    fn the_published_figures() {
        let pair = pair(1_000_000, 2_000_000);
        let slippage = slippage_v2(&pair, 0, U256::from(10_000 * UNIT)).unwrap();
        assert_eq!(format!("{:.7}", slippage.with_fee * 100.0), "1.2841966");
        // Without the fee a swap of x into R loses 0.997 x / (R + 0.997 x).
        assert!((slippage.price_impact - 9970.0 / 1_009_970.0).abs() < 1e-15);
        for (units, printed) in [(10_000, "1.9674832"), (50_000, "9.2840927")] {
            let impact = market_impact_v2(&pair, 0, U256::from(units * UNIT)).unwrap();
            assert_eq!(format!("{:.7}", impact * 100.0), printed);
        }
    }

    #[test]
    fn small_fractions_keep_their_digits() {
        // A trade of 1e-12 of the reserve: 0.997e-12 to first order, the floor below 1e-21.
        let reserve = 1_000_000_000_000_000;
        let slippage = slippage_v2(&pair(reserve, reserve), 0, U256::from(1_000 * UNIT)).unwrap();
        assert!((slippage.price_impact / 0.997e-12 - 1.0).abs() < 2e-9, "{}", slippage.price_impact);
    }

    #[test]
    fn any_pool_agrees_with_the_exact_pair() {
        let pair = pair(3_000, 5_000_000);
        for amount in [UNIT / 7, UNIT, 100 * UNIT, 2_000 * UNIT] {
            let exact = slippage_v2(&pair, 0, U256::from(amount)).unwrap();
            let pool = Pool::UniswapV2(pair.clone());
            let (_, general) = quote_with_slippage(&pool, 0, 1, U256::from(amount), &Context::default()).unwrap();
            assert!((exact.with_fee - general.with_fee).abs() < 1e-11);
            assert!((exact.price_impact - general.price_impact).abs() < 1e-11);
        }
    }

    #[test]
    fn an_output_of_nothing_loses_everything() {
        let pair = UniswapV2::new([1_000_000, 10], 3, 1000).unwrap();
        assert!((slippage_v2(&pair, 0, U256::ONE).unwrap().with_fee - 1.0).abs() < f64::EPSILON);
    }
}
