//! Ticks and square-root prices: tick `t` is the price 1.0001^t, prices are kept as
//! 64.96-bit fixed-point square roots.
//!
//! Source: `TickMath` of Uniswap v3-core. The contract multiplies one constant per set
//! bit of the tick, truncating each time; the products of the low eight bits come from a
//! table here, which changes no bit. The contract finds a tick by squaring its way to a
//! logarithm and one comparison, which always ends at the greatest tick whose price is not
//! above the given one; here a floating-point logarithm proposes that tick and the exact
//! price decides whenever the proposal is close to a boundary.

use ruint::aliases::U256;

use super::logarithm::log2;
use crate::error::AmmError;
use crate::integer::to_f64;

/// The lowest tick.
pub const MIN_TICK: i32 = -887_272;
/// The highest tick.
pub const MAX_TICK: i32 = 887_272;
/// The square-root price at [`MIN_TICK`]: the lowest a pool can have.
pub const MIN_SQRT_PRICE: U256 = U256::from_limbs([4_295_128_739, 0, 0, 0]);
/// The square-root price at [`MAX_TICK`]: one above the highest a pool can have.
pub const MAX_SQRT_PRICE: U256 = U256::from_limbs([0x5d95_1d52_6398_8d26, 0xefd1_fc6a_5064_8849, 0xfffd_8963, 0]);

/// sqrt(1.0001)^-(2^k) as 0.128-bit fixed point, for bits k = 0 … 19 of the tick.
const FACTORS: [u128; 20] = [
    0xfffc_b933_bd6f_ad37_aa2d_162d_1a59_4001,
    0xfff9_7272_373d_4132_59a4_6990_580e_213a,
    0xfff2_e50f_5f65_6932_ef12_357c_f3c7_fdcc,
    0xffe5_caca_7e10_e4e6_1c36_24ea_a094_1cd0,
    0xffcb_9843_d60f_6159_c9db_5883_5c92_6644,
    0xff97_3b41_fa98_c081_472e_6896_dfb2_54c0,
    0xff2e_a164_66c9_6a38_43ec_78b3_26b5_2861,
    0xfe5d_ee04_6a99_a2a8_11c4_61f1_969c_3053,
    0xfcbe_86c7_900a_88ae_dcff_c83b_479a_a3a4,
    0xf987_a725_3ac4_1317_6f2b_074c_f781_5e54,
    0xf339_2b08_22b7_0005_940c_7a39_8e4b_70f3,
    0xe715_9475_a2c2_9b74_43b2_9c7f_a6e8_89d9,
    0xd097_f3bd_fd20_22b8_845a_d8f7_92aa_5825,
    0xa9f7_4646_2d87_0fdf_8a65_dc1f_90e0_61e5,
    0x70d8_69a1_56d2_a1b8_90bb_3df6_2baf_32f7,
    0x31be_135f_97d0_8fd9_8123_1505_542f_cfa6,
    0x09aa_508b_5b7a_84e1_c677_de54_f3e9_9bc9,
    0x005d_6af8_dedb_8119_6699_c329_225e_e604,
    0x0000_2216_e584_f5fa_1ea9_2604_1bed_fe98,
    0x0000_0000_048a_1703_91f7_dc42_444e_8fa2,
];

const TABLE_BITS: usize = 8;

/// The product of the factors of every set of the low bits; entry 0 is unused, since 1
/// does not fit 0.128 bits.
static LOW_PRODUCTS: [u128; 1 << TABLE_BITS] = low_products();

const fn low_products() -> [u128; 1 << TABLE_BITS] {
    let mut products = [0; 1 << TABLE_BITS];
    let mut low = 1;
    while low < products.len() {
        let top = usize::BITS - 1 - low.leading_zeros();
        let rest = low & !(1 << top);
        let factor = FACTORS[top as usize];
        // The contract multiplies from the lowest bit up.
        products[low] = if rest == 0 { factor } else { mul_high(products[rest], factor) };
        low += 1;
    }
    products
}

/// The upper 128 bits of a 256-bit product.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "halves of 64 bits are what is meant")]
const fn mul_high(a: u128, b: u128) -> u128 {
    let (a1, a0) = ((a >> 64) as u64 as u128, a as u64 as u128);
    let (b1, b0) = ((b >> 64) as u64 as u128, b as u64 as u128);
    let low = a0 * b0;
    let middle = a1 * b0 + (low >> 64);
    let (middle_high, middle_low) = (middle >> 64, middle as u64 as u128);
    let other = a0 * b1 + middle_low;
    a1 * b1 + middle_high + (other >> 64)
}

/// The square-root price of a tick.
///
/// # Errors
/// A tick outside [`MIN_TICK`] … [`MAX_TICK`].
#[inline]
pub fn sqrt_price_at_tick(tick: i32) -> Result<U256, AmmError> {
    if !(MIN_TICK..=MAX_TICK).contains(&tick) {
        return Err(out_of_range(tick));
    }
    Ok(price_of(tick))
}

#[cold]
fn out_of_range(tick: i32) -> AmmError {
    AmmError::Tick { tick, reason: format!("outside {MIN_TICK} … {MAX_TICK}") }
}

/// [`sqrt_price_at_tick`] for a tick known to be in range.
#[inline]
pub(crate) fn price_of(tick: i32) -> U256 {
    if tick == 0 {
        return U256::from_limbs([0, 1 << 32, 0, 0]);
    }
    let magnitude = tick.unsigned_abs() as usize;
    let low = magnitude & (LOW_PRODUCTS.len() - 1);
    let mut high = magnitude >> TABLE_BITS;
    let mut ratio = if low == 0 {
        let first = high.trailing_zeros() as usize;
        high &= high - 1;
        FACTORS[TABLE_BITS + first]
    } else {
        LOW_PRODUCTS[low]
    };
    while high != 0 {
        ratio = mul_high(ratio, FACTORS[TABLE_BITS + high.trailing_zeros() as usize]);
        high &= high - 1;
    }
    if tick < 0 {
        let price = (ratio >> 32) + u128::from(ratio & 0xffff_ffff != 0);
        U256::from(price)
    } else {
        let inverse = U256::MAX / U256::from(ratio);
        let rounded = inverse >> 32;
        if inverse.as_limbs()[0] & 0xffff_ffff == 0 { rounded } else { rounded + U256::ONE }
    }
}

/// The greatest tick whose price is not above `sqrt_price`.
///
/// # Errors
/// A price outside [`MIN_SQRT_PRICE`] … [`MAX_SQRT_PRICE`] (exclusive).
#[inline]
pub fn tick_at_sqrt_price(sqrt_price: U256) -> Result<i32, AmmError> {
    if sqrt_price < MIN_SQRT_PRICE || sqrt_price >= MAX_SQRT_PRICE {
        return Err(AmmError::PriceLimit { limit: sqrt_price, price: MIN_SQRT_PRICE, bound: MAX_SQRT_PRICE });
    }
    Ok(tick_of(sqrt_price))
}

/// [`tick_at_sqrt_price`] for a price known to be in range.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the logarithm is within ±887,273")]
pub(crate) fn tick_of(sqrt_price: U256) -> i32 {
    /// 1 / log2(sqrt(1.0001)).
    const TICKS_PER_OCTAVE: f64 = 13_863.636_746_827_59;
    /// Far above the error of the logarithm (1e-9 ticks) and of the rounding of the lowest
    /// prices (5e-6 ticks).
    const MARGIN: f64 = 1e-4;
    let estimate = (log2(to_f64(sqrt_price)) - 96.0) * TICKS_PER_OCTAVE;
    let truncated = estimate as i32;
    let tick = truncated - i32::from(estimate < f64::from(truncated));
    let fraction = estimate - f64::from(tick);
    if fraction > MARGIN && fraction < 1.0 - MARGIN {
        return tick;
    }
    let boundary = if fraction < 0.5 { tick } else { tick + 1 };
    if boundary <= MAX_TICK && price_of(boundary) <= sqrt_price { boundary } else { boundary - 1 }
}

/// The most liquidity that may reference one tick, so that the liquidity in range always
/// fits 128 bits: (2^128 − 1) over the number of usable ticks.
///
/// `floor_minimum` is how V4 counts the lowest tick: rounded down, not towards zero.
///
/// # Errors
/// A spacing that is not positive or above 32,767.
pub fn max_liquidity_per_tick(tick_spacing: i32, floor_minimum: bool) -> Result<u128, AmmError> {
    if !(1..=32_767).contains(&tick_spacing) {
        return Err(AmmError::State(format!("a tick spacing of {tick_spacing} is not in 1 … 32767")));
    }
    let lowest = if floor_minimum { MIN_TICK.div_euclid(tick_spacing) } else { MIN_TICK / tick_spacing };
    let count = MAX_TICK / tick_spacing - lowest + 1;
    Ok(u128::MAX / u128::from(count.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use num_bigint::{BigInt, BigUint};
    use proptest::prelude::*;

    use super::*;

    /// The contract's own way to a tick, on unbounded integers.
    fn contract_tick(sqrt_price: U256) -> i32 {
        let price = BigUint::from_bytes_le(&sqrt_price.to_le_bytes::<32>());
        let ratio: BigUint = &price << 32;
        let msb = ratio.bits() - 1;
        let mut r: BigUint = if msb >= 128 { &ratio >> (msb - 127) } else { &ratio << (127 - msb) };
        let mut log_2 = BigInt::from(i64::try_from(msb).unwrap() - 128) << 64;
        for bit in (50..=63).rev() {
            r = (&r * &r) >> 127;
            let f = (&r >> 128u32) != BigUint::ZERO;
            if f {
                log_2 |= BigInt::from(1) << bit;
                r >>= 1;
            }
        }
        let log_sqrt = log_2 * "255738958999603826347141".parse::<BigInt>().unwrap();
        let low: BigInt = (&log_sqrt - "3402992956809132418596140100660247210".parse::<BigInt>().unwrap()) >> 128;
        let high: BigInt = (&log_sqrt + "291339464771989622907027621153398088495".parse::<BigInt>().unwrap()) >> 128;
        let (low, high): (i32, i32) = (low.try_into().unwrap(), high.try_into().unwrap());
        if low == high || price_of(high) > sqrt_price { low } else { high }
    }

    /// The contract's loop over every bit, without the table.
    fn contract_price(tick: i32) -> BigUint {
        let magnitude = tick.unsigned_abs();
        let mut ratio = BigUint::from(1u8) << 128;
        for (bit, factor) in FACTORS.iter().enumerate() {
            if magnitude >> bit & 1 == 1 {
                ratio = (ratio * factor) >> 128;
            }
        }
        if tick > 0 {
            ratio = ((BigUint::from(1u8) << 256) - 1u8) / ratio;
        }
        (ratio + ((1u64 << 32) - 1)) >> 32
    }

    fn big(value: U256) -> BigUint {
        BigUint::from_bytes_le(&value.to_le_bytes::<32>())
    }

    #[test]
    fn published_prices() {
        for (tick, price) in [
            (-887_272, "4295128739"),
            (-100, "78833030112140176575862854579"),
            (0, "79228162514264337593543950336"),
            (100, "79625275426524748796330556128"),
            (887_272, "1461446703485210103287273052203988822378723970342"),
        ] {
            assert_eq!(sqrt_price_at_tick(tick).unwrap().to_string(), price, "tick {tick}");
        }
        assert!(sqrt_price_at_tick(887_273).is_err());
        assert!(sqrt_price_at_tick(-887_273).is_err());
        assert!(sqrt_price_at_tick(i32::MIN).is_err());
    }

    #[test]
    fn bounds_of_prices() {
        assert_eq!(MAX_SQRT_PRICE, price_of(MAX_TICK));
        assert_eq!(tick_at_sqrt_price(MIN_SQRT_PRICE).unwrap(), MIN_TICK);
        assert_eq!(tick_at_sqrt_price(MAX_SQRT_PRICE - U256::ONE).unwrap(), MAX_TICK - 1);
        assert!(tick_at_sqrt_price(MIN_SQRT_PRICE - U256::ONE).is_err());
        assert!(tick_at_sqrt_price(MAX_SQRT_PRICE).is_err());
    }

    #[test]
    fn published_limits_of_liquidity() {
        assert_eq!(max_liquidity_per_tick(60, false).unwrap(), 11_505_743_598_341_114_571_880_798_222_544_994);
        assert_eq!(max_liquidity_per_tick(10, false).unwrap(), 1_917_569_901_783_203_986_719_870_431_555_990);
        assert_eq!(max_liquidity_per_tick(200, false).unwrap(), 38_350_317_471_085_141_830_651_933_667_504_588);
        assert!(max_liquidity_per_tick(0, false).is_err());
        assert!(max_liquidity_per_tick(-1, true).is_err());
    }

    /// Every 61st tick and its neighbours, over the whole range, and around its price.
    #[test]
    fn prices_and_ticks_over_the_whole_range() {
        for tick in (MIN_TICK..=MAX_TICK).step_by(61) {
            let price = price_of(tick);
            assert_eq!(big(price), contract_price(tick), "tick {tick}");
            if price < MAX_SQRT_PRICE {
                assert_eq!(tick_of(price), tick);
            }
            if price > MIN_SQRT_PRICE {
                assert_eq!(tick_of(price - U256::ONE), tick - 1);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn a_tick_is_the_contracts(bits in 32usize..160, limbs in any::<[u64; 3]>(), tick in MIN_TICK..MAX_TICK, near in -2i32..=2) {
            let random = (U256::from_limbs([limbs[0], limbs[1], limbs[2], 0]) & ((U256::ONE << bits) - U256::ONE))
                .clamp(MIN_SQRT_PRICE, MAX_SQRT_PRICE - U256::ONE);
            prop_assert_eq!(tick_of(random), contract_tick(random));
            let at = price_of(tick);
            let beside = if near < 0 { at - U256::from(near.unsigned_abs()) } else { at + U256::from(near.unsigned_abs()) };
            let beside = beside.clamp(MIN_SQRT_PRICE, MAX_SQRT_PRICE - U256::ONE);
            prop_assert_eq!(tick_of(beside), contract_tick(beside));
        }
    }
}
