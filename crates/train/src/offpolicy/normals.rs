//! Standard normal numbers, many at once.

use crate::rng::Rng;

/// Fills `out` with independent standard normal numbers (Box and Muller 1958, in
/// double precision on our own platform-independent logarithm, sine and cosine).
pub fn fill_normals(rng: &mut Rng, out: &mut [f32]) {
    for pair in out.chunks_mut(2) {
        // 1 − uniform lies in (0, 1], where the logarithm is finite.
        let radius = (-2.0 * libm::log(1.0 - rng.uniform())).sqrt();
        let (sine, cosine) = libm::sincos(std::f64::consts::TAU * rng.uniform());
        pair[0] = (radius * cosine) as f32;
        if let Some(second) = pair.get_mut(1) {
            *second = (radius * sine) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_moments_and_tails_of_the_normal_law() {
        let mut numbers = vec![0.0_f32; 400_001];
        fill_normals(&mut Rng::new(1), &mut numbers);
        let count = numbers.len() as f64;
        let moment = |power: usize| {
            numbers.iter().map(|x| (0..power).fold(1.0, |product, _| product * f64::from(*x))).sum::<f64>() / count
        };
        for (power, expected, tolerance) in [(1, 0.0, 0.01), (2, 1.0, 0.01), (3, 0.0, 0.03), (4, 3.0, 0.06)] {
            assert!((moment(power) - expected).abs() < tolerance, "moment {power} is {}", moment(power));
        }
        for (bound, share) in [(1.0, 0.158_655), (2.0, 0.022_750), (3.0, 0.001_350)] {
            let above = numbers.iter().filter(|x| **x > bound).count() as f64 / count;
            assert!((above - share).abs() < 4.0 * (share / count).sqrt(), "{above} above {bound}");
        }
        let neighbours: f64 = numbers.windows(2).map(|pair| f64::from(pair[0]) * f64::from(pair[1])).sum();
        assert!((neighbours / count).abs() < 0.01);
    }

    #[test]
    fn the_transform_is_the_textbook_one() {
        let mut source = Rng::new(9);
        let (u, v) = (source.uniform(), source.uniform());
        let mut pair = [0.0; 2];
        fill_normals(&mut Rng::new(9), &mut pair);
        let squares = f64::from(pair[0]).powi(2) + f64::from(pair[1]).powi(2);
        assert!((libm::exp(-squares / 2.0) - (1.0 - u)).abs() < 1e-6);
        let angle = libm::atan2(f64::from(pair[1]), f64::from(pair[0])) / std::f64::consts::TAU;
        assert!((angle.rem_euclid(1.0) - v).abs() < 1e-6);
    }
}
