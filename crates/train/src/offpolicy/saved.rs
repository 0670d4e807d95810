//! Networks and optimisers in a checkpoint.

use assay_model::{Adam, Mlp};

use crate::checkpoint::{Reader, Writer};
use crate::error::TrainError;

/// Writes the weights of `network`.
pub fn write_network(writer: &mut Writer, network: &Mlp) {
    writer.f32s(network.values());
}

/// Reads the weights of `network`.
///
/// # Errors
/// [`TrainError`] when they are of another network.
pub fn read_network(reader: &mut Reader, network: &mut Mlp) -> Result<(), TrainError> {
    Ok(network.set_values(&reader.f32s()?)?)
}

/// Writes the state of `optimizer`.
pub fn write_adam(writer: &mut Writer, optimizer: &Adam) {
    let (first, second, decay) = optimizer.state();
    writer.f32s(first);
    writer.f32s(second);
    decay.into_iter().for_each(|value| writer.f64(value));
}

/// Reads the state of `optimizer`.
///
/// # Errors
/// [`TrainError`] when it is of another network.
pub fn read_adam(reader: &mut Reader, optimizer: &mut Adam) -> Result<(), TrainError> {
    let (first, second) = (reader.f32s()?, reader.f32s()?);
    let decay = [reader.f64()?, reader.f64()?];
    Ok(optimizer.set_state(&first, &second, decay)?)
}
