//! Initial weights, as Stable-Baselines3 and PyTorch have them.

use assay_model::{Activation, Mlp, ModelError};

use crate::rng::Rng;

/// A network whose weights are orthogonal matrices (Saxe et al. 2014) times a gain:
/// √2 for hidden layers, `last_gain` for the last one; biases are zero. The
/// on-policy algorithms start from it.
///
/// # Errors
/// [`ModelError::Sizes`] when the sizes are no network.
pub fn orthogonal(sizes: &[usize], activation: Activation, last_gain: f64, rng: &mut Rng) -> Result<Mlp, ModelError> {
    let mut network = Mlp::new(sizes, activation)?;
    for index in 0..network.depth() {
        let (inputs, outputs) = (sizes[index], sizes[index + 1]);
        let gain = if index + 1 == network.depth() { last_gain } else { std::f64::consts::SQRT_2 };
        let weight: Vec<f32> = orthogonal_matrix(outputs, inputs, rng).iter().map(|w| (w * gain) as f32).collect();
        network.set_layer(index, &weight, &vec![0.0; outputs])?;
    }
    Ok(network)
}

/// A network whose weights and biases are uniform in ± 1/√inputs of their layer:
/// PyTorch's default, from which the off-policy algorithms start.
///
/// # Errors
/// [`ModelError::Sizes`] when the sizes are no network.
pub fn uniform_fan_in(sizes: &[usize], activation: Activation, rng: &mut Rng) -> Result<Mlp, ModelError> {
    let mut network = Mlp::new(sizes, activation)?;
    for index in 0..network.depth() {
        let (inputs, outputs) = (sizes[index], sizes[index + 1]);
        let limit = 1.0 / (inputs as f64).sqrt();
        let mut draw =
            |count: usize| -> Vec<f32> { (0..count).map(|_| ((2.0 * rng.uniform() - 1.0) * limit) as f32).collect() };
        let weight = draw(inputs * outputs);
        network.set_layer(index, &weight, &draw(outputs))?;
    }
    Ok(network)
}

/// A random matrix, row-major, whose rows (or columns, whichever are fewer) are
/// orthonormal: normal numbers, made orthogonal by Gram and Schmidt, twice for accuracy.
fn orthogonal_matrix(rows: usize, columns: usize, rng: &mut Rng) -> Vec<f64> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| rng.normal()).collect();
        for _ in 0..2 {
            for other in &vectors {
                let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
        }
        let norm = vector.iter().map(|a| a * a).sum::<f64>().sqrt();
        if norm > 1e-6 {
            vector.iter_mut().for_each(|a| *a /= norm);
            vectors.push(vector);
        }
    }
    let at = |row: usize, column: usize| if rows <= columns { vectors[row][column] } else { vectors[column][row] };
    (0..rows * columns).map(|index| at(index / columns, index % columns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_or_columns_are_orthonormal() {
        for (rows, columns) in [(3, 64), (64, 21), (64, 64), (1, 5)] {
            let matrix = orthogonal_matrix(rows, columns, &mut Rng::new(3));
            let product = |a: usize, b: usize| -> f64 {
                if rows <= columns {
                    (0..columns).map(|k| matrix[a * columns + k] * matrix[b * columns + k]).sum()
                } else {
                    (0..rows).map(|k| matrix[k * columns + a] * matrix[k * columns + b]).sum()
                }
            };
            for a in 0..rows.min(columns) {
                for b in 0..=a {
                    assert!((product(a, b) - f64::from(u8::from(a == b))).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn gains_and_limits_hold() {
        let network = orthogonal(&[8, 8, 3], Activation::Tanh, 0.01, &mut Rng::new(1)).unwrap();
        let norm = |weight: &[f32]| weight.iter().map(|w| f64::from(w * w)).sum::<f64>().sqrt();
        assert!((norm(&network.layer(0).0[..8]) - std::f64::consts::SQRT_2).abs() < 1e-6);
        assert!((norm(&network.layer(1).0[..8]) - 0.01).abs() < 1e-8);
        let network = uniform_fan_in(&[16, 64, 1], Activation::Relu, &mut Rng::new(1)).unwrap();
        let (weight, bias) = network.layer(0);
        assert!(weight.iter().chain(&bias).all(|w| w.abs() <= 0.25));
        assert!(weight.iter().any(|w| *w > 0.24) && weight.iter().any(|w| *w < -0.24));
    }
}
