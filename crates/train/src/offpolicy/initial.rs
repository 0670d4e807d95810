//! Initial weights as PyTorch's linear layers have them: uniform in ± 1/√inputs, the
//! biases too. Stable-Baselines3 keeps them for SAC, TD3 and DDPG.

use assay_model::{Activation, Mlp, ModelError};

use crate::rng::Rng;

/// A network of `sizes` with random weights.
///
/// # Errors
/// [`ModelError::Sizes`] for layers no network can have.
pub fn uniform_network(sizes: &[usize], activation: Activation, rng: &mut Rng) -> Result<Mlp, ModelError> {
    let mut network = Mlp::new(sizes, activation)?;
    for (index, pair) in sizes.windows(2).enumerate() {
        let bound = 1.0 / (pair[0] as f64).sqrt();
        let mut draw = |count: usize| -> Vec<f32> { (0..count).map(|_| (bound * (2.0 * rng.uniform() - 1.0)) as f32).collect() };
        let weight = draw(pair[0] * pair[1]);
        let bias = draw(pair[1]);
        network.set_layer(index, &weight, &bias)?;
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_fill_the_range_of_their_layer() {
        let network = uniform_network(&[25, 64, 2], Activation::Relu, &mut Rng::new(1)).unwrap();
        for (index, bound) in [(0, 0.2_f32), (1, 0.125)] {
            let (weight, bias) = network.layer(index);
            let largest = weight.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            assert!(largest <= bound && largest > 0.95 * bound, "layer {index}: {largest}");
            assert!(bias.iter().any(|value| *value != 0.0) && bias.iter().all(|value| value.abs() <= bound));
            let mean: f32 = weight.iter().sum::<f32>() / weight.len() as f32;
            assert!(mean.abs() < 0.2 * bound, "layer {index}: {mean}");
        }
    }
}
